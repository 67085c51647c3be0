//! A moment: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
//!
//! Milliseconds are what the history keeps: finer than any sampling interval in use, and exact in JavaScript.

/// A moment in UTC, in milliseconds since the Unix epoch. May be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one. Saturates.
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment moved by `ms`. Saturates.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}
