//! Windows: one call a snapshot that lists all processes with their counters, `NtQuerySystemInformation`.
//!
//! Opening every process at every look, as most do, costs more, sees nothing of protected ones, and is wrong under Wine.
//! What stays fixed (executable, command line, user) needs the process opened, once.

mod command_line;
mod describe;
mod native;
mod process_list;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use procession_model::{Description, HostFacts, HostMetric, HostSample, Metric, Process, Sample, Snapshot, Timestamp};

use describe::Describer;
use native::{AlignedBytes, CallError};
use process_list::{Listed, processes};

use crate::field_errors::{FieldErrorCounts, FieldErrorSet};
use crate::rate::cpu_hundredths;
use crate::{Moment, ProbeConfig, ProbeError};

const VERSION_KEY: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const PREFETCH_KEY: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters";
const MACHINE_KEY: &str = r"SOFTWARE\Microsoft\Cryptography";

/// Samples by the kernel's list of processes.
#[derive(Debug)]
pub(crate) struct Collector {
    list: AlignedBytes,
    entries: HashMap<u32, Entry>,
    describer: Describer,
    with_io: bool,
    facts: Arc<HostFacts>,
    errors: FieldErrorCounts,
    earlier: Option<Earlier>,
    looks: u64,
}

/// A process that was there at the last look.
#[derive(Debug)]
struct Entry {
    description: Arc<Description>,
    create_time: u64,
    cpu_time: u64,
    io: (u64, u64),
    errors: FieldErrorSet,
    look: u64,
}

/// The last snapshot.
#[derive(Clone, Copy, Debug)]
struct Earlier {
    monotonic: Duration,
    /// Idle, and all together.
    processor_times: Option<(u64, u64)>,
    own_cpu_time: u64,
}

impl Collector {
    pub(crate) fn new(config: ProbeConfig) -> Result<Self, ProbeError> {
        let mut list = AlignedBytes::default();
        list_into(&mut list)?;
        let boot_time = native::boot_time().map(timestamp);
        let boot_id = native::registry_number(PREFETCH_KEY, "BootId").map(|number| Arc::from(number.to_string()));
        let facts = HostFacts {
            cpu_count: Some(native::cpu_count()),
            memory_total_bytes: native::memory().map(|(total, _)| total),
            boot_time,
            boot_id,
            os: Some(operating_system().into()),
            architecture: Some(std::env::consts::ARCH.into()),
            agent_version: config.agent_version,
            collector: Some("ntdll".into()),
        };
        Ok(Self {
            list,
            entries: HashMap::new(),
            describer: Describer::new(config.mask),
            with_io: config.fields.io,
            facts: Arc::new(facts),
            errors: FieldErrorCounts::new(),
            earlier: None,
            looks: 0,
        })
    }

    pub(crate) fn snapshot_into(&mut self, moment: Moment, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        list_into(&mut self.list)?;
        self.looks += 1;
        let interval = self.earlier.map(|earlier| moment.monotonic.saturating_sub(earlier.monotonic));
        let mut own = None;
        snapshot.processes.clear();
        self.errors.clear();
        let list = std::mem::take(&mut self.list);
        for listed in processes(list.bytes(), list.address()).filter(|listed| listed.pid != 0) {
            if listed.pid == std::process::id() {
                own = Some((listed.cpu_time, listed.working_set_bytes));
            }
            snapshot.processes.push(self.look(&listed, interval));
        }
        self.list = list;
        let looks = self.looks;
        self.entries.retain(|_, entry| entry.look == looks);
        snapshot.processes.sort_unstable_by_key(|process| process.description.identity.pid);
        snapshot.time = moment.wall;
        snapshot.facts.clone_from(&self.facts);
        snapshot.ended.clear();
        snapshot.brief.clear();
        snapshot.losses.clear();
        self.errors.write_into(&mut snapshot.field_errors);
        snapshot.host = self.host(moment, interval, own);
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

    fn look(&mut self, listed: &Listed<'_>, interval: Option<Duration>) -> Process {
        let known = self.entries.get(&listed.pid).filter(|entry| entry.create_time == listed.create_time);
        let (description, errors, before) = match known {
            Some(entry) => (Arc::clone(&entry.description), entry.errors, Some((entry.cpu_time, entry.io))),
            None => {
                // Windows lists processes in the order in which they began.
                let parent_start = self.entries.get(&listed.parent_pid).map(|entry| entry.create_time);
                let (description, errors) = self.describer.describe(listed, parent_start);
                (Arc::new(description), errors, None)
            }
        };
        self.errors.add(errors);
        let io = (listed.read_bytes, listed.write_bytes);
        let entry = Entry {
            description: Arc::clone(&description),
            create_time: listed.create_time,
            cpu_time: listed.cpu_time,
            io,
            errors,
            look: self.looks,
        };
        self.entries.insert(listed.pid, entry);
        // All that a new process did it did since the last look.
        let before = before.or_else(|| interval.map(|_| (0, (0, 0))));
        let mut sample = momentary_sample(listed);
        if let (Some((cpu_before, io_before)), Some(interval)) = (before, interval) {
            let cpu_time_us = listed.cpu_time.saturating_sub(cpu_before) / 10;
            sample = sample.with(Metric::Cpu, cpu_hundredths(cpu_time_us, interval));
            if self.with_io {
                sample = sample
                    .with(Metric::ReadBytes, io.0.saturating_sub(io_before.0))
                    .with(Metric::WriteBytes, io.1.saturating_sub(io_before.1));
            }
        }
        Process { description, sample }
    }

    /// The host's own counters. `own` are our CPU time and memory.
    fn host(&mut self, moment: Moment, interval: Option<Duration>, own: Option<(u64, u64)>) -> HostSample {
        let processor_times = native::processor_times();
        let used = native::memory().map(|(total, available)| total.saturating_sub(available));
        let own_cpu_time = own.map_or(0, |(cpu_time, _)| cpu_time);
        let mut sample = HostSample::ABSENT
            .with(HostMetric::MemoryUsed, used)
            .with(HostMetric::AgentMemory, own.map(|(_, memory_bytes)| memory_bytes));
        let earlier = self.earlier.replace(Earlier { monotonic: moment.monotonic, processor_times, own_cpu_time });
        let (Some(earlier), Some(interval)) = (earlier, interval) else { return sample };
        sample = sample
            .with(HostMetric::IntervalMs, u64::try_from(interval.as_millis()).ok())
            .with(HostMetric::AgentCpuMicros, own_cpu_time.saturating_sub(earlier.own_cpu_time) / 10);
        if let (Some((idle, all)), Some((earlier_idle, earlier_all))) = (processor_times, earlier.processor_times) {
            let busy = all.saturating_sub(earlier_all).saturating_sub(idle.saturating_sub(earlier_idle));
            sample = sample.with(HostMetric::Cpu, cpu_hundredths(busy / 10, interval));
        }
        sample
    }
}

pub(crate) fn host_name() -> Option<String> {
    native::host_name()
}

/// What Windows' set-up has drawn for this installation.
pub(crate) fn machine_id() -> Option<String> {
    native::registry_text(MACHINE_KEY, "MachineGuid")
}

fn list_into(list: &mut AlignedBytes) -> Result<(), ProbeError> {
    native::list_processes(list).map_err(|error| {
        ProbeError::List(match error {
            CallError::Denied => "it does not allow it".to_owned(),
            CallError::Failed(status) => format!("NtQuerySystemInformation failed with {status:#x}"),
        })
    })
}

fn operating_system() -> String {
    let name = native::registry_text(VERSION_KEY, "ProductName").unwrap_or_else(|| "Windows".to_owned());
    match native::registry_text(VERSION_KEY, "CurrentBuildNumber") {
        Some(build) => format!("{name} (build {build})"),
        None => name,
    }
}

fn momentary_sample(listed: &Listed<'_>) -> Sample {
    Sample::ABSENT
        .with(Metric::Memory, listed.working_set_bytes.min(Metric::ABSENT - 1))
        .with(Metric::VirtualMemory, listed.virtual_bytes.min(Metric::ABSENT - 1))
        .with(Metric::Threads, u64::from(listed.threads))
        .with_state(listed.state)
}

/// From units of 100 ns since 1601.
fn timestamp(windows_time: u64) -> Timestamp {
    const FROM_1601_TO_1970_MS: i64 = 11_644_473_600_000;
    let ms = i64::try_from(windows_time / 10_000).unwrap_or(i64::MAX);
    Timestamp::from_ms(ms.saturating_sub(FROM_1601_TO_1970_MS))
}

/// Text from UTF-16 in bytes, as Windows writes it.
fn utf_16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}
