//! What changed between two snapshots.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use procession_model::{Identity, Metric, Process};

use super::{Changed, Changes, ProcessAt, ROWS_MAX};
use crate::KeptSnapshot;

/// What changed from one snapshot to another, at most `limit` rows a list.
pub(crate) fn changes(from: &KeptSnapshot, to: &KeptSnapshot, limit: usize) -> Changes {
    let same_host = from.id.host() == to.id.host();
    let (before, after) = (&from.snapshot.processes, &to.snapshot.processes);
    let pairs = if same_host { by_identity(before, after) } else { by_program(before, after) };
    let mut matched = vec![false; before.len()];
    let (mut began, mut changed) = (Vec::new(), Vec::new());
    for (process, partner) in after.iter().zip(pairs) {
        let Some(partner) = partner else {
            began.push(process_at(process));
            continue;
        };
        matched[partner] = true;
        let old = &before[partner];
        let moved = same_host && old.description.parent_pid != process.description.parent_pid;
        if moved || old.sample != process.sample || (same_host && old.description != process.description) {
            changed.push(Changed { before: process_at(old), after: process_at(process), moved });
        }
    }
    let mut ended: Vec<_> =
        before.iter().zip(&matched).filter(|(_, matched)| !**matched).map(|(process, _)| process_at(process)).collect();
    began.sort_by_key(|process| Reverse(memory(process)));
    ended.sort_by_key(|process| Reverse(memory(process)));
    changed.sort_by_key(|change| Reverse(memory(&change.after).abs_diff(memory(&change.before))));
    let counts = [began.len() as u64, ended.len() as u64, changed.len() as u64];
    let limit = limit.min(ROWS_MAX);
    began.truncate(limit);
    ended.truncate(limit);
    changed.truncate(limit);
    let [began_count, ended_count, changed_count] = counts;
    Changes { from: from.entry(), to: to.entry(), began, ended, changed, began_count, ended_count, changed_count }
}

/// For each process of the later snapshot the same one in the earlier. Without a start, the same pid with the same name.
fn by_identity(before: &[Process], after: &[Process]) -> Vec<Option<usize>> {
    let known: HashMap<Identity, usize> =
        before.iter().enumerate().map(|(index, process)| (process.description.identity, index)).collect();
    let partner = |process: &Process| {
        let found = *known.get(&process.description.identity)?;
        let is_sure = process.description.identity.start.is_some();
        (is_sure || before[found].description.name == process.description.name).then_some(found)
    };
    after.iter().map(partner).collect()
}

/// For each process of one host one of the same name and command line of the other, by pid.
fn by_program(before: &[Process], after: &[Process]) -> Vec<Option<usize>> {
    let program = |process: &Process| (Arc::clone(&process.description.name), process.description.command_line.clone());
    let mut order: Vec<usize> = (0..before.len()).collect();
    order.sort_by_key(|index| Reverse(before[*index].description.identity.pid));
    let mut free: HashMap<_, Vec<usize>> = HashMap::new();
    for index in order {
        free.entry(program(&before[index])).or_default().push(index);
    }
    let mut partners = vec![None; after.len()];
    let mut order: Vec<usize> = (0..after.len()).collect();
    order.sort_by_key(|index| after[*index].description.identity.pid);
    for index in order {
        partners[index] = free.get_mut(&program(&after[index])).and_then(Vec::pop);
    }
    partners
}

fn process_at(process: &Process) -> ProcessAt {
    ProcessAt { description: Arc::clone(&process.description), sample: process.sample }
}

fn memory(process: &ProcessAt) -> u64 {
    process.sample.get(Metric::Memory).unwrap_or(0)
}
