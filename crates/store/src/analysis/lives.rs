//! Lives of processes, put together from pieces of a history.
//!
//! A process with a known start is the same wherever it is seen. Without one, a pid that was away for a snapshot may be
//! another process, so it makes a new life.

use std::collections::HashMap;
use std::sync::Arc;

use procession_model::{Description, End, Identity, SnapshotId, Timestamp};

use super::piece::{Leaf, Part, Piece, Wanted};
use crate::Run;
use crate::rollup::Cell;

/// Where no end tells, a process may have had children for so long after it was last seen.
pub(crate) const UNTOLD_MS: i64 = 60_000;

/// Everything that ran, in the pieces gone through.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    pub(crate) lives: Vec<Life>,
    pub(crate) leaves: Vec<Leaf>,
    /// For each piece the rows that were wanted: row, life and the span in it.
    pub(crate) members: Vec<Vec<Member>>,
    open: HashMap<Identity, usize>,
}

/// A row of a piece, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) row: usize,
    pub(crate) life: usize,
    pub(crate) span: usize,
}

/// One process, as far as it was gone through.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Whether all it did was seen, from its start on.
    is_whole: bool,
    end: Option<(End, Timestamp)>,
    /// Its parent when it was first seen.
    pub(crate) parent: Option<Identity>,
    /// Under which names; never empty.
    pub(crate) spans: Vec<LifeSpan>,
    /// The span that was seen last.
    newest: usize,
}

/// What a process did under one name and user.
#[derive(Clone, Debug)]
pub(crate) struct LifeSpan {
    pub(crate) description: Arc<Description>,
    pub(crate) cell: Cell,
}

impl Lives {
    /// Goes through pieces, which stand by time. `start` is the start of the range that is asked for.
    pub(crate) fn of(pieces: &[Piece], wanted: Wanted<'_>, start: Option<Timestamp>) -> Self {
        let mut lives = Self::default();
        for piece in pieces {
            let parts = piece.parts(wanted);
            let members = parts.into_iter().filter_map(|part| lives.add(part)).collect();
            lives.members.push(members);
            lives.leaves.extend(piece.leaves(wanted, start));
        }
        lives
    }

    fn add(&mut self, part: Part) -> Option<Member> {
        let identity = part.description.identity;
        let known = self.open.get(&identity).copied().filter(|life| self.lives[*life].goes_on(&part));
        let Some(seen) = part.seen else {
            if let Some(life) = known {
                self.end(identity, life, part.end);
            }
            return None;
        };
        let life = known.unwrap_or_else(|| {
            self.lives.push(Life {
                first: seen.first,
                last: seen.last,
                is_whole: seen.is_whole,
                end: None,
                parent: part.parent,
                spans: Vec::new(),
                newest: 0,
            });
            self.open.insert(identity, self.lives.len() - 1);
            self.lives.len() - 1
        });
        let (row, end) = (part.row, part.end);
        let span = self.lives[life].add(part, seen.first, seen.last, seen.is_whole);
        self.end(identity, life, end);
        Some(Member { row, life, span })
    }

    fn end(&mut self, identity: Identity, life: usize, end: Option<(End, Timestamp)>) {
        if end.is_some() {
            self.lives[life].end = end;
            if identity.start.is_none() {
                self.open.remove(&identity);
            }
        }
    }
}

impl Life {
    /// Whether a part may be of this life, which has the same identity.
    fn goes_on(&self, part: &Part) -> bool {
        let is_near = |previous: Option<Timestamp>| previous.is_some_and(|previous| previous <= self.last);
        part.description.identity.start.is_some() || part.seen.is_none_or(|seen| is_near(seen.previous))
    }

    fn add(&mut self, part: Part, first: Timestamp, last: Timestamp, is_whole: bool) -> usize {
        let is_newest = self.spans.is_empty() || last >= self.last;
        if first < self.first {
            (self.first, self.is_whole, self.parent) = (first, is_whole, part.parent);
        }
        self.is_whole &= !part.is_partial;
        self.last = self.last.max(last);
        let Part { description, cell, .. } = part;
        let same =
            |span: &LifeSpan| span.description.name == description.name && span.description.user == description.user;
        let index = match self.spans.iter().position(same) {
            Some(index) => {
                let span = &mut self.spans[index];
                span.cell.then(&cell);
                // A rollup knows no command line: what snapshots say of the same name is kept.
                if is_newest && (description.command_line.is_some() || span.description.command_line.is_none()) {
                    span.description = description;
                }
                index
            }
            None => {
                self.spans.push(LifeSpan { description, cell });
                self.spans.len() - 1
            }
        };
        if is_newest {
            self.newest = index;
        }
        index
    }

    /// The index of the span that was seen last.
    pub(crate) const fn newest(&self) -> usize {
        self.newest
    }

    /// The newest description.
    pub(crate) fn description(&self) -> &Arc<Description> {
        &self.spans[self.newest].description
    }

    /// What it did in all.
    pub(crate) fn cell(&self) -> Cell {
        let mut sum = Cell::default();
        self.spans.iter().for_each(|span| sum.then(&span.cell));
        sum
    }

    /// CPU time that no sample has but the end tells of, in tenths of a microsecond, and the snapshot that told.
    pub(crate) fn extra(&self) -> Option<(u64, Timestamp)> {
        let (end, told) = self.end?;
        let total = end.cpu_time_us.filter(|_| self.is_whole)?.saturating_mul(10);
        Some((total.saturating_sub(self.cell().cpu_tenths), told))
    }

    /// When it was known to be gone: told by its end, or else some time after it was last seen.
    pub(crate) fn gone(&self) -> Timestamp {
        self.end.map_or(self.last.plus_ms(UNTOLD_MS), |(_, told)| told)
    }

    /// How it ended.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.map(|(end, _)| end)
    }

    /// When it ran. `newest` is the host's newest snapshot.
    pub(crate) fn run(&self, newest: Option<(SnapshotId, Timestamp)>) -> Run {
        let description = Arc::clone(self.description());
        let ended = match self.end {
            Some((End { time: Some(time), .. }, told)) => time.min(told).max(self.last),
            _ => self.last,
        };
        Run {
            started: description.identity.start.unwrap_or(self.first),
            ended,
            running: self.end.is_none() && newest.is_some_and(|(_, time)| time == self.last),
            end: self.end(),
            description,
        }
    }
}
