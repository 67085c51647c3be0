//! The head of a block: what it covers, the host's own series, and what it has for certain not.

use procession_model::{HostMetric, HostSample, Timestamp};

use super::column::{ColumnBytes, ColumnReader, ColumnWriter};
use super::lives::Lives;
use super::scale::{cost, get_first_of_series, get_series, get_steps, put_series, put_steps, skip_series};
use super::skip::{FALSE_ONE_IN, FALSE_PIDS_ONE_IN, HashedSet, Skip};
use super::{BLOCK_BRIEF_MAX, BLOCK_FRAMES_MAX, BLOCK_ROWS_MAX, BLOCK_SAMPLES_MAX, Effort, VERSION};
use crate::DecodeError;
use crate::bytes::{Reader, checksum_fits, put_len, put_varint, put_zigzag};
use crate::numbers::{add_difference, difference};

/// Sections of the head, then of the body, in their order.
pub(super) const TIMELINE: usize = 0;
pub(super) const SERIES: usize = 1;
pub(super) const SKIP: usize = 2;
pub(super) const HEAD_SECTIONS: usize = 3;
pub(super) const ROWS: usize = 3;
pub(super) const HAPPENINGS: usize = 4;
pub(super) const METRICS: usize = 5;
pub(super) const SECTIONS: usize = METRICS + procession_model::Metric::COUNT;

const CRC_BYTES: usize = 4;
/// The longest section.
const SECTION_BYTES_MAX: usize = 256 << 20;
/// What checksum errors call the sections.
const SECTION_NAMES: [&str; SECTIONS] = [
    "a block's timeline",
    "a block's series",
    "a block's skip part",
    "a block's rows",
    "a block's happenings",
    "a block's CPU",
    "a block's memory",
    "a block's virtual memory",
    "a block's threads",
    "a block's states",
    "a block's read bytes",
    "a block's written bytes",
    "a block's memory percentages",
];

/// What a block covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The earliest time.
    pub time_min: Timestamp,
    /// The latest time.
    pub time_max: Timestamp,
    /// Sequence of the first frame.
    pub first_sequence: u32,
    /// Sequence of the last frame.
    pub last_sequence: u32,
    /// How many frames.
    pub frames: u32,
    /// How many processes.
    pub processes: u32,
    /// How many rows: one for each description of a process.
    pub rows: u32,
    /// How many processes, summed over the frames.
    pub process_samples: u64,
    /// The epoch of the dictionary that it needs.
    pub epoch: u32,
    /// How many strings the dictionary had before the block's own segment.
    pub strings_before: u32,
}

/// When the frames were taken, and their sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// In the order of the sequence, which a clock that was set back does not follow.
    pub times: Vec<Timestamp>,
    /// Ascending.
    pub sequences: Vec<u32>,
}

impl Timeline {
    /// The frame of a sequence, by index.
    pub fn index_of(&self, sequence: u32) -> Option<u32> {
        self.sequences.binary_search(&sequence).ok().and_then(|index| u32::try_from(index).ok())
    }
}

/// The host at every frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Sum of the processes' CPU in hundredths of a percent of one core.
    pub cpu_sums: Vec<u64>,
    /// Sum of the processes' resident memory in bytes.
    pub memory_sums: Vec<u64>,
    /// Number of processes.
    pub process_counts: Vec<u32>,
    /// The host's own counters.
    pub hosts: Vec<HostSample>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Section {
    len: usize,
    crc: u32,
}

/// The head of a block, its header read and checked.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    summary: Summary,
    sections: [Section; SECTIONS],
    payload: &'a [u8],
}

/// Writes the head in front of the sections of the head.
pub(super) fn put_head(summary: &Summary, sections: &[Vec<u8>; SECTIONS]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_varint(&mut out, u64::from(summary.frames));
    put_varint(&mut out, u64::from(summary.processes));
    put_varint(&mut out, u64::from(summary.rows - summary.processes));
    put_varint(&mut out, summary.process_samples);
    put_zigzag(&mut out, summary.time_min.as_ms());
    put_varint(&mut out, summary.time_max.as_ms().wrapping_sub(summary.time_min.as_ms()).cast_unsigned());
    put_varint(&mut out, u64::from(summary.first_sequence));
    put_varint(&mut out, u64::from(summary.last_sequence - summary.first_sequence));
    put_varint(&mut out, u64::from(summary.epoch));
    put_varint(&mut out, u64::from(summary.strings_before));
    for section in sections {
        put_len(&mut out, section.len());
        if !section.is_empty() {
            out.extend(crc32fast::hash(section).to_le_bytes());
        }
    }
    let crc = crc32fast::hash(&out);
    out.extend(crc.to_le_bytes());
    out.extend(sections[..HEAD_SECTIONS].concat());
    out
}

impl<'a> Head<'a> {
    /// Reads the header of a head and checks it; the sections are checked when they are read.
    pub fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            1..=VERSION => {}
            version => return Err(DecodeError::UnknownVersion(version)),
        }
        let summary = read_summary(&mut reader)?;
        let mut sections = [Section::default(); SECTIONS];
        for section in &mut sections {
            section.len = reader.count(SECTION_BYTES_MAX, 0, "a section")?;
            if section.len > 0 {
                section.crc = read_crc(&mut reader)?;
            }
        }
        let header_len = bytes.len() - reader.remaining();
        if !checksum_fits(&bytes[..header_len], read_crc(&mut reader)?) {
            return Err(DecodeError::Checksum("a block's header"));
        }
        let payload = reader.rest();
        if payload.len() != sections[..HEAD_SECTIONS].iter().map(|section| section.len).sum::<usize>() {
            return Err(DecodeError::Invalid("the length of a block's head"));
        }
        Ok(Self { summary, sections, payload })
    }

    /// What the block covers.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// When the frames were taken.
    pub fn timeline(&self) -> Result<Timeline, DecodeError> {
        let bytes = ColumnBytes::new(self.section(self.payload, TIMELINE)?)?;
        let mut columns = bytes.reader();
        let count = self.summary.frames as usize;
        let times = get_times(&mut columns, count)?;
        let sequences = get_steps(&mut columns, count)?;
        columns.end()?;
        let sequences = sequences.into_iter().map(|sequence| u32::try_from(sequence).ok()).collect::<Option<_>>();
        Ok(Timeline { times, sequences: sequences.ok_or(DecodeError::OverLimit("a sequence"))? })
    }

    /// The host's own series.
    pub fn series(&self) -> Result<Series, DecodeError> {
        let bytes = self.series_columns()?;
        let mut columns = bytes.reader();
        let count = self.summary.frames as usize;
        let cpu_sums = get_series(&mut columns, count)?;
        let memory_sums = get_series(&mut columns, count)?;
        let process_counts = get_process_counts(&mut columns, count)?;
        let hosts = get_hosts(&mut columns, &HostMetric::ALL, count, count)?;
        columns.end()?;
        Ok(Series { cpu_sums, memory_sums, process_counts, hosts })
    }

    /// How many processes each frame has.
    pub fn process_counts(&self) -> Result<Vec<u32>, DecodeError> {
        let bytes = self.series_columns()?;
        let mut columns = bytes.reader();
        let count = self.summary.frames as usize;
        skip_series(&mut columns, count)?;
        skip_series(&mut columns, count)?;
        get_process_counts(&mut columns, count)
    }

    /// Some of the host's own counters at the first so many frames at least; the others, and those of later frames, may be
    /// absent. Takes a fraction of what the series take.
    pub fn hosts(&self, metrics: &[HostMetric], frames: usize) -> Result<Vec<HostSample>, DecodeError> {
        let bytes = self.series_columns()?;
        let mut columns = bytes.reader();
        let count = self.summary.frames as usize;
        for _ in 0..SUMS {
            skip_series(&mut columns, count)?;
        }
        let hosts = get_hosts(&mut columns, metrics, frames.min(count), count)?;
        columns.end()?;
        Ok(hosts)
    }

    fn series_columns(&self) -> Result<ColumnBytes<'a>, DecodeError> {
        ColumnBytes::new(self.section(self.payload, SERIES)?)
    }

    /// What the block has for certain not.
    pub fn skip(&self) -> Result<Skip, DecodeError> {
        let bytes = ColumnBytes::new(self.section(self.payload, SKIP)?)?;
        let mut columns = bytes.reader();
        let max = BLOCK_ROWS_MAX + BLOCK_BRIEF_MAX;
        let skip = Skip {
            names: HashedSet::get(&mut columns, max, FALSE_ONE_IN)?,
            users: HashedSet::get(&mut columns, max, FALSE_ONE_IN)?,
            pids: HashedSet::get(&mut columns, max, FALSE_PIDS_ONE_IN)?,
        };
        columns.end()?;
        Ok(skip)
    }

    /// Checks every checksum of the block without reading what is in it.
    pub fn verify(&self, body: &[u8]) -> Result<(), DecodeError> {
        if body.len() != self.body_len() {
            return Err(DecodeError::Invalid("the length of a block's body"));
        }
        for section in 0..SECTIONS {
            self.section(if section < HEAD_SECTIONS { self.payload } else { body }, section)?;
        }
        Ok(())
    }

    /// A section of the body.
    pub(super) fn body_section<'b>(&self, body: &'b [u8], section: usize) -> Result<&'b [u8], DecodeError> {
        self.section(body, section)
    }

    fn section<'b>(&self, part: &'b [u8], section: usize) -> Result<&'b [u8], DecodeError> {
        let part_start = if section < HEAD_SECTIONS { 0 } else { HEAD_SECTIONS };
        let start: usize = self.sections[part_start..section].iter().map(|section| section.len).sum();
        let Section { len, crc } = self.sections[section];
        let bytes = part.get(start..start + len).ok_or(DecodeError::Truncated)?;
        if len > 0 && !checksum_fits(bytes, crc) {
            return Err(DecodeError::Checksum(SECTION_NAMES[section]));
        }
        Ok(bytes)
    }

    /// How long the body has to be.
    pub fn body_len(&self) -> usize {
        self.sections[HEAD_SECTIONS..].iter().map(|section| section.len).sum()
    }

    /// How long each section is, by name, for those who want to know what costs how much.
    pub fn section_lens(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        SECTION_NAMES.into_iter().zip(self.sections.iter().map(|section| section.len))
    }
}

/// CPU, memory and number of processes, which come before the host's own counters.
const SUMS: usize = 3;

fn get_process_counts(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u32>, DecodeError> {
    let counts = get_series(columns, count)?.into_iter().map(|count| u32::try_from(count).ok());
    counts.collect::<Option<_>>().ok_or(DecodeError::OverLimit("a number of processes"))
}

fn get_hosts(
    columns: &mut ColumnReader<'_>,
    wanted: &[HostMetric],
    first: usize,
    count: usize,
) -> Result<Vec<HostSample>, DecodeError> {
    let mut raw = vec![*HostSample::ABSENT.raw(); count];
    for metric in HostMetric::ALL {
        if !wanted.contains(&metric) {
            skip_series(columns, count)?;
            continue;
        }
        for (raw, value) in raw.iter_mut().zip(get_first_of_series(columns, first, count)?) {
            raw[metric.index()] = value;
        }
    }
    Ok(raw.into_iter().map(HostSample::from_raw).collect())
}

fn read_summary(reader: &mut Reader<'_>) -> Result<Summary, DecodeError> {
    let limited =
        |number: u64, max: u64, what| if number <= max { Ok(number) } else { Err(DecodeError::OverLimit(what)) };
    let frames = reader.u32("frames")?;
    limited(frames.into(), BLOCK_FRAMES_MAX as u64, "frames")?;
    let processes = reader.u32("processes")?;
    let rows = processes.checked_add(reader.u32("rows")?).ok_or(DecodeError::OverLimit("rows"))?;
    limited(rows.into(), BLOCK_ROWS_MAX as u64, "rows")?;
    let process_samples = limited(reader.varint()?, BLOCK_SAMPLES_MAX, "process samples")?;
    let time_min = reader.zigzag()?;
    let time_max = time_min.wrapping_add(reader.varint()?.cast_signed());
    let first_sequence = reader.u32("a sequence")?;
    let span = reader.u32("a sequence")?;
    Ok(Summary {
        time_min: Timestamp::from_ms(time_min),
        time_max: Timestamp::from_ms(time_max),
        first_sequence,
        last_sequence: first_sequence.checked_add(span).ok_or(DecodeError::OverLimit("a sequence"))?,
        frames,
        processes,
        rows,
        process_samples,
        epoch: reader.u32("an epoch")?,
        strings_before: reader.u32("strings")?,
    })
}

fn read_crc(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let bytes = reader.take(CRC_BYTES)?;
    Ok(bytes.iter().rev().fold(0, |crc, byte| crc << 8 | u32::from(*byte)))
}

/// The sections of the head.
pub(super) fn head_sections(lives: &Lives, effort: Effort) -> [Vec<u8>; HEAD_SECTIONS] {
    [timeline_section(lives, effort), series_section(lives, effort), skip_section(lives, effort)]
}

fn timeline_section(lives: &Lives, effort: Effort) -> Vec<u8> {
    let mut columns = ColumnWriter::new(effort);
    let times: Vec<u64> = lives.times.iter().map(|time| time.as_ms().cast_unsigned()).collect();
    put_times(&mut columns, &times);
    let sequences: Vec<u64> = lives.sequences.iter().map(|sequence| u64::from(*sequence)).collect();
    put_steps(&mut columns, &sequences);
    columns.finish()
}

/// A clock's own jitter is smaller than the differences between its readings: times are what they differ by from the times
/// that a steady pace would have made, as long as that is shorter.
fn put_times(columns: &mut ColumnWriter, times: &[u64]) {
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let mut sorted = steps.clone();
    let middle = sorted.len() / 2;
    let pace = if sorted.is_empty() { 0 } else { *sorted.select_nth_unstable(middle).1 };
    let first = times.first().copied().unwrap_or_default();
    let steady = |index: u64| first.wrapping_add(pace.wrapping_mul(index));
    let from_pace: Vec<u64> = (0..).zip(times).map(|(index, time)| difference(steady(index), *time)).collect();
    let from_before: Vec<u64> = steps.iter().map(|step| difference(pace, *step)).collect();
    let is_steady = cost(&from_pace) < cost(&from_before);
    put_varint(columns.loose(), first);
    put_varint(columns.loose(), pace);
    columns.loose().push(u8::from(is_steady));
    columns.put(if is_steady { &from_pace } else { &from_before });
}

fn get_times(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<Timestamp>, DecodeError> {
    let first = columns.loose().varint()?;
    let pace = columns.loose().varint()?;
    let is_steady = match columns.loose().u8()? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Invalid("the kind of times")),
    };
    let differences = columns.get(if is_steady { count } else { count.saturating_sub(1) })?;
    let time = |time: u64| Timestamp::from_ms(time.cast_signed());
    if is_steady {
        let steady = |index: u64| first.wrapping_add(pace.wrapping_mul(index));
        return Ok((0..).zip(differences).map(|(index, step)| time(add_difference(steady(index), step))).collect());
    }
    let steps = differences.into_iter().scan(first, |before, step| {
        *before = before.wrapping_add(add_difference(pace, step));
        Some(*before)
    });
    Ok(std::iter::once(first).chain(steps).take(count).map(time).collect())
}

fn series_section(lives: &Lives, effort: Effort) -> Vec<u8> {
    let mut columns = ColumnWriter::new(effort);
    put_series(&mut columns, &lives.cpu_sums);
    put_series(&mut columns, &lives.memory_sums);
    put_series(&mut columns, &lives.process_counts);
    for metric in HostMetric::ALL {
        put_series(&mut columns, &lives.hosts.iter().map(|host| host.raw()[metric.index()]).collect::<Vec<_>>());
    }
    columns.finish()
}

fn skip_section(lives: &Lives, effort: Effort) -> Vec<u8> {
    let rows = lives.rows.iter().map(|row| &row.description);
    let descriptions = || rows.clone().chain(lives.brief.iter().map(|brief| &brief.what.description));
    let pids: Vec<[u8; 4]> = descriptions().map(|description| description.identity.pid.to_le_bytes()).collect();
    let skip = Skip {
        names: HashedSet::of(descriptions().map(|description| description.name.as_bytes()), FALSE_ONE_IN),
        users: HashedSet::of(
            descriptions().filter_map(|description| description.user.as_ref()).map(|user| user.as_bytes()),
            FALSE_ONE_IN,
        ),
        pids: HashedSet::of(pids.iter().map(<[u8; 4]>::as_slice), FALSE_PIDS_ONE_IN),
    };
    let mut columns = ColumnWriter::new(effort);
    for set in [&skip.names, &skip.users, &skip.pids] {
        set.put(&mut columns);
    }
    columns.finish()
}
