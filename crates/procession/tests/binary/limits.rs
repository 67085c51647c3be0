//! Inputs that are too big, however small they look.

use std::io::Write as _;

use serde_json::json;
use ureq::Agent;

use crate::harness::{Data, Server};

/// Bytes that the bombs expand to.
const EXPANDED: usize = 1 << 30;
/// How much more memory a bomb may cost the server.
const MEMORY_MAX: u64 = 64 << 20;

fn gzip_bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    write_spaces(&mut encoder);
    encoder.finish().expect("compressed")
}

fn zstd_bomb() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    write_spaces(&mut encoder);
    encoder.finish().expect("compressed")
}

/// White space is valid before JSON, so only a limit stops it.
fn write_spaces(out: &mut impl std::io::Write) {
    let megabyte = vec![b' '; 1 << 20];
    for _ in 0..EXPANDED >> 20 {
        out.write_all(&megabyte).expect("written");
    }
}

/// Most resident memory that a process ever had.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

#[test]
fn bombs_are_refused_in_little_memory() {
    let data = Data::new();
    let server = Server::start(&data);
    let key = format!("Api-Key {}", data.key("upload", &[]));
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let post = |encoding: &str, body: &[u8]| {
        let request = agent.post(server.at("/api/process-snapshots/")).header("Authorization", &key);
        let request = request.header("Content-Type", "application/json").header("Content-Encoding", encoding);
        request.send(body).map(|answer| answer.status().as_u16())
    };
    let small = json!({"hostname": "h", "snapshot_time": "2026-01-01T00:00:00Z", "processes": []}).to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(small.as_bytes()).expect("compressed");
    assert_eq!(post("gzip", &gzip.finish().expect("compressed")).expect("an answer"), 201);
    let before = peak_memory(server.id());
    for (encoding, bomb) in [("gzip", gzip_bomb()), ("zstd", zstd_bomb())] {
        assert_eq!(post(encoding, &bomb).expect("an answer"), 413, "{encoding}");
        let grown = peak_memory(server.id()) - before;
        assert!(grown <= MEMORY_MAX, "{encoding}: {grown} bytes more");
    }
}
