//! Who used most of it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use procession_model::{Metric, Timestamp};

use super::forest::Forest;
use super::lives::{Life, Lives};
use super::piece::{HostSums, Leaf, Piece};
use super::{Group, Measure, ROWS_MAX, Top, TopRow, peaks};
use crate::rollup::Cell;

/// The ranking over pieces, which stand by time. `start` is the start of the range that is asked for.
pub(crate) fn top(pieces: &[Piece], by: Measure, group: Group, start: Option<Timestamp>, limit: usize) -> Top {
    let lives = Lives::of(pieces, &|_| true, start);
    let host = host_sums(pieces);
    let values = if by == Measure::MemoryGrowth { growth(pieces, &lives) } else { amounts(&lives, by) };
    let ranking = Ranking { pieces, lives: &lives, by, values, snapshots: host.snapshots };
    let mut rows = match group {
        Group::Process => ranking.processes(),
        Group::Program => ranking.groups(|description| Some(Arc::clone(&description.name))),
        Group::User => ranking.groups(|description| description.user.clone()),
        Group::Subtree => ranking.subtrees(),
    };
    rows.retain(|row| row.0.value != 0);
    rows.sort_by_key(|(row, order)| (Reverse(row.value), *order));
    let count = rows.len() as u64;
    rows.truncate(limit.min(ROWS_MAX));
    link(&mut rows);
    let attributed = ranking.attributed();
    let total = if by == Measure::MemoryGrowth { host_growth(pieces) } else { total(by, &host) };
    Top {
        total,
        attributed,
        unattributed: total.map(|total| total.saturating_sub(attributed).max(0)),
        rows: rows.into_iter().map(|(row, _)| row).collect(),
        count,
        snapshots: host.snapshots,
        rollup_ms: pieces.iter().map(Piece::rollup_ms).max().unwrap_or(0),
    }
}

/// A row, and its place among equals: for subtrees the place of its node in the forest, parents first.
type Placed = (TopRow, usize);

struct Ranking<'a> {
    pieces: &'a [Piece],
    lives: &'a Lives,
    by: Measure,
    /// For each life what it used under each of its names.
    values: Vec<Vec<i64>>,
    snapshots: u64,
}

impl Measure {
    /// What has to be known of processes for it.
    pub(super) const fn metrics(self) -> &'static [Metric] {
        match self {
            Measure::CpuTime => &[Metric::Cpu],
            Measure::MemoryPeak | Measure::MemoryMean | Measure::MemoryGrowth => &[Metric::Memory],
            Measure::Io => &[Metric::ReadBytes, Metric::WriteBytes],
            Measure::Read => &[Metric::ReadBytes],
            Measure::Write => &[Metric::WriteBytes],
        }
    }

    /// This of a cell with CPU time that its end told of, as it is added up.
    fn of(self, cell: &Cell, extra_tenths: u64) -> i64 {
        let value = match self {
            Measure::CpuTime => u128::from(cell.cpu_tenths) + u128::from(extra_tenths),
            Measure::MemoryPeak => u128::from(cell.memory_max.unwrap_or(0)),
            Measure::MemoryMean => u128::from(cell.memory_sum),
            Measure::Io => u128::from(cell.read.unwrap_or(0)) + u128::from(cell.write.unwrap_or(0)),
            Measure::Read => u128::from(cell.read.unwrap_or(0)),
            Measure::Write => u128::from(cell.write.unwrap_or(0)),
            Measure::MemoryGrowth => 0,
        };
        i64::try_from(value).unwrap_or(i64::MAX)
    }
}

impl Ranking<'_> {
    /// What was added up, in the unit of the measure.
    fn in_unit(&self, sum: i64) -> i64 {
        match self.by {
            Measure::CpuTime => sum / 10,
            Measure::MemoryMean => sum / i64::try_from(self.snapshots.max(1)).unwrap_or(i64::MAX),
            _ => sum,
        }
    }

    /// What each life used.
    fn owns(&self) -> impl Iterator<Item = i64> {
        let peak = self.by == Measure::MemoryPeak;
        self.values.iter().map(move |spans| {
            let spans = spans.iter().copied();
            if peak { spans.max().unwrap_or(0) } else { spans.fold(0, i64::saturating_add) }
        })
    }

    fn own_of_leaf(&self, leaf: &Leaf) -> i64 {
        self.by.of(&leaf.cell, leaf.extra_tenths)
    }

    fn attributed(&self) -> i64 {
        if self.by == Measure::MemoryPeak {
            let peak = peaks::of_groups(self.pieces, self.lives, 1, |_| Some(0));
            return i64::try_from(peak[0]).unwrap_or(i64::MAX);
        }
        let lives = self.owns();
        let leaves = self.lives.leaves.iter().map(|leaf| self.own_of_leaf(leaf));
        self.in_unit(lives.chain(leaves).fold(0, i64::saturating_add))
    }

    fn processes(&self) -> Vec<Placed> {
        let life = |(life, own): (&Life, i64)| {
            let value = self.in_unit(own);
            row_of_life(life, value, value, 1)
        };
        let mut rows: Vec<TopRow> = self.lives.lives.iter().zip(self.owns()).map(life).collect();
        let by_program = |leaf: &Leaf| {
            let description = &leaf.description;
            (Arc::clone(&description.name), description.user.clone(), leaf.parent)
        };
        for leaves in grouped(self.lives.leaves.iter(), by_program) {
            let value = self.in_unit(leaves.iter().map(|leaf| self.own_of_leaf(leaf)).fold(0, i64::saturating_add));
            rows.push(row_of_leaf(leaves[0], value, value, leaves.iter().map(|leaf| leaf.count).sum()));
        }
        rows.into_iter().zip(0..).collect()
    }

    fn groups(&self, key: impl Fn(&procession_model::Description) -> Option<Arc<str>>) -> Vec<Placed> {
        let mut groups: HashMap<Option<Arc<str>>, usize> = HashMap::new();
        let mut sums: Vec<(Option<Arc<str>>, i64, u64)> = Vec::new();
        let mut add = |label: Option<Arc<str>>, value: i64, processes: u64| {
            let group = *groups.entry(label.clone()).or_insert(sums.len());
            if group == sums.len() {
                sums.push((label, 0, 0));
            }
            sums[group].1 = sums[group].1.saturating_add(value);
            sums[group].2 += processes;
            group
        };
        let mut group_of: Vec<Vec<usize>> = Vec::with_capacity(self.lives.lives.len());
        for (life, values) in self.lives.lives.iter().zip(&self.values) {
            let spans =
                life.spans.iter().zip(values).enumerate().map(|(index, (span, value))| {
                    add(key(&span.description), *value, u64::from(index == life.newest()))
                });
            group_of.push(spans.collect());
        }
        let mut leaf_peaks: HashMap<usize, i64> = HashMap::new();
        for leaf in &self.lives.leaves {
            let own = self.own_of_leaf(leaf);
            let group = add(key(&leaf.description), own, leaf.count);
            let peak = leaf_peaks.entry(group).or_insert(own);
            *peak = own.max(*peak);
        }
        if self.by == Measure::MemoryPeak {
            let peaks = peaks::of_groups(self.pieces, self.lives, sums.len(), |member| {
                group_of.get(member.life).and_then(|spans| spans.get(member.span)).copied()
            });
            for (index, (sum, peak)) in sums.iter_mut().zip(peaks).enumerate() {
                sum.1 = i64::try_from(peak).unwrap_or(i64::MAX).max(leaf_peaks.get(&index).copied().unwrap_or(0));
            }
        }
        let rows = sums.into_iter().map(|(label, sum, processes)| {
            let value = self.in_unit(sum);
            TopRow { label, description: None, value, own: value, processes, parent: None, brief: false }
        });
        rows.zip(0..).collect()
    }

    fn subtrees(&self) -> Vec<Placed> {
        let (lives, leaves) = (&self.lives.lives, &self.lives.leaves);
        let tree = Forest::of(self.lives).tree;
        let nodes = lives.len() + leaves.len();
        let stands_for = together(&tree, leaves, lives.len());
        let mut own: Vec<i64> = self.owns().collect();
        own.extend(leaves.iter().map(|leaf| self.own_of_leaf(leaf)));
        let mut processes: Vec<u64> = vec![1; lives.len()];
        processes.extend(leaves.iter().map(|leaf| leaf.count));
        for (leaf, first) in stands_for.iter().enumerate().map(|(leaf, first)| (lives.len() + leaf, *first)) {
            if leaf != first {
                own[first] = own[first].saturating_add(std::mem::take(&mut own[leaf]));
                processes[first] += std::mem::take(&mut processes[leaf]);
            }
        }
        let order = tree.depth_first();
        let mut sums = own.clone();
        for (node, _) in order.iter().rev() {
            if let Some(parent) = tree.parent(*node) {
                sums[parent] = sums[parent].saturating_add(sums[*node]);
                processes[parent] += processes[*node];
            }
        }
        if self.by == Measure::MemoryPeak {
            let peaks = peaks::of_subtrees(self.pieces, self.lives, &tree, nodes);
            sums = peaks.into_iter().map(|peak| i64::try_from(peak).unwrap_or(i64::MAX)).collect();
            for (node, _) in order.iter().rev() {
                sums[*node] = sums[*node].max(own[*node]);
                if let Some(parent) = tree.parent(*node) {
                    sums[parent] = sums[parent].max(sums[*node]);
                }
            }
        }
        let mut rows = Vec::with_capacity(nodes);
        // Where each node's row is among those listed: its place in the order, until rows are ranked.
        let mut places = vec![0; nodes];
        for (place, (node, _)) in order.iter().enumerate() {
            places[*node] = place;
            let (value, own) = (self.in_unit(sums[*node]), self.in_unit(own[*node]));
            let parent = tree.parent(*node).map(|parent| places[parent]);
            let mut row = match node.checked_sub(lives.len()) {
                None => row_of_life(&lives[*node], value, own, processes[*node]),
                Some(leaf) if stands_for[leaf] == *node => row_of_leaf(&leaves[leaf], value, own, processes[*node]),
                Some(_) => continue,
            };
            row.parent = parent;
            rows.push((row, place));
        }
        rows
    }
}

/// What each life used under each of its names; what only its end told of counts for the newest.
fn amounts(lives: &Lives, by: Measure) -> Vec<Vec<i64>> {
    let of_life = |life: &Life| {
        let extra = life.extra().map_or(0, |(extra, _)| extra);
        let spans = life.spans.iter().enumerate();
        spans.map(|(index, span)| by.of(&span.cell, if index == life.newest() { extra } else { 0 })).collect()
    };
    lives.lives.iter().map(of_life).collect()
}

/// By how much the memory of each life grew from the first piece to the last, each being one snapshot.
fn growth(pieces: &[Piece], lives: &Lives) -> Vec<Vec<i64>> {
    let mut grown: Vec<Vec<i64>> = lives.lives.iter().map(|life| vec![0; life.spans.len()]).collect();
    let [first, .., last] = pieces else { return grown };
    let [members_first, .., members_last] = lives.members.as_slice() else { return grown };
    for (piece, members, sign) in [(first, members_first, -1), (last, members_last, 1)] {
        for member in members {
            let grown = &mut grown[member.life][member.span];
            *grown = grown.saturating_add(sign * i64::try_from(piece.memory(member.row)).unwrap_or(i64::MAX));
        }
    }
    grown
}

fn host_growth(pieces: &[Piece]) -> Option<i64> {
    let used = |piece: &Piece| Some(i64::try_from(piece.host_sums().memory_max?).unwrap_or(i64::MAX));
    Some(used(pieces.last()?)?.saturating_sub(used(pieces.first()?)?))
}

/// For each leaf the node that it is shown with: itself, or the first leaf of the same program, user and parent. Leaves with
/// children stay apart.
fn together(tree: &procession_model::tree::Tree, leaves: &[Leaf], lives: usize) -> Vec<usize> {
    let mut first: HashMap<_, usize> = HashMap::new();
    let of = |(index, leaf): (usize, &Leaf)| {
        let node = lives + index;
        if !tree.children(node).is_empty() {
            return node;
        }
        let key = (tree.parent(node), Arc::clone(&leaf.description.name), leaf.description.user.clone());
        *first.entry(key).or_insert(node)
    };
    leaves.iter().enumerate().map(of).collect()
}

/// Turns parents from places in the forest into indices of rows: the nearest ancestor that has a row.
fn link(rows: &mut [Placed]) {
    let index_of: HashMap<usize, usize> = rows.iter().enumerate().map(|(index, (_, place))| (*place, index)).collect();
    for (row, _) in rows {
        row.parent = row.parent.and_then(|place| index_of.get(&place).copied());
    }
}

fn row_of_life(life: &Life, value: i64, own: i64, processes: u64) -> TopRow {
    let description = Arc::clone(life.description());
    let label = Some(Arc::clone(&description.name));
    TopRow { label, description: Some(description), value, own, processes, parent: None, brief: false }
}

fn row_of_leaf(leaf: &Leaf, value: i64, own: i64, processes: u64) -> TopRow {
    let description = Arc::clone(&leaf.description);
    let label = Some(Arc::clone(&description.name));
    TopRow { label, description: Some(description), value, own, processes, parent: None, brief: true }
}

/// What has the same key together, in the order in which the keys first come.
fn grouped<'a, T, K: Hash + Eq>(items: impl Iterator<Item = &'a T>, key: impl Fn(&T) -> K) -> Vec<Vec<&'a T>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<Vec<&T>> = Vec::new();
    for item in items {
        let place = *places.entry(key(item)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(item);
    }
    groups
}

fn host_sums(pieces: &[Piece]) -> HostSums {
    let mut sums = HostSums::default();
    for piece in pieces {
        let more = piece.host_sums();
        sums.snapshots += more.snapshots;
        sums.cpu_tenths = crate::rollup::sum(sums.cpu_tenths, more.cpu_tenths);
        sums.memory_sum = sums.memory_sum.saturating_add(more.memory_sum);
        sums.memory_snapshots += more.memory_snapshots;
        sums.memory_max = sums.memory_max.max(more.memory_max);
    }
    sums
}

/// What the host used by its own counters.
fn total(by: Measure, host: &HostSums) -> Option<i64> {
    let total = match by {
        Measure::CpuTime => u128::from(host.cpu_tenths? / 10),
        Measure::MemoryMean => host.memory_sum.checked_div(u128::from(host.memory_snapshots))?,
        Measure::MemoryPeak => u128::from(host.memory_max?),
        Measure::MemoryGrowth | Measure::Io | Measure::Read | Measure::Write => return None,
    };
    Some(i64::try_from(total).unwrap_or(i64::MAX))
}
