//! The answers as anyone would find them who goes through whole snapshots, one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use procession_model::{Description, End, HostMetric, Identity, Metric, Snapshot, Timestamp};
use procession_store::Range;
use procession_store::analysis::{INTERVAL_MS_MAX, Measure};

/// A snapshot, and the time it stands for.
#[derive(Clone)]
pub(crate) struct Weighed {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) weight_ms: u64,
}

/// Snapshots by their times.
pub(crate) fn weighed(mut snapshots: Vec<Arc<Snapshot>>) -> Vec<Weighed> {
    snapshots.sort_by_key(|snapshot| snapshot.time);
    let mut before: Option<Timestamp> = None;
    let mut all = Vec::new();
    for snapshot in snapshots {
        let since = before.map_or(0, |before| snapshot.time.since_ms(before).unsigned_abs().min(INTERVAL_MS_MAX));
        before = Some(snapshot.time);
        all.push(Weighed { weight_ms: snapshot.host.get(HostMetric::IntervalMs).unwrap_or(since), snapshot });
    }
    all
}

pub(crate) fn within(all: &[Weighed], range: Range) -> Vec<Weighed> {
    all.iter().filter(|one| range.contains(one.snapshot.time)).cloned().collect()
}

/// Something that ran: a process, or brief ones.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) identity: Identity,
    pub(crate) count: u64,
    pub(crate) is_brief: bool,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) parent_pid: Option<u32>,
    pub(crate) end: Option<End>,
    /// CPU time beyond its samples, and when that was told.
    pub(crate) extra: Option<(u64, Timestamp)>,
    /// Newest name and user.
    pub(crate) name: Arc<str>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) samples: Vec<SampleOf>,
    is_whole: bool,
    told: Option<Timestamp>,
}

/// One sample of it.
#[derive(Clone, Debug)]
pub(crate) struct SampleOf {
    pub(crate) time: Timestamp,
    pub(crate) name: Arc<str>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) cpu: Option<u64>,
    pub(crate) weight_ms: u64,
    pub(crate) memory: Option<u64>,
    pub(crate) read: Option<u64>,
    pub(crate) write: Option<u64>,
}

impl SampleOf {
    pub(crate) fn cpu_tenths(&self) -> u64 {
        self.cpu.unwrap_or(0) * self.weight_ms
    }
}

impl Ran {
    fn new(description: &Description, time: Timestamp) -> Self {
        Self {
            identity: description.identity,
            count: 1,
            is_brief: false,
            first: time,
            last: time,
            parent_pid: description.parent_pid,
            end: None,
            extra: None,
            name: Arc::clone(&description.name),
            user: description.user.clone(),
            samples: Vec::new(),
            is_whole: false,
            told: None,
        }
    }

    pub(crate) fn began(&self) -> Timestamp {
        self.identity.start.unwrap_or(self.first)
    }

    pub(crate) fn sampled_tenths(&self) -> u64 {
        self.samples.iter().map(SampleOf::cpu_tenths).sum()
    }
}

/// Everything that ran.
pub(crate) fn ran(snapshots: &[Weighed]) -> Vec<Ran> {
    let mut all: Vec<Ran> = Vec::new();
    let mut open: HashMap<Identity, usize> = HashMap::new();
    let mut before: BTreeSet<u32> = BTreeSet::new();
    for Weighed { snapshot, weight_ms } in snapshots {
        let time = snapshot.time;
        for ended in &snapshot.ended {
            if let Some(index) = open.get(&ended.description.identity) {
                all[*index].ended(ended.end, time);
                if ended.description.identity.start.is_none() {
                    open.remove(&ended.description.identity);
                }
            }
        }
        for process in &snapshot.processes {
            let identity = process.description.identity;
            let known = open.get(&identity).copied();
            let known = known.filter(|_| identity.start.is_some() || before.contains(&identity.pid));
            let index = known.unwrap_or_else(|| {
                let mut new = Ran::new(&process.description, time);
                let began = time.plus_ms(-i64::try_from(*weight_ms).unwrap());
                new.is_whole = identity.start.is_some_and(|start| start >= began);
                all.push(new);
                open.insert(identity, all.len() - 1);
                all.len() - 1
            });
            all[index].sampled(process, time, *weight_ms);
        }
        for brief in &snapshot.brief {
            let mut one = Ran::new(&brief.description, time);
            (one.count, one.is_brief, one.end) = (u64::from(brief.count), true, Some(brief.end));
            one.told = Some(time);
            one.extra = Some((brief.end.cpu_time_us.unwrap_or(0) * 10, time));
            all.push(one);
        }
        before = snapshot.processes.iter().map(|process| process.description.identity.pid).collect();
    }
    all
}

impl Ran {
    fn ended(&mut self, end: End, told: Timestamp) {
        (self.end, self.told) = (Some(end), Some(told));
        if self.is_whole
            && let Some(total) = end.cpu_time_us
        {
            self.extra = Some(((total * 10).saturating_sub(self.sampled_tenths()), told));
        }
    }

    fn sampled(&mut self, process: &procession_model::Process, time: Timestamp, weight_ms: u64) {
        self.last = time;
        self.name = Arc::clone(&process.description.name);
        self.user.clone_from(&process.description.user);
        self.samples.push(SampleOf {
            time,
            name: Arc::clone(&self.name),
            user: self.user.clone(),
            cpu: process.sample.get(Metric::Cpu),
            weight_ms,
            memory: process.sample.get(Metric::Memory),
            read: process.sample.get(Metric::ReadBytes),
            write: process.sample.get(Metric::WriteBytes),
        });
    }
}

/// What is ranked, of everything together that `of` picks: each sample, and each thing for what only its end told.
pub(crate) fn measure(
    all: &[&Ran],
    snapshots: &[Weighed],
    by: Measure,
    of: &dyn Fn(&SampleOf) -> bool,
    of_end: &dyn Fn(&Ran) -> bool,
) -> i64 {
    let samples = || all.iter().flat_map(|ran| &ran.samples).filter(|sample| of(sample));
    let value = match by {
        Measure::CpuTime => {
            let ends = all.iter().filter(|ran| of_end(ran)).filter_map(|ran| ran.extra).map(|(extra, _)| extra);
            (samples().map(SampleOf::cpu_tenths).sum::<u64>() + ends.sum::<u64>()) / 10
        }
        Measure::MemoryMean => {
            samples().filter_map(|sample| sample.memory).sum::<u64>() / (snapshots.len() as u64).max(1)
        }
        Measure::MemoryPeak => {
            let mut at: BTreeMap<Timestamp, u64> = BTreeMap::new();
            for sample in samples() {
                *at.entry(sample.time).or_default() += sample.memory.unwrap_or(0);
            }
            at.into_values().max().unwrap_or(0)
        }
        Measure::MemoryGrowth => {
            let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else { return 0 };
            let at = |time: Timestamp| {
                samples().filter(|sample| sample.time == time).filter_map(|sample| sample.memory).sum::<u64>()
            };
            let (first, last) = (at(first.snapshot.time), at(last.snapshot.time));
            return i64::try_from(last).unwrap() - i64::try_from(first).unwrap();
        }
        Measure::Io => samples().map(|sample| sample.read.unwrap_or(0) + sample.write.unwrap_or(0)).sum(),
        Measure::Read => samples().filter_map(|sample| sample.read).sum(),
        Measure::Write => samples().filter_map(|sample| sample.write).sum(),
    };
    i64::try_from(value).unwrap()
}

/// For each thing that ran, who started it.
pub(crate) fn parents(all: &[Ran]) -> Vec<Option<usize>> {
    let parent = |child: usize| {
        let ran = &all[child];
        let slack = if ran.identity.start.is_some() { 1_000 } else { 0 };
        let candidates = (0..all.len()).filter(|other| {
            *other != child
                && Some(all[*other].identity.pid) == ran.parent_pid
                && (!all[*other].is_brief || all[*other].count == 1)
                && all[*other].began() <= ran.began().plus_ms(slack)
                && all[*other].told.unwrap_or_else(|| all[*other].last.plus_ms(60_000)) >= ran.began()
        });
        candidates.max_by_key(|other| (all[*other].began(), all[*other].is_brief, *other))
    };
    (0..all.len()).map(parent).collect()
}
