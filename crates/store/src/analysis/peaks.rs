//! The most memory that several processes had at one snapshot: the peak of a sum, which no sum of peaks tells.
//!
//! One group at a time is added up over the snapshots of one piece, so the memory for it is that of few such sums, however
//! many processes there are. From a rollup it is an estimate: each step counts with the most that each long-lived process had
//! in it. Short-lived ones, which are folded there, are left to the caller.

use std::ops::Range as Span;

use procession_model::Metric;
use procession_model::tree::Tree;

use super::lives::{Lives, Member};
use super::piece::Piece;
use crate::rollup::each_stretch;

impl Piece {
    /// How many snapshots or steps it has.
    fn slots(&self) -> usize {
        match self {
            Self::Raw(raw) => (raw.window.end - raw.window.start) as usize,
            Self::Rolled(rolled) => rolled.window.len(),
        }
    }

    /// The resident memory of a row over its snapshots or steps.
    fn each_memory(&self, row: usize, mut see: impl FnMut(Span<usize>, u64)) {
        match self {
            Self::Raw(raw) => {
                let place = |frame: u32| (frame - raw.window.start) as usize;
                let Some(block) = raw.block() else { return };
                let series = block.row_series(row, Metric::Memory);
                each_stretch(series, &raw.within(row), |span, value| see(place(span.start)..place(span.end), value));
            }
            Self::Rolled(rolled) => {
                for (step, cell) in rolled.cells(row) {
                    let place = step - rolled.window.start;
                    cell.memory_max.into_iter().for_each(|value| see(place..place + 1, value));
                }
            }
        }
    }

    /// The resident memory of a row, summed up over its snapshots or steps.
    pub(crate) fn memory(&self, row: usize) -> u64 {
        let mut sum = 0_u64;
        self.each_memory(row, |span, value| sum = sum.saturating_add(value.saturating_mul(span.len() as u64)));
        sum
    }

    fn add_memory(&self, row: usize, sums: &mut [u64]) {
        self.each_memory(row, |span, value| {
            for sum in &mut sums[span] {
                *sum = sum.saturating_add(value);
            }
        });
    }
}

/// The peaks of groups of rows; `group` says which one a row is in, below `count`.
pub(crate) fn of_groups(
    pieces: &[Piece],
    lives: &Lives,
    count: usize,
    group: impl Fn(&Member) -> Option<usize>,
) -> Vec<u64> {
    let mut peaks = vec![0; count];
    for (piece, members) in pieces.iter().zip(&lives.members) {
        let mut rows: Vec<(usize, usize)> =
            members.iter().filter_map(|member| Some((group(member)?, member.row))).collect();
        rows.sort_unstable();
        let mut sums = vec![0_u64; piece.slots()];
        for rows in rows.chunk_by(|a, b| a.0 == b.0) {
            sums.fill(0);
            rows.iter().for_each(|(_, row)| piece.add_memory(*row, &mut sums));
            let peak = &mut peaks[rows[0].0];
            *peak = sums.iter().copied().max().unwrap_or(0).max(*peak);
        }
    }
    peaks
}

/// The peaks of every subtree of a forest whose first nodes are the lives.
pub(crate) fn of_subtrees(pieces: &[Piece], lives: &Lives, tree: &Tree, nodes: usize) -> Vec<u64> {
    let order = lightest_first(tree, nodes);
    let mut peaks = vec![0; nodes];
    for (piece, members) in pieces.iter().zip(&lives.members) {
        let mut rows: Vec<(usize, usize)> = members.iter().map(|member| (member.life, member.row)).collect();
        rows.sort_unstable();
        let mut sums: Vec<Option<Vec<u64>>> = vec![None; nodes];
        for node in order.iter().rev() {
            let own = rows.partition_point(|(life, _)| life < node)..rows.partition_point(|(life, _)| life <= node);
            let mut below = sums[*node].take();
            for (_, row) in &rows[own] {
                piece.add_memory(*row, below.get_or_insert_with(|| vec![0; piece.slots()]));
            }
            let Some(below) = below else { continue };
            peaks[*node] = below.iter().copied().max().unwrap_or(0).max(peaks[*node]);
            if let Some(parent) = tree.parent(*node) {
                match &mut sums[parent] {
                    Some(above) => {
                        above.iter_mut().zip(&below).for_each(|(above, below)| *above = above.saturating_add(*below));
                    }
                    none => *none = Some(below),
                }
            }
        }
    }
    peaks
}

/// All nodes, parents before children, of siblings the one with the smallest subtree first. Gone through from the end, the
/// sums that wait for their parents are then no more than a logarithm of the nodes, whatever the shape.
fn lightest_first(tree: &Tree, nodes: usize) -> Vec<usize> {
    let sizes = tree.subtree_sums(|_| 1);
    let by_size = |nodes: &[usize]| {
        let mut nodes = nodes.to_vec();
        nodes.sort_by_key(|node| std::cmp::Reverse(sizes[*node]));
        nodes
    };
    let mut order = Vec::with_capacity(nodes);
    let mut stack = by_size(tree.roots());
    while let Some(node) = stack.pop() {
        order.push(node);
        stack.extend(by_size(tree.children(node)));
    }
    order
}
