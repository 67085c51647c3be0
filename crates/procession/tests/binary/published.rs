//! Both published APIs, asked with curl as their documents show it.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Data, Server};

/// Status and body of a request by curl.
fn curl(arguments: &[&str]) -> (u16, Value) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", "\n%{http_code}"])
        .args(arguments)
        .output()
        .expect("curl is needed: apt-get install curl");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), serde_json::from_str(body).unwrap_or(Value::String(body.into())))
}

const UPLOAD: &str = r#"{
  "hostname": "MACHINE-01",
  "snapshot_time": "2025-08-22T09:15:00Z",
  "processes": [
    {
      "pid": 100,
      "name": "explorer.exe",
      "cpu": 2.5,
      "memory": "150MB",
      "parent_pid": null,
      "children": [
        {
          "pid": 200,
          "name": "notepad.exe",
          "cpu": 1.2,
          "memory": "50MB",
          "parent_pid": 100
        }
      ]
    }
  ]
}"#;

#[test]
fn the_process_monitor_application() {
    let data = Data::new();
    let server = Server::start(&data);
    let upload = format!("Authorization: Api-Key {}", data.key("upload", &[]));
    let read = format!("Authorization: Api-Key {}", data.key("read", &[]));
    let snapshots = server.at("/api/process-snapshots/");
    let post = |body: &str| {
        curl(&["-X", "POST", &snapshots, "-H", &upload, "-H", "Content-Type: application/json", "-d", body])
    };
    let get = |path: &str| curl(&["-H", &read, &server.at(path)]);

    let stored = post(UPLOAD);
    assert_eq!(stored, (201, json!({"message": "Snapshot uploaded successfully.", "snapshot_id": 1})));
    let (status, again) = post(UPLOAD);
    assert_eq!((status, &again["snapshot_id"]), (200, &json!(1)), "the same host and time is stored once");
    assert_eq!(post(&UPLOAD.replace("09:15", "09:30")).1["snapshot_id"], json!(2));

    assert_eq!(get("/api/hosts/").1[0]["hostname"], json!("MACHINE-01"));
    let list = json!([
        {"snapshot_id": 1, "hostname": "MACHINE-01", "timestamp": "2025-08-22T09:15:00Z"},
        {"snapshot_id": 2, "hostname": "MACHINE-01", "timestamp": "2025-08-22T09:30:00Z"},
    ]);
    assert_eq!(get("/api/process-snapshots/list/?hostname=MACHINE-01"), (200, list));
    // The documents write some paths without the slash at the end.
    assert_eq!(get("/api/process-snapshots/list").0, 200);

    let (status, kept) = get("/api/process-snapshots/2/");
    assert_eq!(status, 200);
    assert_eq!((&kept["snapshot_id"], &kept["timestamp"]), (&json!(2), &json!("2025-08-22T09:30:00Z")));
    let explorer = &kept["processes"][0];
    assert_eq!(
        (&explorer["name"], &explorer["cpu"], &explorer["memory"]),
        (&json!("explorer.exe"), &json!(2.5), &json!("150MB"))
    );
    let notepad = &explorer["children"][0];
    assert_eq!(
        (&notepad["pid"], &notepad["parent_pid"], &notepad["memory"]),
        (&json!(200), &json!(100), &json!("50MB"))
    );

    assert_eq!(get("/api/process-snapshots/latest/").1[0]["hostname"], json!("MACHINE-01"));
    assert_eq!(get("/api/process-snapshots/latest/?hostname=MACHINE-01").1["snapshot_id"], json!(2));
    assert_eq!(get("/api/process-snapshots/latest/?hostname=NOBODY").0, 404);
    let (_, series) = get("/api/process-snapshots/series/?hostname=MACHINE-01&limt=1");
    assert_eq!(series[0]["snapshot_id"], json!(2));
    assert_eq!(series[0]["process_count"], json!(2));
    assert_eq!(series[0]["memory_bytes"], json!(200_000_000));
    assert_eq!(get("/api/process-snapshots/series/").0, 400);
    assert_eq!(curl(&[&snapshots, "-X", "POST", "-d", UPLOAD]).0, 401);
    let read_key_uploads =
        curl(&["-X", "POST", &snapshots, "-H", &read, "-H", "Content-Type: application/json", "-d", UPLOAD]);
    assert_eq!(read_key_uploads.0, 403);
}

#[test]
fn the_process_monitoring_api() {
    let data = Data::new();
    // Its published client sends no key.
    let server = Server::start_with(&data, &["--no-local-agent", "--anonymous-process-data"]);
    let read = format!("Authorization: Api-Key {}", data.key("read", &[]));
    let submit = server.at("/api/process-data/");
    let post = |body: &str| curl(&["-X", "POST", &submit, "-H", "Content-Type: application/json", "-d", body]);
    let get = |path: &str| curl(&["-H", &read, &server.at(path)]);

    let body = r#"{
        "system_name": "System_A",
        "processes": [
            {"pid": 1234, "name": "python", "cpu_percent": 5.2, "memory_percent": 1.5},
            {"pid": 5678, "name": "chrome", "cpu_percent": 15.7, "memory_percent": 8.3}
        ]
    }"#;
    assert_eq!(post(body), (201, json!({"success": true, "message": "Data received successfully."})));
    let refused = json!({"success": false, "message": "System name and processes are required."});
    assert_eq!(post(r#"{"system_name": "System_A"}"#), (400, refused));

    for path in ["/api/process-filter/", "/api/filter-processes/"] {
        let (status, page) = get(&format!("{path}?start_time=00:00:00&end_time=23:59:59"));
        assert_eq!(status, 200, "{page}");
        assert_eq!((&page["count"], &page["results"]["success"]), (&json!(2), &json!(true)), "{page}");
        let rows = page["results"]["data"].as_array().expect("rows");
        let chrome = rows.iter().find(|row| row["pid"] == json!(5678)).expect("chrome");
        assert_eq!((&chrome["system"]["name"], &chrome["name"]), (&json!("System_A"), &json!("chrome")));
        assert_eq!((&chrome["cpu_percent"], &chrome["memory_percent"]), (&json!(15.7), &json!(8.3)));
    }
    let (status, duration) = get("/api/process-duration/?system_name=System_A&process_name=python");
    assert_eq!((status, &duration["success"]), (200, &json!(true)), "{duration}");
    assert_eq!(duration["runs"][0]["pid"], json!(1234));
    let needed = json!({"success": false, "message": "Both system name and process name are required."});
    assert_eq!(get("/api/process-duration/?system_name=System_A"), (400, needed));
    let nobody = json!({"success": false, "message": "No process found with the specified name on the system."});
    assert_eq!(get("/api/process-duration/?system_name=System_A&process_name=Code.exe"), (404, nobody));
}

#[test]
fn without_the_setting_process_data_needs_a_key() {
    let data = Data::new();
    let server = Server::start(&data);
    let body = r#"{"system_name": "S", "processes": [{"pid": 1, "name": "a", "cpu_percent": 0, "memory_percent": 0}]}"#;
    let submit = server.at("/api/process-data/");
    assert_eq!(curl(&["-X", "POST", &submit, "-H", "Content-Type: application/json", "-d", body]).0, 401);
}
