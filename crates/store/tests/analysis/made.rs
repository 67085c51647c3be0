//! Histories from a seed: churn, pids used again, names that change, ends that tell and ends that do not, brief processes,
//! values that are not known, snapshots that come late.

use std::sync::Arc;

use procession_model::{
    Brief, Description, End, Ended, Exit, HostMetric, HostSample, Identity, Loss, LossKind, Metric, Process, Sample,
    Snapshot, Timestamp,
};

/// splitmix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How a history is made.
#[derive(Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) snapshots: usize,
    pub(crate) interval_ms: i64,
    /// Whether snapshots say how long their interval was.
    pub(crate) is_measured: bool,
    /// Whether processes have starts.
    pub(crate) has_starts: bool,
    /// One in so many snapshots comes late; 0 for none.
    pub(crate) late_one_in: u64,
}

/// When histories begin: in the middle of a minute.
pub(crate) const BEGIN: i64 = 1_700_000_017_300;

const NAMES: [&str; 7] = ["postgres", "sh", "cc1", "ld", "nginx", "worker", "systemd"];
const USERS: [Option<&str>; 4] = [Some("root"), Some("www"), Some("build"), None];

struct Live {
    description: Description,
    memory: u64,
    cpu_us: u64,
}

/// The snapshots in the order in which they are sent.
pub(crate) fn snapshots(recipe: Recipe) -> Vec<Arc<Snapshot>> {
    let mut random = Random::new(recipe.seed);
    let mut live: Vec<Live> = Vec::new();
    let mut time = BEGIN;
    let mut made: Vec<Arc<Snapshot>> = Vec::new();
    let mut held: Vec<Arc<Snapshot>> = Vec::new();
    for _ in 0..recipe.snapshots {
        let gap = if random.one_in(60) { recipe.interval_ms * 9 } else { recipe.interval_ms };
        let jitter = i64::try_from(random.below(7)).unwrap() - 3;
        let before = time;
        time += gap + jitter;
        let snapshot = Arc::new(step(&mut random, &mut live, recipe, before, time));
        // A late one is no base for what ended after it, so its ends stay untold.
        if recipe.late_one_in > 0 && random.one_in(recipe.late_one_in) {
            held.push(snapshot);
            continue;
        }
        made.push(snapshot);
        if held.len() > 4 || (!held.is_empty() && random.one_in(5)) {
            made.append(&mut held);
        }
    }
    made.append(&mut held);
    made
}

fn step(random: &mut Random, live: &mut Vec<Live>, recipe: Recipe, before: i64, time: i64) -> Snapshot {
    let mut snapshot = Snapshot { time: Timestamp::from_ms(time), ..Snapshot::default() };
    let elapsed = u64::try_from(time - before).unwrap();
    let mut index = 0;
    while index < live.len() {
        if !random.one_in(12) {
            index += 1;
            continue;
        }
        let gone = live.swap_remove(index);
        if !random.one_in(4) {
            let end = end(random, gone.cpu_us, before, time);
            snapshot.ended.push(Ended { description: Arc::new(gone.description), end });
        }
    }
    for _ in 0..random.below(5) {
        begin(random, live, recipe, before, time);
    }
    for process in live.iter_mut() {
        if random.one_in(30) {
            process.description.name = Arc::from(NAMES[usize::try_from(random.below(7)).unwrap()]);
            process.description.command_line = Some(Arc::from(format!("now {}", random.below(9))));
        }
        if random.one_in(40) {
            process.description.parent_pid = Some(1);
        }
        let cpu = if random.one_in(3) { random.below(40_000) } else { 0 };
        process.cpu_us += cpu * elapsed / 10 + random.below(900);
        if random.one_in(4) {
            process.memory = random.below(500) * 4_096;
        }
        let io = |random: &mut Random| (!random.one_in(3)).then(|| random.below(3) * 512);
        let sample = Sample::ABSENT
            .with(Metric::Cpu, (!random.one_in(25)).then_some(cpu))
            .with(Metric::Memory, (!random.one_in(25)).then_some(process.memory))
            .with(Metric::ReadBytes, io(random))
            .with(Metric::WriteBytes, io(random));
        snapshot.processes.push(Process { description: Arc::new(process.description.clone()), sample });
    }
    for _ in 0..random.below(3) {
        snapshot.brief.push(brief(random, live, recipe, before, time));
    }
    snapshot.losses = losses(recipe, before, time);
    snapshot.host = HostSample::ABSENT
        .with(HostMetric::IntervalMs, recipe.is_measured.then_some(elapsed.min(60_000)))
        .with(HostMetric::Cpu, (!random.one_in(20)).then(|| random.below(1_600_000)))
        .with(HostMetric::MemoryUsed, random.below(1 << 34));
    snapshot
}

/// After a long gap it is told what was lost in it.
fn losses(recipe: Recipe, before: i64, time: i64) -> Vec<Loss> {
    if time - before < recipe.interval_ms * 5 {
        return Vec::new();
    }
    let (from, until) = (Timestamp::from_ms(before), Timestamp::from_ms(time));
    let count = u64::try_from((time - before) / recipe.interval_ms - 1).ok();
    let told = [(LossKind::Snapshots, count), (LossKind::Events, None)];
    told.map(|(kind, count)| Loss { kind, from, until, count }).to_vec()
}

fn begin(random: &mut Random, live: &mut Vec<Live>, recipe: Recipe, before: i64, time: i64) {
    let pid = 2 + u32::try_from(random.below(40)).unwrap();
    if live.iter().any(|other| other.description.identity.pid == pid) {
        return;
    }
    let started = before + 1 + i64::try_from(random.below(u64::try_from(time - before - 1).unwrap())).unwrap();
    // Some are older than their first snapshot.
    let started = if random.one_in(6) { started - 90_000 } else { started };
    let mut description = Description::new(pid, NAMES[usize::try_from(random.below(7)).unwrap()]);
    description.identity = Identity { pid, start: recipe.has_starts.then(|| Timestamp::from_ms(started)) };
    description.user = USERS[usize::try_from(random.below(4)).unwrap()].map(Arc::from);
    description.parent_pid = match live.len() as u64 {
        0 => Some(1),
        count => Some(live[usize::try_from(random.below(count)).unwrap()].description.identity.pid),
    };
    description.command_line = Some(Arc::from(format!("run {pid}")));
    live.push(Live { description, memory: random.below(500) * 4_096, cpu_us: random.below(2_000_000) });
}

fn brief(random: &mut Random, live: &[Live], recipe: Recipe, before: i64, time: i64) -> Brief {
    let pid = 100 + u32::try_from(random.below(20)).unwrap();
    let mut description = Description::new(pid, NAMES[usize::try_from(random.below(7)).unwrap()]);
    let start = recipe.has_starts.then(|| Timestamp::from_ms(before + 1 + i64::from(pid)));
    description.identity = Identity { pid, start };
    description.user = USERS[usize::try_from(random.below(4)).unwrap()].map(Arc::from);
    description.parent_pid = live.first().map(|parent| parent.description.identity.pid);
    let cpu_us = random.below(3_000_000);
    let count = if random.one_in(3) { 4 } else { 1 };
    Brief { description: Arc::new(description), end: end(random, cpu_us, before, time), count }
}

fn end(random: &mut Random, cpu_us: u64, before: i64, time: i64) -> End {
    End {
        time: (!random.one_in(3)).then(|| Timestamp::from_ms((time - 1).max(before + 500))),
        exit: match random.below(3) {
            0 => None,
            1 => Some(Exit::Code(i32::try_from(random.below(300)).unwrap() - 2)),
            _ => Some(Exit::Signal(9)),
        },
        cpu_time_us: (!random.one_in(4)).then_some(cpu_us),
        peak_memory_bytes: random.one_in(2).then(|| random.below(1 << 30)),
    }
}
