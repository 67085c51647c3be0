//! Import and export: what goes out comes back the same.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::api::Client;
use crate::harness::{Data, Server, procession, run, run_ok};

const SNAPSHOTS: u32 = 40;

fn body(host: &str, number: u32) -> Value {
    let process = |pid: u32, parent: Option<u32>, name: &str| {
        json!({
            "pid": pid, "parent_pid": parent, "name": name, "cpu": f64::from(number * pid % 997) / 100.0,
            "memory": u64::from(number) * 4096 + u64::from(pid), "start_time": "2026-01-01T00:00:00.5Z",
            "command_line": format!("/bin/{name} --flag 'a b' \u{202e}"), "user": "=root()", "state": "sleeping", "threads": 3,
            "virtual_memory": 1u64 << 40, "read_bytes": number, "write_bytes": 0, "memory_percent": 1.5,
        })
    };
    json!({
        "hostname": host, "snapshot_time": format!("2026-01-02T00:{:02}:{:02}.125Z", number / 60, number % 60),
        "cpu_count": 8, "memory_total": 1u64 << 34, "boot_time": "2026-01-01T00:00:00Z", "os": "Debian", "agent_version": "1",
        "processes": [process(1, None, "init"), process(2, Some(1), "=HYPERLINK(\"x\")"), process(100 + number, Some(2), "new")],
    })
}

fn lines() -> String {
    let mut lines = String::new();
    for number in 0..SNAPSHOTS {
        for host in ["one", "two"] {
            lines.push_str(&format!("{}\n", body(host, number)));
        }
    }
    lines
}

fn import(data: &Data, file: &[u8], name: &str) -> Output {
    let path: PathBuf = data.file(name);
    std::fs::write(&path, file).expect("written");
    run(&["import", "--data", data.str(), path.to_str().expect("UTF-8")])
}

fn export(data: &Data, more: &[&str]) -> String {
    run_ok(&[&["export", "--data", data.str()], more].concat())
}

#[test]
fn what_is_exported_imports_to_the_same_history() {
    let first = Data::new();
    let output = import(&first, lines().as_bytes(), "in.jsonl");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("80 snapshots") && said.contains("/s"), "{said}");
    let exported = export(&first, &[]);
    assert_eq!(exported.lines().count(), 80);

    let second = Data::new();
    assert!(import(&second, exported.as_bytes(), "again.jsonl").status.success());
    assert_eq!(export(&second, &[]), exported);
    let (one, two) = (first.stats(), second.stats());
    for figure in ["hosts", "snapshots", "process_samples", "oldest", "newest"] {
        assert_eq!(one[figure], two[figure], "{figure}");
    }
    assert_eq!(one["process_samples"], json!(SNAPSHOTS * 2 * 3));
    second.verify();

    // Over the API both answer alike.
    let servers = [Server::start(&first), Server::start(&second)];
    let read = |server: &Server, data: &Data| Client::new(server, data).get("/api/process-snapshots/7/").body;
    assert_eq!(read(&servers[0], &first), read(&servers[1], &second));
}

#[test]
fn compressed_files_are_told_by_their_content_and_repeated_imports_store_nothing() {
    let zstd = zstd::encode_all(lines().as_bytes(), 3).expect("compressed");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines().as_bytes()).expect("compressed");
    let gzip = gzip.finish().expect("compressed");
    let data = Data::new();
    assert!(import(&data, &zstd, "history").status.success());
    let output = import(&data, &gzip, "history");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("80 were there already"), "{said}");
    assert_eq!(data.stats()["snapshots"], json!(80));
}

#[test]
fn standard_input_is_a_file_too() {
    let data = Data::new();
    let mut child = procession(&["import", "--data", data.str(), "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("runs");
    child.stdin.take().expect("piped").write_all(lines().as_bytes()).expect("written");
    assert!(child.wait().expect("ends").success());
    assert_eq!(data.stats()["snapshots"], json!(80));
}

#[test]
fn a_bad_line_is_named_and_what_came_before_it_stays() {
    let data = Data::new();
    let text = format!("{}\n{}\n{{\"hostname\": 5}}\n{}\n", body("one", 0), body("one", 1), body("one", 2));
    let output = import(&data, text.as_bytes(), "in.jsonl");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("line 3"), "{said}");
    assert_eq!(data.stats()["snapshots"], json!(2));
}

#[test]
fn a_file_that_is_cut_short_is_no_silent_success() {
    let data = Data::new();
    let zstd = zstd::encode_all(lines().as_bytes(), 3).expect("compressed");
    let output = import(&data, &zstd[..zstd.len() / 2], "cut.zst");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ranges_and_hosts_are_kept_to() {
    let data = Data::new();
    assert!(import(&data, lines().as_bytes(), "in.jsonl").status.success());
    let range = ["--host", "two", "--start", "2026-01-02T00:00:10Z", "--end", "2026-01-02T00:00:20Z"];
    let exported = export(&data, &range);
    assert_eq!(exported.lines().count(), 10);
    assert!(exported.lines().all(|line| line.contains("\"two\"")));
}

#[test]
fn csv_has_a_row_a_process_and_no_formulas() {
    let data = Data::new();
    assert!(import(&data, lines().as_bytes(), "in.jsonl").status.success());
    let csv = export(&data, &["--format", "csv", "--host", "one"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().expect("headers").clone();
    let column = |name: &str| headers.iter().position(|header| header == name).expect("a column");
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), SNAPSHOTS as usize * 3);
    for row in &rows {
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{row:?}");
    }
    assert_eq!((&rows[1][column("name")], &rows[1][column("user")]), ("'=HYPERLINK(\"x\")", "'=root()"));
    assert_eq!(&rows[0][column("memory_bytes")], "1");
}

#[test]
fn a_backup_of_a_running_server_is_a_store_of_its_own() {
    let data = Data::new();
    assert!(import(&data, lines().as_bytes(), "in.jsonl").status.success());
    let server = Server::start(&data);
    let copy = Data::new();
    run_ok(&["backup", "--data", data.str(), copy.str()]);
    copy.verify();
    assert_eq!(export(&copy, &[]), export(&data, &[]));
    let again = run(&["backup", "--data", data.str(), copy.str()]);
    assert_eq!(again.status.code(), Some(1), "a backup is never written over");
    drop(server);
}
