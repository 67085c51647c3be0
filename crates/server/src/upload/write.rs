//! Writes a snapshot as an upload, with every field, so that reading it gives the same snapshot.

use procession_model::{Description, HostFacts, HostSample, Metric, Sample, Snapshot};

use super::extras::{EndedJson, FieldErrorJson, HostJson, LossJson};
use crate::json_text::{field, some_field, value};
use crate::time_text;

/// Appends one upload body: processes as a flat list with `parent_pid`, memory in bytes.
pub fn write(hostname: &str, snapshot: &Snapshot, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"hostname\":");
    value(out, hostname);
    field(out, "snapshot_time", &time_text::format(snapshot.time));
    append_facts(&snapshot.facts, out);
    append_extras(snapshot, out);
    out.extend_from_slice(b",\"processes\":[");
    for (index, process) in snapshot.processes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let (description, sample) = (&process.description, &process.sample);
        out.extend_from_slice(b"{\"pid\":");
        value(out, &description.identity.pid);
        field(out, "name", &*description.name);
        some_field(out, "cpu", sample.cpu_percent());
        some_field(out, "memory", sample.get(Metric::Memory));
        some_field(out, "parent_pid", description.parent_pid);
        append_process_fields(description, sample, out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// Appends what is known of a host, each as `,"name":value`.
pub(crate) fn append_facts(facts: &HostFacts, out: &mut Vec<u8>) {
    some_field(out, "cpu_count", facts.cpu_count);
    some_field(out, "memory_total", facts.memory_total_bytes);
    some_field(out, "boot_time", facts.boot_time.map(time_text::format));
    some_field(out, "boot_id", facts.boot_id.as_deref());
    some_field(out, "os", facts.os.as_deref());
    some_field(out, "architecture", facts.architecture.as_deref());
    some_field(out, "agent_version", facts.agent_version.as_deref());
    some_field(out, "collector", facts.collector.as_deref());
}

/// Appends the optional fields of a process that are known, each as `,"name":value`.
pub(crate) fn append_process_fields(description: &Description, sample: &Sample, out: &mut Vec<u8>) {
    some_field(out, "start_time", description.identity.start.map(time_text::format));
    some_field(out, "command_line", description.command_line.as_deref());
    some_field(out, "user", description.user.as_deref());
    some_field(out, "executable", description.executable.as_deref());
    some_field(out, "cgroup", description.cgroup.as_deref());
    some_field(out, "state", sample.state().map(|state| state.name().to_string()));
    some_field(out, "threads", sample.get(Metric::Threads));
    some_field(out, "virtual_memory", sample.get(Metric::VirtualMemory));
    some_field(out, "read_bytes", sample.get(Metric::ReadBytes));
    some_field(out, "write_bytes", sample.get(Metric::WriteBytes));
    some_field(out, "memory_percent", sample.memory_percent());
}

fn append_extras(snapshot: &Snapshot, out: &mut Vec<u8>) {
    if snapshot.host != HostSample::ABSENT {
        field(out, "host", &HostJson::of(&snapshot.host));
    }
    append_list(out, "ended", &snapshot.ended, EndedJson::of_ended);
    append_list(out, "brief", &snapshot.brief, EndedJson::of_brief);
    append_list(out, "losses", &snapshot.losses, LossJson::of);
    append_list(out, "field_errors", &snapshot.field_errors, FieldErrorJson::of);
}

fn append_list<T, J: serde::Serialize>(out: &mut Vec<u8>, name: &str, items: &[T], json: impl Fn(&T) -> J) {
    if !items.is_empty() {
        field(out, name, &items.iter().map(json).collect::<Vec<_>>());
    }
}
