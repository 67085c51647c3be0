//! Snapshots as the published API writes them: processes as trees. Written without recursion: a tree may be as deep as
//! there are processes.

use procession_model::tree::Tree;
use procession_model::{Metric, Process, Snapshot, SnapshotId};

use crate::json_text::{field, value};
use crate::time_text;
use crate::upload;

/// Appends `{"snapshot_id", "hostname", "timestamp", …, "processes"}`.
pub(crate) fn append_detail(hostname: &str, id: SnapshotId, snapshot: &Snapshot, out: &mut Vec<u8>) {
    append(hostname, id, snapshot, "timestamp", out);
}

/// Appends the same with the time as uploads name it: `snapshot_time`.
pub(crate) fn append_upload_shape(hostname: &str, id: SnapshotId, snapshot: &Snapshot, out: &mut Vec<u8>) {
    append(hostname, id, snapshot, "snapshot_time", out);
}

fn append(hostname: &str, id: SnapshotId, snapshot: &Snapshot, time_name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"snapshot_id\":");
    value(out, &id.number());
    field(out, "hostname", hostname);
    field(out, time_name, &time_text::format(snapshot.time));
    upload::append_facts(&snapshot.facts, out);
    out.extend_from_slice(b",\"processes\":");
    append_trees(&snapshot.processes, out);
    out.push(b'}');
}

/// Appends the processes as trees; brothers by pid, so that the order does not depend on what was before.
pub(crate) fn append_trees(processes: &[Process], out: &mut Vec<u8>) {
    let mut by_pid: Vec<Process> = processes.to_vec();
    by_pid.sort_unstable_by_key(|process| process.description.identity.pid);
    let tree = Tree::of(&by_pid);
    out.reserve(64 + by_pid.len() * 160);
    out.push(b'[');
    let mut open = 0;
    let mut first = true;
    for (index, depth) in tree.depth_first() {
        if !first {
            close_down_to(depth, &mut open, out);
        }
        append_head(&by_pid[index], out);
        (first, open) = (false, depth + 1);
    }
    close_all(open, out);
    out.push(b']');
}

/// After a process that left `open` processes open: closes those that are not above `depth`, and parts from a brother.
fn close_down_to(depth: usize, open: &mut usize, out: &mut Vec<u8>) {
    if depth >= *open {
        return;
    }
    close_all(*open - depth, out);
    out.push(b',');
    *open = depth;
}

fn close_all(count: usize, out: &mut Vec<u8>) {
    for _ in 0..count {
        out.extend_from_slice(b"]}");
    }
}

/// Appends a process up to the beginning of its children.
fn append_head(process: &Process, out: &mut Vec<u8>) {
    let (description, sample) = (&process.description, &process.sample);
    out.extend_from_slice(b"{\"pid\":");
    value(out, &description.identity.pid);
    field(out, "name", &*description.name);
    field(out, "cpu", &sample.cpu_percent());
    field(out, "memory", &sample.get(Metric::Memory).map(upload::megabytes));
    field(out, "memory_bytes", &sample.get(Metric::Memory));
    field(out, "parent_pid", &description.parent_pid);
    upload::append_process_fields(description, sample, out);
    out.extend_from_slice(b",\"children\":[");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use procession_model::{Description, Sample};
    use serde_json::Value;

    use super::*;

    fn process(pid: u32, parent: Option<u32>) -> Process {
        let description = Description { parent_pid: parent, ..Description::new(pid, format!("p{pid}")) };
        Process { description: Arc::new(description), sample: Sample::ABSENT.with(Metric::Cpu, 250) }
    }

    #[test]
    fn trees_are_json() {
        let processes =
            [process(9, None), process(3, Some(2)), process(2, Some(1)), process(1, None), process(4, Some(1))];
        let mut out = Vec::new();
        append_trees(&processes, &mut out);
        let trees: Value = serde_json::from_slice(&out).unwrap();
        let child = |tree: &Value, index: usize| tree["children"][index].clone();
        assert_eq!(trees[0]["pid"], 1);
        assert_eq!(child(&trees[0], 0)["pid"], 2);
        assert_eq!(child(&child(&trees[0], 0), 0)["pid"], 3);
        assert_eq!(child(&trees[0], 1)["pid"], 4);
        assert_eq!((&trees[1]["pid"], &trees[1]["cpu"], &trees[1]["memory"]), (&9.into(), &2.5.into(), &Value::Null));
    }

    #[test]
    fn depth_costs_no_stack_and_none_is_an_empty_list() {
        let chain: Vec<_> = (1..=50_000).map(|pid| process(pid, (pid > 1).then(|| pid - 1))).collect();
        let mut out = Vec::new();
        append_trees(&chain, &mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'{').count(), 50_000);
        assert_eq!(out.iter().filter(|byte| **byte == b'}').count(), 50_000);
        out.clear();
        append_trees(&[], &mut out);
        assert_eq!(out, b"[]");
    }
}
