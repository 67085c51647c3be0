//! The process tree of one snapshot.
//!
//! Parents come as pids, which anyone may have sent: a parent may be missing, be the process itself, close a cycle, or be
//! a later process that got the pid of the real parent. Each of these makes a root, so every process is in the tree
//! exactly once and nothing recurses: depth costs no stack.

use std::collections::HashMap;

use crate::{Identity, Process};

/// A forest over the processes of a snapshot, by their index in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl Tree {
    /// The tree of these processes. Children and roots keep the order in which the processes stand.
    pub fn of(processes: &[Process]) -> Self {
        let parents: Vec<_> =
            processes.iter().map(|process| (process.description.identity, process.description.parent_pid)).collect();
        Self::of_identities(&parents)
    }

    /// The tree of processes of which identity and parent's pid are given.
    pub fn of_identities(processes: &[(Identity, Option<u32>)]) -> Self {
        let by_pid: HashMap<u32, usize> =
            processes.iter().enumerate().map(|(index, (identity, _))| (identity.pid, index)).collect();
        let parents = processes
            .iter()
            .enumerate()
            .map(|(index, (identity, parent_pid))| {
                let parent = *by_pid.get(&(*parent_pid)?)?;
                (parent != index && could_be_parent(processes[parent].0, *identity)).then_some(parent)
            })
            .collect();
        Self::of_parents(parents)
    }

    /// The tree of nodes of which the parents' indices are given; one that is no node's is none.
    pub fn of_parents(mut parents: Vec<Option<usize>>) -> Self {
        let count = parents.len();
        for parent in &mut parents {
            *parent = parent.filter(|parent| *parent < count);
        }
        break_cycles(&mut parents);
        let mut children = vec![Vec::new(); count];
        let mut roots = Vec::new();
        for (index, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(index),
                None => roots.push(index),
            }
        }
        Self { parents, children, roots }
    }

    /// Processes without a parent in the snapshot.
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// Children of a process.
    pub fn children(&self, index: usize) -> &[usize] {
        self.children.get(index).map_or(&[], Vec::as_slice)
    }

    /// Parent of a process.
    pub fn parent(&self, index: usize) -> Option<usize> {
        self.parents.get(index).copied().flatten()
    }

    /// All processes with their depth, each parent before its children, roots at depth 0.
    pub fn depth_first(&self) -> Vec<(usize, usize)> {
        let mut order = Vec::with_capacity(self.parents.len());
        let mut stack: Vec<(usize, usize)> = self.roots.iter().rev().map(|root| (*root, 0)).collect();
        while let Some((index, depth)) = stack.pop() {
            order.push((index, depth));
            stack.extend(self.children[index].iter().rev().map(|child| (*child, depth + 1)));
        }
        order
    }

    /// For each process the sum of `value` over it and all below it. Saturates.
    pub fn subtree_sums(&self, value: impl Fn(usize) -> u64) -> Vec<u64> {
        let mut sums: Vec<u64> = (0..self.parents.len()).map(value).collect();
        for (index, _) in self.depth_first().into_iter().rev() {
            if let Some(parent) = self.parents[index] {
                sums[parent] = sums[parent].saturating_add(sums[index]);
            }
        }
        sums
    }
}

/// A process that started after its child is another process with a reused pid. One second is allowed for clocks that
/// were set between the two readings.
fn could_be_parent(parent: Identity, child: Identity) -> bool {
    const CLOCK_SLACK_MS: i64 = 1_000;
    match (parent.start, child.start) {
        (Some(parent), Some(child)) => parent.since_ms(child) <= CLOCK_SLACK_MS,
        _ => true,
    }
}

/// Makes the process that closes a cycle a root: the first one of the cycle that a walk from the lowest index meets
/// twice.
fn break_cycles(parents: &mut [Option<usize>]) {
    const UNSEEN: usize = usize::MAX;
    let mut seen_in = vec![UNSEEN; parents.len()];
    for walk in 0..parents.len() {
        let mut at = walk;
        loop {
            if seen_in[at] == walk {
                parents[at] = None;
                break;
            }
            if seen_in[at] != UNSEEN {
                break;
            }
            seen_in[at] = walk;
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn tree(pairs: &[(u32, Option<u32>)]) -> Tree {
        let processes: Vec<_> =
            pairs.iter().map(|(pid, parent)| (Identity { pid: *pid, start: None }, *parent)).collect();
        Tree::of_identities(&processes)
    }

    #[test]
    fn parents_before_children() {
        let tree = tree(&[(3, Some(2)), (2, Some(1)), (1, None), (4, Some(1))]);
        assert_eq!(tree.depth_first(), [(2, 0), (1, 1), (0, 2), (3, 1)]);
        assert_eq!(tree.subtree_sums(|_| 1), [1, 2, 4, 1]);
    }

    #[test]
    fn missing_own_and_cyclic_parents_make_roots() {
        let tree = tree(&[(1, Some(99)), (2, Some(2)), (3, Some(5)), (4, Some(3)), (5, Some(4))]);
        assert_eq!(tree.roots(), [0, 1, 2]);
        assert_eq!(tree.depth_first().len(), 5);
    }

    #[test]
    fn a_reused_pid_is_not_a_parent() {
        let at = |pid, ms| Identity { pid, start: Some(Timestamp::from_ms(ms)) };
        let tree = Tree::of_identities(&[(at(1, 60_000), None), (at(2, 5_000), Some(1))]);
        assert_eq!(tree.roots(), [0, 1]);
    }

    #[test]
    fn depth_costs_no_stack() {
        let chain: Vec<_> = (1..=200_000).map(|pid| (pid, (pid > 1).then(|| pid - 1))).collect();
        assert_eq!(tree(&chain).depth_first().last(), Some(&(199_999, 199_999)));
    }
}
