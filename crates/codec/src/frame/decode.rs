//! A frame from bytes, which anyone may have sent. Mirrors `encode.rs` line by line; `docs/FORMAT.md` is what both follow.

use std::borrow::Cow;
use std::sync::Arc;

use procession_model::{
    Brief, Description, End, Exit, FieldError, FieldErrorReason, HostFacts, HostMetric, HostSample, Identity, Loss,
    LossKind, Metric, ProcessState, Timestamp,
};

use super::bits::BitReader;
use super::lives::{self, Kind};
use super::packed::{is_packed, read_changes};
use super::{
    Began, FIRST_NAMED_STATE, FIRST_VERSION, FLAG_BRIEF, FLAG_COMPRESSED, FLAG_FACTS, FLAG_FIELD_ERRORS, FLAG_KEY,
    FLAG_LOSSES, FLAG_PLAIN_CHANGES, FLAGS, FLAGS_OF_FIRST_VERSION, Frame, FrameKind, KIND_IS_COUNTED, MetricChanges,
    VERSION,
};
use crate::DecodeError;
use crate::bytes::Reader;
use crate::compress::decompress;
use crate::limits::{
    BRIEF_MAX, FIELD_ERRORS_MAX, FRAME_BODY_BYTES_MAX, LOSSES_MAX, PROCESSES_MAX, SLOTS_MAX, STRING_BYTES_MAX,
};

// The least bytes that a thing takes: a count that promises more than the bytes could hold is refused before anything
// is allocated for it.
const ENDED_BYTES_MIN: usize = 2;
const BEGAN_BYTES_MIN: usize = 4;
const CHANGE_BYTES_MIN: usize = 2;
const BRIEF_BYTES_MIN: usize = 5;
const KIND_BYTES_MIN: usize = 3;
const LOSS_BYTES_MIN: usize = 3;
const FIELD_ERROR_BYTES_MIN: usize = 3;

/// Reads a frame that fills `bytes` exactly. Whether it fits the state it is meant for, [`crate::HostState::apply`]
/// checks.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8()?;
    let known_flags = match version {
        FIRST_VERSION => FLAGS_OF_FIRST_VERSION,
        VERSION => FLAGS,
        _ => return Err(DecodeError::UnknownVersion(version)),
    };
    let flags = reader.u8()?;
    if flags & !known_flags != 0 {
        return Err(DecodeError::Invalid("the frame's flags"));
    }
    let body = match flags & FLAG_COMPRESSED {
        0 => Cow::Borrowed(reader.rest()),
        _ => {
            let len = reader.count(FRAME_BODY_BYTES_MAX, 0, "the frame's body")?;
            Cow::Owned(decompress(reader.rest(), len)?)
        }
    };
    let reader = BodyReader { reader: Reader::new(&body), time: Timestamp::default(), strings: Vec::new() };
    if version == FIRST_VERSION { reader.body_of_first_version(flags) } else { reader.body(flags) }
}

struct BodyReader<'a> {
    reader: Reader<'a>,
    time: Timestamp,
    strings: Vec<Arc<str>>,
}

impl BodyReader<'_> {
    fn body(mut self, flags: u8) -> Result<Frame, DecodeError> {
        let mut frame = self.beginning(flags)?;
        let mut plain = 0;
        if flags & FLAG_PLAIN_CHANGES != 0 {
            (plain, frame.changes) = self.changes()?;
        }
        if flags & FLAG_LOSSES != 0 {
            frame.losses = self.losses()?;
        }
        if flags & FLAG_FIELD_ERRORS != 0 {
            frame.field_errors = Some(self.field_errors()?);
        }
        let kinds = match flags & FLAG_BRIEF {
            0 => Vec::new(),
            _ => self.list(BRIEF_MAX, KIND_BYTES_MIN, "kinds", Self::kind)?,
        };
        let mut bits = BitReader::new(self.reader.rest());
        for metric in Metric::ALL {
            if is_packed(&frame, metric) {
                let changes = read_changes(metric, &mut bits)?;
                if plain & 1 << metric.index() == 0 {
                    frame.changes[metric.index()] = changes;
                } else if !changes.slots.is_empty() {
                    return Err(DecodeError::Invalid("changes of a metric that are there twice"));
                }
            }
        }
        if flags & FLAG_BRIEF != 0 {
            frame.brief = lives::read(&kinds, self.time, &mut bits)?;
        }
        bits.end()?;
        Ok(frame)
    }

    /// What both versions begin with.
    fn beginning(&mut self, flags: u8) -> Result<Frame, DecodeError> {
        let kind = if flags & FLAG_KEY == 0 { FrameKind::Delta } else { FrameKind::Key };
        self.time = Timestamp::from_ms(self.reader.zigzag()?);
        let frame = Frame {
            host: self.host()?,
            facts: if flags & FLAG_FACTS == 0 { None } else { Some(Arc::new(self.facts()?)) },
            ended: self.ended()?,
            began: self.began()?,
            ..Frame::new(kind, self.time)
        };
        if kind == FrameKind::Key && !frame.ended.is_empty() {
            return Err(DecodeError::Invalid("the ended processes of a keyframe"));
        }
        Ok(frame)
    }

    fn body_of_first_version(mut self, flags: u8) -> Result<Frame, DecodeError> {
        let mut frame = self.beginning(flags)?;
        (_, frame.changes) = self.changes()?;
        frame.brief = self.list(BRIEF_MAX, BRIEF_BYTES_MIN, "brief", Self::brief)?;
        frame.losses = self.losses()?;
        if flags & FLAG_FIELD_ERRORS != 0 {
            frame.field_errors = Some(self.field_errors()?);
        }
        self.reader.end()?;
        Ok(frame)
    }

    fn losses(&mut self) -> Result<Vec<Loss>, DecodeError> {
        self.list(LOSSES_MAX, LOSS_BYTES_MIN, "losses", Self::loss)
    }

    fn field_errors(&mut self) -> Result<Vec<FieldError>, DecodeError> {
        self.list(FIELD_ERRORS_MAX, FIELD_ERROR_BYTES_MIN, "field errors", Self::field_error)
    }

    fn list<T>(
        &mut self,
        max: usize,
        bytes_min: usize,
        what: &'static str,
        read: fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.reader.count(max, bytes_min, what)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn host(&mut self) -> Result<HostSample, DecodeError> {
        let mask = known_bits(self.reader.varint()?, HostMetric::COUNT, "the host sample's mask")?;
        let mut values = *HostSample::ABSENT.raw();
        for (index, value) in values.iter_mut().enumerate() {
            if mask & 1 << index != 0 {
                *value = self.known_value()?;
            }
        }
        Ok(HostSample::from_raw(values))
    }

    fn facts(&mut self) -> Result<HostFacts, DecodeError> {
        let mask = self.reader.u8()?;
        let has = |index: u8| mask & 1 << index != 0;
        Ok(HostFacts {
            cpu_count: has(0).then(|| self.reader.u32("the number of CPUs")).transpose()?,
            memory_total_bytes: has(1).then(|| self.reader.varint()).transpose()?,
            boot_time: has(2).then(|| self.reader.zigzag()).transpose()?.map(Timestamp::from_ms),
            boot_id: has(3).then(|| self.string()).transpose()?,
            os: has(4).then(|| self.string()).transpose()?,
            architecture: has(5).then(|| self.string()).transpose()?,
            agent_version: has(6).then(|| self.string()).transpose()?,
            collector: has(7).then(|| self.string()).transpose()?,
        })
    }

    fn ended(&mut self) -> Result<Vec<(u32, End)>, DecodeError> {
        let count = self.reader.count(PROCESSES_MAX, ENDED_BYTES_MIN, "ended")?;
        let mut ended = Vec::with_capacity(count);
        let mut next = 0;
        for _ in 0..count {
            ended.push((self.slot(&mut next)?, self.end()?));
        }
        Ok(ended)
    }

    fn began(&mut self) -> Result<Vec<Began>, DecodeError> {
        let count = self.reader.count(PROCESSES_MAX, BEGAN_BYTES_MIN, "began")?;
        let mut began = Vec::with_capacity(count);
        let mut next = 0;
        for _ in 0..count {
            began.push(Began { slot: self.slot(&mut next)?, description: Arc::new(self.description()?) });
        }
        Ok(began)
    }

    /// Also the mask of the metrics that have any.
    fn changes(&mut self) -> Result<(u8, [MetricChanges; Metric::COUNT]), DecodeError> {
        let mask = self.reader.u8()?;
        let mut changes: [MetricChanges; Metric::COUNT] = Default::default();
        for (metric, changes) in Metric::ALL.into_iter().zip(&mut changes) {
            if mask & 1 << metric.index() != 0 {
                *changes = self.metric_changes(metric)?;
            }
        }
        Ok((mask, changes))
    }

    fn metric_changes(&mut self, metric: Metric) -> Result<MetricChanges, DecodeError> {
        let count = self.reader.count(PROCESSES_MAX, CHANGE_BYTES_MIN, "changes")?;
        let shift = self.reader.u8()?;
        let shift_max = if matches!(metric, Metric::State | Metric::MemoryPercent) { 0 } else { 63 };
        if count == 0 || shift > shift_max {
            return Err(DecodeError::Invalid("the changes of a metric"));
        }
        let mut changes = MetricChanges { slots: Vec::with_capacity(count), values: Vec::with_capacity(count) };
        let mut next = 0;
        for _ in 0..count {
            changes.slots.push(self.slot(&mut next)?);
        }
        for _ in 0..count {
            changes.values.push(self.value(metric, shift)?);
        }
        Ok(changes)
    }

    #[inline]
    fn value(&mut self, metric: Metric, shift: u8) -> Result<u64, DecodeError> {
        let number = self.reader.varint()?;
        match metric {
            Metric::MemoryPercent => Ok(number.wrapping_sub(1).swap_bytes()),
            Metric::State if number > FIRST_NAMED_STATE => self.named_state(number),
            _ if number == 0 => Ok(Metric::ABSENT),
            _ => {
                let shifted = number - 1;
                let value = shifted << shift;
                let is_exact = value >> shift == shifted && value != Metric::ABSENT;
                if is_exact { Ok(value) } else { Err(DecodeError::Invalid("a value")) }
            }
        }
    }

    fn named_state(&mut self, number: u64) -> Result<u64, DecodeError> {
        if number != FIRST_NAMED_STATE + 1 {
            return Err(DecodeError::Invalid("a state"));
        }
        Ok(u64::from(ProcessState::from_name(&self.string()?).code()))
    }

    fn brief(&mut self) -> Result<Brief, DecodeError> {
        Ok(Brief {
            description: Arc::new(self.description()?),
            end: self.end()?,
            count: self.reader.u32("the count of a brief process")?,
        })
    }

    /// Numbers that each life has for itself are 0 in it.
    fn kind(&mut self) -> Result<Kind, DecodeError> {
        let mask = known_bits(self.reader.u8()?.into(), 7, "the mask of a kind")?;
        let has = |index: u8| mask & 1 << index != 0;
        let pattern = Description {
            identity: Identity { pid: 0, start: has(0).then_some(Timestamp::default()) },
            parent_pid: has(1).then_some(0),
            name: self.string()?,
            command_line: has(2).then(|| self.string()).transpose()?,
            user: has(3).then(|| self.string()).transpose()?,
            executable: has(4).then(|| self.string()).transpose()?,
            cgroup: has(5).then(|| self.string()).transpose()?,
        };
        let end = self.end_mask()?;
        let end = End {
            time: (end & 1 != 0).then_some(Timestamp::default()),
            exit: self.exit(end)?,
            cpu_time_us: (end & 1 << 3 != 0).then_some(0),
            peak_memory_bytes: (end & 1 << 4 != 0).then_some(0),
        };
        Ok(Kind { pattern, end, counted: mask & u64::from(KIND_IS_COUNTED) != 0 })
    }

    fn loss(&mut self) -> Result<Loss, DecodeError> {
        let kind = self.reader.u8()?;
        Ok(Loss {
            kind: match kind & !(1 << 7) {
                0 => LossKind::Snapshots,
                1 => LossKind::Events,
                2 => LossKind::Missed,
                _ => return Err(DecodeError::Invalid("the kind of a loss")),
            },
            from: self.relative()?,
            until: self.relative()?,
            count: (kind & 1 << 7 != 0).then(|| self.reader.varint()).transpose()?,
        })
    }

    fn field_error(&mut self) -> Result<FieldError, DecodeError> {
        Ok(FieldError {
            field: self.string()?,
            reason: match self.reader.u8()? {
                0 => FieldErrorReason::Denied,
                1 => FieldErrorReason::Unsupported,
                2 => FieldErrorReason::Failed,
                _ => return Err(DecodeError::Invalid("the reason of a field error")),
            },
            processes: self.reader.u32("the processes of a field error")?,
        })
    }

    fn description(&mut self) -> Result<Description, DecodeError> {
        let mask = known_bits(self.reader.u8()?.into(), 6, "the mask of a description")?;
        let has = |index: u8| mask & 1 << index != 0;
        let pid = self.reader.u32("a pid")?;
        Ok(Description {
            identity: Identity { pid, start: has(0).then(|| self.relative()).transpose()? },
            parent_pid: has(1).then(|| self.reader.u32("a pid")).transpose()?,
            name: self.string()?,
            command_line: has(2).then(|| self.string()).transpose()?,
            user: has(3).then(|| self.string()).transpose()?,
            executable: has(4).then(|| self.string()).transpose()?,
            cgroup: has(5).then(|| self.string()).transpose()?,
        })
    }

    fn end(&mut self) -> Result<End, DecodeError> {
        let mask = self.end_mask()?;
        let has = |index: u8| mask & 1 << index != 0;
        Ok(End {
            time: has(0).then(|| self.relative()).transpose()?,
            exit: self.exit(mask)?,
            cpu_time_us: has(3).then(|| self.reader.varint()).transpose()?,
            peak_memory_bytes: has(4).then(|| self.reader.varint()).transpose()?,
        })
    }

    fn end_mask(&mut self) -> Result<u64, DecodeError> {
        known_bits(self.reader.u8()?.into(), 5, "the mask of an end")
    }

    fn exit(&mut self, mask: u64) -> Result<Option<Exit>, DecodeError> {
        match (mask & 1 << 1 != 0, mask & 1 << 2 != 0) {
            (false, false) => Ok(None),
            (true, false) => {
                let code = i32::try_from(self.reader.zigzag()?);
                Ok(Some(Exit::Code(code.map_err(|_| DecodeError::OverLimit("an exit code"))?)))
            }
            (false, true) => Ok(Some(Exit::Signal(self.reader.u8()?))),
            (true, true) => Err(DecodeError::Invalid("the mask of an end")),
        }
    }

    fn known_value(&mut self) -> Result<u64, DecodeError> {
        let value = self.reader.varint()?;
        if value == Metric::ABSENT { Err(DecodeError::Invalid("a value")) } else { Ok(value) }
    }

    #[inline]
    fn slot(&mut self, next: &mut u32) -> Result<u32, DecodeError> {
        let slot = self.reader.varint()?.saturating_add(u64::from(*next));
        let slot = u32::try_from(slot).ok().filter(|slot| *slot < SLOTS_MAX);
        let slot = slot.ok_or(DecodeError::OverLimit("a slot"))?;
        *next = slot + 1;
        Ok(slot)
    }

    fn relative(&mut self) -> Result<Timestamp, DecodeError> {
        Ok(Timestamp::from_ms(self.time.as_ms().wrapping_sub(self.reader.zigzag()?)))
    }

    fn string(&mut self) -> Result<Arc<str>, DecodeError> {
        let number = self.reader.varint()?;
        if number > 0 {
            let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
            return self.strings.get(index).cloned().ok_or(DecodeError::Invalid("the number of a string"));
        }
        let len = self.reader.count(STRING_BYTES_MAX, 1, "a string")?;
        let text = std::str::from_utf8(self.reader.take(len)?).map_err(|_| DecodeError::NotUtf8)?;
        let string = Arc::<str>::from(text);
        self.strings.push(Arc::clone(&string));
        Ok(string)
    }
}

fn known_bits(mask: u64, bits: usize, what: &'static str) -> Result<u64, DecodeError> {
    if mask >> bits == 0 { Ok(mask) } else { Err(DecodeError::Invalid(what)) }
}
