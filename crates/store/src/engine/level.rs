//! How coarse a block is.

/// How coarse a block is. The numbers are those of the database: never reorder, append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Level {
    /// Every frame.
    Raw = 0,
    /// Steps of a minute.
    Minute = 1,
    /// Steps of 15 minutes.
    QuarterHour = 2,
    /// Steps of an hour; of the host itself, of 15 minutes.
    Hour = 3,
}

impl Level {
    /// How many there are.
    pub(crate) const COUNT: usize = 4;
    /// All by their numbers, the finest first.
    pub(crate) const ALL: [Self; Self::COUNT] = [Self::Raw, Self::Minute, Self::QuarterHour, Self::Hour];
    /// All but snapshots.
    pub(crate) const ROLLED: [Self; Self::COUNT - 1] = [Self::Minute, Self::QuarterHour, Self::Hour];

    /// The number.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// The level of a number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
