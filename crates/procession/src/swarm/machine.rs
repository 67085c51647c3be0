//! A made machine: processes that behave like those of an ordinary server, from a seed. Most do nothing most of the
//! time; about one in ten changes at a tick. Names and command lines repeat as they do on real machines.

use std::sync::Arc;

use procession_model::{
    Description, HostFacts, HostMetric, HostSample, Identity, Metric, Process, ProcessState, Sample, Snapshot,
    Timestamp,
};

use super::programs;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// A pid after which Linux counts from the start again.
const PID_MAX: u32 = 4_194_304;

/// What a made machine is like.
#[derive(Clone, Copy, Debug)]
pub struct MachineConfig {
    /// The same seed makes the same machine.
    pub seed: u64,
    /// How many processes live at a time.
    pub processes: u32,
    /// How many of them do something at a tick.
    pub active: u32,
    /// One process in so many ticks ends and another begins; 0 for never.
    pub ticks_per_turnover: u32,
    /// Time between two ticks in milliseconds.
    pub interval_ms: u64,
}

impl MachineConfig {
    /// An ordinary server: one process in ten does something, one in four ticks sees a process replaced.
    pub fn ordinary(seed: u64, processes: u32, interval_ms: u64) -> Self {
        Self { seed, processes, active: processes.div_ceil(10), ticks_per_turnover: 4, interval_ms }
    }
}

/// A made machine at some time.
#[derive(Debug)]
pub struct Machine {
    config: MachineConfig,
    random: fastrand::Rng,
    facts: Arc<HostFacts>,
    processes: Vec<Process>,
    was_active: Vec<usize>,
    next_pid: u32,
    ticks: u32,
}

impl Machine {
    /// The machine as it was booted at `boot`.
    pub fn new(config: MachineConfig, boot: Timestamp) -> Self {
        let mut random = fastrand::Rng::with_seed(config.seed);
        let facts = Arc::new(HostFacts {
            cpu_count: Some(4 << random.u32(0..4)),
            memory_total_bytes: Some((8 << random.u64(0..4)) * 1024 * MIB),
            boot_time: Some(boot),
            boot_id: Some(format!("{:032x}", random.u128(..)).into()),
            os: Some("Debian GNU/Linux 12 (bookworm)".into()),
            architecture: Some("x86_64".into()),
            agent_version: Some(env!("CARGO_PKG_VERSION").into()),
            collector: Some("swarm".into()),
        });
        let mut machine =
            Self { config, random, facts, processes: Vec::new(), was_active: Vec::new(), next_pid: 1, ticks: 0 };
        for _ in 0..config.processes {
            let start = boot.plus_ms(i64::from(machine.next_pid) * 7);
            let process = machine.begin(start);
            machine.processes.push(process);
        }
        machine
    }

    /// Lets the interval that ends at `time` pass.
    pub fn tick(&mut self, time: Timestamp) -> Snapshot {
        self.ticks += 1;
        self.rest();
        if self.config.ticks_per_turnover > 0 && self.ticks.is_multiple_of(self.config.ticks_per_turnover) {
            self.turn_over(time);
        }
        self.work();
        Snapshot {
            time,
            facts: Arc::clone(&self.facts),
            host: self.host_sample(),
            processes: self.processes.clone(),
            ..Snapshot::default()
        }
    }

    /// Who did something in the last interval goes back to sleep.
    fn rest(&mut self) {
        for index in self.was_active.drain(..) {
            let process = &mut self.processes[index];
            process.sample = process
                .sample
                .with(Metric::Cpu, 0)
                .with(Metric::State, u64::from(ProcessState::SLEEPING.code()))
                .with(Metric::ReadBytes, 0)
                .with(Metric::WriteBytes, 0);
        }
    }

    /// Half of those who work are always the same, as on real machines; the rest is chance.
    fn work(&mut self) {
        let count = self.processes.len();
        for turn in 0..self.config.active as usize {
            let index = if turn % 2 == 0 { turn * 3 % count } else { self.random.usize(0..count) };
            let random = &mut self.random;
            let sample = self.processes[index].sample;
            let cpu = 1u64 << random.u32(4..13) | random.u64(0..16);
            let mut sample = sample.with(Metric::Cpu, cpu);
            if random.u8(0..4) == 0 {
                let memory = sample.get(Metric::Memory).unwrap_or(MIB);
                let grown = memory.saturating_add_signed(random.i64(-64..72) * 4 * 1024).max(MIB);
                sample = sample.with(Metric::Memory, grown / KIB * KIB);
            }
            if random.u8(0..3) == 0 {
                sample = sample.with(Metric::WriteBytes, random.u64(1..64) * 4 * KIB);
            }
            if cpu > 2_000 {
                sample = sample.with(Metric::State, u64::from(ProcessState::RUNNING.code()));
            }
            self.processes[index].sample = sample;
            self.was_active.push(index);
        }
    }

    fn turn_over(&mut self, time: Timestamp) {
        // The first ones are the services that others are children of: they stay.
        let stays = self.processes.len() / 4 + 1;
        if stays < self.processes.len() {
            let index = self.random.usize(stays..self.processes.len());
            let start = time.plus_ms(-self.random.i64(0..1 + self.config.interval_ms.min(60_000).cast_signed()));
            self.processes[index] = self.begin(start);
        }
    }

    fn begin(&mut self, start: Timestamp) -> Process {
        let pid = self.next_pid;
        self.next_pid = (self.next_pid + 1 + self.random.u32(0..3)) % PID_MAX + u32::from(pid >= PID_MAX - 4);
        let parents = (self.processes.len() / 4).max(1);
        let parent = self.processes.get(self.random.usize(0..parents)).map(|parent| parent.description.identity.pid);
        let program = programs::choose(&mut self.random, pid);
        let description = Description {
            identity: Identity { pid, start: Some(start) },
            parent_pid: parent.or(Some(0)),
            name: program.name.into(),
            command_line: Some(program.command_line.into()),
            user: Some(program.user.into()),
            executable: Some(program.executable.into()),
            cgroup: Some(program.cgroup.into()),
        };
        let memory = (1 + self.random.u64(0..256)) * MIB / 4 / KIB * KIB;
        let sample = Sample::ABSENT
            .with(Metric::Cpu, 0)
            .with(Metric::Memory, memory)
            .with(Metric::VirtualMemory, memory * 4)
            .with(Metric::Threads, 1u64 << self.random.u32(0..6))
            .with(Metric::State, u64::from(ProcessState::SLEEPING.code()))
            .with(Metric::ReadBytes, 0)
            .with(Metric::WriteBytes, 0);
        Process { description: Arc::new(description), sample }
    }

    fn host_sample(&self) -> HostSample {
        let sum = |metric| self.processes.iter().filter_map(|process| process.sample.get(metric)).sum::<u64>();
        HostSample::ABSENT
            .with(HostMetric::IntervalMs, self.config.interval_ms)
            .with(HostMetric::Cpu, sum(Metric::Cpu) + 150)
            .with(HostMetric::MemoryUsed, sum(Metric::Memory))
            .with(HostMetric::Load, sum(Metric::Cpu) / 100)
            .with(HostMetric::Forks, u64::from(self.ticks % 3))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn snapshots(seed: u64) -> Vec<Snapshot> {
        let mut machine = Machine::new(MachineConfig::ordinary(seed, 300, 1_000), Timestamp::from_ms(1_000_000));
        (1..50).map(|tick| machine.tick(Timestamp::from_ms(2_000_000 + tick * 1_000))).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_machine() {
        assert_eq!(snapshots(7), snapshots(7));
        assert_ne!(snapshots(7), snapshots(8));
    }

    #[test]
    fn pids_are_unique_and_about_a_tenth_changes() {
        let snapshots = snapshots(7);
        for pair in snapshots.windows(2) {
            let pids: HashSet<u32> = pair[1].processes.iter().map(|process| process.description.identity.pid).collect();
            assert_eq!(pids.len(), 300);
            let changed =
                pair[0].processes.iter().zip(&pair[1].processes).filter(|(before, after)| before != after).count();
            assert!((10..=90).contains(&changed), "{changed} of 300 changed");
        }
    }
}
