//! From a draft to a snapshot: what has to be there is there, no pid occurs twice, nested processes have their parents.

use std::sync::Arc;

use procession_model::{Description, Identity, Process, Snapshot, Timestamp};

use super::draft::{Draft, ProcessDraft};
use super::{Dialect, Upload, UploadError};

const REQUIRED: &str = "This field is required.";

/// The snapshot, or everything that is wrong with the draft.
pub(super) fn finish(mut draft: Draft, dialect: Dialect, received: Option<Timestamp>) -> Result<Upload, UploadError> {
    let time = draft.time.or(received);
    require_fields(&mut draft, dialect, time.is_some());
    require_process_fields(&mut draft);
    refuse_equal_pids(&mut draft);
    if let Some(error) = draft.error() {
        return Err(error);
    }
    let pids: Vec<u32> = draft.processes.iter().map(|process| process.pid.unwrap_or_default()).collect();
    let processes = draft.processes.into_iter().map(|process| into_process(process, &pids)).collect();
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
    Ok(Upload { hostname: draft.hostname.as_deref().unwrap_or_default().to_owned(), snapshot })
}

fn require_fields(draft: &mut Draft, dialect: Dialect, has_time: bool) {
    let hostname = if dialect == Dialect::Monitor { "hostname" } else { "system_name" };
    let present =
        [(hostname, draft.hostname.is_some()), ("snapshot_time", has_time), ("processes", draft.has_processes)];
    for (field, present) in present {
        if !present && !draft.has_problem(None, field) {
            draft.problem(None, field, REQUIRED);
        }
    }
}

fn require_process_fields(draft: &mut Draft) {
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

fn refuse_equal_pids(draft: &mut Draft) {
    let mut pids: Vec<(u32, usize)> =
        draft.processes.iter().enumerate().filter_map(|(index, process)| Some((process.pid?, index))).collect();
    pids.sort_unstable();
    for pair in pids.windows(2) {
        if pair[0].0 == pair[1].0 {
            draft.problem(Some(pair[1].1), "pid", "This pid occurs more than once in the snapshot.");
        }
    }
}

/// Nesting tells the parent where `parent_pid` does not; where both do, `parent_pid` counts.
fn into_process(draft: ProcessDraft, pids: &[u32]) -> Process {
    let nested_in = draft.nested_in.map(|parent| pids[parent]);
    let description = Description {
        identity: Identity { pid: draft.pid.unwrap_or_default(), start: draft.start },
        parent_pid: draft.parent_pid.or(nested_in),
        name: draft.name.unwrap_or_else(|| "".into()),
        command_line: draft.command_line,
        user: draft.user,
        executable: draft.executable,
        cgroup: draft.cgroup,
    };
    Process { description: Arc::new(description), sample: draft.sample }
}
