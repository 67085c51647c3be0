//! When a program ran: runs, gaps, restarts.

use std::sync::Arc;

use procession_model::{SnapshotId, Timestamp};

use super::lives::Lives;
use super::piece::Leaf;
use super::{Gap, ProgramOnHost, ProgramRun, ROWS_MAX};
use crate::{HostNumber, Range, Run};

/// The runs of what was gathered on one host, by their start, and what they come to within the range that is asked for.
/// `newest` is the host's newest snapshot.
pub(crate) fn runs(
    host: HostNumber,
    lives: &Lives,
    range: Range,
    newest: Option<(SnapshotId, Timestamp)>,
) -> (Vec<ProgramRun>, ProgramOnHost) {
    let of_lives = lives.lives.iter().map(|life| {
        let cell = life.cell();
        ProgramRun {
            host,
            run: life.run(newest),
            count: 1,
            cpu_time_us: cell.cpu_tenths.saturating_add(life.extra().map_or(0, |(extra, _)| extra)) / 10,
            memory_bytes_max: cell.memory_max,
        }
    });
    let of_leaves = lives.leaves.iter().filter(|leaf| leaf.count > 0).map(|leaf| ProgramRun {
        host,
        run: run_of_leaf(leaf),
        count: leaf.count,
        cpu_time_us: leaf.cell.cpu_tenths.saturating_add(leaf.extra_tenths) / 10,
        memory_bytes_max: leaf.cell.memory_max.or_else(|| leaf.end?.peak_memory_bytes),
    });
    let mut runs: Vec<ProgramRun> = of_lives.chain(of_leaves).collect();
    runs.sort_by_key(|run| (run.run.started, run.run.description.identity.pid, run.run.ended));
    let mut on_host = sum_up(host, &runs, range);
    let of_lives =
        lives.lives.iter().map(|life| within(range, &life.run(newest))).map(|(from, until)| length_ms(from, until));
    let alive_ms = of_lives.chain(lives.leaves.iter().map(|leaf| leaf.alive_ms));
    on_host.process_ms = alive_ms.fold(0, u64::saturating_add);
    (runs, on_host)
}

fn run_of_leaf(leaf: &Leaf) -> Run {
    let started =
        leaf.description.identity.start.unwrap_or_else(|| leaf.end.and_then(|end| end.time).unwrap_or(leaf.first));
    Run {
        description: Arc::clone(&leaf.description),
        started,
        ended: leaf.end.and_then(|end| end.time).unwrap_or(leaf.time).max(started),
        running: false,
        end: leaf.end,
    }
}

/// What runs in the order of their start come to, but for `process_ms`.
fn sum_up(host: HostNumber, runs: &[ProgramRun], range: Range) -> ProgramOnHost {
    let mut sum = ProgramOnHost { host, ..ProgramOnHost::default() };
    let mut covered_until: Option<Timestamp> = None;
    for run in runs {
        let (started, ended) = within(range, &run.run);
        sum.runs += run.count;
        sum.cpu_time_us = sum.cpu_time_us.saturating_add(run.cpu_time_us);
        let from = match covered_until {
            Some(until) if started > until => {
                sum.restarts += 1;
                sum.gaps.push(Gap { from: until, until: started });
                started
            }
            Some(until) => until,
            None => started,
        };
        sum.covered_ms = sum.covered_ms.saturating_add(length_ms(from, ended));
        covered_until = covered_until.max(Some(ended));
    }
    let surplus = sum.gaps.len().saturating_sub(ROWS_MAX);
    sum.gaps.drain(..surplus);
    sum
}

/// Leaves of the gaps of many hosts as many as one answer may have: of hosts with many the newest, and of each as many.
pub(crate) fn bound_gaps(hosts: &mut [ProgramOnHost]) {
    if hosts.iter().map(|host| host.gaps.len()).sum::<usize>() <= ROWS_MAX {
        return;
    }
    let each = ROWS_MAX / hosts.len().max(1);
    for host in hosts {
        let surplus = host.gaps.len().saturating_sub(each);
        host.gaps.drain(..surplus);
    }
}

/// When a run was within a range: runs may have begun before it and gone on after it.
fn within(range: Range, run: &Run) -> (Timestamp, Timestamp) {
    let started = range.start.map_or(run.started, |start| run.started.max(start));
    let ended = range.end.map_or(run.ended, |end| run.ended.min(end));
    (started, ended.max(started))
}

fn length_ms(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(until.since_ms(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_many_hosts_are_bounded_and_the_newest_stay() {
        let gap = |number| Gap { from: Timestamp::from_ms(number), until: Timestamp::from_ms(number + 1) };
        let host = |count| ProgramOnHost { gaps: (0..count).map(gap).collect(), ..ProgramOnHost::default() };
        let mut few = [host(3), host(4)];
        bound_gaps(&mut few);
        assert_eq!(few.map(|host| host.gaps.len()), [3, 4]);
        let mut many: Vec<ProgramOnHost> = (0..100).map(|number| host(number * 100)).collect();
        bound_gaps(&mut many);
        assert!(many.iter().map(|host| host.gaps.len()).sum::<usize>() <= ROWS_MAX);
        assert_eq!((many[1].gaps.len(), many[99].gaps.len()), (100, 100));
        assert_eq!(many[99].gaps.last(), Some(&gap(9_899)));
    }
}
