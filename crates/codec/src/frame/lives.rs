//! Processes that began and ended between two frames, as columns: what many have in common is written once, as a *kind*;
//! what tells them apart are small numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use procession_model::{Brief, Description, End, Identity, Timestamp};

use super::bits::{BitReader, BitWriter};
use super::packed::{read_unit, write_unit};
use crate::DecodeError;
use crate::limits::BRIEF_MAX;
use crate::numbers::{add_difference, difference, unzigzag, zigzag};

/// Of the number of lives.
const COUNT_WIDTH: u32 = 3;
/// So many kinds and parents can be named again; older ones are written anew.
const RECENT_MAX: usize = 64;
const NEW: u64 = 1;

/// Kinds in the order in which lives need them, and the lives in numbers.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    /// The first life of each.
    pub(super) kinds: Vec<&'a Brief>,
    ranks: Vec<u64>,
    pids: Vec<u64>,
    parent_ranks: Vec<u64>,
    new_parents: Vec<u64>,
    starts: Vec<u64>,
    ends: Vec<u64>,
    counts: Vec<u64>,
    cpu_times: Vec<Of>,
    peak_memories: Vec<Of>,
}

/// A value of a life, and of which kind that is.
#[derive(Clone, Copy, Debug)]
struct Of {
    kind: usize,
    value: u64,
}

impl<'a> Columns<'a> {
    /// Of all lives of a frame of this time.
    pub(super) fn of(brief: &'a [Brief], time: Timestamp) -> Self {
        let mut columns = Self::default();
        let mut chain = Chain { pid: 0, start: time };
        let (mut recent_kinds, mut recent_parents) = (Recent::new(), Recent::new());
        for life in brief {
            let kinds = &mut columns.kinds;
            let known = recent_kinds.find(|kind: &usize| is_same_kind(kinds[*kind], life));
            let (rank, kind) = known.unwrap_or_else(|| {
                kinds.push(life);
                recent_kinds.put_new(kinds.len() - 1)
            });
            columns.ranks.push(rank);
            columns.push(life, kind, time, &mut chain, &mut recent_parents);
        }
        columns
    }

    fn push(&mut self, life: &Brief, kind: usize, time: Timestamp, chain: &mut Chain, parents: &mut Recent<u32>) {
        let Identity { pid, start } = life.description.identity;
        self.pids.push(zigzag(i64::from(pid) - chain.pid - 1));
        chain.pid = i64::from(pid);
        if let Some(parent_pid) = life.description.parent_pid {
            let known = parents.find(|known| *known == parent_pid);
            let (rank, _) = known.unwrap_or_else(|| {
                self.new_parents.push(zigzag(i64::from(pid) - i64::from(parent_pid)));
                parents.put_new(parent_pid)
            });
            self.parent_ranks.push(rank);
        }
        if let Some(start) = start {
            self.starts.push(zigzag(start.as_ms().wrapping_sub(chain.start.as_ms())));
            chain.start = start;
        }
        if let Some(end) = life.end.time {
            self.ends.push(zigzag(end.as_ms().wrapping_sub(start.unwrap_or(time).as_ms())));
        }
        if life.count != 1 {
            self.counts.push(u64::from(life.count));
        }
        self.cpu_times.extend(life.end.cpu_time_us.map(|value| Of { kind, value }));
        self.peak_memories.extend(life.end.peak_memory_bytes.map(|value| Of { kind, value }));
    }

    pub(super) fn write(&self, writer: &mut BitWriter<'_>) {
        writer.number(self.ranks.len() as u64, COUNT_WIDTH);
        let columns = [&self.ranks, &self.pids, &self.parent_ranks, &self.new_parents, &self.starts, &self.ends];
        for column in columns.into_iter().chain([&self.counts]) {
            write_column(column, writer);
        }
        for values in [&self.cpu_times, &self.peak_memories] {
            self.write_values(values, writer);
        }
    }

    /// Against the last one of the same kind.
    fn write_values(&self, values: &[Of], writer: &mut BitWriter<'_>) {
        if values.is_empty() {
            return;
        }
        let unit = write_unit(values.iter().map(|of| of.value), writer);
        let mut last = vec![0; self.kinds.len()];
        let differences = values.iter().map(|of| {
            let units = of.value / unit;
            difference(std::mem::replace(&mut last[of.kind], units), units)
        });
        writer.column(&differences.collect::<Vec<_>>());
    }
}

/// A column without numbers takes no bits: how many there are follows from the kinds.
fn write_column(column: &[u64], writer: &mut BitWriter<'_>) {
    if !column.is_empty() {
        writer.column(column);
    }
}

/// What the next life's numbers are counted from.
#[derive(Clone, Copy, Debug)]
struct Chain {
    pid: i64,
    start: Timestamp,
}

/// Whether two lives differ in numbers only.
fn is_same_kind(one: &Brief, other: &Brief) -> bool {
    let has = |brief: &Brief| {
        let (description, end) = (&brief.description, &brief.end);
        let described = [description.identity.start.is_some(), description.parent_pid.is_some(), brief.count == 1];
        (described, [end.time.is_some(), end.cpu_time_us.is_some(), end.peak_memory_bytes.is_some()])
    };
    let (mine, others) = (&one.description, &other.description);
    has(one) == has(other)
        && one.end.exit == other.end.exit
        && mine.name == others.name
        && mine.command_line == others.command_line
        && mine.user == others.user
        && mine.executable == others.executable
        && mine.cgroup == others.cgroup
}

/// What was used lately, the latest first.
#[derive(Debug)]
struct Recent<T>(VecDeque<T>);

impl<T: Copy> Recent<T> {
    const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// One with its rank: 0 for the latest, 1 for a new one, from 2 on the others.
    fn find(&mut self, is_it: impl FnMut(&T) -> bool) -> Option<(u64, T)> {
        let place = self.0.iter().position(is_it)?;
        let item = self.0.remove(place)?;
        self.put_first(item);
        Some((place as u64 + u64::from(place > 0), item))
    }

    /// One that was not found, with its rank.
    fn put_new(&mut self, item: T) -> (u64, T) {
        self.put_first(item);
        (NEW, item)
    }

    /// The one of this rank; `new` is asked where that is a new one.
    fn take(&mut self, rank: u64, new: impl FnOnce() -> Option<T>) -> Option<T> {
        let item = match rank {
            NEW => new(),
            rank => self.0.remove(usize::try_from(rank - u64::from(rank > NEW)).ok()?),
        }?;
        self.put_first(item);
        Some(item)
    }

    fn put_first(&mut self, item: T) {
        self.0.truncate(RECENT_MAX - 1);
        self.0.push_front(item);
    }
}

/// A kind as it was read: a life that has everything but its numbers, which stand for being known.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    /// Numbers in it say only that there is one.
    pub(super) pattern: Description,
    pub(super) end: End,
    pub(super) counted: bool,
}

/// Reads what [`Columns::write`] wrote.
pub(super) fn read(kinds: &[Kind], time: Timestamp, reader: &mut BitReader<'_>) -> Result<Vec<Brief>, DecodeError> {
    let count = reader.count(BRIEF_MAX, COUNT_WIDTH, "brief")?;
    let of_lives = kinds_of_lives(kinds.len(), count, reader)?;
    let counted = |has: fn(&Kind) -> bool| of_lives.iter().filter(|kind| has(&kinds[**kind])).count();
    let pids = read_column(count, reader)?;
    let parent_ranks = read_column(counted(|kind| kind.pattern.parent_pid.is_some()), reader)?;
    let new_parents = read_column(parent_ranks.iter().filter(|rank| **rank == NEW).count(), reader)?;
    let starts = read_column(counted(|kind| kind.pattern.identity.start.is_some()), reader)?;
    let ends = read_column(counted(|kind| kind.end.time.is_some()), reader)?;
    let counts = read_column(counted(|kind| kind.counted), reader)?;
    let cpu_times = read_values(kinds, &of_lives, |kind| kind.end.cpu_time_us.is_some(), reader)?;
    let peak_memories = read_values(kinds, &of_lives, |kind| kind.end.peak_memory_bytes.is_some(), reader)?;
    let mut lives = Lives {
        time,
        chain: Chain { pid: 0, start: time },
        parents: Recent::new(),
        pids: pids.into_iter(),
        parent_ranks: parent_ranks.into_iter(),
        new_parents: new_parents.into_iter(),
        starts: starts.into_iter(),
        ends: ends.into_iter(),
        counts: counts.into_iter(),
        cpu_times: cpu_times.into_iter(),
        peak_memories: peak_memories.into_iter(),
    };
    of_lives.into_iter().map(|kind| lives.next(&kinds[kind]).ok_or(INVALID)).collect()
}

const INVALID: DecodeError = DecodeError::Invalid("a brief process");

fn kinds_of_lives(kinds: usize, count: usize, reader: &mut BitReader<'_>) -> Result<Vec<usize>, DecodeError> {
    let mut recent = Recent::new();
    let mut next = 0;
    let mut of_lives = Vec::with_capacity(count);
    reader.column(count, |rank| {
        let new = || (next < kinds).then_some(next);
        let kind = recent.take(rank, new).ok_or(INVALID)?;
        next = next.max(kind + 1);
        of_lives.push(kind);
        Ok(())
    })?;
    if next == kinds { Ok(of_lives) } else { Err(INVALID) }
}

fn read_column(count: usize, reader: &mut BitReader<'_>) -> Result<Vec<u64>, DecodeError> {
    if count == 0 { Ok(Vec::new()) } else { reader.numbers(count) }
}

fn read_values(
    kinds: &[Kind],
    of_lives: &[usize],
    has: fn(&Kind) -> bool,
    reader: &mut BitReader<'_>,
) -> Result<Vec<u64>, DecodeError> {
    let mut having = of_lives.iter().copied().filter(|kind| has(&kinds[*kind]));
    let count = having.clone().count();
    if count == 0 {
        return Ok(Vec::new());
    }
    let unit = read_unit(reader)?;
    let mut last = vec![0; kinds.len()];
    let mut values = Vec::with_capacity(count);
    reader.column(count, |number| {
        let last = having.next().and_then(|kind| last.get_mut(kind)).ok_or(INVALID)?;
        *last = add_difference(*last, number);
        values.push(last.checked_mul(unit).ok_or(INVALID)?);
        Ok(())
    })?;
    Ok(values)
}

/// The numbers of lives that are not told yet.
struct Lives {
    time: Timestamp,
    chain: Chain,
    parents: Recent<u32>,
    pids: std::vec::IntoIter<u64>,
    parent_ranks: std::vec::IntoIter<u64>,
    new_parents: std::vec::IntoIter<u64>,
    starts: std::vec::IntoIter<u64>,
    ends: std::vec::IntoIter<u64>,
    counts: std::vec::IntoIter<u64>,
    cpu_times: std::vec::IntoIter<u64>,
    peak_memories: std::vec::IntoIter<u64>,
}

impl Lives {
    fn next(&mut self, Kind { pattern, end, counted }: &Kind) -> Option<Brief> {
        let pid = u32::try_from(unzigzag(self.pids.next()?).checked_add(self.chain.pid + 1)?).ok()?;
        self.chain.pid = i64::from(pid);
        let parent_pid = if pattern.parent_pid.is_some() { Some(self.parent_pid(pid)?) } else { None };
        let start = if pattern.identity.start.is_some() { Some(self.start()?) } else { None };
        let end_time = if end.time.is_some() { Some(self.ends.next()?) } else { None };
        let end_time = end_time.map(|after| start.unwrap_or(self.time).as_ms().wrapping_add(unzigzag(after)));
        let description = Description { identity: Identity { pid, start }, parent_pid, ..pattern.clone() };
        Some(Brief {
            description: Arc::new(description),
            end: End {
                time: end_time.map(Timestamp::from_ms),
                exit: end.exit,
                cpu_time_us: if end.cpu_time_us.is_some() { Some(self.cpu_times.next()?) } else { None },
                peak_memory_bytes: match end.peak_memory_bytes {
                    Some(_) => Some(self.peak_memories.next()?),
                    None => None,
                },
            },
            count: if *counted { u32::try_from(self.counts.next()?).ok()? } else { 1 },
        })
    }

    fn parent_pid(&mut self, pid: u32) -> Option<u32> {
        let new_parents = &mut self.new_parents;
        self.parents.take(self.parent_ranks.next()?, || {
            u32::try_from(i64::from(pid).checked_sub(unzigzag(new_parents.next()?))?).ok()
        })
    }

    fn start(&mut self) -> Option<Timestamp> {
        let start = self.chain.start.as_ms().wrapping_add(unzigzag(self.starts.next()?));
        self.chain.start = Timestamp::from_ms(start);
        Some(self.chain.start)
    }
}
