//! Ending in order: what was answered is there, and the next start is clean.

use serde_json::json;

use crate::api::Client;
use crate::harness::{Data, Server};

#[test]
fn sigterm_ends_in_order_with_connections_open() {
    let data = Data::new();
    let mut server = Server::start_with(&data, &["--interval", "1s"]);
    let client = Client::new(&server, &data);
    let upload = json!({"hostname": "h", "snapshot_time": "2026-01-01T00:00:00Z", "processes": [{"pid": 1, "name": "a", "cpu": 1, "memory": 1}]});
    assert_eq!(client.upload(&upload).status, 201);
    // The client keeps its connection: an idle one must not hold the server up.
    assert!(server.terminate(), "exit code 0");
    assert!(client.try_get("/api/hosts/").is_err(), "nobody listens any more");
    data.verify();
    let server = Server::start(&data);
    let client = Client::new(&server, &data);
    assert_eq!(client.get("/api/process-snapshots/latest/?hostname=h").status, 200);
    assert_eq!(client.upload(&upload).status, 200, "it is known to be stored");
}
