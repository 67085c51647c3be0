//! What a store should answer: every snapshot in a map, every query a plain loop.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use procession_model::{
    Description, End, Ended, HostMetric, Identity, Metric, Process, Snapshot, SnapshotId, Timestamp,
};
use procession_store::analysis::HostWith;
use procession_store::{HostPoint, Nearest, Range, Run, SampleFilter, SampleRow, SnapshotEntry};

/// What a store should hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) hosts: BTreeMap<u32, ModelHost>,
}

/// What a store should hold of a host.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelHost {
    pub(crate) snapshots: BTreeMap<Timestamp, (SnapshotId, Snapshot)>,
}

impl ModelHost {
    pub(crate) fn newest(&self) -> Option<&(SnapshotId, Snapshot)> {
        self.snapshots.last_key_value().map(|(_, kept)| kept)
    }

    /// Adds an upload; what it does not tell of ended processes follows from the snapshot it goes on from.
    pub(crate) fn add_upload(&mut self, id: SnapshotId, mut snapshot: Snapshot) {
        let late = self.newest().is_some_and(|(_, newest)| newest.time > snapshot.time);
        let before = if late { None } else { self.newest().map(|(_, newest)| newest) };
        let gone = before.map(|before| gone(before, &snapshot)).unwrap_or_default();
        let told: HashMap<Identity, End> =
            snapshot.ended.iter().map(|ended| (ended.description.identity, ended.end)).collect();
        let unseen = snapshot
            .ended
            .iter()
            .filter(|ended| !gone.iter().any(|process| process.description.identity == ended.description.identity));
        let brief = unseen.map(|ended| procession_model::Brief {
            description: Arc::clone(&ended.description),
            end: ended.end,
            count: 1,
        });
        let brief: Vec<_> = snapshot.brief.iter().cloned().chain(brief).collect();
        snapshot.ended = gone
            .into_iter()
            .map(|process| {
                let end = told.get(&process.description.identity).copied().unwrap_or_default();
                Ended { description: process.description, end }
            })
            .collect();
        snapshot.brief = brief;
        self.add(id, snapshot);
    }

    pub(crate) fn add(&mut self, id: SnapshotId, snapshot: Snapshot) {
        self.snapshots.insert(snapshot.time, (id, canonical(snapshot)));
    }

    pub(crate) fn in_range(&self, range: Range) -> impl Iterator<Item = &(SnapshotId, Snapshot)> {
        self.snapshots.values().filter(move |(_, snapshot)| range.contains(snapshot.time))
    }

    pub(crate) fn nearest(&self, time: Timestamp, nearest: Nearest) -> Option<&(SnapshotId, Snapshot)> {
        match nearest {
            Nearest::AtOrBefore => self.snapshots.range(..=time).next_back(),
            Nearest::AtOrAfter => self.snapshots.range(time..).next(),
        }
        .map(|(_, kept)| kept)
    }

    pub(crate) fn points(&self, range: Range) -> Vec<HostPoint> {
        self.in_range(range).map(|(id, snapshot)| point(*id, snapshot)).collect()
    }

    /// When the host, of this number, has a name; `None` if never in the range.
    pub(crate) fn with(&self, host: u32, name: &str, range: Range) -> Option<HostWith> {
        let named = |snapshot: &Snapshot| {
            snapshot.processes.iter().filter(|process| *process.description.name == *name).count() as u32
        };
        let was_brief = |snapshot: &Snapshot| snapshot.brief.iter().any(|brief| *brief.description.name == *name);
        let told = self.in_range(range).map(|(_, snapshot)| snapshot);
        let mut times =
            told.filter(|snapshot| named(snapshot) > 0 || was_brief(snapshot)).map(|snapshot| snapshot.time);
        let first = times.next()?;
        let last = times.last().unwrap_or(first);
        Some(HostWith { host, first, last, running: self.newest().map_or(0, |(_, newest)| named(newest)) })
    }

    /// See [`procession_store::History::runs`]. One run for each process whose start is known; of others, one for each
    /// stretch of snapshots.
    pub(crate) fn runs(&self, name: &str, range: Range) -> Vec<Run> {
        let newest = self.newest().map(|(id, _)| *id);
        let mut open: HashMap<Identity, (Run, usize)> = HashMap::new();
        let mut done = Vec::new();
        for (index, (id, snapshot)) in self.in_range(range).enumerate() {
            for ended in snapshot.ended.iter().filter(|ended| *ended.description.name == *name) {
                if let Some((run, last)) = open.get_mut(&ended.description.identity)
                    && (ended.description.identity.start.is_some() || *last + 1 == index)
                {
                    run.ended = ended.end.time.map_or(run.ended, |time| time.min(snapshot.time).max(run.ended));
                    run.end = Some(ended.end);
                }
            }
            for brief in snapshot.brief.iter().filter(|brief| *brief.description.name == *name) {
                let started = brief.description.identity.start.unwrap_or(brief.end.time.unwrap_or(snapshot.time));
                done.push(Run {
                    description: Arc::clone(&brief.description),
                    started,
                    ended: brief.end.time.unwrap_or(snapshot.time).max(started),
                    running: false,
                    end: Some(brief.end),
                });
            }
            for process in snapshot.processes.iter().filter(|process| *process.description.name == *name) {
                let identity = process.description.identity;
                let fresh = Run {
                    description: Arc::clone(&process.description),
                    started: identity.start.unwrap_or(snapshot.time),
                    ended: snapshot.time,
                    running: Some(*id) == newest,
                    end: None,
                };
                let run = match open.remove(&identity) {
                    Some((run, last)) if identity.start.is_some() || (last + 1 == index && run.end.is_none()) => {
                        Run { started: run.started, ..fresh }
                    }
                    before => {
                        done.extend(before.map(|(run, _)| run));
                        fresh
                    }
                };
                open.insert(identity, (run, index));
            }
        }
        done.extend(open.into_values().map(|(run, _)| run));
        done.sort_by_key(run_key);
        done
    }
}

/// An order in which lists of runs compare.
pub(crate) fn run_key(run: &Run) -> (Timestamp, u32, Timestamp, u64) {
    (run.started, run.description.identity.pid, run.ended, run.end.and_then(|end| end.cpu_time_us).unwrap_or(0))
}

impl Model {
    pub(crate) fn host(&mut self, host: u32) -> &mut ModelHost {
        self.hosts.entry(host).or_default()
    }

    pub(crate) fn list(&self, host: Option<u32>, range: Range) -> Vec<SnapshotEntry> {
        let hosts = self.hosts.iter().filter(|(number, _)| host.is_none_or(|host| host == **number));
        let mut entries: Vec<_> = hosts
            .flat_map(|(_, host)| host.in_range(range))
            .map(|(id, snapshot)| SnapshotEntry { id: *id, time: snapshot.time })
            .collect();
        entries.sort_by_key(|entry| (entry.time, entry.id));
        entries
    }

    pub(crate) fn samples(&self, filter: &SampleFilter) -> Vec<SampleRow> {
        let mut rows = Vec::new();
        for (number, host) in self.hosts.iter().filter(|(number, _)| filter.host.is_none_or(|host| host == **number)) {
            for (id, snapshot) in host.in_range(filter.range) {
                rows.extend(snapshot.processes.iter().map(|process| row(*number, *id, snapshot, process)));
            }
        }
        rows.retain(|row| fits(row, filter));
        rows.sort_by_key(|row| (row.time, row.host, row.description.identity.pid));
        rows
    }
}

fn fits(row: &SampleRow, filter: &SampleFilter) -> bool {
    let described = &row.description;
    filter.name.as_ref().is_none_or(|name| **name == *described.name)
        && filter.user.as_ref().is_none_or(|user| described.user.as_deref() == Some(user.as_str()))
        && filter.cpu_min.is_none_or(|least| row.sample.get(Metric::Cpu).is_some_and(|cpu| cpu >= least))
        && filter.memory_percent_min.is_none_or(|least| row.memory_percent.is_some_and(|percent| percent >= least))
}

fn row(host: u32, id: SnapshotId, snapshot: &Snapshot, process: &Process) -> SampleRow {
    let total = snapshot.facts.memory_total_bytes.filter(|total| *total > 0);
    let computed = || Some(process.sample.get(Metric::Memory)? as f64 * 100.0 / total? as f64);
    SampleRow {
        host,
        id,
        time: snapshot.time,
        description: Arc::clone(&process.description),
        sample: process.sample,
        memory_percent: process.sample.memory_percent().or_else(computed),
    }
}

fn point(id: SnapshotId, snapshot: &Snapshot) -> HostPoint {
    let sum = |metric| {
        let values = snapshot.processes.iter().filter_map(|process: &Process| process.sample.get(metric));
        u64::try_from(values.map(u128::from).sum::<u128>()).unwrap_or(u64::MAX)
    };
    HostPoint {
        id,
        time: snapshot.time,
        cpu: sum(Metric::Cpu),
        cpu_max: sum(Metric::Cpu),
        memory_bytes: sum(Metric::Memory),
        memory_bytes_max: sum(Metric::Memory),
        process_count: snapshot.processes.len() as u32,
        host: snapshot.host,
    }
}

/// Processes of `before` that are not in `after`.
fn gone(before: &Snapshot, after: &Snapshot) -> Vec<Process> {
    let goes_on = |old: &Description, new: &Description| {
        let (a, b) = (old.identity, new.identity);
        a.pid == b.pid && a.start == b.start && (a.start.is_some() || old.name == new.name)
    };
    let stays = |old: &Process| after.processes.iter().any(|new| goes_on(&old.description, &new.description));
    before.processes.iter().filter(|process| !stays(process)).cloned().collect()
}

/// Lists whose order says nothing in one order, so that snapshots compare.
pub(crate) fn canonical(mut snapshot: Snapshot) -> Snapshot {
    snapshot.processes.sort_by_key(|process| process.description.identity);
    snapshot.ended.sort_by_key(|ended| ended.description.identity);
    snapshot.brief.sort_by_key(|brief| brief.description.identity);
    snapshot
}

/// Total of what a host's own CPU counter says, to compare series of other steps.
pub(crate) fn cpu_integral(points: &[HostPoint]) -> u64 {
    points.iter().filter_map(|point| point.host.get(HostMetric::Cpu)).sum()
}
