//! A rollup in the making: nothing is folded yet, and steps are known by their numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use procession_model::{Description, End, HostMetric, Identity, Timestamp};

use super::{Cell, Folded, FoldedKey, Rollup, Row, Step};
use crate::analysis::raw::RawPiece;

/// A rollup in the making.
#[derive(Default)]
pub(crate) struct Draft {
    pub(super) step_ms: u64,
    pub(super) steps: BTreeMap<i64, Step>,
    /// The length of the host's own finer steps, and these.
    pub(super) fine: Option<(u64, BTreeMap<i64, Step>)>,
    pub(super) lives: Vec<DraftLife>,
    pub(super) folded: HashMap<(i64, FoldedKey), Sums>,
    /// Brief processes, until their parents are known.
    pub(super) brief: Vec<DraftBrief>,
    newest: HashMap<Identity, usize>,
}

/// A process.
pub(super) struct DraftLife {
    pub(super) identity: Identity,
    /// Under which names; the last one is the newest. Never empty.
    pub(super) rows: Vec<DraftRow>,
    pub(super) end: Option<(End, Timestamp)>,
}

/// A process under one name and user. Without cells only its end is known.
pub(super) struct DraftRow {
    pub(super) description: Arc<Description>,
    pub(super) parent: Option<Identity>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) previous: Option<Timestamp>,
    pub(super) is_whole: bool,
    pub(super) cells: BTreeMap<i64, Cell>,
}

/// What is folded under one key in one step.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) alive_ms: u64,
    pub(super) cell: Cell,
    pub(super) extra_tenths: u64,
}

/// A brief process, or several.
pub(super) struct DraftBrief {
    pub(super) description: Arc<Description>,
    pub(super) time: Timestamp,
    pub(super) end: End,
    pub(super) count: u64,
}

impl Draft {
    /// Nothing yet, in steps of a length; the host itself in finer ones, if they are asked for.
    fn of_steps(step_ms: u64, fine_ms: Option<u64>) -> Self {
        Self { step_ms, fine: fine_ms.map(|fine_ms| (fine_ms, BTreeMap::new())), ..Self::default() }
    }

    /// Of snapshots.
    pub(crate) fn of_raw(pieces: &[RawPiece], step_ms: u64, fine_ms: Option<u64>) -> Self {
        let mut draft = Self::of_steps(step_ms, fine_ms);
        for piece in pieces {
            draft.add_steps(piece);
            draft.add_rows(piece);
            draft.add_brief(piece);
        }
        draft
    }

    /// Of a rollup, to be gone on with, in its steps or in longer ones.
    pub(crate) fn of_rollup(rollup: &Rollup, step_ms: u64) -> Self {
        let mut draft = Self::of_steps(step_ms, rollup.fine.as_ref().map(|fine| fine.step_ms));
        let start = |step: usize| Rollup::start_of(rollup.step_ms, rollup.steps[step].number);
        let number = |step: usize| Rollup::number_of(step_ms, start(step));
        for (index, step) in rollup.steps.iter().enumerate() {
            draft.add_step(number(index), step.clone());
        }
        for step in rollup.fine.iter().flat_map(|fine| &fine.steps) {
            draft.add_fine(step.clone());
        }
        for row in &rollup.rows {
            let mut cells: BTreeMap<i64, Cell> = BTreeMap::new();
            for (index, cell) in row.cells.iter().enumerate().filter(|(_, cell)| **cell != Cell::default()) {
                cells.entry(number(row.first_step + index)).or_default().then(cell);
            }
            draft.add_row(DraftRow { cells, ..DraftRow::of(row) }, row.end);
        }
        for folded in &rollup.folded {
            let number = number(folded.step);
            // What began in another step of the rollup may have begun in the same longer one.
            let is_first = Rollup::start_of(step_ms, number) == start(folded.step);
            let key = FoldedKey { began_before: folded.key.began_before && is_first, ..folded.key.clone() };
            draft.fold(number, key, Sums::of(folded));
        }
        draft
    }

    /// Adds what came later.
    pub(crate) fn absorb(&mut self, later: Self) {
        for (number, step) in later.steps {
            self.add_step(number, step);
        }
        for (_, step) in later.fine.into_iter().flat_map(|(_, steps)| steps) {
            self.add_fine(step);
        }
        for life in later.lives {
            let last = life.rows.len() - 1;
            for (index, row) in life.rows.into_iter().enumerate() {
                self.add_row(row, life.end.filter(|_| index == last));
            }
        }
        for (key, sums) in later.folded {
            self.fold(key.0, key.1, sums);
        }
        self.brief.extend(later.brief);
    }

    /// How many steps it has.
    pub(crate) fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// Adds to what is folded.
    pub(super) fn fold(&mut self, step: i64, key: FoldedKey, sums: Sums) {
        match self.folded.entry((step, key)) {
            std::collections::hash_map::Entry::Occupied(mut known) => known.get_mut().then(&sums),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(sums);
            }
        }
    }

    fn add_step(&mut self, number: i64, step: Step) {
        add_to(&mut self.steps, number, step);
    }

    fn add_fine(&mut self, step: Step) {
        if let Some((_, steps)) = &mut self.fine {
            add_to(steps, step.number, step);
        }
    }

    fn add_steps(&mut self, piece: &RawPiece) {
        for frame in piece.window.clone() {
            let number = Rollup::number_of(self.step_ms, piece.time(frame));
            self.add_step(number, step_of(piece, frame, number));
            if let Some((fine_ms, _)) = &self.fine {
                self.add_fine(step_of(piece, frame, Rollup::number_of(*fine_ms, piece.time(frame))));
            }
        }
    }

    fn add_rows(&mut self, piece: &RawPiece) {
        let numbers: Vec<i64> =
            piece.window.clone().map(|frame| Rollup::number_of(self.step_ms, piece.time(frame))).collect();
        for part in crate::analysis::piece::raw_parts(piece, &|_| true) {
            let mut cells = BTreeMap::new();
            let within = piece.within(part.row);
            let mut frame = within.start;
            while frame < within.end {
                let number = numbers[(frame - piece.window.start) as usize];
                let rest = &numbers[(frame - piece.window.start) as usize..(within.end - piece.window.start) as usize];
                let same = u32::try_from(rest.partition_point(|other| *other <= number)).unwrap_or(u32::MAX);
                cells.insert(number, piece.cell(part.row, &(frame..frame + same)));
                frame += same;
            }
            let told = part.end.map_or(piece.first_time(), |(_, told)| told);
            self.add_row(
                DraftRow {
                    parent: part.parent,
                    description: part.description,
                    first: part.seen.map_or(told, |seen| seen.first),
                    last: part.seen.map_or(told, |seen| seen.last),
                    previous: part.seen.and_then(|seen| seen.previous),
                    is_whole: part.seen.is_some_and(|seen| seen.is_whole),
                    cells,
                },
                part.end,
            );
        }
    }

    fn add_brief(&mut self, piece: &RawPiece) {
        let Some(block) = piece.block() else { return };
        for (frame, brief) in block.all_brief().filter(|(frame, _)| piece.window.contains(frame)) {
            self.brief.push(DraftBrief {
                description: Arc::clone(&brief.description),
                time: piece.time(frame),
                end: brief.end,
                count: u64::from(brief.count),
            });
        }
    }

    fn add_row(&mut self, row: DraftRow, end: Option<(End, Timestamp)>) {
        let identity = row.description.identity;
        let known = self.newest.get(&identity).copied().filter(|life| self.lives[*life].goes_on(&row));
        match known {
            Some(life) => self.lives[life].add(row, end),
            None => {
                self.newest.insert(identity, self.lives.len());
                self.lives.push(DraftLife { identity, rows: vec![row], end });
            }
        }
    }
}

/// Adds a step to that of the same number.
fn add_to(steps: &mut BTreeMap<i64, Step>, number: i64, step: Step) {
    match steps.entry(number) {
        std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().then(&step),
        std::collections::btree_map::Entry::Vacant(new) => {
            new.insert(Step { number, ..step });
        }
    }
}

impl DraftLife {
    /// The last snapshot that has it.
    pub(super) fn last(&self) -> Timestamp {
        self.rows.iter().map(|row| row.last).max().unwrap_or_default()
    }

    /// The first snapshot that has it.
    pub(super) fn first(&self) -> Timestamp {
        self.rows.iter().map(|row| row.first).min().unwrap_or_default()
    }

    /// Whether all it did was seen.
    pub(super) fn is_whole(&self) -> bool {
        self.rows.iter().min_by_key(|row| row.first).is_some_and(|row| row.is_whole)
    }

    /// Whether a row of the same identity is of this life.
    fn goes_on(&self, row: &DraftRow) -> bool {
        let follows = row.cells.is_empty() || row.previous.is_some_and(|previous| previous <= self.last());
        self.identity.start.is_some() || (self.end.is_none() && follows)
    }

    fn add(&mut self, row: DraftRow, end: Option<(End, Timestamp)>) {
        self.end = end.or(self.end);
        if row.cells.is_empty() && self.rows.iter().any(|known| !known.cells.is_empty()) {
            return;
        }
        let same = |known: &DraftRow| {
            known.description.name == row.description.name && known.description.user == row.description.user
        };
        match self.rows.iter().position(same) {
            Some(index) => {
                self.rows[index].join(row);
                let is_newest = self.rows.iter().all(|other| other.last <= self.rows[index].last);
                if is_newest {
                    let row = self.rows.remove(index);
                    self.rows.push(row);
                }
            }
            None => self.rows.push(row),
        }
    }
}

impl DraftRow {
    fn of(row: &Row) -> Self {
        Self {
            description: Arc::clone(&row.description),
            parent: row.parent,
            first: row.first,
            last: row.last,
            previous: row.previous,
            is_whole: row.is_whole,
            cells: BTreeMap::new(),
        }
    }

    fn join(&mut self, other: Self) {
        if self.cells.is_empty() {
            *self = other;
            return;
        }
        if other.first < self.first {
            (self.description, self.parent) = (other.description, other.parent);
            (self.first, self.previous, self.is_whole) = (other.first, other.previous, other.is_whole);
        }
        self.last = self.last.max(other.last);
        for (number, cell) in other.cells {
            self.cells.entry(number).or_default().then(&cell);
        }
    }
}

impl Sums {
    pub(super) fn of(folded: &Folded) -> Self {
        Self {
            count: folded.count,
            first: folded.first,
            last: folded.last,
            alive_ms: folded.alive_ms,
            cell: folded.cell,
            extra_tenths: folded.extra_tenths,
        }
    }

    fn then(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.alive_ms = self.alive_ms.saturating_add(other.alive_ms);
        self.cell.then(&other.cell);
        self.extra_tenths = self.extra_tenths.saturating_add(other.extra_tenths);
    }
}

/// A snapshot as a step of its own.
pub(crate) fn step_of(piece: &RawPiece, frame: u32, number: i64) -> Step {
    let (index, time, host) = (frame as usize, piece.time(frame), piece.host(frame));
    let (timeline, series) = (piece.source.timeline(), piece.source.series());
    let at = |values: &[u64]| values.get(index).copied().unwrap_or(0);
    let weight = piece.weight(&(frame..frame + 1));
    let (cpu, memory) = (host.get(HostMetric::Cpu), host.get(HostMetric::MemoryUsed));
    let processes = series.process_counts.get(index).copied().unwrap_or(0);
    Step {
        number,
        first: time,
        last: time,
        last_sequence: timeline.sequences.get(index).copied().unwrap_or(0),
        snapshots: 1,
        interval_ms: weight,
        process_samples: u64::from(processes),
        processes_max: processes,
        cpu_sum: u128::from(at(&series.cpu_sums)),
        cpu_max: at(&series.cpu_sums),
        memory_sum: u128::from(at(&series.memory_sums)),
        memory_max: at(&series.memory_sums),
        host_cpu_snapshots: u64::from(cpu.is_some()),
        host_cpu_sum: u128::from(cpu.unwrap_or(0)),
        host_cpu_tenths: cpu.unwrap_or(0).saturating_mul(weight),
        host_memory_sum: u128::from(memory.unwrap_or(0)),
        host_memory_snapshots: u64::from(memory.is_some()),
        host,
    }
}
