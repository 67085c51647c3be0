//! Processes over time, in points.

use std::collections::BTreeMap;

use procession_model::{Metric, Timestamp};

use super::lives::{Lives, Member};
use super::piece::Piece;
use super::{Series, SeriesPoint};
use crate::rollup::{Cell, Rollup, each_stretch, sum};

/// What points are made of.
pub(crate) struct Steps {
    step_ms: u64,
    /// With the numbers of the steps, or with the times where every snapshot is a point; ascending.
    steps: Vec<(i64, Step)>,
}

/// What is known of a step of one host.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    time: Timestamp,
    snapshots: u64,
    interval_ms: u64,
    cell: Cell,
    /// CPU time that no sample has, in tenths of a microsecond.
    extra_tenths: u64,
}

/// What the mean is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MeanOver {
    /// The samples of the one process.
    Samples,
    /// All snapshots, whether they have a process of the group or not.
    Snapshots,
}

impl Steps {
    /// One host's steps; `step_ms` 0 makes every snapshot a point.
    pub(crate) fn of(pieces: &[Piece], lives: &Lives, step_ms: u64) -> Self {
        let extras = || lives.lives.iter().filter_map(|life| life.extra());
        let mut steps = Self { step_ms, steps: Vec::new() };
        for (piece, members) in pieces.iter().zip(&lives.members) {
            steps.add_piece(piece, members);
        }
        let told = lives.leaves.iter().map(|leaf| leaf.time).chain(extras().map(|(_, told)| told));
        let empty = told.map(|time| (key(step_ms, time), Step { time, ..Step::default() }));
        steps.steps.extend(empty);
        // Nearly all are in order: pieces follow each other, but for what came late.
        steps.steps.sort_by_key(|(key, _)| *key);
        steps.steps.dedup_by(|(key, later), (before, step)| {
            let is_same = key == before;
            if is_same {
                step.then(later);
            }
            is_same
        });
        for leaf in &lives.leaves {
            if let Some(step) = steps.at(leaf.time) {
                step.cell.beside(&leaf.cell);
                step.extra_tenths = step.extra_tenths.saturating_add(leaf.extra_tenths);
            }
        }
        for (extra, told) in extras() {
            if let Some(step) = steps.at(told) {
                step.extra_tenths = step.extra_tenths.saturating_add(extra);
            }
        }
        steps
    }

    fn at(&mut self, time: Timestamp) -> Option<&mut Step> {
        let key = key(self.step_ms, time);
        let index = self.steps.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.steps.get_mut(index).map(|(_, step)| step)
    }

    fn add_piece(&mut self, piece: &Piece, members: &[Member]) {
        let step_ms = self.step_ms;
        let steps = moments(piece).into_iter().zip(cells(piece, members)).map(|(moment, cell)| {
            let MomentOf { time, snapshots, interval_ms } = moment;
            (key(step_ms, time), Step { time, snapshots, interval_ms, cell, extra_tenths: 0 })
        });
        self.steps.extend(steps);
    }

    /// Adds points to those of other hosts. Over several hosts steps have a length.
    pub(crate) fn add_to(&self, points: &mut BTreeMap<i64, SeriesPoint>, over: MeanOver) {
        for (key, step) in &self.steps {
            let more = step.point(over);
            let point = points.entry(*key).or_default();
            *point = SeriesPoint {
                time: if point.snapshots == 0 { more.time } else { point.time.max(more.time) },
                snapshots: point.snapshots + more.snapshots,
                samples: point.samples + more.samples,
                cpu: sum(point.cpu, more.cpu),
                cpu_max: sum(point.cpu_max, more.cpu_max),
                cpu_time_us: point.cpu_time_us.saturating_add(more.cpu_time_us),
                memory_bytes: sum(point.memory_bytes, more.memory_bytes),
                memory_bytes_max: sum(point.memory_bytes_max, more.memory_bytes_max),
                read_bytes: sum(point.read_bytes, more.read_bytes),
                write_bytes: sum(point.write_bytes, more.write_bytes),
            };
        }
    }

    /// The series of one process.
    pub(crate) fn of_process(&self, rollup_ms: u64) -> Series {
        let is_there = |step: &&Step| step.cell.samples > 0 || step.extra_tenths > 0;
        let mut points = Vec::with_capacity(self.steps.len());
        points
            .extend(self.steps.iter().map(|(_, step)| step).filter(is_there).map(|step| step.point(MeanOver::Samples)));
        Series { points, step_ms: self.step_ms, rollup_ms }
    }
}

/// The number of the step that has a time, or the time itself.
fn key(step_ms: u64, time: Timestamp) -> i64 {
    if step_ms == 0 { time.as_ms() } else { Rollup::number_of(step_ms, time) }
}

impl Step {
    /// Adds what the same did later in the step.
    fn then(&mut self, later: &Self) {
        self.time = self.time.max(later.time);
        self.snapshots += later.snapshots;
        self.interval_ms = self.interval_ms.saturating_add(later.interval_ms);
        self.cell.then(&later.cell);
        self.extra_tenths = self.extra_tenths.saturating_add(later.extra_tenths);
    }

    fn point(&self, over: MeanOver) -> SeriesPoint {
        let cell = &self.cell;
        let (cpu_ms, memory_samples) = match over {
            MeanOver::Samples => (cell.cpu_ms, cell.memory_samples),
            MeanOver::Snapshots => (self.interval_ms, self.snapshots),
        };
        let mean = |sum: u64, count: u64| sum.checked_div(count);
        SeriesPoint {
            time: self.time,
            snapshots: self.snapshots,
            samples: cell.samples,
            // A snapshot that stands for no time has no mean: its value is what there is.
            cpu: cell.cpu_max.and_then(|highest| mean(cell.cpu_tenths, cpu_ms).or(Some(highest))),
            cpu_max: cell.cpu_max,
            cpu_time_us: cell.cpu_tenths.saturating_add(self.extra_tenths) / 10,
            memory_bytes: cell.memory_max.and_then(|_| mean(cell.memory_sum, memory_samples)),
            memory_bytes_max: cell.memory_max,
            read_bytes: cell.read,
            write_bytes: cell.write,
        }
    }
}

/// A snapshot, or a step of a rollup.
struct MomentOf {
    time: Timestamp,
    snapshots: u64,
    interval_ms: u64,
}

fn moments(piece: &Piece) -> Vec<MomentOf> {
    match piece {
        Piece::Raw(raw) => {
            let moment = |frame: u32| MomentOf {
                time: raw.time(frame),
                snapshots: 1,
                interval_ms: raw.weight(&(frame..frame + 1)),
            };
            raw.window.clone().map(moment).collect()
        }
        Piece::Rolled(rolled) => rolled.rollup.steps[rolled.window.clone()]
            .iter()
            .map(|step| MomentOf { time: step.last, snapshots: step.snapshots, interval_ms: step.interval_ms })
            .collect(),
    }
}

/// What the members did together at each snapshot or step of a piece.
fn cells(piece: &Piece, members: &[Member]) -> Vec<Cell> {
    match piece {
        Piece::Raw(raw) => {
            let mut cells = vec![Cell::default(); raw.window.len()];
            let Some(block) = raw.block() else { return cells };
            let place = |frame: u32| (frame - raw.window.start) as usize;
            for member in members {
                let within = raw.within(member.row);
                cells[place(within.start)..place(within.end)].iter_mut().for_each(|cell| cell.samples += 1);
                let mut each = |metric, add: &dyn Fn(&mut Cell, u64, u64)| {
                    each_stretch(block.row_series(member.row, metric), &within, |span, value| {
                        for frame in span {
                            add(&mut cells[place(frame)], value, raw.weight(&(frame..frame + 1)));
                        }
                    });
                };
                each(Metric::Cpu, &|cell, value, weight| {
                    let mut one = Cell::default();
                    one.add_cpu(value, weight);
                    cell.beside(&one);
                });
                each(Metric::Memory, &|cell, value, _| {
                    let mut one = Cell::default();
                    one.add_memory(value, 1);
                    cell.beside(&one);
                });
                each(Metric::ReadBytes, &|cell, value, _| cell.read = sum(cell.read, Some(value)));
                each(Metric::WriteBytes, &|cell, value, _| cell.write = sum(cell.write, Some(value)));
            }
            cells
        }
        Piece::Rolled(rolled) => {
            let mut cells = vec![Cell::default(); rolled.window.len()];
            for member in members {
                for (step, cell) in rolled.cells(member.row) {
                    cells[step - rolled.window.start].beside(cell);
                }
            }
            cells
        }
    }
}
