//! Sessions that agents of every released version of the protocol had: the server takes all that they sent, once.

use std::fs;
use std::path::Path;

use procession_protocol::{FrameReader, FromServer};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::sockets::open;
use crate::support::TestServer;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[tokio::test]
async fn agents_of_every_version_are_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/golden");
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let server = TestServer::start().await;
        let key = format!("Api-Key {}", server.upload_key);
        let mut socket = open(&server, "/ws/agent/", &[("authorization", &key)]).await.unwrap();
        let (mut last, mut snapshots) = (0, 0);
        let mut frames = FrameReader::default();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(message) = line.get("agent") {
                socket.send(Message::text(message.to_string())).await;
                if message["type"] == "hello" {
                    let answer = FromServer::from_json(&socket.next().await.unwrap().to_string()).unwrap();
                    assert!(matches!(answer, FromServer::Welcome(_)), "{}: {answer:?}", path.display());
                }
            } else if let Some(hex) = line["agent_frame"].as_str() {
                let bytes = bytes_of(hex);
                // What is sent again is the same frame.
                let sequence = frames.read(bytes.clone().into()).unwrap().sequence;
                snapshots += u64::from(sequence > last);
                last = last.max(sequence);
                socket.send(Message::binary(bytes)).await;
            }
        }
        let mut acknowledged = 0;
        while acknowledged < last {
            match FromServer::from_json(&socket.next().await.unwrap().to_string()).unwrap() {
                FromServer::Acknowledged { sequence } => acknowledged = sequence,
                other => panic!("{}: {other:?}", path.display()),
            }
        }
        let latest = server.get_json("/api/process-snapshots/latest/?hostname=made").await;
        assert_eq!(latest["snapshot_id"], snapshots, "{}: each once", path.display());
    }
}
