//! macOS, through `sysinfo`.
//!
//! It costs several times what our own collectors do, and spares us five kinds of unstable structures. Compiled and tested
//! on Linux too, where `sysinfo` works alike; on macOS itself it has not been run yet.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use procession_model::{
    Description, HostFacts, HostMetric, HostSample, Identity, Metric, Process, ProcessState, Sample, Snapshot,
    Timestamp,
};
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind, Users};

use crate::rate::cpu_hundredths;
use crate::{COMMAND_LINE_BYTES_MAX, MaskArguments, Moment, NAME_BYTES_MAX, ProbeConfig, ProbeError};

/// Samples through `sysinfo`.
pub(crate) struct Collector {
    system: System,
    users: Option<Users>,
    entries: HashMap<u32, Entry>,
    mask: Option<MaskArguments>,
    with_io: bool,
    facts: Arc<HostFacts>,
    earlier: Option<Earlier>,
    looks: u64,
}

/// A process that was there at the last look.
struct Entry {
    description: Arc<Description>,
    start_seconds: u64,
    cpu_time_ms: u64,
    look: u64,
}

/// The last snapshot.
#[derive(Clone, Copy)]
struct Earlier {
    monotonic: Duration,
    own_cpu_time_ms: u64,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Collector").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Collector {
    pub(crate) fn new(config: ProbeConfig) -> Result<Self, ProbeError> {
        let mut system = System::new().map_err(|error| ProbeError::List(error.to_string()))?;
        system.refresh_memory();
        system.refresh_cpu_usage();
        let boot_seconds = System::boot_time().ok();
        let facts = HostFacts {
            cpu_count: u32::try_from(system.cpus().len()).ok(),
            memory_total_bytes: Some(system.total_memory()),
            boot_time: boot_seconds.map(seconds),
            boot_id: boot_seconds.map(|seconds| seconds.to_string().into()),
            os: System::long_os_version().ok().map(Arc::from),
            architecture: Some(std::env::consts::ARCH.into()),
            agent_version: config.agent_version,
            collector: Some("sysinfo".into()),
        };
        Ok(Self {
            system,
            users: Users::new_with_refreshed_list().ok(),
            entries: HashMap::new(),
            mask: config.mask,
            with_io: config.fields.io,
            facts: Arc::new(facts),
            earlier: None,
            looks: 0,
        })
    }

    pub(crate) fn snapshot_into(&mut self, moment: Moment, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        self.refresh();
        self.looks += 1;
        let interval = self.earlier.map(|earlier| moment.monotonic.saturating_sub(earlier.monotonic));
        snapshot.processes.clear();
        for (pid, process) in self.system.processes() {
            // On Linux, where the tests run, threads are listed too.
            if process.thread_kind().is_some() {
                continue;
            }
            let pid = pid.as_u32();
            let known = self.entries.get(&pid).filter(|entry| entry.start_seconds == process.start_time());
            let description = match known {
                Some(entry) => Arc::clone(&entry.description),
                None => Arc::new(describe(process, self.users.as_ref(), self.mask.as_ref())),
            };
            let cpu_before_ms = known.map(|entry| entry.cpu_time_ms).or_else(|| interval.map(|_| 0));
            let sample = sample(process, cpu_before_ms.zip(interval), self.with_io);
            let entry = Entry {
                description: Arc::clone(&description),
                start_seconds: process.start_time(),
                cpu_time_ms: process.accumulated_cpu_time(),
                look: self.looks,
            };
            self.entries.insert(pid, entry);
            snapshot.processes.push(Process { description, sample });
        }
        let looks = self.looks;
        self.entries.retain(|_, entry| entry.look == looks);
        snapshot.processes.sort_unstable_by_key(|process| process.description.identity.pid);
        snapshot.time = moment.wall;
        snapshot.facts.clone_from(&self.facts);
        snapshot.host = self.host(moment, interval);
        snapshot.ended.clear();
        snapshot.brief.clear();
        snapshot.losses.clear();
        snapshot.field_errors.clear();
        Ok(())
    }

    /// Nothing tells us of processes between two looks.
    #[expect(clippy::unused_self, reason = "the same on every operating system")]
    pub(crate) const fn drain(&mut self) -> Option<f64> {
        None
    }

    #[expect(clippy::unused_self, reason = "the same on every operating system")]
    pub(crate) const fn room(&self) -> Option<usize> {
        None
    }

    #[expect(clippy::unused_self, reason = "the same on every operating system")]
    pub(crate) const fn notes(&self) -> &[String] {
        &[]
    }

    pub(crate) fn facts(&self) -> &Arc<HostFacts> {
        &self.facts
    }

    fn refresh(&mut self) {
        let once = UpdateKind::OnlyIfNotSet;
        let mut kind =
            ProcessRefreshKind::nothing().with_cpu().with_memory().with_cmd(once).with_exe(once).with_user(once);
        if self.with_io {
            kind = kind.with_disk_usage();
        }
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        self.system.refresh_memory();
        self.system.refresh_cpu_usage();
    }

    fn host(&mut self, moment: Moment, interval: Option<Duration>) -> HostSample {
        let own = sysinfo::get_current_pid().ok().and_then(|pid| self.system.process(pid));
        let own_cpu_time_ms = own.map_or(0, sysinfo::Process::accumulated_cpu_time);
        let sample = HostSample::ABSENT
            .with(HostMetric::MemoryUsed, self.system.used_memory())
            .with(HostMetric::SwapUsed, self.system.used_swap())
            .with(HostMetric::Load, System::load_average().ok().and_then(|load| hundredths(load.one)))
            .with(HostMetric::AgentMemory, own.map(sysinfo::Process::memory));
        let earlier = self.earlier.replace(Earlier { monotonic: moment.monotonic, own_cpu_time_ms });
        let (Some(earlier), Some(interval)) = (earlier, interval) else { return sample };
        let cpus = self.system.cpus().iter().map(|cpu| f64::from(cpu.usage())).sum();
        sample
            .with(HostMetric::IntervalMs, u64::try_from(interval.as_millis()).ok())
            .with(HostMetric::Cpu, hundredths(cpus))
            .with(HostMetric::AgentCpuMicros, own_cpu_time_ms.saturating_sub(earlier.own_cpu_time_ms) * 1_000)
    }
}

pub(crate) fn host_name() -> Option<String> {
    System::host_name().ok().filter(|name| !name.is_empty())
}

/// macOS has one, but `sysinfo` does not give it.
pub(crate) fn machine_id() -> Option<String> {
    None
}

fn describe(process: &sysinfo::Process, users: Option<&Users>, mask: Option<&MaskArguments>) -> Description {
    let start = (process.start_time() > 0).then(|| seconds(process.start_time()));
    let pid = process.pid().as_u32();
    let mut words: Vec<String> = process.cmd().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(mask) = mask {
        mask(&mut words);
    }
    let line = words.join(" ");
    let user = process.user_id().map(|id| {
        users.and_then(|users| users.get_user_by_id(id)).map_or_else(|| id.to_string(), |user| user.name().to_owned())
    });
    Description {
        identity: Identity { pid, start },
        parent_pid: process.parent().map(sysinfo::Pid::as_u32).filter(|parent| *parent != 0),
        name: text(process.name(), NAME_BYTES_MAX),
        command_line: (!line.is_empty()).then(|| cut(&line, COMMAND_LINE_BYTES_MAX)),
        user: user.map(Arc::from),
        executable: process.exe().map(|path| text(path.as_os_str(), NAME_BYTES_MAX)),
        cgroup: None,
    }
}

/// `since` is the CPU time at the last look and how long ago that was.
fn sample(process: &sysinfo::Process, since: Option<(u64, Duration)>, with_io: bool) -> Sample {
    let mut sample = Sample::ABSENT
        .with(Metric::Memory, process.memory())
        .with(Metric::VirtualMemory, process.virtual_memory())
        .with(Metric::Threads, process.tasks().map(|tasks| tasks.len() as u64))
        .with_state(state(process.status()));
    if let Some((cpu_before_ms, interval)) = since {
        let cpu_time_us = process.accumulated_cpu_time().saturating_sub(cpu_before_ms).saturating_mul(1_000);
        sample = sample.with(Metric::Cpu, cpu_hundredths(cpu_time_us, interval));
        if with_io {
            let io = process.disk_usage();
            sample = sample.with(Metric::ReadBytes, io.read_bytes).with(Metric::WriteBytes, io.written_bytes);
        }
    }
    sample
}

fn state(status: ProcessStatus) -> ProcessState {
    match status {
        ProcessStatus::Run => ProcessState::RUNNING,
        ProcessStatus::Sleep => ProcessState::SLEEPING,
        ProcessStatus::Idle => ProcessState::IDLE,
        ProcessStatus::Stop => ProcessState::STOPPED,
        ProcessStatus::Zombie => ProcessState::ZOMBIE,
        ProcessStatus::Tracing => ProcessState::TRACING_STOP,
        ProcessStatus::Dead => ProcessState::DEAD,
        ProcessStatus::UninterruptibleDiskSleep => ProcessState::DISK_SLEEP,
        _ => ProcessState::UNKNOWN,
    }
}

fn seconds(since_epoch: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(since_epoch.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
fn hundredths(value: f64) -> Option<u64> {
    let hundredths = (value * 100.0).round();
    (0.0..1e15).contains(&hundredths).then_some(hundredths as u64)
}

fn text(text: &OsStr, bytes_max: usize) -> Arc<str> {
    cut(&text.to_string_lossy(), bytes_max)
}

fn cut(text: &str, bytes_max: usize) -> Arc<str> {
    Arc::from(&text[..text.floor_char_boundary(bytes_max)])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn sees_itself_and_its_work() {
        let mut collector = Collector::new(ProbeConfig::default()).unwrap();
        let origin = Instant::now();
        let mut snapshot = Snapshot::default();
        collector.snapshot_into(Moment::now(origin), &mut snapshot).unwrap();
        let own = |snapshot: &Snapshot| {
            snapshot.processes.iter().find(|process| process.description.identity.pid == std::process::id()).cloned()
        };
        let first = own(&snapshot).unwrap();
        assert_eq!(first.sample.get(Metric::Cpu), None);
        assert!(first.sample.get(Metric::Memory).unwrap() > 0);
        assert!(first.description.command_line.is_some() && first.description.identity.start.is_some());
        while collector.system.process(sysinfo::get_current_pid().unwrap()).unwrap().accumulated_cpu_time() < 50 {
            collector.refresh();
        }
        collector.entries.get_mut(&std::process::id()).unwrap().cpu_time_ms = 0;
        collector.snapshot_into(Moment::now(origin), &mut snapshot).unwrap();
        assert!(own(&snapshot).unwrap().sample.get(Metric::Cpu).unwrap() > 0);
        assert!(snapshot.processes.is_sorted_by_key(|process| process.description.identity.pid));
        assert!(snapshot.host.get(HostMetric::MemoryUsed).unwrap() > 0);
    }
}
