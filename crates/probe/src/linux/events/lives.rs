//! From events to lives: who began and ended between two looks, and how those ended that were seen.

use std::collections::{HashMap, VecDeque};

use procession_model::{End, Exit, Timestamp};

use super::awaiting::{Awaiting, ByPid};
use super::connector::ProcessEvent;
use super::last_words::LastWords;
use super::taskstats::{NAME_BYTES, TaskEnd};

/// The most lives that are kept singly between two snapshots; what comes after is only counted by program.
pub(super) const LIVES_MAX: usize = 40_000;
/// The most processes whose beginning is remembered while their end is awaited.
const NEWBORN_MAX: usize = 200_000;
/// Programs and parents that are told apart among the lives that are only counted.
const SUMS_MAX: usize = 10_000;
/// The most arguments that are kept between two snapshots; later lives are told without.
const ARGUMENTS_BYTES_MAX: usize = 4 << 20;

/// A process that began and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) parent_pid: u32,
    pub(super) began_ns: u64,
    /// Ran another program than its parent's.
    pub(super) executed: bool,
    pub(super) ending: Ending,
    /// Of that program, one NUL after each word; empty where they are not known.
    pub(super) arguments: Box<[u8]>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    time_ns: u64,
    status: u32,
    stats: Option<TaskEnd>,
    generation: u64,
}

#[derive(Clone, Copy, Debug)]
struct Newborn {
    parent_pid: u32,
    began_ns: u64,
    executed: bool,
    generation: u64,
}

/// The last words of tasks whose ends have not been told yet, in their order.
#[derive(Debug, Default)]
struct EarlyWords {
    words: VecDeque<TaskEnd>,
    generation: u64,
}

/// Parent and program of a life.
type Kind = (u32, Option<[u8; NAME_BYTES]>);

/// What is known from events and not told yet.
#[derive(Debug, Default)]
pub(in crate::platform) struct Lives {
    newborn: ByPid<Newborn>,
    /// In the order in which they ended.
    finished: Vec<Life>,
    /// Of those.
    arguments_bytes: usize,
    /// Those beyond [`LIVES_MAX`]: the first one of each kind, and how many there were.
    beyond: HashMap<Kind, (Life, u32)>,
    /// Ends of processes whose beginning came in no event: those that were there before, mostly.
    endings: ByPid<Ending>,
    /// CPU time of threads that ended, by process.
    thread_cpu_us: ByPid<(u64, u64)>,
    /// Which of `finished` await their last words. Those come by another way, which is drained later.
    awaiting: Awaiting,
    /// The last words are sent before the event of the end: of whoever ends between the two drains only they are there.
    early_words: ByPid<EarlyWords>,
    /// Counts snapshots.
    generation: u64,
}

impl Lives {
    pub(super) fn take_event(&mut self, event: ProcessEvent) {
        let generation = self.generation;
        match event {
            ProcessEvent::Fork { parent_pid, pid, time_ns } => {
                if self.newborn.len() < NEWBORN_MAX {
                    self.newborn.insert(pid, Newborn { parent_pid, began_ns: time_ns, executed: false, generation });
                }
            }
            ProcessEvent::Exec { pid } => {
                if let Some(newborn) = self.newborn.get_mut(&pid) {
                    newborn.executed = true;
                }
            }
            ProcessEvent::Exit { pid, status, time_ns } => {
                let ending = Ending { time_ns, status, stats: None, generation };
                let newborn = self.newborn.remove(&pid);
                self.end(pid, newborn, ending, &[]);
            }
        }
    }

    /// A beginning, with the parent of that moment.
    pub(in crate::platform) fn take_beginning(&mut self, parent_pid: u32, pid: u32, time_ns: u64) {
        self.take_event(ProcessEvent::Fork { parent_pid, pid, time_ns });
    }

    /// An end with all that is known of it.
    pub(in crate::platform) fn take_last_words(&mut self, words: &LastWords<'_>) {
        let generation = self.generation;
        let ending = Ending { time_ns: words.time_ns, status: words.status, stats: Some(words.stats()), generation };
        let newborn = self.newborn.remove(&words.pid).map(|newborn| {
            // Its own beginning may have been lost, and this be the one of an earlier life of the pid.
            let parent_pid = if newborn.began_ns == words.began_ns { newborn.parent_pid } else { words.parent_pid };
            Newborn { parent_pid, began_ns: words.began_ns, executed: words.executed, generation }
        });
        self.end(words.pid, newborn, ending, words.arguments);
    }

    fn end(&mut self, pid: u32, newborn: Option<Newborn>, mut ending: Ending, arguments: &[u8]) {
        ending.stats = ending.stats.or_else(|| self.early_words.get_mut(&pid)?.words.pop_front());
        match newborn {
            Some(newborn) => {
                if ending.stats.is_none() {
                    self.awaiting.add(pid, self.finished.len());
                }
                let fit = self.arguments_bytes + arguments.len() <= ARGUMENTS_BYTES_MAX;
                let arguments: Box<[u8]> = if fit { arguments.into() } else { Box::default() };
                self.arguments_bytes += arguments.len();
                let Newborn { parent_pid, began_ns, executed, .. } = newborn;
                self.finished.push(Life { pid, parent_pid, began_ns, executed, ending, arguments });
            }
            None if self.endings.len() < NEWBORN_MAX => {
                self.endings.insert(pid, ending);
            }
            None => {}
        }
    }

    pub(super) fn take_task_end(&mut self, mut end: TaskEnd) {
        if end.task != end.pid {
            let threads = self.thread_cpu_us.entry(end.pid).or_insert((0, self.generation));
            *threads = (threads.0.saturating_add(end.cpu_time_us), self.generation);
            return;
        }
        if let Some((threads, _)) = self.thread_cpu_us.remove(&end.pid) {
            end.cpu_time_us = end.cpu_time_us.saturating_add(threads);
        }
        let of_listed = self.endings.get_mut(&end.pid).filter(|ending| ending.stats.is_none());
        let ending = match of_listed {
            Some(ending) => Some(ending),
            None => self.awaiting.take(end.pid).and_then(|place| Some(&mut self.finished.get_mut(place)?.ending)),
        };
        match ending {
            Some(ending) => ending.stats = Some(end),
            None => {
                let early = self.early_words.entry(end.pid).or_default();
                early.generation = self.generation;
                early.words.push_back(end);
            }
        }
    }

    /// Whoever still awaits last words will not get them: they were lost, or are not told here.
    pub(super) fn end_drain(&mut self) {
        self.awaiting = Awaiting::default();
    }

    /// The lives that are over. `is_listed` says of a pid, a beginning and an end whether that process is in the snapshot
    /// still: then its end is told when it is gone.
    pub(super) fn finished(&mut self, is_listed: impl Fn(u32, u64, Option<u64>) -> bool) -> Vec<Life> {
        let mut finished = std::mem::take(&mut self.finished);
        finished.retain(|life| {
            let is_listed = is_listed(life.pid, life.began_ns, Some(life.ending.time_ns));
            if is_listed {
                self.endings.insert(life.pid, life.ending);
            }
            !is_listed
        });
        self.newborn.retain(|pid, newborn| !is_listed(*pid, newborn.began_ns, None));
        self.arguments_bytes = 0;
        finished
    }

    /// Counts what is beyond the limit, so that a flood in a long interval does not fill the memory.
    pub(super) fn count_beyond(&mut self, lives_max: usize) {
        for life in self.finished.drain(lives_max.min(self.finished.len())..) {
            self.arguments_bytes -= life.arguments.len();
            let key = (life.parent_pid, life.ending.stats.map(|stats| stats.name));
            let full = self.beyond.len() >= SUMS_MAX && !self.beyond.contains_key(&key);
            let sum = self.beyond.entry(if full { (0, None) } else { key });
            let (_, count) = sum.or_insert_with(|| (Life { arguments: Box::default(), ..life }, 0));
            *count = count.saturating_add(1);
        }
    }

    /// The lives that were only counted: one of each kind, and how many there were.
    pub(super) fn take_beyond(&mut self) -> impl Iterator<Item = (Life, u32)> {
        std::mem::take(&mut self.beyond).into_values()
    }

    /// How a process ended that was in the snapshot before.
    pub(super) fn ending(&mut self, pid: u32) -> Option<Ending> {
        self.endings.remove(&pid)
    }

    /// Forgets what can no longer be matched: ends of processes that nobody has seen, beginnings whose end was lost.
    pub(super) fn end_snapshot(&mut self, is_listed: impl Fn(u32) -> bool) {
        let generation = self.generation;
        let recent = |of: u64| of + 1 >= generation;
        self.newborn.retain(|_, newborn| recent(newborn.generation));
        self.endings.retain(|pid, ending| recent(ending.generation) || is_listed(*pid));
        self.thread_cpu_us.retain(|pid, (_, of)| recent(*of) || is_listed(*pid));
        self.early_words.retain(|_, early| !early.words.is_empty() && recent(early.generation));
        self.generation += 1;
    }
}

impl Ending {
    /// In the words of the model. `now` is the same moment by the wall and by the monotonic clock.
    pub(super) fn end(&self, now: (Timestamp, u64)) -> End {
        End {
            time: Some(wall_time(now, self.time_ns)),
            exit: Some(exit(self.status)),
            cpu_time_us: self.stats.map(|stats| stats.cpu_time_us),
            peak_memory_bytes: self.stats.map(|stats| stats.peak_memory_bytes).filter(|bytes| *bytes > 0),
        }
    }

    pub(super) const fn stats(&self) -> Option<&TaskEnd> {
        self.stats.as_ref()
    }
}

pub(super) fn wall_time(now: (Timestamp, u64), time_ns: u64) -> Timestamp {
    // Rounded up: what ended before a snapshot must not be said to have ended after it.
    let ago_ms = now.1.saturating_sub(time_ns).div_ceil(1_000_000);
    now.0.plus_ms(-i64::try_from(ago_ms).unwrap_or(0))
}

/// wait(2): the low seven bits are the signal, the next byte the code.
fn exit(status: u32) -> Exit {
    let signal = u8::try_from(status & 0x7f).unwrap_or(0);
    if signal == 0 { Exit::Code(i32::try_from(status >> 8 & 0xff).unwrap_or(0)) } else { Exit::Signal(signal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fork(pid: u32) -> ProcessEvent {
        ProcessEvent::Fork { parent_pid: 1, pid, time_ns: u64::from(pid) }
    }

    fn exited(pid: u32, status: u32) -> ProcessEvent {
        ProcessEvent::Exit { pid, status, time_ns: 5_000_000 }
    }

    fn task_end(task: u32, pid: u32, cpu_time_us: u64) -> TaskEnd {
        TaskEnd { task, pid, uid: 0, name: [b'x'; 32], cpu_time_us, peak_memory_bytes: 1 }
    }

    #[test]
    fn who_began_and_ended_is_a_life() {
        let mut lives = Lives::default();
        for event in [fork(10), ProcessEvent::Exec { pid: 10 }, exited(10, 0x0300), fork(10), exited(10, 9), fork(11)] {
            lives.take_event(event);
        }
        lives.take_task_end(task_end(12, 10, 7));
        lives.take_task_end(task_end(10, 10, 1));
        lives.take_task_end(task_end(10, 10, 2));
        lives.end_drain();
        let now = (Timestamp::from_ms(100), 15_000_000);
        let ends: Vec<_> = lives
            .finished(|_, _, _| false)
            .iter()
            .map(|life| (life.pid, life.executed, life.ending.end(now)))
            .collect();
        let end = |exit, cpu| End {
            time: Some(Timestamp::from_ms(90)),
            exit: Some(exit),
            cpu_time_us: Some(cpu),
            peak_memory_bytes: Some(1),
        };
        assert_eq!(ends, [(10, true, end(Exit::Code(3), 8)), (10, false, end(Exit::Signal(9), 2))]);
        lives.end_snapshot(|_| false);
        lives.take_event(exited(11, 0));
        assert_eq!(lives.finished(|_, _, _| false).len(), 1, "its beginning was in the interval before");
    }

    #[test]
    fn last_words_that_come_before_the_end_are_kept_for_it() {
        let mut lives = Lives::default();
        lives.take_event(fork(10));
        for cpu_time_us in [1, 2] {
            lives.take_task_end(task_end(10, 10, cpu_time_us));
        }
        lives.end_drain();
        lives.end_snapshot(|_| false);
        for event in [exited(10, 0), fork(10), exited(10, 0), fork(10), exited(10, 0)] {
            lives.take_event(event);
        }
        lives.take_task_end(task_end(10, 10, 3));
        let told = lives.finished(|_, _, _| false);
        let cpu: Vec<_> = told.iter().map(|life| life.ending.stats.map(|stats| stats.cpu_time_us)).collect();
        assert_eq!(cpu, [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn last_words_of_a_listed_process_go_to_it_before_a_new_life_of_its_pid() {
        let mut lives = Lives::default();
        for event in [exited(5, 0), fork(5), exited(5, 0)] {
            lives.take_event(event);
        }
        for cpu_time_us in [1, 2] {
            lives.take_task_end(task_end(5, 5, cpu_time_us));
        }
        let told = lives.finished(|_, _, _| false);
        assert_eq!(told[0].ending.stats.map(|stats| stats.cpu_time_us), Some(2));
        assert_eq!(lives.ending(5).unwrap().stats.map(|stats| stats.cpu_time_us), Some(1));
    }

    #[test]
    fn the_end_of_a_listed_process_waits_until_it_is_gone() {
        let mut lives = Lives::default();
        lives.take_event(exited(5, 0x0100));
        lives.take_event(fork(6));
        lives.take_event(exited(6, 0));
        assert!(lives.finished(|pid, _, _| pid == 6).is_empty(), "6 is a zombie");
        for _ in 0..5 {
            lives.end_snapshot(|pid| pid == 5 || pid == 6);
        }
        assert!(lives.ending(5).is_some() && lives.ending(6).is_some());
    }

    fn last_words(pid: u32, began_ns: u64, arguments: &[u8]) -> LastWords<'_> {
        let (name, executed) = ([b'x'; LastWords::NAME_BYTES], true);
        let [time_ns, cpu_time_us, peak_memory_bytes] = [9, 8, 7];
        let [parent_pid, status, uid] = [2, 0x0400, 0];
        LastWords {
            pid,
            parent_pid,
            began_ns,
            time_ns,
            status,
            executed,
            uid,
            name,
            cpu_time_us,
            peak_memory_bytes,
            arguments,
        }
    }

    #[test]
    fn last_words_have_the_parent_of_the_beginning() {
        let mut lives = Lives::default();
        lives.take_beginning(1, 10, 5);
        lives.take_last_words(&last_words(10, 5, b"x\0y\0"));
        // The beginning of this one was lost; there is one of an earlier process.
        lives.take_beginning(1, 11, 5);
        lives.take_last_words(&last_words(11, 6, b""));
        lives.take_last_words(&last_words(12, 6, b""));
        let told = lives.finished(|_, _, _| false);
        let parents: Vec<_> = told.iter().map(|life| (life.pid, life.parent_pid, life.began_ns)).collect();
        assert_eq!(parents, [(10, 1, 5), (11, 2, 6)]);
        assert_eq!(&*told[0].arguments, b"x\0y\0");
        let end = lives.ending(12).unwrap().end((Timestamp::from_ms(1), 9));
        assert_eq!((end.exit, end.cpu_time_us, end.peak_memory_bytes), (Some(Exit::Code(4)), Some(8), Some(7)));
    }

    #[test]
    fn arguments_are_kept_up_to_a_limit() {
        let mut lives = Lives::default();
        let long = vec![b'a'; ARGUMENTS_BYTES_MAX / 2 + 1];
        for _ in 0..2 {
            for pid in 1..=2 {
                lives.take_beginning(1, pid, 5);
                lives.take_last_words(&last_words(pid, 5, &long));
            }
            let kept: Vec<_> = lives.finished(|_, _, _| false).iter().map(|life| life.arguments.len()).collect();
            assert_eq!(kept, [long.len(), 0]);
        }
    }

    #[test]
    fn what_cannot_be_matched_is_forgotten() {
        let mut lives = Lives::default();
        lives.take_event(fork(7));
        lives.take_event(exited(8, 0));
        lives.take_task_end(task_end(9, 4, 1));
        lives.take_task_end(task_end(9, 9, 1));
        for _ in 0..3 {
            lives.end_snapshot(|_| false);
        }
        assert!(lives.newborn.is_empty() && lives.endings.is_empty());
        assert!(lives.thread_cpu_us.is_empty() && lives.early_words.is_empty());
    }
}
