//! What happens between two looks: events of the kernel, kept until the next snapshot.

mod connector;
mod filter;
mod lives;
mod socket;
mod taskstats;

use std::collections::HashMap;
use std::sync::Arc;

use procession_model::{Brief, Description, Ended, Identity, Loss, LossKind, Snapshot, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use super::describe::{Describer, start_time, text};
use super::process_entry::ProcessEntry;
use crate::NAME_BYTES_MAX;
use connector::Connector;
use lives::{LIVES_MAX, Life, Lives, wall_time};
use taskstats::TaskStats;

/// Programs that are told apart among the lives that are only counted.
const SUMMARIES_MAX: usize = 1_000;
/// What a message takes of the kernel's buffer, roughly: it counts its own overhead too.
const MESSAGE_BUFFER_BYTES: usize = 1_024;

/// Events of processes, drained in batches: a wake-up an event would cost ten times as much.
#[derive(Debug)]
pub(super) struct Events {
    connector: Connector,
    task_stats: Option<TaskStats>,
    lives: Lives,
    overflowed: bool,
    /// When everything that had happened was drained the last time.
    drained_ns: u64,
}

/// What of this boot is needed to tell when something happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct BootClock {
    pub(super) boot_time: Timestamp,
    pub(super) ticks_per_second: u64,
}

impl Events {
    /// Listens. Says why where that is not to be had, and what else is missing.
    pub(super) fn open(cpu_count: u32, notes: &mut Vec<String>) -> Result<Self, String> {
        let connector = Connector::open()?;
        let task_stats = TaskStats::open(cpu_count)
            .map_err(|reason| {
                notes.push(format!("CPU time and memory of ended processes are not known (taskstats: {reason})"));
            })
            .ok();
        let lives = Lives::default();
        Ok(Self { connector, task_stats, lives, overflowed: false, drained_ns: monotonic_ns() })
    }

    /// How the collector is called.
    pub(super) const fn name(&self) -> &'static str {
        if self.task_stats.is_some() { "proc+events+taskstats" } else { "proc+events" }
    }

    /// Takes everything that has come. Returns how full the kernel's buffer was, at most 1.
    pub(super) fn drain(&mut self) -> f64 {
        let lives = &mut self.lives;
        let events = self.connector.drain(|event| lives.take_event(event));
        // The last words of a task are sent before the event of its end: drained after it, they are there.
        let stats = self.task_stats.as_mut().map(|stats| stats.drain(|end| lives.take_task_end(end)));
        self.lives.match_task_ends();
        self.drained_ns = monotonic_ns();
        let stats_overflowed = stats.is_some_and(|stats| stats.is_ok_and(|stats| stats.overflowed));
        let Ok(events) = events else {
            self.overflowed = true;
            return 1.0;
        };
        self.overflowed |= events.overflowed || stats_overflowed;
        #[expect(clippy::cast_precision_loss, reason = "a share, roughly")]
        let full =
            (events.messages * MESSAGE_BUFFER_BYTES) as f64 / self.connector.receive_buffer_bytes().max(1) as f64;
        if events.overflowed { 1.0 } else { full.min(1.0) }
    }

    /// Tells what happened since the snapshot before. `entries` are the processes of this one, `departed` those of the one
    /// before that are not among them.
    pub(super) fn write_into(
        &mut self,
        snapshot: &mut Snapshot,
        earlier: Option<Timestamp>,
        entries: &[ProcessEntry],
        departed: &mut [Ended],
        describer: &mut Describer,
        clock: BootClock,
    ) {
        self.drain();
        let now = (snapshot.time, self.drained_ns);
        let boot_ns = boot_offset_ns();
        let find = |pid: u32| entries.binary_search_by_key(&pid, |entry| entry.pid).ok().map(|index| &entries[index]);
        let is_listed = |pid: u32, began_ns: u64| {
            let ticks = ticks(began_ns + boot_ns, clock.ticks_per_second);
            // The kernel notes the start a little before it tells of it.
            find(pid).is_some_and(|entry| entry.start_ticks.abs_diff(ticks) <= 2)
        };
        let lives = self.lives.finished(is_listed);
        for departed in departed {
            if let Some(ending) = self.lives.ending(departed.description.identity.pid) {
                departed.end = ending.end(now);
            }
        }
        self.lives.end_snapshot(|pid| find(pid).is_some());
        let (single, rest) = lives.split_at(lives.len().min(LIVES_MAX));
        for life in single {
            let start = start_time(
                clock.boot_time,
                ticks(life.began_ns + boot_ns, clock.ticks_per_second),
                clock.ticks_per_second,
            );
            let parent = find(life.parent_pid).map(|entry| &*entry.description);
            let description = Arc::new(describe(life, Some(start), parent, describer));
            snapshot.brief.push(Brief { description, end: life.ending.end(now), count: 1 });
        }
        summarise(rest, |life| find(life.parent_pid).map(|entry| &*entry.description), describer, &mut snapshot.brief);
        if std::mem::take(&mut self.overflowed) {
            let from = earlier.unwrap_or_else(|| wall_time(now, 0));
            snapshot.losses.push(Loss { kind: LossKind::Events, from, until: snapshot.time, count: None });
        }
    }
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
        (Some(stats), _) => text(stats.name(), NAME_BYTES_MAX),
        (None, Some(parent)) => parent.name.clone(),
        (None, None) => Arc::from("?"),
    };
    Description {
        identity: Identity { pid: life.pid, start },
        parent_pid: Some(life.parent_pid),
        name,
        command_line: inherited.and_then(|parent| parent.command_line.clone()),
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
    lives: &[Life],
    parent: impl Fn(&Life) -> Option<&'a Description>,
    describer: &mut Describer,
    brief: &mut Vec<Brief>,
) {
    let mut sums: HashMap<(Arc<str>, u32), Brief> = HashMap::new();
    for life in lives {
        let description = describe(life, None, parent(life), describer);
        let key = (description.name.clone(), life.parent_pid);
        let key = if sums.len() < SUMMARIES_MAX || sums.contains_key(&key) { key } else { (Arc::from("…"), 0) };
        let sum = sums.entry(key.clone()).or_insert_with(|| Brief {
            description: Arc::new(Description { name: key.0, command_line: None, ..description }),
            end: procession_model::End::default(),
            count: 0,
        });
        sum.count = sum.count.saturating_add(1);
    }
    brief.extend(sums.into_values());
}

fn monotonic_ns() -> u64 {
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

    #[test]
    fn an_overflow_is_a_loss_and_the_next_snapshot_has_none() {
        let mut events = match Events::open(1, &mut Vec::new()) {
            Ok(events) => events,
            Err(reason) => {
                eprintln!("skipped: the kernel's events are not to be had here: {reason}");
                return;
            }
        };
        events.connector.shrink_receive_buffer();
        for _ in 0..200 {
            std::process::Command::new("true").status().unwrap();
        }
        assert_eq!(events.drain().total_cmp(&1.0), std::cmp::Ordering::Equal);
        let mut describer = Describer::new(super::super::users::Users::new(std::path::Path::new("/")), None);
        let clock = BootClock { boot_time: Timestamp::from_ms(0), ticks_per_second: 100 };
        let (earlier, time) = (Timestamp::from_ms(5), Timestamp::from_ms(9));
        let mut snapshot = Snapshot { time, ..Snapshot::default() };
        events.write_into(&mut snapshot, Some(earlier), &[], &mut [], &mut describer, clock);
        assert_eq!(snapshot.losses, [Loss { kind: LossKind::Events, from: earlier, until: time, count: None }]);
        let mut next = Snapshot { time, ..Snapshot::default() };
        events.write_into(&mut next, Some(time), &[], &mut [], &mut describer, clock);
        assert!(next.losses.is_empty());
    }

    #[test]
    fn more_lives_than_the_limit_are_counted_by_program() {
        let life = |pid: u32, parent_pid: u32| {
            let mut lives = Lives::default();
            lives.take_event(connector::ProcessEvent::Fork { parent_pid, pid, time_ns: 1 });
            lives.take_event(connector::ProcessEvent::Exit { pid, status: 0, time_ns: 2 });
            lives.finished(|_, _| false).remove(0)
        };
        let lives: Vec<_> = (0..9).map(|pid| life(pid, pid % 2)).collect();
        let mut describer = Describer::new(super::super::users::Users::new(std::path::Path::new("/")), None);
        let mut brief = Vec::new();
        summarise(&lives, |_| None, &mut describer, &mut brief);
        let mut counts: Vec<_> = brief.iter().map(|brief| (brief.description.parent_pid, brief.count)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(Some(0), 5), (Some(1), 4)]);
    }
}
