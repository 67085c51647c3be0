//! A made-up machine whose processes come, go and change.

use std::sync::Arc;

use procession_model::{
    Brief, Description, End, Ended, Exit, FieldError, FieldErrorReason, HostFacts, HostMetric, HostSample, Identity,
    Loss, LossKind, Metric, Process, ProcessState, Sample, Snapshot, Timestamp,
};

use crate::random::Random;

const NAMES: [&str; 6] = ["bash", "postgres", "cargo", "näme", "a b;\"'", "kworker/0:1"];
const USERS: [&str; 3] = ["root", "ann", "1001"];

/// A made-up machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    random: Random,
    /// Whether it knows when processes started, as agents do and the smallest uploads do not.
    knows_starts: bool,
    facts: Arc<HostFacts>,
    processes: Vec<Process>,
    next_pid: u32,
}

impl Machine {
    pub(crate) fn new(seed: u64, knows_starts: bool) -> Self {
        let facts = HostFacts { cpu_count: Some(4), memory_total_bytes: Some(8 << 30), ..HostFacts::default() };
        Self { random: Random::new(seed), knows_starts, facts: Arc::new(facts), processes: Vec::new(), next_pid: 1 }
    }

    /// What the machine looks like at `time`; something has happened since the last call.
    pub(crate) fn snapshot(&mut self, time: Timestamp) -> Snapshot {
        let ended = self.end_some(time);
        for _ in 0..self.random.below(3) {
            let begun = self.begin(time);
            self.processes.push(begun);
        }
        self.change_some();
        if self.random.one_in(10) {
            let cpu_count = self.random.below(64) as u32;
            self.facts = Arc::new(HostFacts { cpu_count: Some(cpu_count), ..HostFacts::clone(&self.facts) });
        }
        let brief = if self.random.one_in(4) { vec![self.brief(time)] } else { Vec::new() };
        let losses = if self.random.one_in(8) { vec![self.loss(time)] } else { Vec::new() };
        let field_errors = if self.random.one_in(2) { vec![denied(self.random.below(3) as u32)] } else { Vec::new() };
        Snapshot {
            time,
            facts: Arc::clone(&self.facts),
            host: self.host_sample(),
            processes: self.processes.clone(),
            ended,
            brief,
            losses,
            field_errors,
        }
    }

    fn end_some(&mut self, time: Timestamp) -> Vec<Ended> {
        let mut ended = Vec::new();
        let random = &mut self.random;
        self.processes.retain(|process| {
            let stays = !random.one_in(8);
            if !stays && random.one_in(2) {
                let end = End {
                    time: Some(time.plus_ms(-1)),
                    exit: Some(if random.one_in(2) { Exit::Code(1) } else { Exit::Signal(9) }),
                    cpu_time_us: Some(random.below(1_000_000)),
                    peak_memory_bytes: None,
                };
                ended.push(Ended { description: Arc::clone(&process.description), end });
            }
            stays
        });
        ended
    }

    fn begin(&mut self, time: Timestamp) -> Process {
        let description = self.description(time);
        Process { description, sample: Sample::ABSENT }
    }

    fn description(&mut self, time: Timestamp) -> Arc<Description> {
        // Pids come round again, so that another process has one that was used before.
        let used = |pid: u32| self.processes.iter().any(|process| process.description.identity.pid == pid);
        let mut pid = self.next_pid % 20 + 1;
        while used(pid) {
            pid += 1;
        }
        self.next_pid = pid;
        let name = NAMES[self.random.below(NAMES.len() as u64) as usize];
        let user = USERS[self.random.below(USERS.len() as u64) as usize];
        Arc::new(Description {
            identity: Identity { pid, start: self.knows_starts.then(|| time.plus_ms(-2)) },
            parent_pid: self.random.one_in(3).then_some(1),
            command_line: self.random.one_in(2).then(|| format!("{name} --job {}", self.random.next()).into()),
            user: Some(user.into()),
            ..Description::new(pid, name)
        })
    }

    fn change_some(&mut self) {
        for process in &mut self.processes {
            if self.random.one_in(3) {
                let metric = Metric::ALL[self.random.below(Metric::COUNT as u64) as usize];
                let value = match metric {
                    Metric::State => u64::from(ProcessState::from_name("sleeping").code()),
                    Metric::MemoryPercent => (self.random.below(100) as f64 / 7.0).to_bits(),
                    Metric::Cpu if self.random.one_in(20) => u64::MAX - 1,
                    _ => self.random.below(1 << 30),
                };
                process.sample = process.sample.with(metric, (!self.random.one_in(5)).then_some(value));
            }
            if self.random.one_in(20) {
                let changed = Description {
                    command_line: Some(format!("title {}", self.random.below(5)).into()),
                    ..Description::clone(&process.description)
                };
                process.description = Arc::new(changed);
            }
        }
    }

    fn brief(&mut self, time: Timestamp) -> Brief {
        let description = Description {
            identity: Identity { pid: 30_000 + self.random.below(100) as u32, start: Some(time.plus_ms(-3)) },
            ..Description::new(0, "true")
        };
        let end = End { time: Some(time.plus_ms(-1)), exit: Some(Exit::Code(0)), ..End::default() };
        Brief { description: Arc::new(description), end, count: 1 }
    }

    fn loss(&mut self, time: Timestamp) -> Loss {
        Loss { kind: LossKind::Missed, from: time.plus_ms(-10), until: time, count: Some(self.random.below(9)) }
    }

    fn host_sample(&mut self) -> HostSample {
        HostSample::ABSENT
            .with(HostMetric::IntervalMs, 1_000)
            .with(HostMetric::Cpu, (!self.random.one_in(5)).then(|| self.random.below(40_000)))
            .with(HostMetric::MemoryUsed, self.random.below(1 << 33))
    }
}

fn denied(processes: u32) -> FieldError {
    FieldError { field: "read_bytes".into(), reason: FieldErrorReason::Denied, processes }
}
