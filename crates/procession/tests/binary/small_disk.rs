//! Row 6: the server's disk fills. A small file system of its own, which only this server sees, is mounted for it; whoever
//! may not mount anything cannot run this, so it belongs to `cargo xtask soak`. The short form is in `crates/store`, where
//! SQLite is told that its file is full.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Client;
use crate::harness::{Data, Server, run_ok};

/// How soon it has to work again once there is space.
const WORKS_AGAIN_WITHIN: Duration = Duration::from_secs(10);

#[test]
#[ignore = "mounts a file system: `cargo xtask soak --only disk`"]
fn a_full_disk_is_503_loses_nothing_and_is_over_once_there_is_space() {
    let data = Data::new();
    let (upload_key, read_key) = (data.key("upload", &[]), data.key("read", &[]));
    let small = data.file("small");
    fs::create_dir(&small).expect("a folder");
    let server = Server::of(&mut on_a_small_disk(&data, &small));
    // The mount is only in the server's own view.
    let seen = PathBuf::from(format!("/proc/{}/root{}", server.id(), small.display()));
    let client = Client::with_keys(&server, &upload_key, &read_key);
    let mut acknowledged = vec![kept(&client, 1).expect("there is space")];
    let filler = seen.join("filler");
    fill(&filler);
    let mut second = 1;
    loop {
        second += 1;
        match kept(&client, second) {
            Ok(id) => acknowledged.push(id),
            Err(status) => {
                assert_eq!(status, 503);
                break;
            }
        }
        assert!(second < 100_000, "the disk does not fill");
    }
    fs::remove_file(&filler).expect("space again");
    let began = Instant::now();
    while kept(&client, second + 1).map(|id| acknowledged.push(id)).is_err() {
        assert!(began.elapsed() < WORKS_AGAIN_WITHIN, "there is space and nothing is kept");
    }
    for id in acknowledged {
        let answer = client.get(&format!("/api/process-snapshots/{id}/"));
        assert_eq!(answer.status, 200, "acknowledged and lost: {id}");
    }
}

/// A server whose data folder is a copy of the other one, on a file system of a few megabytes.
fn on_a_small_disk(data: &Data, small: &Path) -> Command {
    let script = r#"mount -t tmpfs -o size=6m none "$1" && cp "$2"/*.* "$1" && exec "$3" serve --data "$1" \
        --listen 127.0.0.1:0 --no-local-agent --log error"#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(small).arg(data.path()).arg(env!("CARGO_BIN_EXE_procession"));
    run_ok(&["--version"]);
    command
}

fn fill(filler: &Path) {
    let mut filler = fs::File::create(filler).expect("a file on the small disk");
    let mut bytes = vec![0; 1 << 16];
    while !bytes.is_empty() {
        if filler.write_all(&bytes).is_err() {
            bytes.truncate(bytes.len() / 2);
        }
    }
}

/// Uploads; the number of the snapshot, or the status that it was refused with.
fn kept(client: &Client, second: u32) -> Result<u64, u16> {
    let processes: Vec<Value> = (1..200)
        .map(|pid| json!({"pid": pid, "name": format!("process-{pid}-{second}"), "cpu": 1, "memory": "1MB", "parent_pid": null}))
        .collect();
    let time = format!("2026-03-01T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60);
    let answer = client.upload(&json!({"hostname": "small", "snapshot_time": time, "processes": processes}));
    match answer.status {
        200 | 201 => Ok(answer.body["snapshot_id"].as_u64().expect("a number")),
        status => Err(status),
    }
}
