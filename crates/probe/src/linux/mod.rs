//! Linux: the proc file system.
//!
//! Every process costs one `pread` of its kept-open `stat` and a pass over that text, or, where it has not run since the
//! look before, one of its `schedstat`, a third of that; what stays fixed is read once. The price is one descriptor a
//! process (and a page in the kernel), for a while two: no more than half of what we may have, beyond that files are
//! opened, read and closed.

#[cfg(all(target_endian = "little", target_pointer_width = "64"))]
mod bpf;
#[cfg(not(all(target_endian = "little", target_pointer_width = "64")))]
#[path = "no_bpf.rs"]
mod bpf;
mod describe;
mod events;
mod facts;
mod file;
mod host;
mod listing;
mod newcomers;
mod process_entry;
mod reader;
mod rest;
mod stat;
mod sweep;
mod users;

pub(crate) use facts::{host_name, machine_id};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use procession_model::{HostFacts, HostMetric, Process, Snapshot, Timestamp};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, OFlags};
use rustix::process::{Resource, getrlimit};

use describe::Describer;
use events::{BootClock, Events, Looked, monotonic_ns};
use file::{open, read_error};
use host::{HostCounters, HostFiles};
use newcomers::Newcomers;
use process_entry::ProcessEntry;
use reader::Reader;
use sweep::{Interval, Sweeper, TaskSource};
use users::Users;

use crate::{Collection, Moment, ProbeConfig, ProbeError};

const NO_PROGRAM: &str = "processes are read one by one, not by a program in the kernel (BPF)";
const NOT_OURS: &str = "the proc file system is not this machine's own";

/// Samples by the proc file system.
#[derive(Debug)]
pub(crate) struct Collector {
    proc: OwnedFd,
    proc_root: PathBuf,
    host_files: HostFiles,
    facts: Arc<HostFacts>,
    sweeper: Sweeper,
    /// In place of reading the proc file system.
    tasks: Option<Box<dyn TaskSource>>,
    events: Option<Events>,
    clock: BootClock,
    /// Where the kernel's count of forks is about the pids that we see.
    newcomers: Option<Newcomers>,
    /// Where we are among the processes.
    own_pid: Option<u32>,
    earlier: Option<Earlier>,
    notes: Vec<String>,
}

/// The last snapshot.
#[derive(Debug)]
struct Earlier {
    time: Timestamp,
    monotonic: Duration,
    counters: HostCounters,
}

impl Collector {
    pub(crate) fn new(config: ProbeConfig) -> Result<Self, ProbeError> {
        let proc_root = config.proc_root;
        let proc = proc_root
            .to_str()
            .ok_or(rustix::io::Errno::INVAL)
            .and_then(|root| open(CWD, root, OFlags::DIRECTORY))
            .map_err(|error| read_error(&proc_root, error))?;
        let has_own_pids = has_own_pids(&proc_root);
        let mut host_files = HostFiles::open(proc.as_fd(), &proc_root, has_own_pids)?;
        let counters = host_files.read()?;
        let boot_id = facts::boot_id(&proc_root);
        let boot_time = match config.known_boot {
            Some((known_id, time)) if Some(&known_id) == boot_id.as_ref() => time,
            _ => boot_time(&counters),
        };
        let mut notes = Vec::new();
        let Sources { tasks, events } = open_sources(config.events, &proc_root, counters.cpu_count, &mut notes)?;
        let facts = Arc::new(HostFacts {
            cpu_count: Some(counters.cpu_count),
            memory_total_bytes: counters.memory_total_bytes,
            boot_time: Some(boot_time),
            boot_id: boot_id.map(Arc::from),
            os: Some(facts::operating_system(&config.system_root).into()),
            architecture: Some(std::env::consts::ARCH.into()),
            agent_version: config.agent_version,
            collector: Some(events.as_ref().map_or("proc", Events::name).into()),
        });
        let describer = Describer::new(Users::new(&config.system_root), config.mask);
        let descriptors_max = config.descriptors_max.unwrap_or_else(half_of_the_descriptors);
        let sweeper = Sweeper::new(Reader::new(describer, config.fields, boot_time, descriptors_max));
        let newcomers = has_own_pids.then(Newcomers::default);
        let own_pid = has_own_pids.then(std::process::id);
        let clock = BootClock { boot_time, ticks_per_second: rustix::param::clock_ticks_per_second() };
        Ok(Self {
            proc,
            proc_root,
            host_files,
            facts,
            sweeper,
            tasks,
            events,
            clock,
            newcomers,
            own_pid,
            earlier: None,
            notes,
        })
    }

    pub(crate) fn snapshot_into(&mut self, moment: Moment, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        let counters = self.host_files.read()?;
        let length = self.earlier.as_ref().map(|earlier| moment.monotonic.saturating_sub(earlier.monotonic));
        let interval = self.earlier.as_ref().zip(length).map(|(earlier, length)| Interval {
            length,
            began_uptime_ticks: earlier.counters.uptime_ticks,
            swapped: counters.has_swapped_since(&earlier.counters),
        });
        let began_ns = monotonic_ns();
        let proc = self.proc.as_fd();
        let swept = match &mut self.tasks {
            // A kernel that changes its mind is no reason to see nothing.
            Some(tasks) => self
                .sweeper
                .sweep_tasks(proc, &mut **tasks, interval)
                .or_else(|_| self.sweeper.sweep(proc, None, interval)),
            None => {
                let newcomers = self.newcomers.as_mut().and_then(|them| them.since_the_look_before(counters.forks()));
                self.sweeper.sweep(proc, newcomers, interval)
            }
        };
        swept.map_err(|error| read_error(&self.proc_root, error))?;
        self.update_facts(&counters);

        snapshot.time = moment.wall;
        snapshot.facts.clone_from(&self.facts);
        let earlier_counters = self.earlier.as_ref().map(|earlier| &earlier.counters);
        snapshot.host = self.host_files.sample(&counters, earlier_counters, length.unwrap_or_default());
        if let Some(own_pid) = self.own_pid {
            snapshot.host = snapshot.host.with(HostMetric::AgentMemory, self.sweeper.memory_of(own_pid));
        }
        write_rows(self.sweeper.entries(), &mut snapshot.processes);
        snapshot.brief.clear();
        snapshot.losses.clear();
        self.tell_between(snapshot, began_ns);
        self.sweeper.write_errors_into(&mut snapshot.field_errors);
        self.earlier = Some(Earlier { time: moment.wall, monotonic: moment.monotonic, counters });
        Ok(())
    }

    pub(crate) fn drain(&mut self) -> Option<f64> {
        self.events.as_mut().map(Events::drain)
    }

    pub(crate) fn room(&self) -> Option<usize> {
        self.events.as_ref().map(Events::room)
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Events are drained after the look: the end of whoever is not in it has been told by then.
    fn tell_between(&mut self, snapshot: &mut Snapshot, began_ns: u64) {
        let earlier = self.earlier.as_ref().map(|earlier| earlier.time);
        let (entries, departed, describer) = self.sweeper.parts();
        if let Some(events) = &mut self.events {
            let looked = Looked { began_ns, entries, departed };
            events.write_into(snapshot, earlier, looked, describer, self.clock);
            if earlier.is_none() {
                // What began and ended before the first look belongs to no interval.
                snapshot.brief.clear();
            }
        }
        snapshot.ended.clear();
        snapshot.ended.append(departed);
    }

    pub(crate) fn facts(&self) -> &Arc<HostFacts> {
        &self.facts
    }

    /// CPUs and memory may be plugged. The boot time stays what it was at first: the kernel computes it anew from the
    /// wall clock at every look, and the starts of all processes would move with it.
    fn update_facts(&mut self, counters: &HostCounters) {
        let (cpu_count, memory) = (Some(counters.cpu_count), counters.memory_total_bytes);
        if (self.facts.cpu_count, self.facts.memory_total_bytes) != (cpu_count, memory) {
            let facts = Arc::make_mut(&mut self.facts);
            (facts.cpu_count, facts.memory_total_bytes) = (cpu_count, memory);
        }
    }
}

/// Where figures and events come from.
#[derive(Debug, Default)]
struct Sources {
    tasks: Option<Box<dyn TaskSource>>,
    events: Option<Events>,
}

/// The best that is to be had of what is wanted. Where events are not to be had, a note says what is missed, unless they
/// were asked for.
fn open_sources(
    wanted: Collection,
    proc_root: &Path,
    cpu_count: u32,
    notes: &mut Vec<String>,
) -> Result<Sources, ProbeError> {
    if wanted == Collection::Polling {
        return Ok(Sources::default());
    }
    // Another proc file system may be another machine's, or made: its pids are not those of our kernel's events.
    let ours = if proc_root == Path::new("/proc") { Ok(()) } else { Err(NOT_OURS.to_owned()) };
    if wanted != Collection::Events {
        match ours.clone().and_then(|()| bpf::open()) {
            Ok(bpf) => return Ok(Sources { tasks: Some(bpf.tasks), events: Some(Events::new(bpf.events)) }),
            Err(reason) if wanted == Collection::Bpf => return Err(ProbeError::Bpf(reason)),
            Err(reason) if ours.is_ok() => notes.push(format!("{NO_PROGRAM}: {reason}")),
            Err(_) => {}
        }
    }
    match ours.and_then(|()| Events::by_netlink(cpu_count, notes)) {
        Ok(events) => Ok(Sources { tasks: None, events: Some(events) }),
        Err(reason) if wanted == Collection::Events => Err(ProbeError::Events(reason)),
        Err(reason) => {
            notes.push(format!("processes that begin and end between two snapshots are not seen (events: {reason})"));
            Ok(Sources::default())
        }
    }
}

/// Whether this is the kernel's own file system, with pids as we have them.
fn has_own_pids(proc_root: &Path) -> bool {
    let own = std::process::id().to_string();
    proc_root == Path::new("/proc") && std::fs::read_link("/proc/self").is_ok_and(|told| told == Path::new(&own))
}

/// In place, as far as the same processes go on: counting references up and down again would touch every description.
fn write_rows(entries: &[ProcessEntry], rows: &mut Vec<Process>) {
    rows.truncate(entries.len());
    for (row, entry) in rows.iter_mut().zip(entries) {
        if !Arc::ptr_eq(&row.description, &entry.description) {
            row.description = entry.description.clone();
        }
        row.sample = entry.sample;
    }
    let rest = entries.get(rows.len()..).unwrap_or_default();
    rows.extend(rest.iter().map(|entry| Process { description: entry.description.clone(), sample: entry.sample }));
}

fn boot_time(counters: &HostCounters) -> Timestamp {
    let ms = counters.boot_seconds.saturating_mul(1_000);
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn half_of_the_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit / 2).unwrap_or(usize::MAX))
}
