//! Made-up snapshots for the tests: few pids and few strings, so that lives meet, end and come back.

use std::collections::HashMap;
use std::sync::Arc;

use procession_model::{
    Brief, Description, End, Ended, Exit, FieldError, FieldErrorReason, HostFacts, HostSample, Identity, Loss,
    LossKind, Metric, Process, ProcessState, Sample, Snapshot, Timestamp,
};
use proptest::array::{uniform8, uniform10};
use proptest::collection::{hash_map, vec};
use proptest::option;
use proptest::prelude::*;

const PIDS: std::ops::Range<u32> = 1..12;

pub(crate) fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "sh", "cargo build", "postgres: writer", "\u{202e}evil\0\n", "日本語"]).prop_map(Arc::from),
        1 => any::<String>().prop_map(Arc::from),
    ]
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        6 => (0_i64..100).prop_map(|step| 1_790_000_000_000 + step * 5_000),
        1 => any::<i64>(),
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
    ]
    .prop_map(Timestamp::from_ms)
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => (0_u64..5).prop_map(|pages| pages << 12),
        1 => 0_u64..300,
        1 => Just(Metric::ABSENT),
        1 => Just(Metric::ABSENT - 1),
        1 => any::<u64>(),
    ]
}

fn state() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(Metric::ABSENT),
        (0_u64..15),
        prop::sample::select(vec!["on holiday", "late"])
            .prop_map(|name| u64::from(ProcessState::from_name(name).code())),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    (uniform8(value()), state(), option::of(any::<f64>())).prop_map(|(mut raw, state, percent)| {
        raw[Metric::State.index()] = state;
        raw[Metric::MemoryPercent.index()] = percent.map_or(Metric::ABSENT, f64::to_bits);
        Sample::from_raw(raw)
    })
}

fn description(pid: u32) -> impl Strategy<Value = Description> {
    let start = option::of(prop_oneof![4 => (0_i64..3).prop_map(Timestamp::from_ms), 1 => time()]);
    let optional = || option::of(text());
    (start, option::of(PIDS), text(), optional(), optional(), optional(), optional()).prop_map(
        move |(start, parent_pid, name, command_line, user, executable, cgroup)| Description {
            identity: Identity { pid, start },
            parent_pid,
            name,
            command_line,
            user,
            executable,
            cgroup,
        },
    )
}

fn end() -> impl Strategy<Value = End> {
    let exit = prop_oneof![any::<i32>().prop_map(Exit::Code), any::<u8>().prop_map(Exit::Signal)];
    (option::of(time()), option::of(exit), option::of(any::<u64>()), option::of(any::<u64>()))
        .prop_map(|(time, exit, cpu_time_us, peak_memory_bytes)| End { time, exit, cpu_time_us, peak_memory_bytes })
}

fn facts() -> impl Strategy<Value = Arc<HostFacts>> {
    let optional = || option::of(text());
    let numbers = (option::of(any::<u32>()), option::of(any::<u64>()), option::of(time()));
    (numbers, optional(), optional(), optional(), optional(), optional()).prop_map(
        |((cpu_count, memory_total_bytes, boot_time), boot_id, os, architecture, agent_version, collector)| {
            Arc::new(HostFacts {
                cpu_count,
                memory_total_bytes,
                boot_time,
                boot_id,
                os,
                architecture,
                agent_version,
                collector,
            })
        },
    )
}

fn host() -> impl Strategy<Value = HostSample> {
    uniform10(value()).prop_map(HostSample::from_raw)
}

fn brief() -> impl Strategy<Value = Brief> {
    (PIDS.prop_flat_map(description), end(), any::<u32>()).prop_map(|(description, end, count)| Brief {
        description: Arc::new(description),
        end,
        count,
    })
}

fn loss() -> impl Strategy<Value = Loss> {
    let kind = prop::sample::select(vec![LossKind::Snapshots, LossKind::Events, LossKind::Missed]);
    (kind, time(), time(), option::of(any::<u64>())).prop_map(|(kind, from, until, count)| Loss {
        kind,
        from,
        until,
        count,
    })
}

fn field_error() -> impl Strategy<Value = FieldError> {
    let reason =
        prop::sample::select(vec![FieldErrorReason::Denied, FieldErrorReason::Unsupported, FieldErrorReason::Failed]);
    (text(), reason, any::<u32>()).prop_map(|(field, reason, processes)| FieldError { field, reason, processes })
}

/// What may happen from one snapshot to the next.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    time: Timestamp,
    facts: Option<Arc<HostFacts>>,
    host: HostSample,
    gone: Vec<(u32, Option<End>)>,
    described: HashMap<u32, Description>,
    sampled: HashMap<u32, Sample>,
    brief: Vec<Brief>,
    losses: Vec<Loss>,
    field_errors: Option<Vec<FieldError>>,
    shuffle: u64,
}

pub(crate) fn steps(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), count)
}

fn step() -> impl Strategy<Value = Step> {
    let described = vec(PIDS.prop_flat_map(|pid| (Just(pid), description(pid))), 0..5);
    let processes = (vec((PIDS, option::of(end())), 0..4), described, hash_map(PIDS, sample(), 0..6));
    let rest = (option::weighted(0.2, facts()), host(), vec(brief(), 0..3), vec(loss(), 0..2));
    (time(), processes, rest, option::weighted(0.2, vec(field_error(), 0..3)), any::<u64>()).prop_map(
        |(time, (gone, described, sampled), (facts, host, brief, losses), field_errors, shuffle)| Step {
            time,
            facts,
            host,
            gone,
            described: described.into_iter().collect(),
            sampled,
            brief,
            losses,
            field_errors,
            shuffle,
        },
    )
}

/// The simplest thing that knows what a snapshot is: a map by pid.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    processes: HashMap<u32, (Description, Sample)>,
    facts: Arc<HostFacts>,
    field_errors: Vec<FieldError>,
}

impl Oracle {
    /// The next snapshot, its processes in some order.
    pub(crate) fn step(&mut self, step: &Step) -> Snapshot {
        let mut ended = Vec::new();
        for (pid, end) in &step.gone {
            if let Some((description, _)) = self.processes.remove(pid) {
                ended.push(Ended { description: Arc::new(description), end: end.unwrap_or_default() });
            }
        }
        for description in step.described.values() {
            self.describe(description, &mut ended);
        }
        ended.retain(|ended| !self.goes_on(&ended.description));
        for (pid, sample) in &step.sampled {
            if let Some((_, known)) = self.processes.get_mut(pid) {
                *known = *sample;
            }
        }
        self.facts = step.facts.clone().unwrap_or_else(|| Arc::clone(&self.facts));
        self.field_errors = step.field_errors.clone().unwrap_or_else(|| self.field_errors.clone());
        let process = |(description, sample): &(Description, Sample)| Process {
            description: Arc::new(description.clone()),
            sample: *sample,
        };
        let mut snapshot = Snapshot {
            time: step.time,
            facts: Arc::clone(&self.facts),
            host: step.host,
            processes: self.processes.values().map(process).collect(),
            ended,
            brief: step.brief.clone(),
            losses: step.losses.clone(),
            field_errors: self.field_errors.clone(),
        };
        let key = |process: &Process| u64::from(process.description.identity.pid).wrapping_mul(step.shuffle | 1);
        snapshot.processes.sort_by_key(key);
        snapshot
    }

    /// A new process, or an old one under another description. Another start, or another name where no start is known, is
    /// another process.
    fn describe(&mut self, description: &Description, ended: &mut Vec<Ended>) {
        let pid = description.identity.pid;
        let sample = match self.processes.remove(&pid) {
            Some((old, sample)) => {
                if is_same(&old, description) {
                    sample
                } else {
                    ended.push(Ended { description: Arc::new(old), end: End::default() });
                    Sample::ABSENT
                }
            }
            None => Sample::ABSENT,
        };
        self.processes.insert(pid, (description.clone(), sample));
    }

    /// Whether what was taken away came back as the same process, which is no end.
    fn goes_on(&self, gone: &Description) -> bool {
        self.processes.get(&gone.identity.pid).is_some_and(|(now, _)| is_same(gone, now))
    }
}

fn is_same(before: &Description, now: &Description) -> bool {
    before.identity == now.identity && (before.identity.start.is_some() || before.name == now.name)
}

/// The snapshot with its lists in an order that does not depend on slots.
pub(crate) fn by_pid(mut snapshot: Snapshot) -> Snapshot {
    snapshot.processes.sort_by_key(|process| process.description.identity.pid);
    snapshot.ended.sort_by_key(|ended| ended.description.identity);
    snapshot
}
