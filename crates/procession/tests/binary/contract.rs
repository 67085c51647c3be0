//! The OpenAPI document against the server: no 500, no answer that is not in it.

use serde_json::json;

use crate::api::Client;
use crate::harness::{Data, Server};
use crate::python::Python;

/// Made-up requests an operation; `cargo xtask soak` sets more.
fn examples() -> String {
    std::env::var("PROCESSION_TEST_EXAMPLES").unwrap_or_else(|_| "10".into())
}

#[test]
fn no_500_and_no_undocumented_answer() {
    let python = Python::ready();
    let data = Data::new();
    let server = Server::start(&data);
    let (upload_key, read_key) = (data.key("upload", &[]), data.key("read", &[]));
    let client = Client::with_keys(&server, &upload_key, &read_key);
    for second in 0..3 {
        let upload = json!({
            "hostname": "MACHINE-01", "snapshot_time": format!("2026-01-01T00:00:0{second}Z"),
            "processes": [{"pid": 1, "name": "a", "cpu": 1, "memory": "1MB", "children": [{"pid": 2, "name": "b", "cpu": 0, "memory": 0}]}],
        });
        assert_eq!(client.upload(&upload).status, 201);
    }
    for (key, what) in [(&read_key, "reading"), (&upload_key, "uploading")] {
        let output = python
            .program("schemathesis")
            .arg("run")
            .arg(server.at("/api/openapi.json"))
            .args(["--header", &format!("Authorization: Api-Key {key}")])
            .args([
                "--checks",
                "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            ])
            .args(["--max-examples", &examples(), "--seed", "1", "--phases", "examples,coverage,fuzzing", "--no-color"])
            .args(["--generation-database", "none", "--suppress-health-check", "all"])
            .current_dir(data.path())
            .output()
            .expect("schemathesis runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let from = said.find("FAILURES").unwrap_or(said.len().saturating_sub(4_000));
        assert!(
            output.status.success(),
            "with a key for {what}:\n{}{}",
            &said[from..],
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
