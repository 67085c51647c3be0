//! What queries go through: snapshots of a block, or steps of a rollup.

use std::collections::HashSet;
use std::ops::Range as Span;
use std::sync::Arc;

use procession_codec::block::Row;
use procession_model::{Brief, Description, End, HostMetric, Identity, Timestamp};

use super::raw::RawPiece;
use crate::rollup::{Cell, Folded, Rollup};

/// A stretch of one host's history, all of it in the range that is asked for.
#[derive(Clone)]
pub(crate) enum Piece {
    /// Snapshots.
    Raw(RawPiece),
    /// Steps.
    Rolled(RolledPiece),
}

/// Steps of a rollup.
#[derive(Clone)]
pub(crate) struct RolledPiece {
    pub(crate) rollup: Arc<Rollup>,
    /// Which steps, by index; never empty.
    pub(crate) window: Span<usize>,
}

/// What is asked of a description before its row is read.
pub(crate) type Wanted<'a> = &'a dyn Fn(&Description) -> bool;

/// A process under one description in a piece.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The row's index in its block or rollup.
    pub(crate) row: usize,
    pub(crate) description: Arc<Description>,
    /// The parent; its start only where a rollup knows it.
    pub(crate) parent: Option<Identity>,
    /// The first and last snapshot of the piece that have it, and the one before the first; absent if only its end is here.
    pub(crate) seen: Option<SeenSpan>,
    /// How it ended, and the snapshot that told of it, if that is in the piece.
    pub(crate) end: Option<(End, Timestamp)>,
    /// What it did in the piece.
    pub(crate) cell: Cell,
    /// Whether the process was also something that is not wanted, so that its end tells of more than that.
    pub(crate) is_partial: bool,
}

/// When a process was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenSpan {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// The snapshot before the first.
    pub(crate) previous: Option<Timestamp>,
    /// Whether it began in the interval of the first, so that all it did was seen.
    pub(crate) is_whole: bool,
}

/// Processes that no row tells of.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// The snapshot that told of them, or the last of several.
    pub(crate) time: Timestamp,
    /// The first snapshot that told of one.
    pub(crate) first: Timestamp,
    /// Name, user and parent; from snapshots all that is known.
    pub(crate) description: Arc<Description>,
    /// The parent's start, where that is known.
    pub(crate) parent: Option<Identity>,
    /// How it ended, of a single one.
    pub(crate) end: Option<End>,
    pub(crate) count: u64,
    pub(crate) alive_ms: u64,
    pub(crate) cell: Cell,
    /// CPU time known from ends, in tenths of a microsecond.
    pub(crate) extra_tenths: u64,
}

/// Sums over the host for a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostSums {
    pub(crate) snapshots: u64,
    /// The host's own CPU time in tenths of a microsecond; absent where never known.
    pub(crate) cpu_tenths: Option<u64>,
    /// Sum of the host's used memory, and of how many snapshots.
    pub(crate) memory_sum: u128,
    pub(crate) memory_snapshots: u64,
    /// The most used memory; unknown (absent) from rollups.
    pub(crate) memory_max: Option<u64>,
}

impl Piece {
    /// When its first snapshot was taken.
    pub(crate) fn first_time(&self) -> Timestamp {
        match self {
            Self::Raw(raw) => raw.first_time(),
            Self::Rolled(rolled) => rolled.rollup.steps[rolled.window.start].first,
        }
    }

    /// The step of its rollup in milliseconds; 0 for snapshots.
    pub(crate) fn rollup_ms(&self) -> u64 {
        match self {
            Self::Raw(_) => 0,
            Self::Rolled(rolled) => rolled.rollup.step_ms,
        }
    }

    /// Its processes.
    pub(crate) fn parts(&self, wanted: Wanted<'_>) -> Vec<Part> {
        match self {
            Self::Raw(raw) => raw_parts(raw, wanted),
            Self::Rolled(rolled) => rolled.parts(wanted),
        }
    }

    /// Its processes that no row tells of. `start` is the start of the range that is asked for.
    pub(crate) fn leaves(&self, wanted: Wanted<'_>, start: Option<Timestamp>) -> Vec<Leaf> {
        match self {
            Self::Raw(raw) => {
                let Some(block) = raw.block() else { return Vec::new() };
                let brief = block.all_brief().filter(|(frame, _)| raw.window.contains(frame));
                let wanted = brief.filter(|(_, brief)| wanted(&brief.description));
                wanted.map(|(frame, brief)| leaf_of(raw.time(frame), brief)).collect()
            }
            Self::Rolled(rolled) => rolled.leaves(wanted, start),
        }
    }

    /// The host over it.
    pub(crate) fn host_sums(&self) -> HostSums {
        match self {
            Self::Raw(raw) => raw_host_sums(raw),
            Self::Rolled(rolled) => rolled.host_sums(),
        }
    }
}

/// The processes of snapshots.
pub(crate) fn raw_parts(raw: &RawPiece, wanted: Wanted<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let Some(block) = raw.block() else { return parts };
    let rows = block.rows();
    for (index, row) in rows.iter().enumerate() {
        let frames = raw.within(index);
        let end = row.end.filter(|_| raw.window.contains(&row.after())).map(|end| (end, raw.time(row.after())));
        if (frames.is_empty() && end.is_none()) || !wanted(&row.description) {
            continue;
        }
        let seen = (!frames.is_empty()).then(|| raw_seen(raw, row.description.identity, &frames));
        let cell = raw.cell(index, &frames);
        let parent = row.description.parent_pid.map(|pid| Identity { pid, start: None });
        let unwanted = |other: Option<&Row>| other.is_some_and(|other| !wanted(&other.description));
        let is_partial = (row.goes_on && unwanted(index.checked_sub(1).and_then(|before| rows.get(before))))
            || unwanted(rows.get(index + 1).filter(|after| after.goes_on));
        parts.push(Part { row: index, description: Arc::clone(&row.description), parent, seen, end, cell, is_partial });
    }
    parts
}

fn raw_seen(raw: &RawPiece, identity: Identity, frames: &Span<u32>) -> SeenSpan {
    let first = raw.time(frames.start);
    let weight = raw.weight(&(frames.start..frames.start + 1));
    let interval_began = first.plus_ms(i64::try_from(weight).unwrap_or(i64::MAX).saturating_neg());
    SeenSpan {
        first,
        last: raw.time(frames.end - 1),
        previous: raw.before(frames.start),
        is_whole: identity.start.is_some_and(|start| start >= interval_began),
    }
}

fn leaf_of(time: Timestamp, brief: &Brief) -> Leaf {
    let lived = |start: Timestamp| brief.end.time.unwrap_or(time).since_ms(start);
    Leaf {
        time,
        first: time,
        description: Arc::clone(&brief.description),
        parent: brief.description.parent_pid.map(|pid| Identity { pid, start: None }),
        end: Some(brief.end),
        count: u64::from(brief.count),
        alive_ms: brief.description.identity.start.map_or(0, |start| u64::try_from(lived(start)).unwrap_or(0)),
        cell: Cell::default(),
        extra_tenths: brief.end.cpu_time_us.unwrap_or(0).saturating_mul(10),
    }
}

fn raw_host_sums(raw: &RawPiece) -> HostSums {
    let mut sums = HostSums::default();
    for frame in raw.window.clone() {
        let host = raw.host(frame);
        sums.snapshots += 1;
        if let Some(cpu) = host.get(HostMetric::Cpu) {
            let tenths = cpu.saturating_mul(raw.weight(&(frame..frame + 1)));
            sums.cpu_tenths = Some(sums.cpu_tenths.unwrap_or(0).saturating_add(tenths));
        }
        if let Some(memory) = host.get(HostMetric::MemoryUsed) {
            sums.memory_sum += u128::from(memory);
            sums.memory_snapshots += 1;
            sums.memory_max = sums.memory_max.max(Some(memory));
        }
    }
    sums
}

impl RolledPiece {
    fn parts(&self, wanted: Wanted<'_>) -> Vec<Part> {
        let (first, last) = (&self.rollup.steps[self.window.start], &self.rollup.steps[self.window.end - 1]);
        let mut parts = Vec::new();
        let unwanted = self.rollup.rows.iter().filter(|row| !wanted(&row.description));
        let others: HashSet<Identity> = unwanted.map(|row| row.description.identity).collect();
        for (index, row) in self.rollup.rows.iter().enumerate() {
            if !wanted(&row.description) {
                continue;
            }
            let mut cell = Cell::default();
            self.cells(index).for_each(|(_, step)| cell.then(step));
            let end = row.end.filter(|(_, told)| *told >= first.first && *told <= last.last);
            let seen = (cell.samples > 0).then(|| SeenSpan {
                first: row.first.max(first.first),
                last: row.last.min(last.last),
                previous: row.previous.filter(|_| row.first >= first.first),
                is_whole: row.is_whole && row.first >= first.first,
            });
            if seen.is_some() || end.is_some() {
                let (description, parent) = (Arc::clone(&row.description), row.parent);
                let is_partial = others.contains(&description.identity);
                parts.push(Part { row: index, description, parent, seen, end, cell, is_partial });
            }
        }
        parts
    }

    /// The cells of a row within the window, with the indices of their steps.
    pub(crate) fn cells(&self, row: usize) -> impl Iterator<Item = (usize, &Cell)> {
        let row = &self.rollup.rows[row];
        let steps = row.first_step..row.first_step + row.cells.len();
        let window = steps.start.max(self.window.start)..steps.end.min(self.window.end);
        window.map(move |step| (step, &row.cells[step - row.first_step]))
    }

    fn leaves(&self, wanted: Wanted<'_>, start: Option<Timestamp>) -> Vec<Leaf> {
        let first = self.rollup.steps[self.window.start].number;
        let begins_range = start.is_some_and(|start| {
            let number = Rollup::number_of(self.rollup.step_ms, start);
            Rollup::start_of(self.rollup.step_ms, number) == start && number == first
        });
        let in_window = self.rollup.folded.iter().filter(|folded| self.window.contains(&folded.step));
        let known =
            in_window.filter(|folded| !(begins_range && folded.step == self.window.start && folded.key.began_before));
        known.map(leaf_of_folded).filter(|leaf| wanted(&leaf.description)).collect()
    }

    fn host_sums(&self) -> HostSums {
        let mut sums = HostSums::default();
        for step in &self.rollup.steps[self.window.clone()] {
            sums.snapshots += step.snapshots;
            if step.host_cpu_snapshots > 0 {
                sums.cpu_tenths = Some(sums.cpu_tenths.unwrap_or(0).saturating_add(step.host_cpu_tenths));
            }
            sums.memory_sum = sums.memory_sum.saturating_add(step.host_memory_sum);
            sums.memory_snapshots += step.host_memory_snapshots;
        }
        sums
    }
}

fn leaf_of_folded(folded: &Folded) -> Leaf {
    let mut description = Description::new(0, Arc::clone(&folded.key.name));
    description.user.clone_from(&folded.key.user);
    description.parent_pid = folded.key.parent.map(|parent| parent.pid);
    Leaf {
        time: folded.last,
        first: folded.first,
        description: Arc::new(description),
        parent: folded.key.parent,
        end: None,
        count: folded.count,
        alive_ms: folded.alive_ms,
        cell: folded.cell,
        extra_tenths: folded.extra_tenths,
    }
}
