//! A frame to bytes. Mirrors `decode.rs` line by line; `docs/FORMAT.md` is what both follow.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use procession_model::{
    Brief, Description, End, Exit, FieldError, HostFacts, HostMetric, HostSample, Loss, Metric, ProcessState, Timestamp,
};

use super::bits::BitWriter;
use super::lives::Columns;
use super::packed::{is_packed, write_changes};
use super::{
    Began, FIRST_NAMED_STATE, FIRST_VERSION, FLAG_BRIEF, FLAG_COMPRESSED, FLAG_FACTS, FLAG_FIELD_ERRORS, FLAG_KEY,
    FLAG_LOSSES, FLAG_PLAIN_CHANGES, Frame, FrameKind, KIND_IS_COUNTED, MetricChanges, VERSION,
};
use crate::bytes::{put_len, put_varint, put_zigzag};
use crate::compress::compress;

/// Shorter bodies are not worth a compressor's time.
const COMPRESS_BYTES_MIN: usize = 1_024;
/// Keyframes are rare, but an upload is one frame and there are thousands a second: speed before size.
const COMPRESSION_LEVEL: i32 = 1;

/// Appends the bytes of a frame. What is over [`crate::limits`] is written, but no decoder will take it:
/// [`crate::HostState`] refuses such frames before they get here.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) {
    let plain = plain_metrics(frame);
    let flags = flags_of_first_version(frame)
        | flag(!frame.losses.is_empty(), FLAG_LOSSES)
        | flag(plain != 0, FLAG_PLAIN_CHANGES)
        | flag(!frame.brief.is_empty(), FLAG_BRIEF);
    encode_with([VERSION, flags], frame, out, |writer| writer.body(frame, plain));
}

/// Like [`encode()`], for who reads nothing newer than the first version.
pub fn encode_version_1(frame: &Frame, out: &mut Vec<u8>) {
    let header = [FIRST_VERSION, flags_of_first_version(frame)];
    encode_with(header, frame, out, |writer| writer.body_of_first_version(frame));
}

const fn flag(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}

fn flags_of_first_version(frame: &Frame) -> u8 {
    flag(frame.kind == FrameKind::Key, FLAG_KEY)
        | flag(frame.facts.is_some(), FLAG_FACTS)
        | flag(frame.field_errors.is_some(), FLAG_FIELD_ERRORS)
}

/// The mask of the metrics that have changes which are written as bytes.
fn plain_metrics(frame: &Frame) -> u8 {
    let changed = |metric: &Metric| !frame.changes[metric.index()].slots.is_empty();
    let plain = Metric::ALL.into_iter().filter(|metric| changed(metric) && !is_packed(frame, *metric));
    plain.fold(0, |mask, metric| mask | 1 << metric.index())
}

fn encode_with<'a>(
    header: [u8; 2],
    frame: &'a Frame,
    out: &mut Vec<u8>,
    write_body: impl FnOnce(&mut BodyWriter<'a, '_>),
) {
    let flags = out.len() + 1;
    out.extend(header);
    let body = out.len();
    write_body(&mut BodyWriter { out, time: frame.time, strings: HashMap::default(), strings_written: 0 });
    if out.len() - body < COMPRESS_BYTES_MIN {
        return;
    }
    if let Some(compressed) = compress(&out[body..], COMPRESSION_LEVEL)
        && compressed.len() + 4 < out.len() - body
    {
        let body_len = out.len() - body;
        out.truncate(body);
        out[flags] |= FLAG_COMPRESSED;
        put_len(out, body_len);
        out.extend(compressed);
    }
}

struct BodyWriter<'a, 'b> {
    out: &'b mut Vec<u8>,
    time: Timestamp,
    strings: HashMap<&'a str, u64, RandomState>,
    strings_written: u64,
}

impl<'a> BodyWriter<'a, '_> {
    fn body(&mut self, frame: &'a Frame, plain: u8) {
        self.beginning(frame);
        if plain != 0 {
            self.changes(&frame.changes, plain);
        }
        if !frame.losses.is_empty() {
            self.list(&frame.losses, Self::loss);
        }
        if let Some(field_errors) = &frame.field_errors {
            self.list(field_errors, Self::field_error);
        }
        let lives = Columns::of(&frame.brief, frame.time);
        if !lives.kinds.is_empty() {
            put_len(self.out, lives.kinds.len());
            lives.kinds.iter().for_each(|kind| self.kind(kind));
        }
        let mut bits = BitWriter::new(self.out);
        for metric in Metric::ALL.into_iter().filter(|metric| is_packed(frame, *metric)) {
            write_changes(&frame.changes[metric.index()], &mut bits);
        }
        if !lives.kinds.is_empty() {
            lives.write(&mut bits);
        }
        bits.end();
    }

    fn beginning(&mut self, frame: &'a Frame) {
        put_zigzag(self.out, frame.time.as_ms());
        self.host(&frame.host);
        if let Some(facts) = &frame.facts {
            self.facts(facts);
        }
        self.ended(&frame.ended);
        self.began(&frame.began);
    }

    fn body_of_first_version(&mut self, frame: &'a Frame) {
        self.beginning(frame);
        self.changes(&frame.changes, u8::MAX);
        self.list(&frame.brief, Self::brief);
        self.list(&frame.losses, Self::loss);
        if let Some(field_errors) = &frame.field_errors {
            self.list(field_errors, Self::field_error);
        }
    }

    fn list<T>(&mut self, items: &'a [T], put: fn(&mut Self, &'a T)) {
        put_len(self.out, items.len());
        for item in items {
            put(self, item);
        }
    }

    fn host(&mut self, host: &HostSample) {
        put_varint(self.out, HostMetric::ALL.iter().map(|metric| bit(host.get(*metric), metric.index())).sum());
        for value in HostMetric::ALL.iter().filter_map(|metric| host.get(*metric)) {
            put_varint(self.out, value);
        }
    }

    fn facts(&mut self, facts: &'a HostFacts) {
        let strings = [&facts.boot_id, &facts.os, &facts.architecture, &facts.agent_version, &facts.collector]
            .map(Option::as_ref);
        let mask = bit(facts.cpu_count, 0)
            | bit(facts.memory_total_bytes, 1)
            | bit(facts.boot_time, 2)
            | strings.iter().enumerate().map(|(index, string)| bit(*string, 3 + index)).sum::<u64>();
        self.out.push(mask.to_le_bytes()[0]);
        for number in [facts.cpu_count.map(u64::from), facts.memory_total_bytes].into_iter().flatten() {
            put_varint(self.out, number);
        }
        if let Some(boot_time) = facts.boot_time {
            put_zigzag(self.out, boot_time.as_ms());
        }
        for string in strings.into_iter().flatten() {
            self.string(string);
        }
    }

    fn ended(&mut self, ended: &[(u32, End)]) {
        put_len(self.out, ended.len());
        let mut next = 0;
        for (slot, end) in ended {
            self.slot(&mut next, *slot);
            self.end(end);
        }
    }

    fn began(&mut self, began: &'a [Began]) {
        put_len(self.out, began.len());
        let mut next = 0;
        for Began { slot, description } in began {
            self.slot(&mut next, *slot);
            self.description(description);
        }
    }

    /// Of the metrics in this mask.
    fn changes(&mut self, changes: &[MetricChanges; Metric::COUNT], metrics: u8) {
        let changed = changes.iter().enumerate().filter(|(_, changes)| !changes.slots.is_empty());
        let mask = changed.fold(0, |mask, (index, _)| mask | 1 << index) & metrics;
        self.out.push(mask);
        for (metric, changes) in Metric::ALL.into_iter().zip(changes) {
            if mask & 1 << metric.index() != 0 {
                self.metric_changes(metric, changes);
            }
        }
    }

    fn metric_changes(&mut self, metric: Metric, changes: &MetricChanges) {
        put_len(self.out, changes.slots.len());
        let shift = shift_of(metric, &changes.values);
        self.out.push(shift);
        let mut next = 0;
        for slot in &changes.slots {
            self.slot(&mut next, *slot);
        }
        for value in &changes.values {
            self.value(metric, shift, *value);
        }
    }

    fn value(&mut self, metric: Metric, shift: u8, value: u64) {
        match metric {
            // ABSENT is all ones, so adding one wraps it to the zero that stands for it.
            Metric::MemoryPercent => put_varint(self.out, value.swap_bytes().wrapping_add(1)),
            Metric::State if value >= FIRST_NAMED_STATE && value != Metric::ABSENT => {
                put_varint(self.out, FIRST_NAMED_STATE + 1);
                let name = ProcessState::from_local_code(value).unwrap_or(ProcessState::UNKNOWN).name();
                self.new_string(&name);
            }
            _ if value == Metric::ABSENT => self.out.push(0),
            _ => put_varint(self.out, (value >> shift) + 1),
        }
    }

    /// All of a life but its numbers.
    fn kind(&mut self, life: &'a Brief) {
        let counted = flag(life.count != 1, KIND_IS_COUNTED);
        let Description { name, command_line, user, executable, cgroup, .. } = &*life.description;
        self.out.push(description_mask(&life.description) | counted);
        self.string(name);
        for string in [command_line, user, executable, cgroup].into_iter().flatten() {
            self.string(string);
        }
        self.out.push(end_mask(&life.end));
        self.exit(life.end.exit);
    }

    fn brief(&mut self, brief: &'a Brief) {
        self.description(&brief.description);
        self.end(&brief.end);
        put_varint(self.out, u64::from(brief.count));
    }

    fn loss(&mut self, loss: &Loss) {
        self.out.push(loss.kind as u8 | if loss.count.is_some() { 1 << 7 } else { 0 });
        self.relative(loss.from);
        self.relative(loss.until);
        if let Some(count) = loss.count {
            put_varint(self.out, count);
        }
    }

    fn field_error(&mut self, error: &'a FieldError) {
        self.string(&error.field);
        self.out.push(error.reason as u8);
        put_varint(self.out, u64::from(error.processes));
    }

    fn description(&mut self, description: &'a Description) {
        let Description { identity, parent_pid, name, command_line, user, executable, cgroup } = description;
        self.out.push(description_mask(description));
        put_varint(self.out, u64::from(identity.pid));
        if let Some(start) = identity.start {
            self.relative(start);
        }
        if let Some(parent_pid) = parent_pid {
            put_varint(self.out, u64::from(*parent_pid));
        }
        self.string(name);
        for string in [command_line, user, executable, cgroup].into_iter().flatten() {
            self.string(string);
        }
    }

    fn end(&mut self, end: &End) {
        self.out.push(end_mask(end));
        if let Some(time) = end.time {
            self.relative(time);
        }
        self.exit(end.exit);
        for number in [end.cpu_time_us, end.peak_memory_bytes].into_iter().flatten() {
            put_varint(self.out, number);
        }
    }

    fn exit(&mut self, exit: Option<Exit>) {
        match exit {
            Some(Exit::Code(code)) => put_zigzag(self.out, i64::from(code)),
            Some(Exit::Signal(signal)) => self.out.push(signal),
            None => {}
        }
    }

    fn slot(&mut self, next: &mut u32, slot: u32) {
        debug_assert!(slot >= *next, "slots ascend");
        put_varint(self.out, u64::from(slot.wrapping_sub(*next)));
        *next = slot + 1;
    }

    fn relative(&mut self, time: Timestamp) {
        put_zigzag(self.out, self.time.as_ms().wrapping_sub(time.as_ms()));
    }

    fn string(&mut self, string: &'a str) {
        match self.strings.get(string) {
            Some(number) => put_varint(self.out, *number),
            None => {
                self.new_string(string);
                self.strings.insert(string, self.strings_written);
            }
        }
    }

    fn new_string(&mut self, string: &str) {
        self.out.push(0);
        put_len(self.out, string.len());
        self.out.extend_from_slice(string.as_bytes());
        self.strings_written += 1;
    }
}

fn description_mask(description: &Description) -> u8 {
    let Description { identity, parent_pid, name: _, command_line, user, executable, cgroup } = description;
    let strings = [command_line, user, executable, cgroup].map(Option::as_ref);
    let mask = bit(identity.start, 0)
        | bit(*parent_pid, 1)
        | strings.iter().enumerate().map(|(index, string)| bit(*string, 2 + index)).sum::<u64>();
    mask.to_le_bytes()[0]
}

fn end_mask(end: &End) -> u8 {
    let exit = match end.exit {
        Some(Exit::Code(_)) => 1 << 1,
        Some(Exit::Signal(_)) => 1 << 2,
        None => 0,
    };
    let mask = bit(end.time, 0) | exit | bit(end.cpu_time_us, 3) | bit(end.peak_memory_bytes, 4);
    mask.to_le_bytes()[0]
}

fn bit<T>(option: Option<T>, index: usize) -> u64 {
    u64::from(option.is_some()) << index
}

/// How many lowest bits are 0 in all values.
fn shift_of(metric: Metric, values: &[u64]) -> u8 {
    if matches!(metric, Metric::State | Metric::MemoryPercent) {
        return 0;
    }
    let known = values.iter().filter(|value| **value != Metric::ABSENT);
    let bits = known.fold(0, |bits, value| bits | value);
    if bits == 0 { 0 } else { bits.trailing_zeros().to_le_bytes()[0] }
}
