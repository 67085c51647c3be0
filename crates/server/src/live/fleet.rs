//! All hosts at a glance: their newest sums, and whether they are still heard of.

use std::sync::{Arc, PoisonError, RwLock};

use procession_model::{HostFacts, HostMetric, SnapshotId, Timestamp};
use procession_store::{History, HostAgent, HostNumber, HostPoint, Published, StoreError};
use serde::Serialize;

use super::seat::{Heard, Newcomer, Seat, Taken};
use crate::hosts::HostDirectory;
use crate::time_text;

/// A host is live as long as it is at most this many intervals late …
const LIVE_INTERVALS: i64 = 3;
/// … and at least this long whatever its interval, in milliseconds.
const LIVE_MS_MIN: i64 = 15_000;
/// A host not heard of for longer is offline, in milliseconds.
const STALE_MS_MAX: i64 = 300_000;

/// Whether a host is still heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Its last snapshot is as new as its interval lets expect.
    Live,
    /// It is late.
    Stale,
    /// It has not been heard of for minutes.
    Offline,
}

/// A host in the list of hosts.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub(crate) struct HostEntry {
    /// Its name.
    pub(crate) hostname: Arc<str>,
    /// Its number in this store.
    #[schema(value_type = i64, minimum = 0, maximum = 1_048_575)]
    pub(crate) number: HostNumber,
    /// Whether it is still heard of.
    status: Status,
    /// When the server last heard of it; of hosts not heard of since the server started, the time of the newest snapshot.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen: Option<String>,
    /// The time of the newest snapshot.
    #[schema(value_type = Option<String>, format = DateTime)]
    timestamp: Option<String>,
    /// The number of the newest snapshot.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    snapshot_id: Option<i64>,
    /// How many processes it has.
    #[schema(value_type = Option<i64>, minimum = 0)]
    process_count: Option<u32>,
    /// The processes' CPU in percent of one core.
    cpu: Option<f64>,
    /// The processes' resident memory in bytes.
    #[schema(value_type = Option<i64>, minimum = 0)]
    memory_bytes: Option<u64>,
    /// The host's CPU in percent of one core.
    host_cpu: Option<f64>,
    /// The host's memory in use, in bytes.
    #[schema(value_type = Option<i64>, minimum = 0)]
    memory_used_bytes: Option<u64>,
    /// The host's memory in bytes.
    #[schema(value_type = Option<i64>, minimum = 0)]
    memory_total: Option<u64>,
    /// Number of CPUs.
    #[schema(value_type = Option<i64>, minimum = 0)]
    cpu_count: Option<u32>,
    /// Operating system.
    os: Option<Arc<str>>,
    /// Machine.
    architecture: Option<Arc<str>>,
    /// When it booted.
    #[schema(value_type = Option<String>, format = DateTime)]
    boot_time: Option<String>,
    /// Version of its agent.
    agent_version: Option<Arc<str>>,
    /// How the agent collects.
    collector: Option<Arc<str>>,
    /// Time between snapshots in milliseconds.
    #[schema(value_type = Option<i64>, minimum = 0)]
    interval_ms: Option<u64>,
    /// Whether its agent is connected.
    connected: bool,
    /// The name of the machine that this one is a clone of: a running one that calls itself the same.
    #[schema(value_type = Option<String>)]
    clone_of: Option<Arc<str>>,
    /// CPU time of the agent in the last interval, in microseconds.
    #[schema(value_type = Option<i64>, minimum = 0)]
    agent_cpu_us: Option<u64>,
    /// Resident memory of the agent in bytes.
    #[schema(value_type = Option<i64>, minimum = 0)]
    agent_memory_bytes: Option<u64>,
}

#[derive(Clone, Default)]
struct HostLive {
    known: bool,
    name: Arc<str>,
    point: Option<HostPoint>,
    facts: Option<Arc<HostFacts>>,
    received: Option<Timestamp>,
    seat: Seat,
    /// The name of the machine that this one is a clone of.
    clone_of: Option<Arc<str>>,
    /// Changed since it was last told.
    changed: bool,
    told_status: Option<Status>,
}

/// All hosts, by number.
pub(crate) struct Fleet {
    hosts: RwLock<Vec<HostLive>>,
    directory: Arc<HostDirectory>,
}

impl Fleet {
    /// The hosts of the directory, of which nothing is known yet.
    pub(crate) fn new(directory: Arc<HostDirectory>) -> Self {
        let fleet = Self { hosts: RwLock::default(), directory };
        for (number, _) in fleet.directory.all() {
            fleet.update(number, |_| {});
        }
        fleet
    }

    /// Looks up the newest sums of all hosts. A host with a long journal takes its time, so the server takes frames meanwhile;
    /// what came in is newer.
    pub(crate) async fn look_up(&self, history: &dyn History) -> Result<(), StoreError> {
        for (number, _) in self.directory.all() {
            let point = history.newest_points(number, procession_store::Range::default(), 1).await?.pop();
            let facts = history.facts(number).await?;
            self.update(number, |host| {
                if host.point.is_none() {
                    (host.point, host.facts) = (point, facts);
                }
            });
        }
        Ok(())
    }

    /// Takes over what was stored.
    pub(super) fn published(&self, published: &Published, now: Timestamp) {
        self.update(published.host, |host| {
            if !published.late {
                host.point = Some(published.point);
                host.facts = Some(Arc::clone(&published.facts));
            }
            host.received = Some(now);
        });
    }

    /// Notes that an agent of a host is connected, until the guard is dropped; or why it may not be: two machines that were
    /// cloned, or named alike, must not become one history.
    pub(crate) fn connected(
        self: &Arc<Self>,
        number: HostNumber,
        newcomer: Newcomer<'_>,
    ) -> Result<ConnectedGuard, Taken> {
        let now = time_text::now();
        let mut taken = Ok(());
        self.update(number, |host| {
            let interval_ms = interval_ms(host).unwrap_or(0);
            taken = host.seat.take(newcomer, Heard { last: host.received, interval_ms, now });
        });
        taken.map(|()| ConnectedGuard { fleet: Arc::clone(self), number })
    }

    /// Takes a host's new name over from the directory.
    pub(crate) fn renamed(&self, number: HostNumber) {
        if let Some(name) = self.directory.name(number) {
            self.update(number, |host| host.name = name);
        }
    }

    /// Takes over what an agent calls its machine: another name than the host's marks a clone.
    pub(crate) fn agent_told(&self, agent: &HostAgent) {
        self.update(agent.host, |host| {
            host.clone_of = (*host.name != *agent.told_name).then(|| agent.told_name.as_str().into());
        });
    }

    /// Hosts from a number on, at most `limit`, and the number to go on from.
    pub(crate) fn entries(&self, from: usize, limit: usize) -> (Vec<HostEntry>, Option<usize>) {
        let now = time_text::now();
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        let until = hosts.len().min(from.saturating_add(limit));
        let range = from.min(until)..until;
        let entries = range.filter(|index| hosts[*index].known).map(|index| entry(index, &hosts[index], now)).collect();
        (entries, (until < hosts.len()).then_some(until))
    }

    /// Hosts that changed since the last call, in what they do or in whether they are heard of.
    pub(super) fn take_changed(&self) -> Vec<HostEntry> {
        let now = time_text::now();
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for (index, host) in hosts.iter_mut().enumerate().filter(|(_, host)| host.known) {
            let status = status_of(host, now);
            if host.changed || host.told_status != Some(status) {
                (host.changed, host.told_status) = (false, Some(status));
                changed.push(entry(index, host, now));
            }
        }
        changed
    }

    /// How many hosts there are.
    pub(crate) fn len(&self) -> usize {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn update(&self, number: HostNumber, change: impl FnOnce(&mut HostLive)) {
        let Ok(index) = usize::try_from(number) else { return };
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() <= index {
            hosts.resize_with(index + 1, HostLive::default);
        }
        let host = &mut hosts[index];
        if !host.known {
            let Some(name) = self.directory.name(number) else { return };
            (host.known, host.name) = (true, name);
        }
        change(host);
        host.changed = true;
    }
}

/// An agent's connection.
pub(crate) struct ConnectedGuard {
    fleet: Arc<Fleet>,
    number: HostNumber,
}

impl Drop for ConnectedGuard {
    fn drop(&mut self) {
        self.fleet.update(self.number, |host| host.seat.leave());
    }
}

fn last_heard(host: &HostLive) -> Option<Timestamp> {
    host.received.or(host.point.map(|point| point.time))
}

fn interval_ms(host: &HostLive) -> Option<u64> {
    host.point.and_then(|point| point.host.get(HostMetric::IntervalMs))
}

fn status_of(host: &HostLive, now: Timestamp) -> Status {
    let Some(last) = last_heard(host) else { return Status::Offline };
    let age_ms = now.since_ms(last);
    let interval_ms = interval_ms(host).unwrap_or(0);
    let live_ms = i64::try_from(interval_ms).unwrap_or(0).saturating_mul(LIVE_INTERVALS).max(LIVE_MS_MIN);
    match age_ms {
        age_ms if age_ms <= live_ms => Status::Live,
        age_ms if age_ms <= STALE_MS_MAX.max(live_ms) => Status::Stale,
        _ => Status::Offline,
    }
}

#[expect(clippy::cast_precision_loss, reason = "hundredths of a percent are far below 2^53")]
fn percent(hundredths: u64) -> f64 {
    hundredths as f64 / 100.0
}

fn entry(index: usize, host: &HostLive, now: Timestamp) -> HostEntry {
    let point = host.point.as_ref();
    let facts = host.facts.as_deref();
    let metric = |metric| point.and_then(|point| point.host.get(metric));
    HostEntry {
        hostname: Arc::clone(&host.name),
        number: u32::try_from(index).unwrap_or(u32::MAX),
        status: status_of(host, now),
        last_seen: last_heard(host).map(time_text::format),
        timestamp: point.map(|point| time_text::format(point.time)),
        snapshot_id: point.map(|point| public_number(point.id)),
        process_count: point.map(|point| point.process_count),
        cpu: point.map(|point| percent(point.cpu)),
        memory_bytes: point.map(|point| point.memory_bytes),
        host_cpu: metric(HostMetric::Cpu).map(percent),
        memory_used_bytes: metric(HostMetric::MemoryUsed),
        memory_total: facts.and_then(|facts| facts.memory_total_bytes),
        cpu_count: facts.and_then(|facts| facts.cpu_count),
        os: facts.and_then(|facts| facts.os.clone()),
        architecture: facts.and_then(|facts| facts.architecture.clone()),
        boot_time: facts.and_then(|facts| facts.boot_time).map(time_text::format),
        agent_version: facts.and_then(|facts| facts.agent_version.clone()),
        collector: facts.and_then(|facts| facts.collector.clone()),
        interval_ms: interval_ms(host),
        connected: host.seat.is_taken(),
        clone_of: host.clone_of.clone(),
        agent_cpu_us: metric(HostMetric::AgentCpuMicros),
        agent_memory_bytes: metric(HostMetric::AgentMemory),
    }
}

/// The number of a snapshot as OpenAPI's int64.
pub(crate) fn public_number(id: SnapshotId) -> i64 {
    i64::try_from(id.number()).unwrap_or(i64::MAX)
}
