//! What came with frames and is no measurement: facts, what could not be read, brief processes, losses.

use std::sync::Arc;

use procession_model::{Brief, FieldError, FieldErrorReason, HostFacts, Identity, Loss, LossKind, Timestamp};

use super::column::{ColumnBytes, ColumnReader, ColumnWriter};
use super::descriptions::{Kin, get_descriptions, put_descriptions};
use super::dictionary::NewStrings;
use super::ends::{get_ends, put_ends};
use super::fields::KnownStrings;
use super::head::{HAPPENINGS, Head};
use super::lives::{At, Lives};
use super::{BLOCK_BRIEF_MAX, BLOCK_FRAMES_MAX, BLOCK_LOSSES_MAX};
use crate::DecodeError;
use crate::bytes::{Reader, put_len, put_varint, put_zigzag};
use crate::limits::FIELD_ERRORS_MAX;

/// What came with the frames of a block, each list by frame.
#[derive(Default)]
pub(super) struct Happenings {
    pub(super) facts: Vec<At<Arc<HostFacts>>>,
    pub(super) field_errors: Vec<At<Vec<FieldError>>>,
    pub(super) brief: Vec<At<Brief>>,
    pub(super) losses: Vec<At<Loss>>,
}

pub(super) fn put_happenings(columns: &mut ColumnWriter, strings: &mut NewStrings<'_>, lives: &Lives) {
    put_len(columns.loose(), lives.facts.len());
    let mut before = 0;
    for At { frame, what } in &lives.facts {
        put_varint(columns.loose(), u64::from(frame - before));
        before = *frame;
        put_facts(columns.loose(), strings, what);
    }
    put_len(columns.loose(), lives.field_errors.len());
    let mut before = 0;
    for At { frame, what } in &lives.field_errors {
        put_varint(columns.loose(), u64::from(frame - before));
        before = *frame;
        put_len(columns.loose(), what.len());
        for FieldError { field, reason, processes } in what {
            put_string(columns.loose(), strings, field);
            columns.loose().push(*reason as u8);
            put_varint(columns.loose(), u64::from(*processes));
        }
    }
    put_losses(columns.loose(), &lives.losses, &lives.times);
    put_brief(columns, strings, lives);
}

fn put_string(out: &mut Vec<u8>, strings: &mut NewStrings<'_>, text: &Arc<str>) {
    let next = strings.next();
    put_varint(out, u64::from(next - strings.number(text)));
}

fn put_facts(out: &mut Vec<u8>, strings: &mut NewStrings<'_>, facts: &HostFacts) {
    let texts = [&facts.boot_id, &facts.os, &facts.architecture, &facts.agent_version, &facts.collector];
    let numbers = [
        facts.cpu_count.map(u64::from),
        facts.memory_total_bytes,
        facts.boot_time.map(|time| time.as_ms().cast_unsigned()),
    ];
    let known = numbers.iter().map(Option::is_some).chain(texts.iter().map(|text| text.is_some()));
    out.push(known.enumerate().fold(0, |mask, (index, is_known)| mask | u8::from(is_known) << index));
    for number in numbers.into_iter().flatten() {
        put_varint(out, number);
    }
    for text in texts.into_iter().flatten() {
        put_string(out, strings, text);
    }
}

fn put_losses(out: &mut Vec<u8>, losses: &[At<Loss>], times: &[Timestamp]) {
    put_len(out, losses.len());
    let mut before = 0;
    for At { frame, what } in losses {
        put_varint(out, u64::from(frame - before));
        before = *frame;
        out.push(what.kind as u8 | if what.count.is_some() { 1 << 7 } else { 0 });
        let time = times[*frame as usize].as_ms();
        put_zigzag(out, time.wrapping_sub(what.from.as_ms()));
        put_zigzag(out, time.wrapping_sub(what.until.as_ms()));
        if let Some(count) = what.count {
            put_varint(out, count);
        }
    }
}

fn put_brief(columns: &mut ColumnWriter, strings: &mut NewStrings<'_>, lives: &Lives) {
    let Lives { brief, times, .. } = lives;
    put_len(columns.loose(), brief.len());
    let mut counts = vec![0; if brief.is_empty() { 0 } else { times.len() }];
    for At { frame, .. } in brief {
        counts[*frame as usize] += 1;
    }
    columns.put(&counts);
    columns.put(&brief.iter().map(|brief| u64::from(brief.what.count)).collect::<Vec<_>>());
    let kin = brief.iter().map(|brief| Kin { description: &brief.what.description, goes_on: false });
    put_descriptions(columns, strings, &kin.collect::<Vec<_>>());
    put_ends(columns, &brief.iter().map(|brief| (brief.what.end, times[brief.frame as usize])).collect::<Vec<_>>());
}

impl Happenings {
    /// Reads what [`put_happenings`] wrote; of brief processes those that are wanted, by the frame that told of them.
    pub(super) fn get(
        columns: &mut ColumnReader<'_>,
        strings: &mut KnownStrings<'_>,
        times: &[Timestamp],
        is_wanted: &dyn Fn(u32, Identity) -> bool,
    ) -> Result<Self, DecodeError> {
        let loose = columns.loose();
        let facts = get_list(loose, BLOCK_FRAMES_MAX, times, |loose, _| get_facts(loose, strings).map(Arc::new))?;
        let field_errors = get_list(loose, BLOCK_FRAMES_MAX, times, |loose, _| {
            let count = loose.count(FIELD_ERRORS_MAX, 3, "field errors")?;
            (0..count).map(|_| get_field_error(loose, strings)).collect()
        })?;
        let losses = get_list(loose, BLOCK_LOSSES_MAX, times, get_loss)?;
        let brief = get_brief(columns, strings, times, is_wanted)?;
        Ok(Self { facts, field_errors, brief, losses })
    }

    /// The last entry at or before a frame.
    pub(super) fn last<T>(list: &[At<T>], frame: u32) -> Option<&T> {
        let after = list.partition_point(|at| at.frame <= frame);
        list.get(after.checked_sub(1)?).map(|at| &at.what)
    }

    /// The entries of a frame.
    pub(super) fn of<T>(list: &[At<T>], frame: u32) -> impl Iterator<Item = &T> {
        let start = list.partition_point(|at| at.frame < frame);
        list[start..].iter().take_while(move |at| at.frame == frame).map(|at| &at.what)
    }
}

impl Head<'_> {
    /// What was lost before the frames of the block that this is the head of. It takes neither its rows nor its strings, so
    /// it is far quicker than opening the block.
    pub fn losses(&self, body: &[u8]) -> Result<Vec<Loss>, DecodeError> {
        let times = self.timeline()?.times;
        let bytes = ColumnBytes::new(self.body_section(body, HAPPENINGS)?)?;
        let mut columns = bytes.reader();
        let loose = columns.loose();
        get_list(loose, BLOCK_FRAMES_MAX, &times, |loose, _| pass_facts(loose))?;
        get_list(loose, BLOCK_FRAMES_MAX, &times, |loose, _| pass_field_errors(loose))?;
        let losses = get_list(loose, BLOCK_LOSSES_MAX, &times, get_loss)?;
        Ok(losses.into_iter().map(|at| at.what).collect())
    }
}

/// Reads past what [`get_facts`] reads: a number or the number of a string for each that is known.
fn pass_facts(loose: &mut Reader<'_>) -> Result<(), DecodeError> {
    let known = loose.u8()?.count_ones();
    (0..known).try_for_each(|_| loose.varint().map(drop))
}

/// Reads past what [`get_field_error`] reads, as often as it says.
fn pass_field_errors(loose: &mut Reader<'_>) -> Result<(), DecodeError> {
    let count = loose.count(FIELD_ERRORS_MAX, 3, "field errors")?;
    (0..count).try_for_each(|_| {
        loose.varint()?;
        loose.u8()?;
        loose.varint().map(drop)
    })
}

fn get_list<T>(
    loose: &mut Reader<'_>,
    max: usize,
    times: &[Timestamp],
    mut get: impl FnMut(&mut Reader<'_>, Timestamp) -> Result<T, DecodeError>,
) -> Result<Vec<At<T>>, DecodeError> {
    let count = loose.count(max, 2, "a list of a block")?;
    let mut list = Vec::with_capacity(count);
    let mut frame = 0;
    for _ in 0..count {
        frame = loose.u32("a frame")?.checked_add(frame).ok_or(DecodeError::OverLimit("a frame"))?;
        let time = times.get(frame as usize).ok_or(DecodeError::OverLimit("a frame"))?;
        list.push(At { frame, what: get(loose, *time)? });
    }
    Ok(list)
}

fn get_string(loose: &mut Reader<'_>, strings: &mut KnownStrings<'_>) -> Result<Arc<str>, DecodeError> {
    let number = strings.number(loose.varint()?)?;
    strings.text(number)
}

fn get_facts(loose: &mut Reader<'_>, strings: &mut KnownStrings<'_>) -> Result<HostFacts, DecodeError> {
    let mask = loose.u8()?;
    let has = |index: u8| mask & 1 << index != 0;
    let cpu_count = has(0).then(|| loose.u32("the number of CPUs")).transpose()?;
    let memory_total_bytes = has(1).then(|| loose.varint()).transpose()?;
    let boot_time = has(2).then(|| loose.varint()).transpose()?;
    let mut text = |index: u8| has(index).then(|| get_string(loose, strings)).transpose();
    Ok(HostFacts {
        cpu_count,
        memory_total_bytes,
        boot_time: boot_time.map(|time| Timestamp::from_ms(time.cast_signed())),
        boot_id: text(3)?,
        os: text(4)?,
        architecture: text(5)?,
        agent_version: text(6)?,
        collector: text(7)?,
    })
}

fn get_field_error(loose: &mut Reader<'_>, strings: &mut KnownStrings<'_>) -> Result<FieldError, DecodeError> {
    Ok(FieldError {
        field: get_string(loose, strings)?,
        reason: match loose.u8()? {
            0 => FieldErrorReason::Denied,
            1 => FieldErrorReason::Unsupported,
            2 => FieldErrorReason::Failed,
            _ => return Err(DecodeError::Invalid("the reason of a field error")),
        },
        processes: loose.u32("the processes of a field error")?,
    })
}

fn get_loss(loose: &mut Reader<'_>, time: Timestamp) -> Result<Loss, DecodeError> {
    let kind = loose.u8()?;
    let mut relative = || Ok(Timestamp::from_ms(time.as_ms().wrapping_sub(loose.zigzag()?)));
    let (from, until) = (relative()?, relative()?);
    Ok(Loss {
        kind: match kind & !(1 << 7) {
            0 => LossKind::Snapshots,
            1 => LossKind::Events,
            2 => LossKind::Missed,
            _ => return Err(DecodeError::Invalid("the kind of a loss")),
        },
        from,
        until,
        count: (kind & 1 << 7 != 0).then(|| loose.varint()).transpose()?,
    })
}

fn get_brief(
    columns: &mut ColumnReader<'_>,
    strings: &mut KnownStrings<'_>,
    times: &[Timestamp],
    is_wanted: &dyn Fn(u32, Identity) -> bool,
) -> Result<Vec<At<Brief>>, DecodeError> {
    let total = columns.loose().count(BLOCK_BRIEF_MAX, 0, "brief processes")?;
    if total == 0 {
        return Ok(Vec::new());
    }
    let in_frame = columns.get(times.len())?;
    if in_frame.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count)) != Some(total as u64) {
        return Err(DecodeError::Invalid("the number of brief processes"));
    }
    let frames: Vec<u32> = (0_u32..)
        .zip(in_frame)
        .flat_map(|(frame, count)| std::iter::repeat_n(frame, usize::try_from(count).unwrap_or(0)))
        .collect();
    let counts = columns.get_u32(total)?;
    let is_wanted = |index: usize, identity: Identity| is_wanted(frames[index], identity);
    let descriptions = get_descriptions(columns, strings, &vec![false; total], &is_wanted)?;
    let told: Vec<Timestamp> = frames.iter().map(|frame| times[*frame as usize]).collect();
    let ends = get_ends(columns, &told)?;
    let brief = frames.into_iter().zip(counts).zip(descriptions).zip(ends);
    Ok(brief
        .filter_map(|(((frame, count), description), end)| {
            Some(At { frame, what: Brief { description: description?, end, count } })
        })
        .collect())
}
