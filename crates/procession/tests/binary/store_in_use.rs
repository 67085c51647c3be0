//! What others may do with the store of a server that runs.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Data, Running, Server, procession, run_ok};

/// How soon a second server has to say that it cannot have the store; what counts is that it does not wait for a lock.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// Backups in the ordinary tests; `cargo xtask soak` sets more.
fn backups() -> u64 {
    std::env::var("PROCESSION_TEST_BACKUPS").ok().and_then(|backups| backups.parse().ok()).unwrap_or(3)
}

/// Row 16: two servers on one store. The second says why it does not start, and the first goes on.
#[test]
fn a_second_server_on_one_store_is_refused_and_says_why() {
    let data = Data::new();
    let server = Server::start(&data);
    let began = Instant::now();
    let second = procession(&["serve", "--data", data.str(), "--listen", "127.0.0.1:0", "--no-local-agent"])
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && began.elapsed() < REFUSED_WITHIN, "{said}");
    assert!(said.contains("in use") && said.contains(data.str()), "{said}");
    let mut server = server;
    assert!(server.terminate(), "the first one goes on and ends in order");
}

/// Row 20: backups while agents send. Each opens, has what was there before it, and every checksum fits.
#[test]
fn backups_in_mid_ingest_restore_and_verify() {
    let data = Data::new();
    let key = data.key("upload", &[]);
    let server = Server::start(&data);
    let arguments = ["swarm", "--server", &server.url, "--key", &key, "--hosts", "20", "--processes", "50"];
    // As fast as they can, agents would make each of many backups larger than the one before.
    let swarm = procession(&[&arguments[..], &["--interval", "100ms", "--duration", "24h"]].concat())
        .stdout(Stdio::null())
        .spawn()
        .expect("the swarm starts");
    let _swarm = Running(swarm);
    let mut before = 0;
    for _ in 0..backups() {
        // Some more than in the one before.
        while stored(&data) <= before + 100 {
            std::thread::yield_now();
        }
        before = stored(&data);
        let copy = Data::new();
        let target = copy.file("copy");
        let target = target.to_str().expect("UTF-8");
        run_ok(&["backup", "--data", data.str(), target]);
        run_ok(&["store", "verify", "--data", target]);
        let stats = run_ok(&["store", "stats", "--data", target, "--json"]);
        let stats: serde_json::Value = serde_json::from_str(&stats).expect("JSON");
        let kept = stats["snapshots"].as_u64().expect("a number");
        assert!(kept >= before, "{kept} of {before}");
    }
}

fn stored(data: &Data) -> u64 {
    data.stats()["snapshots"].as_u64().expect("a number")
}
