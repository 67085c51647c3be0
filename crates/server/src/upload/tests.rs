//! Uploads as the published documents and hostile senders write them.

use std::sync::Arc;

use procession_model::{Metric, tree::Tree};
use serde_json::{Value, json};

use super::*;

fn parse_json(value: &Value) -> Result<Upload, UploadError> {
    parse(value.to_string().as_bytes())
}

fn with_processes(processes: Value) -> Value {
    json!({ "hostname": "h", "snapshot_time": "2025-08-22T09:15:00Z", "processes": processes })
}

fn fields_of(value: &Value) -> Value {
    match parse_json(value) {
        Err(UploadError::Fields(fields)) => fields,
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn nested_flat_and_mixed_are_the_same() {
    let nested = json!([{ "children": [{ "pid": 2, "name": "b" }], "pid": 1, "name": "a" }, { "pid": 3, "name": "c", "parent_pid": 2 }]);
    let flat = json!([{ "pid": 1, "name": "a" }, { "pid": 2, "name": "b", "parent_pid": 1 }, { "pid": 3, "name": "c", "parent_pid": 2 }]);
    let nested = parse_json(&with_processes(nested)).unwrap().snapshot;
    assert_eq!(nested, parse_json(&with_processes(flat)).unwrap().snapshot);
    assert_eq!(Tree::of(&nested.processes).depth_first(), [(0, 0), (1, 1), (2, 2)]);
}

#[test]
fn every_problem_is_named_by_its_place() {
    let upload = json!({
        "hostname": "",
        "snapshot_time": "noon",
        "processes": [{ "pid": 1, "name": "a", "children": [{ "pid": -1 }, { "pid": 1, "name": "b", "cpu": "x" }] }, 7],
    });
    assert_eq!(
        fields_of(&upload),
        json!({
            "hostname": ["This field may not be blank."],
            "snapshot_time": ["A time as in RFC 3339 is required, such as 2025-08-22T09:15:00Z."],
            "processes": {
                "0": { "children": {
                    "0": { "pid": ["Ensure this value is greater than or equal to 0."], "name": ["This field is required."] },
                    "1": { "cpu": ["A valid number is required."], "pid": ["This pid occurs more than once in the snapshot."] },
                } },
                "1": { "non_field_errors": ["Invalid data. Expected a dictionary."] },
            },
        })
    );
    assert_eq!(
        fields_of(&json!({ "processes": null })),
        json!({ "hostname": ["This field is required."], "snapshot_time": ["This field is required."], "processes": ["Expected a list of items."] })
    );
}

#[test]
fn values_come_out_exactly() {
    let upload =
        with_processes(json!([{ "pid": 4294967295_u32, "name": "", "cpu": 2.5, "memory": "150MB", "unknown": [[{}]],
        "memory_percent": 0.1, "threads": 3, "start_time": 1755854100.25, "state": "sleeping", "user": null }]));
    let snapshot = parse_json(&upload).unwrap().snapshot;
    let process = &snapshot.processes[0];
    assert_eq!(process.sample.get(Metric::Cpu), Some(250));
    assert_eq!(process.sample.get(Metric::Memory), Some(150_000_000));
    assert_eq!(process.sample.memory_percent(), Some(0.1));
    assert_eq!(process.description.identity.start.map(|start| start.as_ms()), Some(1_755_854_100_250));
    assert_eq!(process.description.user, None);
}

#[test]
fn what_is_written_is_read_back() {
    let upload = json!({
        "hostname": "h\u{202e}<script>", "snapshot_time": "2025-08-22T09:15:00.001Z", "cpu_count": 2, "memory_total": 7, "os": "x", "boot_id": "b",
        "host": { "interval_ms": 5000, "cpu": 12.34, "load": 0.07, "memory_used_bytes": 9 },
        "ended": [{ "pid": 9, "name": "gone", "exit_code": -1, "ended_at": "2025-08-22T09:14:59.999Z", "peak_memory_bytes": 1 }],
        "brief": [{ "pid": 10, "name": "short", "signal": 9, "count": 4 }],
        "losses": [{ "kind": "events", "from": "2025-08-22T09:14:00Z", "until": "2025-08-22T09:15:00Z", "count": 3 }],
        "field_errors": [{ "field": "read_bytes", "reason": "denied", "processes": 12 }],
        "processes": [{ "pid": 1, "name": "a\"\n", "cpu": 0.07, "memory": 123456789, "command_line": "a b", "cgroup": "/x", "executable": "/a", "state": "odd" },
                      { "pid": 2, "name": "b", "parent_pid": 1, "memory_percent": 33.333333333 }],
    });
    let first = parse_json(&upload).unwrap();
    let mut text = Vec::new();
    write(&first.hostname, &first.snapshot, &mut text);
    assert_eq!(parse(&text).unwrap(), first);
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| {
        let mut text = r#"{"hostname":"h","snapshot_time":"2025-08-22T09:15:00Z","processes":"#.to_owned();
        for pid in 0..depth {
            text += &format!(r#"[{{"pid":{pid},"name":"p","children":"#);
        }
        text += "[]";
        text += &"}]".repeat(depth);
        text + "}"
    };
    assert_eq!(parse(nested(NESTING_MAX - 1).as_bytes()).unwrap().snapshot.processes.len(), NESTING_MAX - 1);
    for depth in [NESTING_MAX + 1, 10_000, 100_000] {
        assert!(
            matches!(parse(nested(depth).as_bytes()), Err(UploadError::Fields(fields)) if fields["processes"].is_array())
        );
    }
    let ignored = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(parse(ignored.as_bytes()), Err(UploadError::Fields(_))));
    assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn what_is_not_json_says_so() {
    for text in ["", "{", "nonsense", "{\"hostname\": \"h\",}", "{} {}", "\u{feff}{}"] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, UploadError::Json(_)), "{text}: {error:?}");
        assert!(error.to_string().starts_with("JSON parse error - "));
    }
    assert!(matches!(parse(b"{\"hostname\": \"\xff\"}"), Err(UploadError::Json(_))));
    assert!(matches!(parse(b"[1]"), Err(UploadError::Fields(_))));
}

#[test]
fn lone_surrogates_do_not_lose_a_snapshot() {
    let text = r#"{"hostname":"h","snapshot_time":"2025-08-22T09:15:00Z","processes":[{"pid":1,"name":"a\udcffb"}]}"#;
    assert_eq!(&*parse(text.as_bytes()).unwrap().snapshot.processes[0].description.name, "a\u{fffd}b");
}

#[test]
fn the_other_client() {
    let body = br#"{"system_name": "System_A", "processes": [{"pid": 1234, "name": "python", "cpu_percent": 5.2, "memory_percent": 1.5}]}"#;
    let at = procession_model::Timestamp::from_ms(5);
    let upload = read(body, Dialect::System, Some(at), &KnownUploads::none()).unwrap();
    assert_eq!((upload.hostname.as_str(), upload.snapshot.time), ("System_A", at));
    assert_eq!(upload.snapshot.processes[0].sample.get(Metric::Cpu), Some(520));
}

#[test]
fn what_is_known_of_a_host_changes_nothing_of_what_is_read() {
    let process = |pid: u32, title: &str| json!({ "pid": pid, "name": format!("p{pid}"), "start_time": pid, "command_line": title });
    let first = with_processes((1..40).map(|pid| process(pid, "a")).collect());
    // Some are gone, one has another title, one is another process of the same pid, one is new, and one stands elsewhere.
    let mut other: Vec<Value> = (4..40).filter(|pid| *pid != 20).map(|pid| process(pid, "a")).collect();
    other[3] = process(7, "b");
    other[5]["start_time"] = json!(1_000);
    other.insert(9, process(50, "a"));
    other.push(process(1, "a"));
    let second = with_processes(other.into());

    let uploads = KnownUploads::new();
    let known = parse_json(&first).unwrap();
    uploads.keep(known.hostname.clone(), Arc::new(known.snapshot.clone()), first.to_string().len());
    let read_knowing = |value: &Value| read(value.to_string().as_bytes(), Dialect::Monitor, None, &uploads).unwrap();
    let again = read_knowing(&first);
    assert_eq!(again, known);
    let shared = |upload: &Upload| {
        let pairs = upload.snapshot.processes.iter().filter(|process| {
            known.snapshot.processes.iter().any(|known| Arc::ptr_eq(&known.description, &process.description))
        });
        pairs.count()
    };
    assert_eq!(shared(&again), 39);
    let next = read_knowing(&second);
    assert_eq!(next, parse_json(&second).unwrap());
    assert!(shared(&next) >= 32, "{}", shared(&next));
}
