//! Who started whom, over a range: lives and brief processes as one forest.
//!
//! A pid may be used again within the range, so a parent is found by pid and time: of those with that pid that were
//! not gone when the child began, the one that started last. What nobody is found for is a root.

use std::collections::HashMap;

use procession_model::{Identity, Timestamp, tree::Tree};

use super::lives::{Life, Lives};
use super::piece::Leaf;

/// Clocks may be set between the readings of a parent's start and of its child's.
const CLOCK_SLACK_MS: i64 = 1_000;

/// A node of the forest: first all lives, then all leaves.
pub(crate) struct Forest {
    /// Who is above whom.
    pub(crate) tree: Tree,
}

impl Forest {
    /// Of lives and leaves, in this order.
    pub(crate) fn of(lives: &Lives) -> Self {
        let candidates = Candidates::of(lives);
        let of_life = |(index, life): (usize, &Life)| {
            let began = began_of_life(life);
            candidates.parent(life.parent, life.description().identity, began, index)
        };
        let count = lives.lives.len();
        let of_leaf = |(index, leaf): (usize, &Leaf)| {
            candidates.parent(leaf.parent, leaf.description.identity, began_of_leaf(leaf), count + index)
        };
        let parents = lives.lives.iter().enumerate().map(of_life);
        let parents = parents.chain(lives.leaves.iter().enumerate().map(of_leaf)).collect();
        Self { tree: Tree::of_parents(parents) }
    }
}

fn began_of_life(life: &Life) -> Timestamp {
    life.description().identity.start.unwrap_or(life.first)
}

fn began_of_leaf(leaf: &Leaf) -> Timestamp {
    leaf.description.identity.start.unwrap_or(leaf.first)
}

/// Who may be a parent.
struct Candidates {
    by_pid: HashMap<u32, Vec<Candidate>>,
    by_identity: HashMap<Identity, usize>,
}

/// When one with a pid began and was known to be gone, and its node; in this order.
type Candidate = (Timestamp, usize, Timestamp);

impl Candidates {
    fn of(lives: &Lives) -> Self {
        let count = lives.lives.len();
        let mut by_pid: HashMap<u32, Vec<Candidate>> = HashMap::new();
        let mut by_identity = HashMap::new();
        for (index, life) in lives.lives.iter().enumerate() {
            let identity = life.description().identity;
            by_pid.entry(identity.pid).or_default().push((began_of_life(life), index, life.gone()));
            by_identity.insert(identity, index);
        }
        for (index, leaf) in lives.leaves.iter().enumerate().filter(|(_, leaf)| leaf.count == 1 && leaf.end.is_some()) {
            let identity = leaf.description.identity;
            by_pid.entry(identity.pid).or_default().push((began_of_leaf(leaf), count + index, leaf.time));
        }
        by_pid.values_mut().for_each(|nodes| nodes.sort_unstable());
        Self { by_pid, by_identity }
    }

    fn parent(&self, parent: Option<Identity>, child: Identity, began: Timestamp, node: usize) -> Option<usize> {
        let parent = parent?;
        if parent.start.is_some() {
            return self.by_identity.get(&parent).copied().filter(|parent| *parent != node);
        }
        let nodes = self.by_pid.get(&parent.pid)?;
        // Without starts, all that was there from the first snapshot on began at the same time.
        let latest = began.plus_ms(if child.start.is_some() { CLOCK_SLACK_MS } else { 0 });
        let before = &nodes[..nodes.partition_point(|(start, ..)| *start <= latest)];
        let parent = before.iter().rev().find(|(_, parent, gone)| *parent != node && *gone >= began);
        parent.map(|(_, parent, _)| *parent)
    }
}
