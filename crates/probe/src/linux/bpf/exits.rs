//! Beginnings and ends of processes from the ring that the kernel writes.

use std::fmt;

use aya::maps::{Array, MapData};

use super::records::{EndedRecord, EventRecord};
use super::ring::Ring;
use crate::platform::events::{EventSource, Filled, LastWords, Lives, Lost};

/// What a short life takes of the ring, with some arguments.
const LIFE_BYTES: usize = 200;
/// Room for some 20,000 lives that nobody fetched. It is the kernel's memory, mapped into ours.
pub(super) const RING_BYTES: u32 = 4 << 20;
/// The most events taken at once, so that a flood cannot hold the agent for ever.
const EVENTS_MAX: usize = 1_000_000;
/// So many ends of processes with threads are remembered: two threads that end at once both tell of the end.
const RECENT_MAX: usize = 64;

/// The flag of tasks that run what their parent ran (`PF_FORKNOEXEC`).
const NEVER_EXECUTED: u32 = 0x40;

/// Takes events out of the ring.
pub(super) struct Exits {
    ring: Ring,
    lost: Array<MapData, u64>,
    lost_before: u64,
    recent: [(u32, u64); RECENT_MAX],
    next_recent: usize,
    page_bytes: u64,
}

impl fmt::Debug for Exits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Exits").field("lost_before", &self.lost_before).finish_non_exhaustive()
    }
}

impl Exits {
    pub(super) fn new(ring: Ring, lost: Array<MapData, u64>, page_bytes: u64) -> Self {
        Self { ring, lost, lost_before: 0, recent: [(0, 0); RECENT_MAX], next_recent: 0, page_bytes }
    }

    /// Since the last time.
    fn lost(&mut self) -> Lost {
        let Ok(lost) = self.lost.get(&0, 0) else { return Lost::Unknown };
        match lost.wrapping_sub(std::mem::replace(&mut self.lost_before, lost)) {
            0 => Lost::Nothing,
            count => Lost::Events(count),
        }
    }
}

impl EventSource for Exits {
    fn name(&self) -> &'static str {
        "bpf"
    }

    fn room(&self) -> usize {
        self.ring.bytes() / LIFE_BYTES
    }

    fn drain(&mut self, lives: &mut Lives) -> Filled {
        let mut bytes = 0;
        for _ in 0..EVENTS_MAX {
            let Some((record, took)) = self.ring.next() else { break };
            bytes += took;
            match EventRecord::parse(record) {
                Some(EventRecord::Began { pid, parent_pid, time_ns }) => lives.take_beginning(parent_pid, pid, time_ns),
                Some(EventRecord::Ended(ended)) if !is_told(&mut self.recent, &mut self.next_recent, &ended) => {
                    lives.take_last_words(&last_words(&ended, self.page_bytes));
                }
                _ => {}
            }
        }
        let lost = self.lost();
        #[expect(clippy::cast_precision_loss, reason = "a share, roughly")]
        let share = (bytes as f64 / self.ring.bytes() as f64).min(1.0);
        Filled { share: if lost == Lost::Nothing { share } else { 1.0 }, lost }
    }
}

/// Whether the end of this process has just been told by another of its threads; if not, it is now.
fn is_told(recent: &mut [(u32, u64); RECENT_MAX], next: &mut usize, ended: &EndedRecord<'_>) -> bool {
    if ended.threads < 2 {
        return false;
    }
    let process = (ended.pid, ended.began_ns);
    let told = recent.contains(&process);
    if !told {
        recent[*next] = process;
        *next = (*next + 1) % RECENT_MAX;
    }
    told
}

fn last_words<'a>(ended: &EndedRecord<'a>, page_bytes: u64) -> LastWords<'a> {
    // Whoever never ran a program of its own has its parent's words.
    let executed = ended.flags & NEVER_EXECUTED == 0;
    let mut name = [0; LastWords::NAME_BYTES];
    name.iter_mut().zip(ended.name.bytes()).for_each(|(to, from)| *to = *from);
    LastWords {
        pid: ended.pid,
        parent_pid: ended.parent_pid,
        began_ns: ended.began_ns,
        time_ns: ended.time_ns,
        status: ended.status,
        executed,
        uid: ended.user,
        name,
        cpu_time_us: ended.cpu_ns / 1_000,
        peak_memory_bytes: ended.peak_pages.saturating_mul(page_bytes),
        arguments: if executed { ended.arguments } else { &[] },
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Name;
    use super::*;

    fn ended(pid: u32, threads: u32) -> EndedRecord<'static> {
        EndedRecord {
            pid,
            parent_pid: 1,
            status: 0,
            user: 0,
            flags: NEVER_EXECUTED,
            threads,
            began_ns: 7,
            time_ns: 9,
            cpu_ns: 5_999,
            peak_pages: 3,
            name: Name([b'n'; Name::BYTES]),
            arguments: b"of\0parent\0",
        }
    }

    #[test]
    fn an_end_that_two_threads_tell_is_one() {
        let (mut recent, mut next) = ([(0, 0); RECENT_MAX], 0);
        let mut told = |ended| is_told(&mut recent, &mut next, &ended);
        assert_eq!([told(ended(5, 2)), told(ended(6, 2)), told(ended(5, 2))], [false, false, true]);
        assert_eq!([told(ended(7, 1)), told(ended(7, 1))], [false, false], "one thread tells once");
        for pid in 100..100 + u32::try_from(RECENT_MAX).unwrap() {
            assert!(!told(ended(pid, 2)));
        }
        assert!(!told(ended(5, 2)), "forgotten");
    }

    #[test]
    fn arguments_of_a_parent_are_not_told_as_ones_own() {
        let words = last_words(&ended(5, 1), 4_096);
        assert_eq!((words.executed, words.arguments), (false, &[][..]));
        assert_eq!((words.cpu_time_us, words.peak_memory_bytes, words.name[15], words.name[16]), (5, 12_288, b'n', 0));
        let own = last_words(&EndedRecord { flags: 0, ..ended(5, 1) }, 4_096);
        assert_eq!((own.executed, own.arguments), (true, &b"of\0parent\0"[..]));
    }
}
