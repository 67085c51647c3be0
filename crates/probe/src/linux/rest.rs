//! Whether a process has run since the look before. Most have not, most of the time, and then what was read of them holds.
//!
//! `/proc/<pid>/schedstat` has for how long the first thread of a process ran and how often it was put on a CPU (kernel:
//! `Documentation/scheduler/sched-stats.rst`). To make that text costs the kernel a third of what `stat` costs, so it
//! is asked first, of processes with one thread that did nothing for some looks; where it has not moved, `stat` is not
//! read.
//!
//! Two things of a process may move while it sleeps. Its parent may end: who calls looks at that. And the kernel may take
//! memory from it; therefore `stat` is read all the same at least every two minutes, and of all at a look at which the
//! swap in use is another.

use std::time::Duration;

use procession_model::{Metric, ProcessState, Sample};
use rustix::fd::OwnedFd;

/// What a kernel that does not count gives.
const NOT_COUNTED: &[u8] = b"0 0 0\n";

/// After so many looks that found nothing new in `stat`, a process is taken to be one that rests.
const IDLE_LOOKS: u8 = 2;
/// After so many looks at rest, `stat` is closed: a file that is open holds a page in the kernel.
const RESTED_LOOKS: u8 = 3;
/// After so many looks in a row at which it had run, two files are read for one in vain.
const RAN_LOOKS: u8 = 4;
/// So many idle looks are let pass before that is tried again.
const PATIENCE_LOOKS: u8 = 60;

/// How old the memory of a process may be that does not run.
const WHOLE_EVERY: Duration = Duration::from_secs(120);

/// What is known of the rest of one process.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// `schedstat`, kept open.
    file: Option<OwnedFd>,
    /// The hash of its text at the look before.
    text_hash: Option<u64>,
    /// Looks in a row at which it had not run.
    rested: u8,
    /// Looks in a row at which it had.
    ran: u8,
    /// Looks in a row that found nothing new in `stat`.
    idle: u8,
    /// How many of these it takes.
    idle_wanted: Option<u8>,
}

impl Rest {
    /// The file to ask, where this process is one to ask about.
    pub(super) const fn file(&self) -> Option<&OwnedFd> {
        self.file.as_ref()
    }

    /// Takes what the file says now. Whether the process has not run since it was asked the last time.
    pub(super) fn take(&mut self, text: &[u8], hash: u64) -> bool {
        let earlier = self.text_hash.replace(hash);
        if earlier == Some(hash) && text != NOT_COUNTED {
            self.rested = self.rested.saturating_add(1);
            self.ran = 0;
            return true;
        }
        self.rested = 0;
        self.ran += u8::from(earlier.is_some());
        false
    }

    /// The next look reads everything.
    pub(super) const fn forget(&mut self) {
        self.text_hash = None;
    }

    /// Whether it was left alone at this look and for some before.
    pub(super) const fn is_long(&self) -> bool {
        self.rested >= RESTED_LOOKS
    }

    /// Whether it was left alone at this look.
    pub(super) const fn is_on(&self) -> bool {
        self.rested > 0
    }

    /// Takes what `stat` was found to be. Whether it is time to open the file.
    pub(super) fn is_wanted(&mut self, was_idle: bool, sample: Sample) -> bool {
        self.idle = if was_idle { self.idle.saturating_add(1) } else { 0 };
        self.file.is_none() && self.idle >= self.idle_wanted.unwrap_or(IDLE_LOOKS) && can_rest(sample)
    }

    /// Whether asking has not been worth it, or says nothing about the process any more.
    pub(super) fn is_in_vain(&self, sample: Sample) -> bool {
        self.file.is_some() && (self.ran >= RAN_LOOKS || !can_rest(sample))
    }

    pub(super) fn begin(&mut self, file: OwnedFd) {
        *self = Self { file: Some(file), ..Self::default() };
    }

    /// Gives the file back, and waits before there is another one.
    pub(super) fn end(&mut self) -> Option<OwnedFd> {
        std::mem::replace(self, Self { idle_wanted: Some(PATIENCE_LOOKS), ..Self::default() }).file
    }
}

/// The file is about one thread, and a process that waits for a CPU may get it at any moment.
fn can_rest(sample: Sample) -> bool {
    sample.get(Metric::Threads) == Some(1) && sample.state() != Some(ProcessState::RUNNING)
}

/// Which processes are read whole at a look.
#[derive(Debug, Default)]
pub(super) struct WholeLooks {
    look: u32,
    every: u32,
    all: bool,
}

impl WholeLooks {
    /// For one more look, so long after the one before; `all` where memory may have been taken from anyone.
    pub(super) fn begin_look(&mut self, length: Option<Duration>, all: bool) {
        self.look = self.look.wrapping_add(1);
        self.all = all;
        let every = length.map_or(1, |length| WHOLE_EVERY.as_millis() / length.as_millis().max(1));
        self.every = u32::try_from(every).unwrap_or(u32::MAX).max(1);
    }

    /// Whether this process has its turn: as many at one look as at another.
    pub(super) const fn has(&self, pid: u32) -> bool {
        self.all || self.look.wrapping_add(pid).is_multiple_of(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_turn_within_two_minutes() {
        let mut looks = WholeLooks::default();
        let mut turns = [0; 100];
        for _ in 0..24 {
            looks.begin_look(Some(Duration::from_secs(5)), false);
            (0..100).filter(|pid| looks.has(*pid)).for_each(|pid| turns[pid as usize] += 1);
        }
        assert_eq!(turns, [1; 100]);
        looks.begin_look(Some(Duration::from_secs(5)), true);
        assert!((0..100).all(|pid| looks.has(pid)));
        for length in [None, Some(Duration::ZERO), Some(Duration::from_secs(130))] {
            looks.begin_look(length, false);
            let _ = looks.has(7);
        }
        looks.begin_look(Some(Duration::from_secs(130)), false);
        assert!(looks.has(7), "a look so seldom is a whole one");
    }

    #[test]
    fn a_kernel_that_does_not_count_says_nothing() {
        let mut rest = Rest::default();
        assert!(!rest.take(NOT_COUNTED, 1));
        assert!(!rest.take(NOT_COUNTED, 1));
        assert!(!rest.take(b"5 0 1\n", 2));
        assert!(rest.take(b"5 0 1\n", 2));
        assert!(!rest.take(b"5 0 2\n", 3));
    }

    #[test]
    fn who_runs_at_every_look_is_not_asked_for_a_while() {
        let sample = Sample::ABSENT.with(Metric::Threads, Some(1)).with_state(ProcessState::SLEEPING);
        let mut rest = Rest::default();
        for look in 1..=RAN_LOOKS + 1 {
            assert!(!rest.take(b"x", u64::from(look)));
        }
        assert_eq!(rest.ran, RAN_LOOKS);
        assert!(rest.end().is_none());
        assert!((1..PATIENCE_LOOKS).all(|_| !rest.is_wanted(true, sample)));
        assert!(rest.is_wanted(true, sample));
        let threads = sample.with(Metric::Threads, Some(2));
        let running = sample.with_state(ProcessState::RUNNING);
        assert!(!rest.is_wanted(true, threads) && !rest.is_wanted(true, running) && !rest.is_wanted(false, sample));
    }
}
