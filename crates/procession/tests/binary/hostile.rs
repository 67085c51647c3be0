//! Names that mean harm, and trees that are deep: stored and read back as they are.

use serde_json::{Value, json};

use crate::api::Client;
use crate::harness::{Data, Server};

const PROCESSES: u64 = 5_000;
const DEPTH: u64 = 60;

/// One of each kind of trouble; all of it valid JSON text.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "'; DROP TABLE hosts; --",
    "$(reboot)",
    "`reboot`",
    "=cmd|'/c calc'!A1",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{202e}gnp.exe",
    "a\u{0}b",
    "line\nbreak\r\n\ttab",
    "../../../../etc/passwd",
    "%s%n%x",
    "\u{1f469}\u{200d}\u{1f4bb}",
    "e\u{301}",
    "\u{feff}mark",
    "",
    " ",
    "\"}],\"hostname\":\"other\"",
    "\\u0000\\",
    "\u{10ffff}",
];

fn process(pid: u64, children: Vec<Value>) -> Value {
    let text = HOSTILE[usize::try_from(pid).unwrap_or(0) % HOSTILE.len()];
    json!({
        "pid": pid, "name": format!("{pid}{text}"), "command_line": format!("{text} {text} --{pid}"), "user": text,
        "cpu": (pid % 40_000) as f64 / 100.0, "memory": format!("{}KB", pid * 4), "children": children,
    })
}

/// Chains of [`DEPTH`] processes.
fn forest() -> Value {
    let chains = PROCESSES / DEPTH + 1;
    let mut roots = Vec::new();
    for chain in 0..chains {
        let first = chain * DEPTH + 1;
        let last = (first + DEPTH - 1).min(PROCESSES);
        let chain = (first..=last)
            .rev()
            .fold(None, |below: Option<Value>, pid| Some(process(pid, below.into_iter().collect())));
        roots.extend(chain);
    }
    Value::Array(roots)
}

/// All processes of an answer, each with its depth and its parent's pid.
fn flat(processes: &Value, parent: Option<u64>, depth: u64, into: &mut Vec<(u64, Option<u64>, u64, Value)>) {
    for process in processes.as_array().into_iter().flatten() {
        let pid = process["pid"].as_u64().expect("a pid");
        into.push((pid, parent, depth, process.clone()));
        flat(&process["children"], Some(pid), depth + 1, into);
    }
}

#[test]
fn a_deep_tree_of_hostile_names_is_read_back_equal() {
    let data = Data::new();
    let server = Server::start(&data);
    let client = Client::new(&server, &data);
    let host = "web-1\u{202e}<b>'; DROP TABLE";
    let forest = forest();
    let upload = json!({"hostname": host, "snapshot_time": "2026-05-01T00:00:00Z", "processes": forest});
    let stored = client.upload(&upload);
    assert_eq!(stored.status, 201, "{stored:?}");

    let kept = client.get(&format!("/api/process-snapshots/{}/", stored.body["snapshot_id"]));
    assert_eq!((kept.status, &kept.body["hostname"]), (200, &json!(host)));
    let (mut sent, mut read) = (Vec::new(), Vec::new());
    flat(&forest, None, 1, &mut sent);
    flat(&kept.body["processes"], None, 1, &mut read);
    sent.sort_by_key(|process| process.0);
    read.sort_by_key(|process| process.0);
    assert_eq!(read.len() as u64, PROCESSES);
    assert_eq!(read.iter().map(|process| process.2).max(), Some(DEPTH));
    for ((pid, parent, depth, sent), (read_pid, read_parent, read_depth, read)) in sent.iter().zip(&read) {
        assert_eq!((pid, parent, depth), (read_pid, read_parent, read_depth));
        for field in ["name", "command_line", "user", "cpu"] {
            assert_eq!(sent[field], read[field], "{field} of {pid}");
        }
        assert_eq!(read["memory_bytes"], json!(pid * 4_000));
    }
}

#[test]
fn the_same_after_a_restart() {
    let data = Data::new();
    let mut server = Server::start(&data);
    let client = Client::new(&server, &data);
    let upload = json!({"hostname": "deep", "snapshot_time": "2026-05-01T00:00:00Z", "processes": forest()});
    let id = client.upload(&upload).body["snapshot_id"].clone();
    let path = format!("/api/process-snapshots/{id}/");
    let before = client.get(&path).body;
    assert!(server.terminate());
    let server = Server::start(&data);
    assert_eq!(Client::new(&server, &data).get(&path).body, before);
    drop(server);
    data.verify();
}
