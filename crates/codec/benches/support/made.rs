//! Hosts made from a seed: what runs on an ordinary server, mostly doing nothing, and a compiler at work if asked for.

use std::sync::Arc;

use fastrand::Rng;
use procession_model::{
    Description, HostMetric, HostSample, Identity, Metric, Process, ProcessState, Sample, Snapshot, Timestamp,
};

/// 2026-11-21T00:00:00Z.
const BEGINNING_MS: i64 = 1_795_219_200_000;
const PAGE: u64 = 4_096;
const TICKS_PER_SECOND: u64 = 100;

/// What to make.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) processes: usize,
    pub(crate) snapshots: usize,
    pub(crate) interval_ms: u64,
    /// How many processes do something between two snapshots, of a thousand.
    pub(crate) busy_per_mille: usize,
    /// How many compilers run at once.
    pub(crate) compilers: usize,
}

/// The snapshots of a made host.
pub(crate) fn snapshots(plan: &Plan) -> Vec<Snapshot> {
    let mut host = Host::new(plan);
    (0..plan.snapshots).map(|_| host.step()).collect()
}

struct Live {
    process: Process,
    /// How eager it is: most sleep for ever, few do something all the time.
    weight: usize,
    /// A compiler: how many steps it has left, and how fast it grows.
    left: Option<usize>,
}

struct Host {
    plan: Plan,
    rng: Rng,
    now_ms: i64,
    next_pid: u32,
    live: Vec<Live>,
}

impl Host {
    fn new(plan: &Plan) -> Self {
        let rng = Rng::with_seed(plan.seed);
        let mut host = Self { plan: *plan, rng, now_ms: BEGINNING_MS, next_pid: 1, live: Vec::new() };
        for index in 0..plan.processes {
            let description = host.resident(index);
            let live = host.sleeping(description);
            host.live.push(live);
        }
        host
    }

    fn resident(&mut self, index: usize) -> Description {
        let number = self.rng.u32(1..90);
        let kernel = |name: String| (name, None, "root", 2);
        let (name, command_line, user, parent) = match (index, index % 10) {
            (0, _) => ("systemd".into(), Some("/sbin/init".into()), "root", 0),
            (1, _) => kernel("kthreadd".into()),
            (_, 0..4) => kernel(format!("kworker/{}:{}-events", number % 16, number)),
            (_, 4) => kernel(format!("scsi_eh_{number}")),
            (_, 5) => ("nginx".into(), Some("nginx: worker process".into()), "www-data", 1),
            (_, 6) => (
                "postgres".into(),
                Some(format!(
                    "postgres: app app_{} 10.0.{}.{}({}) idle",
                    number % 4,
                    number % 7,
                    number,
                    40_000 + index
                )),
                "postgres",
                1,
            ),
            (_, 7) => {
                let line = format!(
                    "/usr/lib/jvm/java-21-openjdk-amd64/bin/java -Xms512m -Xmx{}m -XX:+UseG1GC -Dspring.profiles.active=production -Dserver.port={} -jar /srv/service-{index}/service-{index}.jar",
                    number * 64,
                    8_000 + index,
                );
                ("java".into(), Some(line), "app", 1)
            }
            (_, 8) => (
                "containerd-shim".into(),
                Some(format!(
                    "/usr/bin/containerd-shim-runc-v2 -namespace moby -id {} -address /run/containerd/containerd.sock",
                    hex(&mut self.rng, 64)
                )),
                "root",
                1,
            ),
            _ => (format!("daemon-{number}"), Some(format!("/usr/sbin/daemon-{number} --foreground")), "daemon", 1),
        };
        self.description(name, command_line, user, parent)
    }

    fn description(&mut self, name: String, line: Option<String>, user: &str, parent_pid: u32) -> Description {
        self.next_pid += self.rng.u32(1..4);
        let started = if self.live.len() < self.plan.processes { self.rng.i64(10_000..400_000) } else { 10 };
        Description {
            identity: Identity {
                pid: self.next_pid,
                start: Some(Timestamp::from_ms((self.now_ms - started) / 10 * 10)),
            },
            parent_pid: Some(parent_pid),
            name: name.into(),
            executable: line.as_ref().map(|line| line.split(' ').next().unwrap_or_default().into()),
            command_line: line.map(Arc::from),
            user: Some(user.into()),
            cgroup: Some(format!("/system.slice/{user}.service").into()),
        }
    }

    fn sleeping(&mut self, description: Description) -> Live {
        let is_kernel = description.command_line.is_none();
        let pages = if is_kernel { 0 } else { self.rng.u64(200..80_000) };
        let sample = Sample::default()
            .with(Metric::Cpu, 0)
            .with(Metric::Memory, pages * PAGE)
            .with(Metric::VirtualMemory, pages * PAGE * 7)
            .with(Metric::Threads, if is_kernel { 1 } else { self.rng.u64(1..40) })
            .with(Metric::ReadBytes, 0)
            .with(Metric::WriteBytes, 0)
            .with_state(if is_kernel { ProcessState::IDLE } else { ProcessState::SLEEPING });
        let weight = if self.rng.usize(..10) == 0 { 40 } else { 1 };
        Live { process: Process { description: Arc::new(description), sample }, weight, left: None }
    }

    fn compiler(&mut self) -> Live {
        let (name, parent) = (format!("crate_{}", self.rng.u32(..400)), self.next_pid);
        let mut line = format!(
            "/home/builder/.rustup/toolchains/stable/bin/rustc --crate-name {name} --edition=2024 /home/builder/.cargo/registry/src/{name}-{}.{}.{}/src/lib.rs --error-format=json --json=diagnostic-rendered-ansi,artifacts,future-incompat --crate-type lib --emit=dep-info,metadata,link -C embed-bitcode=no -C debuginfo=2 -C metadata={} -C extra-filename=-{} --out-dir /srv/build/target/debug/deps -L dependency=/srv/build/target/debug/deps",
            self.rng.u32(..3),
            self.rng.u32(..30),
            self.rng.u32(..9),
            hex(&mut self.rng, 16),
            hex(&mut self.rng, 16),
        );
        for _ in 0..self.rng.usize(..9) {
            let used = self.rng.u32(..400);
            let id = hex(&mut Rng::with_seed(u64::from(used)), 16);
            line.push_str(&format!(" --extern crate_{used}=/srv/build/target/debug/deps/libcrate_{used}-{id}.rmeta"));
        }
        let description = self.description("rustc".into(), Some(line), "builder", parent);
        let mut live = self.sleeping(description);
        live.left = Some(1 + self.rng.usize(..20_000) / usize::try_from(self.plan.interval_ms).unwrap_or(usize::MAX));
        live
    }

    fn step(&mut self) -> Snapshot {
        let jitter = self.rng.i64(-1..2);
        self.now_ms += self.plan.interval_ms.cast_signed();
        self.live.retain_mut(|live| {
            live.left.as_mut().is_none_or(|left| {
                *left = left.saturating_sub(1);
                *left > 0
            })
        });
        while self.live.iter().filter(|live| live.left.is_some()).count() < self.plan.compilers {
            let live = self.compiler();
            self.live.push(live);
        }
        let ticks_max = self.plan.interval_ms * TICKS_PER_SECOND / 1_000;
        for live in &mut self.live {
            let is_busy = self.rng.usize(..1_000) < self.plan.busy_per_mille * live.weight / 5;
            live.process.sample = next_sample(&mut self.rng, live, is_busy, ticks_max);
        }
        let cpu = self.live.iter().filter_map(|live| live.process.sample.get(Metric::Cpu)).sum::<u64>();
        Snapshot {
            time: Timestamp::from_ms(self.now_ms + jitter),
            host: HostSample::default()
                .with(HostMetric::IntervalMs, self.plan.interval_ms)
                .with(HostMetric::Cpu, cpu + self.rng.u64(..300))
                .with(HostMetric::MemoryUsed, (4 << 30) + self.rng.u64(..1_000) * PAGE),
            processes: self.live.iter().map(|live| live.process.clone()).collect(),
            ..Snapshot::default()
        }
    }
}

fn next_sample(rng: &mut Rng, live: &Live, is_busy: bool, ticks_max: u64) -> Sample {
    let sample = live.process.sample;
    let per_tick = 10_000 / ticks_max;
    if live.left.is_some() {
        let ticks = ticks_max - rng.u64(..=ticks_max / 8);
        let grown = sample.get(Metric::Memory).unwrap_or(0) + rng.u64(..8_000) * PAGE;
        return sample
            .with(Metric::Cpu, ticks * per_tick)
            .with(Metric::Memory, grown)
            .with(Metric::VirtualMemory, grown / 2 * 3 / PAGE * PAGE)
            .with_state(ProcessState::RUNNING);
    }
    if !is_busy {
        return sample.with(Metric::Cpu, 0).with(Metric::ReadBytes, 0).with(Metric::WriteBytes, 0);
    }
    let ticks = 1 + rng.u64(..3) * rng.u64(..3);
    let mut sample = sample.with(Metric::Cpu, ticks * per_tick);
    if rng.usize(..4) == 0 {
        let pages = sample.get(Metric::Memory).unwrap_or(0) / PAGE;
        sample = sample.with(Metric::Memory, (pages + rng.u64(..64)).saturating_sub(24) * PAGE);
    }
    if rng.usize(..4) == 0 {
        sample = sample.with(Metric::WriteBytes, rng.u64(1..40) * PAGE);
    }
    sample
}

fn hex(rng: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(rng.u32(..16), 16).unwrap_or('0')).collect()
}
