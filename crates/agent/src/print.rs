//! What would be sent, in the words of an upload, for people to read.

use jiff::Timestamp as Moment;
use procession_model::{Description, End, Exit, FieldErrorReason, HostMetric, Metric, Process, Snapshot, Timestamp};
use serde_json::{Map, Value, json};

/// A snapshot as one JSON object.
pub(crate) fn to_json(hostname: &str, snapshot: &Snapshot) -> Value {
    let host = |metric| snapshot.host.get(metric);
    json!({
        "hostname": hostname,
        "snapshot_time": time(snapshot.time),
        "cpu_count": snapshot.facts.cpu_count,
        "memory_total": snapshot.facts.memory_total_bytes,
        "boot_time": snapshot.facts.boot_time.map(time),
        "os": snapshot.facts.os,
        "architecture": snapshot.facts.architecture,
        "agent_version": snapshot.facts.agent_version,
        "collector": snapshot.facts.collector,
        "interval_ms": host(HostMetric::IntervalMs),
        "host_cpu": host(HostMetric::Cpu).map(percent),
        "memory_used_bytes": host(HostMetric::MemoryUsed),
        "processes": snapshot.processes.iter().map(process).collect::<Vec<_>>(),
        "short_lived": snapshot.brief.iter().map(|brief| ended(&brief.description, &brief.end, Some(brief.count))).collect::<Vec<_>>(),
        "ended": snapshot.ended.iter().map(|gone| ended(&gone.description, &gone.end, None)).collect::<Vec<_>>(),
        "not_readable": snapshot.field_errors.iter().map(|error| json!({
            "field": error.field,
            "reason": match error.reason {
                FieldErrorReason::Denied => "denied",
                FieldErrorReason::Unsupported => "unsupported",
                FieldErrorReason::Failed => "failed",
            },
            "processes": error.processes,
        })).collect::<Vec<_>>(),
    })
}

fn process(process: &Process) -> Value {
    let sample = &process.sample;
    let measured = [
        ("cpu", json!(sample.cpu_percent())),
        ("memory", json!(sample.get(Metric::Memory))),
        ("virtual_memory", json!(sample.get(Metric::VirtualMemory))),
        ("threads", json!(sample.get(Metric::Threads))),
        ("state", json!(sample.state().map(|state| state.name()))),
        ("read_bytes", json!(sample.get(Metric::ReadBytes))),
        ("write_bytes", json!(sample.get(Metric::WriteBytes))),
    ];
    object(described(&process.description).into_iter().chain(measured))
}

/// A process that is gone; `count` of them where it stands for several.
fn ended(description: &Description, end: &End, count: Option<u32>) -> Value {
    let (exit_code, signal) = match end.exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    };
    let known = [
        ("ended_at", json!(end.time.map(time))),
        ("exit_code", json!(exit_code)),
        ("signal", json!(signal)),
        ("cpu_time_us", json!(end.cpu_time_us)),
        ("peak_memory", json!(end.peak_memory_bytes)),
        ("count", json!(count)),
    ];
    object(described(description).into_iter().chain(known))
}

fn described(description: &Description) -> [(&'static str, Value); 8] {
    [
        ("pid", json!(description.identity.pid)),
        ("parent_pid", json!(description.parent_pid)),
        ("name", json!(description.name)),
        ("start_time", json!(description.identity.start.map(time))),
        ("command_line", json!(description.command_line)),
        ("user", json!(description.user)),
        ("executable", json!(description.executable)),
        ("cgroup", json!(description.cgroup)),
    ]
}

/// Without what is not known.
fn object(fields: impl Iterator<Item = (&'static str, Value)>) -> Value {
    let known = fields.filter(|(_, value)| !value.is_null());
    Value::Object(known.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn percent(hundredths: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a percent stay far below 2^53")]
    let percent = hundredths as f64 / 100.0;
    percent
}

fn time(time: Timestamp) -> Option<String> {
    Moment::from_millisecond(time.as_ms()).ok().map(|moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use procession_model::{Brief, Sample};

    use super::*;

    #[test]
    fn absent_fields_are_left_out() {
        let process =
            Process { description: Arc::new(Description::new(7, "x")), sample: Sample::ABSENT.with(Metric::Cpu, 250) };
        let end = End { exit: Some(Exit::Signal(9)), ..End::default() };
        let brief = vec![Brief { description: Arc::new(Description::new(8, "y")), end, count: 2 }];
        let time = Timestamp::from_ms(1_500);
        let snapshot = Snapshot { time, processes: vec![process], brief, ..Snapshot::default() };
        let json = to_json("box", &snapshot);
        assert_eq!(json["snapshot_time"], "1970-01-01T00:00:01.5Z");
        assert_eq!(json["short_lived"], json!([{"pid": 8, "name": "y", "signal": 9, "count": 2}]));
        assert_eq!(json["processes"], json!([{"pid": 7, "name": "x", "cpu": 2.5}]));
    }
}
