//! The scheduler state of a process, as a small number.
//!
//! States that operating systems report have fixed numbers, which the formats keep. An upload may name any state: such
//! names are numbered in this running process and written out as text by the codec, so a number at or above
//! [`ProcessState::FIRST_OTHER`] means nothing outside the process that gave it.

use std::sync::{Arc, PoisonError, RwLock};

/// A process state: a fixed number for the known ones, a number of this running process for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessState(u16);

/// Names with fixed numbers: their index here. Never reorder; append only. These are psutil's names.
const KNOWN: [&str; 15] = [
    "running",
    "sleeping",
    "disk-sleep",
    "stopped",
    "tracing-stop",
    "zombie",
    "dead",
    "idle",
    "wake-kill",
    "waking",
    "parked",
    "locked",
    "waiting",
    "suspended",
    "unknown",
];

static OTHERS: RwLock<Vec<Arc<str>>> = RwLock::new(Vec::new());

impl ProcessState {
    /// Numbers from here on belong to the running process, not to the format.
    pub const FIRST_OTHER: u16 = 256;
    /// How many other names are kept apart; what comes after that is `unknown`. Bounds what uploads can make us keep.
    pub const OTHERS_MAX: usize = 1_000;
    /// The longest name of a state in bytes.
    pub const NAME_BYTES_MAX: usize = 64;

    /// On a CPU or ready for one.
    pub const RUNNING: Self = Self(0);
    /// Waiting, interruptible.
    pub const SLEEPING: Self = Self(1);
    /// Waiting for a device, not interruptible.
    pub const DISK_SLEEP: Self = Self(2);
    /// Stopped by a signal.
    pub const STOPPED: Self = Self(3);
    /// Stopped by a debugger.
    pub const TRACING_STOP: Self = Self(4);
    /// Ended, not yet waited for.
    pub const ZOMBIE: Self = Self(5);
    /// Being removed.
    pub const DEAD: Self = Self(6);
    /// An idle kernel thread.
    pub const IDLE: Self = Self(7);
    /// Parked kernel thread.
    pub const PARKED: Self = Self(10);
    /// Every thread is suspended (Windows).
    pub const SUSPENDED: Self = Self(13);
    /// Not one of the known states.
    pub const UNKNOWN: Self = Self(14);

    /// The state of this name; names beyond the limits become [`ProcessState::UNKNOWN`].
    pub fn from_name(name: &str) -> Self {
        if let Some(known) = KNOWN.iter().position(|known| *known == name) {
            return Self(u16::try_from(known).unwrap_or(Self::UNKNOWN.0));
        }
        if name.is_empty() || name.len() > Self::NAME_BYTES_MAX {
            return Self::UNKNOWN;
        }
        let find = |others: &[Arc<str>]| others.iter().position(|other| &**other == name).map(Self::other);
        if let Some(found) = find(&OTHERS.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let mut others = OTHERS.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find(&others) {
            return found;
        }
        if others.len() >= Self::OTHERS_MAX {
            return Self::UNKNOWN;
        }
        others.push(name.into());
        Self::other(others.len() - 1)
    }

    /// The state whose fixed number this is, for decoders.
    pub fn from_code(code: u16) -> Option<Self> {
        (usize::from(code) < KNOWN.len()).then_some(Self(code))
    }

    /// The state from the letter in `/proc/<pid>/stat` (proc(5)).
    pub fn from_linux_letter(letter: u8) -> Self {
        Self(match letter {
            b'R' => 0,
            b'S' => 1,
            b'D' => 2,
            b'T' => 3,
            b't' => 4,
            b'Z' => 5,
            b'X' | b'x' => 6,
            b'I' => 7,
            b'K' => 8,
            b'W' => 9,
            b'P' => 10,
            _ => Self::UNKNOWN.0,
        })
    }

    /// The number; below [`ProcessState::FIRST_OTHER`] it is the same everywhere.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The state that has this number in this running process, fixed or not.
    pub fn from_local_code(code: u64) -> Option<Self> {
        let code = u16::try_from(code).ok()?;
        let others = || OTHERS.read().unwrap_or_else(PoisonError::into_inner).len();
        let known = usize::from(code) < KNOWN.len()
            || (code >= Self::FIRST_OTHER && usize::from(code - Self::FIRST_OTHER) < others());
        known.then_some(Self(code))
    }

    /// The name as uploads write it.
    pub fn name(self) -> Arc<str> {
        match KNOWN.get(usize::from(self.0)) {
            Some(known) => Arc::from(*known),
            None => OTHERS
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(usize::from(self.0.saturating_sub(Self::FIRST_OTHER)))
                .cloned()
                .unwrap_or_else(|| Arc::from("unknown")),
        }
    }

    fn other(index: usize) -> Self {
        Self(u16::try_from(index + usize::from(Self::FIRST_OTHER)).unwrap_or(Self::UNKNOWN.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in KNOWN.iter().copied().chain(["R", "on holiday", "日本"]) {
            assert_eq!(&*ProcessState::from_name(name).name(), name);
        }
    }

    #[test]
    fn too_long_a_name_is_unknown() {
        assert_eq!(ProcessState::from_name(&"x".repeat(65)), ProcessState::UNKNOWN);
    }

    #[test]
    fn letters_of_linux() {
        assert_eq!(ProcessState::from_linux_letter(b'D'), ProcessState::DISK_SLEEP);
        assert_eq!(ProcessState::from_linux_letter(b'?'), ProcessState::UNKNOWN);
    }
}
