//! From a draft to a snapshot: what has to be there is there, no pid occurs twice, nested processes have their parents.

use std::sync::Arc;

use procession_model::{Process, Snapshot, Timestamp};

use super::draft::{Draft, ProcessDraft};
use super::known::{Known, KnownUploads};
use super::{Dialect, Upload, UploadError};

const REQUIRED: &str = "This field is required.";

/// The snapshot, or everything that is wrong with the draft.
pub(super) fn finish(
    mut draft: Draft<'_>,
    dialect: Dialect,
    received: Option<Timestamp>,
    uploads: &KnownUploads,
) -> Result<Upload, UploadError> {
    let time = draft.time.or(received);
    require_fields(&mut draft, dialect, time.is_some());
    require_process_fields(&mut draft);
    refuse_equal_pids(&mut draft);
    if let Some(error) = draft.error() {
        return Err(error);
    }
    let hostname = draft.hostname.unwrap_or_default().into_owned();
    let pids: Vec<u32> = draft.processes.iter().map(|process| process.pid.unwrap_or_default()).collect();
    let before = uploads.last_of(&hostname);
    let mut known = Known::in_snapshot(before.as_deref());
    let mut into_process = |draft: &mut ProcessDraft<'_>| {
        // Nesting tells the parent where `parent_pid` does not; where both do, `parent_pid` counts.
        draft.parent_pid = draft.parent_pid.or(draft.nested_in.map(|parent| pids[parent]));
        Process { description: known.description(draft), sample: draft.sample }
    };
    let processes = draft.processes.iter_mut().map(&mut into_process).collect();
    let snapshot = Snapshot {
        time: time.unwrap_or_default(),
        facts: Arc::new(draft.facts),
        host: draft.host,
        processes,
        ended: draft.ended,
        brief: draft.brief,
        losses: draft.losses,
        field_errors: draft.field_errors,
    };
    Ok(Upload { hostname, snapshot })
}

fn require_fields(draft: &mut Draft<'_>, dialect: Dialect, has_time: bool) {
    let hostname = if dialect == Dialect::Monitor { "hostname" } else { "system_name" };
    let present =
        [(hostname, draft.hostname.is_some()), ("snapshot_time", has_time), ("processes", draft.has_processes)];
    for (field, present) in present {
        if !present && !draft.has_problem(None, field) {
            draft.problem(None, field, REQUIRED);
        }
    }
}

fn require_process_fields(draft: &mut Draft<'_>) {
    for index in 0..draft.processes.len() {
        let process = &draft.processes[index];
        let absent = [("pid", process.pid.is_none()), ("name", process.name.is_none())];
        for (field, absent) in absent {
            let told = |field| draft.has_problem(Some(index), field);
            if absent && !told(field) && !told("non_field_errors") {
                draft.problem(Some(index), field, REQUIRED);
            }
        }
    }
}

fn refuse_equal_pids(draft: &mut Draft<'_>) {
    let mut pids: Vec<(u32, usize)> =
        draft.processes.iter().enumerate().filter_map(|(index, process)| Some((process.pid?, index))).collect();
    pids.sort_unstable();
    for pair in pids.windows(2) {
        if pair[0].0 == pair[1].0 {
            draft.problem(Some(pair[1].1), "pid", "This pid occurs more than once in the snapshot.");
        }
    }
}
