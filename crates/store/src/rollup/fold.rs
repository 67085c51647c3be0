//! A draft becomes a rollup: what was short is folded together under its nearest ancestor that was not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use procession_model::{Description, Identity, Timestamp};

use crate::analysis::UNTOLD_MS;

use super::draft::{Draft, DraftBrief, DraftLife, DraftRow, Sums};
use super::model::Fine;
use super::{Cell, Folded, FoldedKey, Rollup, Row, Step};

/// Clocks may be set between the readings of a parent's start and of its child's.
const CLOCK_SLACK_MS: i64 = 1_000;
/// How far up a kept ancestor is looked for.
const ANCESTORS_MAX: usize = 1_000;

impl Draft {
    /// The rollup.
    pub(crate) fn finish(mut self) -> Rollup {
        let ancestry = Ancestry::of(&self);
        let lives = std::mem::take(&mut self.lives);
        let brief = std::mem::take(&mut self.brief);
        for ((step, mut key), sums) in std::mem::take(&mut self.folded) {
            key.parent = key.parent.and_then(|parent| ancestry.kept_of(parent));
            self.fold(step, key, sums);
        }
        for (index, brief) in brief.iter().enumerate() {
            self.fold_brief(brief, ancestry.kept_above(ancestry.lives + index));
        }
        let mut rows = Vec::new();
        for (index, life) in lives.into_iter().enumerate() {
            let parent = ancestry.kept_above(index);
            if ancestry.is_kept[index] {
                rows.extend(kept_rows(life, parent.or(ancestry.reported[index])));
            } else {
                self.fold_life(&life, parent);
            }
        }
        self.assemble(rows)
    }

    fn fold_brief(&mut self, brief: &DraftBrief, parent: Option<Identity>) {
        let lived = |start: Timestamp| brief.end.time.unwrap_or(brief.time).since_ms(start);
        let start = brief.description.identity.start;
        let sums = Sums {
            count: brief.count,
            first: brief.time,
            last: brief.time,
            alive_ms: start.map_or(0, |start| u64::try_from(lived(start)).unwrap_or(0)),
            cell: Cell::default(),
            extra_tenths: brief.end.cpu_time_us.unwrap_or(0).saturating_mul(10),
        };
        let step = Rollup::number_of(self.step_ms, brief.time);
        self.fold(step, key(&brief.description, parent, false), sums);
    }

    fn fold_life(&mut self, life: &DraftLife, parent: Option<Identity>) {
        let mut sampled = 0_u64;
        let newest = life.rows.len() - 1;
        for (index, row) in life.rows.iter().enumerate() {
            for (step, cell) in &row.cells {
                sampled = sampled.saturating_add(cell.cpu_tenths);
                let is_newest = index == newest;
                let sums = Sums {
                    count: u64::from(is_newest),
                    first: row.first,
                    last: row.last,
                    alive_ms: if is_newest { alive_ms(life) } else { 0 },
                    cell: *cell,
                    extra_tenths: 0,
                };
                self.fold(*step, key(&row.description, parent, false), sums);
            }
        }
        let total = life.end.and_then(|(end, told)| Some((end.cpu_time_us?.saturating_mul(10), told)));
        let Some((total, told)) = total.filter(|_| life.is_whole()) else { return };
        let extra_tenths = total.saturating_sub(sampled);
        if extra_tenths > 0 {
            let step = Rollup::number_of(self.step_ms, told);
            let began_before = Rollup::number_of(self.step_ms, life.first()) < step;
            let sums = Sums { first: told, last: told, extra_tenths, ..Sums::default() };
            self.fold(step, key(&life.rows[newest].description, parent, began_before), sums);
        }
    }

    fn assemble(self, mut rows: Vec<DraftedRow>) -> Rollup {
        let numbers: HashMap<i64, usize> = self.steps.keys().copied().zip(0..).collect();
        let steps: Vec<Step> = self.steps.into_values().collect();
        rows.sort_by_key(|drafted| (drafted.row.first, drafted.row.description.identity));
        let rows = rows.into_iter().map(|drafted| drafted.into_row(&numbers)).collect();
        let place = |number: i64| numbers.get(&number).copied();
        let mut folded: Vec<Folded> = self
            .folded
            .into_iter()
            .filter_map(|((number, key), sums)| {
                Some(Folded {
                    step: place(number)?,
                    key,
                    count: sums.count,
                    first: sums.first,
                    last: sums.last,
                    alive_ms: sums.alive_ms,
                    cell: sums.cell,
                    extra_tenths: sums.extra_tenths,
                })
            })
            .collect();
        folded.sort_by(|a, b| (a.step, &a.key).cmp(&(b.step, &b.key)));
        let fine = self.fine.map(|(step_ms, steps)| Fine { step_ms, steps: steps.into_values().collect() });
        Rollup { step_ms: self.step_ms, steps, rows, folded, fine }
    }

    /// Whether a life is told of by rows of its own: it was there in more than one step, or may have been.
    fn is_kept(&self, life: &DraftLife, first: Timestamp, last: Timestamp) -> bool {
        let mut steps = life.rows.iter().flat_map(|row| row.cells.keys());
        let one = steps.next();
        let is_over = life.end.is_some() || life.last() < last;
        let may_be_older = life.first() <= first && !life.is_whole();
        one.is_none_or(|one| steps.any(|other| other != one)) || !is_over || may_be_older
    }
}

/// A row that is kept, its end with it.
struct DraftedRow {
    row: DraftRow,
    end: Option<(procession_model::End, Timestamp)>,
}

impl DraftedRow {
    fn into_row(self, numbers: &HashMap<i64, usize>) -> Row {
        let DraftRow { description, parent, first, last, previous, is_whole, cells } = self.row;
        let place = |number: i64| numbers.get(&number).copied().unwrap_or(0);
        let first_step = cells.keys().next().map_or(0, |number| place(*number));
        let count = cells.keys().next_back().map_or(0, |number| place(*number) + 1 - first_step);
        let mut dense = vec![Cell::default(); count];
        for (number, cell) in cells {
            dense[place(number) - first_step] = cell;
        }
        Row { description, parent, first, last, previous, is_whole, end: self.end, first_step, cells: dense }
    }
}

fn kept_rows(life: DraftLife, parent: Option<Identity>) -> impl Iterator<Item = DraftedRow> {
    let newest = life.rows.len() - 1;
    let end = life.end;
    life.rows.into_iter().enumerate().map(move |(index, mut row)| {
        let known = &row.description;
        row.description = Arc::new(Description {
            identity: known.identity,
            parent_pid: parent.map(|parent| parent.pid),
            name: Arc::clone(&known.name),
            command_line: None,
            user: known.user.clone(),
            executable: None,
            cgroup: None,
        });
        row.parent = parent;
        DraftedRow { row, end: end.filter(|_| index == newest) }
    })
}

fn key(description: &Description, parent: Option<Identity>, began_before: bool) -> FoldedKey {
    FoldedKey { name: Arc::clone(&description.name), user: description.user.clone(), parent, began_before }
}

fn alive_ms(life: &DraftLife) -> u64 {
    let until = match life.end {
        Some((end, told)) => end.time.map_or(life.last(), |time| time.min(told).max(life.last())),
        None => life.last(),
    };
    u64::try_from(until.since_ms(life.identity.start.unwrap_or_else(|| life.first()))).unwrap_or(0)
}

/// Who is above whom, and who has rows of its own.
struct Ancestry {
    /// How many nodes are lives; brief ones come after.
    lives: usize,
    is_kept: Vec<bool>,
    identities: Vec<Identity>,
    /// The parent as it was reported first; with a start only from an earlier rollup.
    reported: Vec<Option<Identity>>,
    parents: Vec<Option<usize>>,
    by_identity: HashMap<Identity, usize>,
}

impl Ancestry {
    fn of(draft: &Draft) -> Self {
        let first = draft.steps.values().map(|step| step.first).min().unwrap_or_default();
        let last = draft.steps.values().map(|step| step.last).max().unwrap_or_default();
        let mut nodes: Vec<Node> = Vec::new();
        let mut is_kept = Vec::new();
        for life in &draft.lives {
            let began = life.identity.start.unwrap_or_else(|| life.first());
            let parent = life.rows.iter().min_by_key(|row| row.first).and_then(|row| row.parent);
            let gone = life.end.map_or(life.last().plus_ms(UNTOLD_MS), |(_, told)| told);
            nodes.push(Node { identity: life.identity, began, gone, parent });
            is_kept.push(draft.is_kept(life, first, last));
        }
        for brief in &draft.brief {
            let identity = brief.description.identity;
            let parent = brief.description.parent_pid.map(|pid| Identity { pid, start: None });
            let began = identity.start.unwrap_or(brief.time);
            nodes.push(Node { identity, began, gone: brief.time, parent });
            is_kept.push(false);
        }
        let by_identity =
            nodes.iter().take(draft.lives.len()).enumerate().map(|(index, node)| (node.identity, index)).collect();
        let parents = parents_of(&nodes, &by_identity);
        Self {
            lives: draft.lives.len(),
            is_kept,
            identities: nodes.iter().map(|node| node.identity).collect(),
            reported: nodes.iter().map(|node| node.parent).collect(),
            parents,
            by_identity,
        }
    }

    /// The nearest ancestor of a node that has rows.
    fn kept_above(&self, node: usize) -> Option<Identity> {
        let mut at = self.parents[node];
        for _ in 0..ANCESTORS_MAX {
            let Some(parent) = at else { break };
            if self.is_kept[parent] {
                return Some(self.identities[parent]);
            }
            at = self.parents[parent];
        }
        None
    }

    /// The same for one whose parent is known by its identity.
    fn kept_of(&self, parent: Identity) -> Option<Identity> {
        match self.by_identity.get(&parent) {
            Some(index) if !self.is_kept[*index] => self.kept_above(*index),
            _ => Some(parent),
        }
    }
}

/// A node of the ancestry: who, when it began and was known to be gone, and its parent.
struct Node {
    identity: Identity,
    began: Timestamp,
    gone: Timestamp,
    parent: Option<Identity>,
}

/// For each node its parent: where only the pid is known, of those with that pid that were not gone when it began, the one
/// that began last.
fn parents_of(nodes: &[Node], by_identity: &HashMap<Identity, usize>) -> Vec<Option<usize>> {
    let mut by_pid: BTreeMap<u32, Vec<(Timestamp, usize)>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        by_pid.entry(node.identity.pid).or_default().push((node.began, index));
    }
    by_pid.values_mut().for_each(|nodes| nodes.sort_unstable());
    let parent = |(index, node): (usize, &Node)| {
        let parent = node.parent?;
        if parent.start.is_some() {
            return by_identity.get(&parent).copied().filter(|parent| *parent != index);
        }
        let candidates = by_pid.get(&parent.pid)?;
        let latest = node.began.plus_ms(if node.identity.start.is_some() { CLOCK_SLACK_MS } else { 0 });
        let before = &candidates[..candidates.partition_point(|(began, _)| *began <= latest)];
        let mut candidates = before.iter().rev().map(|(_, parent)| *parent);
        candidates.find(|parent| *parent != index && nodes[*parent].gone >= node.began)
    };
    nodes.iter().enumerate().map(parent).collect()
}
