//! A run of one host's snapshots, summed up in steps.
//!
//! A process that is there in more than one step has a row. All others, mostly those of builds and scripts, are folded
//! together by program, user and parent, for they are many and would cost more than all the rest. Command lines are left
//! to the snapshots: rollups outlive them, and three quarters of the bytes would be theirs.

use std::sync::Arc;

use procession_model::{Description, End, HostSample, Identity, Timestamp};

use super::Cell;

/// A run of one host's snapshots, summed up in steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rollup {
    /// Length of a step in milliseconds. Steps begin at its multiples.
    pub(crate) step_ms: u64,
    /// The steps that have a snapshot, oldest first.
    pub(crate) steps: Vec<Step>,
    /// The processes, in the order in which they were first seen.
    pub(crate) rows: Vec<Row>,
    /// What is folded together, by step.
    pub(crate) folded: Vec<Folded>,
    /// The host in finer steps than its processes, which together are `steps`; nothing if it is in the same.
    pub(crate) fine: Option<Fine>,
}

/// A host in finer steps than its processes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fine {
    /// Length of a step in milliseconds; that of the rollup is a multiple of it.
    pub(crate) step_ms: u64,
    /// The steps that have a snapshot, oldest first.
    pub(crate) steps: Vec<Step>,
}

/// A host over a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Its beginning divided by the length of a step.
    pub(crate) number: i64,
    /// Time of its first snapshot.
    pub(crate) first: Timestamp,
    /// Time of its last snapshot.
    pub(crate) last: Timestamp,
    /// Sequence of its last snapshot.
    pub(crate) last_sequence: u32,
    /// How many snapshots.
    pub(crate) snapshots: u64,
    /// The milliseconds that they stand for.
    pub(crate) interval_ms: u64,
    /// How many processes the snapshots have together.
    pub(crate) process_samples: u64,
    /// The most processes of one snapshot.
    pub(crate) processes_max: u32,
    /// Sum over the snapshots of the processes' CPU together, in hundredths of a percent of one core.
    pub(crate) cpu_sum: u128,
    /// The highest of these.
    pub(crate) cpu_max: u64,
    /// Sum over the snapshots of the processes' resident memory together, in bytes.
    pub(crate) memory_sum: u128,
    /// The highest of these.
    pub(crate) memory_max: u64,
    /// How many snapshots know the host's own CPU.
    pub(crate) host_cpu_snapshots: u64,
    /// Sum of the host's own CPU over them, in hundredths of a percent of one core.
    pub(crate) host_cpu_sum: u128,
    /// The same as CPU time, in tenths of a microsecond.
    pub(crate) host_cpu_tenths: u64,
    /// Sum of the host's used memory over the snapshots that know it.
    pub(crate) host_memory_sum: u128,
    /// How many snapshots know the host's used memory.
    pub(crate) host_memory_snapshots: u64,
    /// The host's own counters at the last snapshot.
    pub(crate) host: HostSample,
}

/// A process that is there in more than one step, or still there at the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Identity, name, user and the parent's pid; no command line.
    pub(crate) description: Arc<Description>,
    /// The nearest ancestor that has a row, going by who was the parent when it was first seen; else that parent's pid.
    pub(crate) parent: Option<Identity>,
    /// The first snapshot that has it.
    pub(crate) first: Timestamp,
    /// The last snapshot that has it.
    pub(crate) last: Timestamp,
    /// The snapshot before the first that has it.
    pub(crate) previous: Option<Timestamp>,
    /// Whether it began in the interval of its first snapshot, so that all it did was seen.
    pub(crate) is_whole: bool,
    /// How it ended, and the snapshot that told of it.
    pub(crate) end: Option<(End, Timestamp)>,
    /// The index of its first step.
    pub(crate) first_step: usize,
    /// What it did in each step from there on.
    pub(crate) cells: Vec<Cell>,
}

/// Short-lived processes of one program, user and parent in one step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Folded {
    /// The index of the step.
    pub(crate) step: usize,
    /// Whose they are.
    pub(crate) key: FoldedKey,
    /// How many.
    pub(crate) count: u64,
    /// The first snapshot that told of one.
    pub(crate) first: Timestamp,
    /// The last.
    pub(crate) last: Timestamp,
    /// How long they lived together, in milliseconds.
    pub(crate) alive_ms: u64,
    /// What they did as far as snapshots have them.
    pub(crate) cell: Cell,
    /// CPU time beyond that, known from their ends, in tenths of a microsecond.
    pub(crate) extra_tenths: u64,
}

/// What folded processes have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FoldedKey {
    /// Name.
    pub(crate) name: Arc<str>,
    /// User.
    pub(crate) user: Option<Arc<str>>,
    /// The nearest ancestor that has a row.
    pub(crate) parent: Option<Identity>,
    /// Whether they were seen in an earlier step and this one only told of their end.
    pub(crate) began_before: bool,
}

impl Rollup {
    /// The number of the step that a time is in.
    pub(crate) fn number_of(step_ms: u64, time: Timestamp) -> i64 {
        time.as_ms().div_euclid(i64::try_from(step_ms.max(1)).unwrap_or(i64::MAX))
    }

    /// When a step begins.
    pub(crate) fn start_of(step_ms: u64, number: i64) -> Timestamp {
        Timestamp::from_ms(number.saturating_mul(i64::try_from(step_ms).unwrap_or(i64::MAX)))
    }

    /// The host alone, in the finest steps there are.
    pub(crate) fn host_alone(&self) -> Self {
        let (step_ms, steps) = match &self.fine {
            Some(fine) => (fine.step_ms, fine.steps.clone()),
            None => (self.step_ms, self.steps.clone()),
        };
        Self { step_ms, steps, ..Self::default() }
    }

    /// The last snapshot.
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.steps.iter().map(|step| step.last).max()
    }
}

impl Fine {
    /// The same in longer steps.
    pub(crate) fn in_steps_of(&self, step_ms: u64) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for step in &self.steps {
            let number = Rollup::number_of(step_ms, Rollup::start_of(self.step_ms, step.number));
            match steps.last_mut().filter(|last| last.number == number) {
                Some(last) => last.then(step),
                None => steps.push(Step { number, ..step.clone() }),
            }
        }
        steps
    }
}

impl Step {
    /// Adds what was later (or came later) in the same step.
    pub(crate) fn then(&mut self, other: &Self) {
        if other.last > self.last {
            self.last = other.last;
            self.last_sequence = other.last_sequence;
            self.host = other.host;
        }
        self.first = self.first.min(other.first);
        self.snapshots = self.snapshots.saturating_add(other.snapshots);
        self.interval_ms = self.interval_ms.saturating_add(other.interval_ms);
        self.process_samples = self.process_samples.saturating_add(other.process_samples);
        self.processes_max = self.processes_max.max(other.processes_max);
        self.cpu_sum = self.cpu_sum.saturating_add(other.cpu_sum);
        self.cpu_max = self.cpu_max.max(other.cpu_max);
        self.memory_sum = self.memory_sum.saturating_add(other.memory_sum);
        self.memory_max = self.memory_max.max(other.memory_max);
        self.host_cpu_snapshots = self.host_cpu_snapshots.saturating_add(other.host_cpu_snapshots);
        self.host_cpu_sum = self.host_cpu_sum.saturating_add(other.host_cpu_sum);
        self.host_cpu_tenths = self.host_cpu_tenths.saturating_add(other.host_cpu_tenths);
        self.host_memory_sum = self.host_memory_sum.saturating_add(other.host_memory_sum);
        self.host_memory_snapshots = self.host_memory_snapshots.saturating_add(other.host_memory_snapshots);
    }
}
