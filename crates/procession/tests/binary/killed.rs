//! `kill -9` in mid-ingest: nothing that was acknowledged is lost, nothing is there twice, every checksum fits.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::api::Client;
use crate::harness::{Data, Running, Server, procession};

const HOSTS: u64 = 4;
/// The longest list that is read at the end; every round stores far fewer.
const LIST_MAX: u64 = 10_000;

/// Kills in the ordinary tests; `cargo xtask soak` sets more.
fn kills() -> u64 {
    std::env::var("PROCESSION_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50)
}

/// What was acknowledged: of a host and time, the number of the snapshot.
#[derive(Default)]
struct Oracle {
    acknowledged: Mutex<BTreeMap<(u64, u64), u64>>,
    next: AtomicU64,
}

impl Oracle {
    fn upload_until_it_dies(&self, client: &Client, host: u64, enough: &AtomicBool) {
        loop {
            let second = self.next.fetch_add(1, Ordering::Relaxed);
            let Ok(answer) = client.try_upload(&upload(host, second)) else { return };
            assert!(matches!(answer.status, 200 | 201), "{answer:?}");
            let id = answer.body["snapshot_id"].as_u64().expect("a number");
            let count = {
                let mut acknowledged = self.acknowledged.lock().expect("no panic");
                assert_eq!(acknowledged.insert((host, second), id), None);
                acknowledged.len()
            };
            if count.is_multiple_of(7) {
                enough.store(true, Ordering::Release);
            }
        }
    }
}

/// Row 1, with uploads: `cargo xtask soak --only kill` kills it a thousand times.
#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let data = Data::new();
    let (upload_key, read_key) = (data.key("upload", &[]), data.key("read", &[]));
    let oracle = Oracle::default();
    for round in 0..kills() {
        let mut server = Server::start(&data);
        let client = Client::with_keys(&server, &upload_key, &read_key);
        let enough = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for host in 0..HOSTS {
                let (oracle, client, enough) = (&oracle, Client::with_keys(&server, &upload_key, &read_key), &enough);
                scope.spawn(move || oracle.upload_until_it_dies(&client, host, enough));
            }
            // Something was acknowledged in this round; others are under way at any moment.
            while !enough.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            for _ in 0..round % 5 {
                std::thread::yield_now();
            }
            server.kill();
        });
        drop(client);
    }
    data.verify();
    let server = Server::start(&data);
    let client = Client::with_keys(&server, &upload_key, &read_key);
    for host in 0..HOSTS {
        check(&client, host, &oracle);
    }
}

fn check(client: &Client, host: u64, oracle: &Oracle) {
    let listed = client.get(&format!("/api/process-snapshots/list/?hostname=kill-{host}&limit={LIST_MAX}"));
    assert_eq!(listed.status, 200, "{listed:?}");
    let listed = listed.body.as_array().expect("a list").clone();
    assert!((listed.len() as u64) < LIST_MAX, "the list was cut");
    let mut by_time: BTreeMap<String, u64> = BTreeMap::new();
    for entry in &listed {
        let time = entry["timestamp"].as_str().expect("a time").to_owned();
        let doubled = by_time.insert(time, entry["snapshot_id"].as_u64().expect("a number"));
        assert_eq!(doubled, None, "stored twice: {entry}");
    }
    let acknowledged = oracle.acknowledged.lock().expect("no panic");
    for ((_, second), id) in acknowledged.iter().filter(|((of, _), _)| *of == host) {
        assert_eq!(by_time.get(&time(*second)), Some(id), "acknowledged and not kept: host {host}, {}", time(*second));
        let kept = client.get(&format!("/api/process-snapshots/{id}/"));
        assert_eq!(kept.body["processes"][0]["pid"], json!(second % 1_000 + 1), "{kept:?}");
    }
}

fn upload(host: u64, second: u64) -> Value {
    let own = json!({"pid": second % 1_000 + 1, "name": format!("round-{second}"), "cpu": 1.25, "memory": "10MB", "parent_pid": null});
    let stays = json!({"pid": 5_000, "name": "stays", "cpu": 0, "memory": 4096, "parent_pid": null});
    json!({"hostname": format!("kill-{host}"), "snapshot_time": time(second), "processes": [own, stays]})
}

fn time(second: u64) -> String {
    let (hours, minutes, seconds) = (second / 3_600 % 24, second / 60 % 60, second % 60);
    format!("2026-03-{:02}T{hours:02}:{minutes:02}:{seconds:02}Z", second / 86_400 + 1)
}

/// Row 1, with frames of many agents, each a change against the one before it: what was acknowledged is there after the kill, and no
/// more than was sent.
#[test]
fn acknowledged_frames_survive_kill_9() {
    let data = Data::new();
    let key = data.key("upload", &[]);
    let (mut sent, mut acknowledged) = (0, 0);
    for round in 0..5 {
        let mut server = Server::start(&data);
        let before = stored(&data);
        let prefix = format!("round-{round}-");
        let swarm = procession(&[
            "swarm",
            "--server",
            &server.url,
            "--key",
            &key,
            "--hosts",
            "20",
            "--processes",
            "50",
            "--interval",
            "0s",
            "--duration",
            "60s",
            "--host-prefix",
            &prefix,
        ]);
        let swarm = { swarm }.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the swarm starts");
        let mut swarm = Running(swarm);
        while stored(&data) < before + 200 {
            std::thread::yield_now();
        }
        server.kill();
        let line = std::io::read_to_string(swarm.0.stdout.take().expect("piped")).expect("UTF-8");
        let line: Value = serde_json::from_str(&line).expect("one line of JSON");
        sent += line["sent"].as_u64().expect("a number");
        acknowledged += line["acknowledged"].as_u64().expect("a number");
        assert_eq!(line["refused"], json!(0), "{line}");
        let stored = stored(&data);
        assert!((acknowledged..=sent).contains(&stored), "{acknowledged} acknowledged, {stored} stored, {sent} sent");
    }
    data.verify();
}

fn stored(data: &Data) -> u64 {
    data.stats()["snapshots"].as_u64().expect("a number")
}
