//! What happens between two looks: events of the kernel, kept until the next snapshot.

mod awaiting;
mod connector;
mod filter;
mod last_words;
mod lives;
mod socket;
mod source;
mod taskstats;

use std::collections::HashMap;
use std::sync::Arc;

use procession_model::{Brief, Description, Ended, Identity, Loss, LossKind, ProcessState, Snapshot, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use super::describe::{Describer, start_time};
use super::process_entry::ProcessEntry;
use lives::{LIVES_MAX, Life, wall_time};
use source::Netlink;

pub(super) use last_words::LastWords;
pub(super) use lives::Lives;
pub(super) use source::{EventSource, Filled, Lost};

/// Programs that are told apart among the lives that are only counted.
const SUMMARIES_MAX: usize = 1_000;

/// Events of processes, drained in batches: a wake-up an event would cost ten times as much.
#[derive(Debug)]
pub(super) struct Events {
    source: Box<dyn EventSource>,
    lives: Lives,
    /// Since the snapshot before.
    lost: Lost,
    /// When everything that had happened was drained the last time.
    drained_ns: u64,
}

/// A look at all processes, and what it found gone.
#[derive(Debug)]
pub(super) struct Looked<'look> {
    /// By the clock of [`monotonic_ns`].
    pub(super) began_ns: u64,
    pub(super) entries: &'look [ProcessEntry],
    pub(super) departed: &'look mut [Ended],
}

/// What of this boot is needed to tell when something happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct BootClock {
    pub(super) boot_time: Timestamp,
    pub(super) ticks_per_second: u64,
}

impl Events {
    /// By the kernel's connector. Says why where that is not to be had, and what else is missing.
    pub(super) fn by_netlink(cpu_count: u32, notes: &mut Vec<String>) -> Result<Self, String> {
        Ok(Self::new(Box::new(Netlink::open(cpu_count, notes)?)))
    }

    pub(super) fn new(source: Box<dyn EventSource>) -> Self {
        Self { source, lives: Lives::default(), lost: Lost::Nothing, drained_ns: monotonic_ns() }
    }

    /// How the collector is called.
    pub(super) fn name(&self) -> &'static str {
        self.source.name()
    }

    /// How many short lives fit into the kernel's buffer, roughly.
    pub(super) fn room(&self) -> usize {
        self.source.room()
    }

    /// Takes everything that has come. Returns how full the kernel's buffer was, at most 1.
    pub(super) fn drain(&mut self) -> f64 {
        let filled = self.source.drain(&mut self.lives);
        self.lives.count_beyond(LIVES_MAX);
        self.drained_ns = monotonic_ns();
        self.lost = self.lost.and(filled.lost);
        filled.share
    }

    /// Tells what happened since the snapshot before. `entries` are the processes of this one, `departed` those of the one
    /// before that are not among them.
    pub(super) fn write_into(
        &mut self,
        snapshot: &mut Snapshot,
        earlier: Option<Timestamp>,
        Looked { began_ns: look_began_ns, entries, departed }: Looked<'_>,
        describer: &mut Describer,
        clock: BootClock,
    ) {
        self.drain();
        let now = (snapshot.time, self.drained_ns);
        let boot_ns = boot_offset_ns();
        let find = |pid: u32| entries.binary_search_by_key(&pid, |entry| entry.pid).ok().map(|index| &entries[index]);
        let is_listed = |pid: u32, began_ns: u64, ended_ns: Option<u64>| {
            let ticks = ticks(began_ns + boot_ns, clock.ticks_per_second);
            let ended_before = ended_ns.is_some_and(|ended| ended < look_began_ns);
            find(pid).is_some_and(|entry| is_same((entry.start_ticks, entry.sample.state()), ticks, ended_before))
        };
        let lives = self.lives.finished(is_listed);
        for departed in departed {
            if let Some(ending) = self.lives.ending(departed.description.identity.pid) {
                departed.end = ending.end(now);
            }
        }
        self.lives.end_snapshot(|pid| find(pid).is_some());
        snapshot.brief.reserve(lives.len());
        for life in &lives {
            let start = start_time(
                clock.boot_time,
                ticks(life.began_ns + boot_ns, clock.ticks_per_second),
                clock.ticks_per_second,
            );
            let parent = find(life.parent_pid).map(|entry| &*entry.description);
            let description = Arc::new(describe(life, Some(start), parent, describer));
            snapshot.brief.push(Brief { description, end: life.ending.end(now), count: 1 });
        }
        let parent = |life: &Life| find(life.parent_pid).map(|entry| &*entry.description);
        summarise(self.lives.take_beyond(), parent, describer, &mut snapshot.brief);
        let count = match std::mem::take(&mut self.lost) {
            Lost::Nothing => return,
            Lost::Events(count) => Some(count),
            Lost::Unknown => None,
        };
        let from = earlier.unwrap_or_else(|| wall_time(now, 0));
        snapshot.losses.push(Loss { kind: LossKind::Events, from, until: snapshot.time, count });
    }
}

/// Whether the process that was listed, of which start and state are known, is the one that began at this time. Pids may
/// be used again within a tick; but a process that had ended before the look began can only be in it as a zombie.
fn is_same((listed_ticks, state): (u64, Option<ProcessState>), start_ticks: u64, ended_before: bool) -> bool {
    let ended = state.is_some_and(|state| matches!(state, ProcessState::ZOMBIE | ProcessState::DEAD));
    // The kernel notes the start a little before it tells of it.
    listed_ticks.abs_diff(start_ticks) <= 2 && (ended || !ended_before)
}

/// A process that was never looked at: its parent and its last words tell what is known.
fn describe(
    life: &Life,
    start: Option<Timestamp>,
    parent: Option<&Description>,
    describer: &mut Describer,
) -> Description {
    let stats = life.ending.stats();
    let inherited = parent.filter(|_| !life.executed);
    let name = match (stats, inherited) {
        (Some(stats), _) => describer.program_name(stats.name()),
        (None, Some(parent)) => parent.name.clone(),
        (None, None) => Arc::from("?"),
    };
    Description {
        identity: Identity { pid: life.pid, start },
        parent_pid: Some(life.parent_pid),
        name,
        command_line: match inherited {
            Some(parent) => parent.command_line.clone(),
            None => describer.joined_arguments(&life.arguments),
        },
        user: match stats {
            Some(stats) => Some(describer.user_name(stats.uid)),
            None => parent.and_then(|parent| parent.user.clone()),
        },
        executable: inherited.and_then(|parent| parent.executable.clone()),
        cgroup: parent.and_then(|parent| parent.cgroup.clone()),
    }
}

/// Lives beyond the limit, by program and parent: how many, not which.
fn summarise<'a>(
    lives: impl Iterator<Item = (Life, u32)>,
    parent: impl Fn(&Life) -> Option<&'a Description>,
    describer: &mut Describer,
    brief: &mut Vec<Brief>,
) {
    let mut sums: HashMap<(Arc<str>, u32), Brief> = HashMap::new();
    for (life, count) in lives {
        let description = describe(&life, None, parent(&life), describer);
        let key = (description.name.clone(), life.parent_pid);
        let key = if sums.len() < SUMMARIES_MAX || sums.contains_key(&key) { key } else { (Arc::from("…"), 0) };
        let sum = sums.entry(key.clone()).or_insert_with(|| Brief {
            description: Arc::new(Description { name: key.0, command_line: None, ..description }),
            end: procession_model::End::default(),
            count: 0,
        });
        sum.count = sum.count.saturating_add(count);
    }
    brief.extend(sums.into_values());
}

/// The clock of the kernel's events.
pub(super) fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Processes' starts are counted with the time in which the machine slept, events without it.
fn boot_offset_ns() -> u64 {
    nanoseconds(ClockId::Boottime).saturating_sub(monotonic_ns())
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)).unwrap_or(0)
}

fn ticks(since_boot_ns: u64, ticks_per_second: u64) -> u64 {
    let ticks = u128::from(since_boot_ns) * u128::from(ticks_per_second) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Looked<'static> {
        Looked { began_ns: 0, entries: &[], departed: &mut [] }
    }

    #[test]
    fn an_overflow_is_a_loss_and_the_next_snapshot_has_none() {
        let source = match Netlink::open(1, &mut Vec::new()) {
            Ok(source) => source,
            Err(reason) => {
                eprintln!("skipped: the kernel's events are not to be had here: {reason}");
                return;
            }
        };
        source.shrink_receive_buffer();
        let mut events = Events::new(Box::new(source));
        for _ in 0..200 {
            std::process::Command::new("true").status().unwrap();
        }
        assert_eq!(events.drain().total_cmp(&1.0), std::cmp::Ordering::Equal);
        let mut describer = Describer::new(super::super::users::Users::new(std::path::Path::new("/")), None);
        let clock = BootClock { boot_time: Timestamp::from_ms(0), ticks_per_second: 100 };
        let (earlier, time) = (Timestamp::from_ms(5), Timestamp::from_ms(9));
        let mut snapshot = Snapshot { time, ..Snapshot::default() };
        events.write_into(&mut snapshot, Some(earlier), nobody(), &mut describer, clock);
        assert_eq!(snapshot.losses, [Loss { kind: LossKind::Events, from: earlier, until: time, count: None }]);
        let mut next = Snapshot { time, ..Snapshot::default() };
        events.write_into(&mut next, Some(time), nobody(), &mut describer, clock);
        assert!(next.losses.is_empty());
    }

    #[test]
    fn who_had_ended_before_the_look_is_listed_only_as_a_zombie() {
        let (running, zombie) = ((100, Some(ProcessState::RUNNING)), (100, Some(ProcessState::ZOMBIE)));
        assert!(is_same(running, 101, false), "it ended while we looked");
        assert!(!is_same(running, 101, true), "its pid is used again, within the same tick");
        assert!(is_same(zombie, 101, true));
        assert!(!is_same(zombie, 103, true), "another start");
    }

    #[test]
    fn more_lives_than_the_limit_are_counted_by_program() {
        let mut lives = Lives::default();
        let mut live = |pid: u32, parent_pid: u32| {
            lives.take_event(connector::ProcessEvent::Fork { parent_pid, pid, time_ns: 1 });
            lives.take_event(connector::ProcessEvent::Exit { pid, status: 0, time_ns: 2 });
        };
        (0..9).for_each(|pid| live(pid, pid % 2));
        lives.count_beyond(2);
        assert_eq!(lives.finished(|_, _, _| false).len(), 2, "the first ones are told singly");
        let mut describer = Describer::new(super::super::users::Users::new(std::path::Path::new("/")), None);
        let mut brief = Vec::new();
        summarise(lives.take_beyond(), |_| None, &mut describer, &mut brief);
        let mut counts: Vec<_> = brief.iter().map(|brief| (brief.description.parent_pid, brief.count)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(Some(0), 4), (Some(1), 3)]);
    }
}
