//! The published Process Monitoring API, with requests as its document shows them.

use crate::support::{TestServer, new_key, snapshot, status_and_json};
use procession_store::KeyPurpose;
use serde_json::{Value, json};

/// The payload example of the published document, word by word.
const PUBLISHED: &str = r#"{
    "system_name": "System_A",
    "processes": [
        {"pid": 1234, "name": "python", "cpu_percent": 5.2, "memory_percent": 1.5},
        {"pid": 5678, "name": "chrome", "cpu_percent": 15.7, "memory_percent": 8.3}
    ]
}"#;

#[tokio::test]
async fn the_published_example_is_stored_and_filtered() {
    let server = TestServer::start_with(|config| config.anonymous_process_data = true).await;
    let anonymous = || server.client.post(server.url("/api/process-data/")).header("Content-Type", "application/json");
    let received = json!({ "success": true, "message": "Data received successfully." });
    assert_eq!(status_and_json(anonymous().body(PUBLISHED)).await, (201, received.clone()));
    // Again at once: another snapshot, even within the same millisecond.
    assert_eq!(status_and_json(anonymous().body(PUBLISHED)).await, (201, received));

    let page = server.get_json("/api/process-filter/?process_name=chrome&min_cpu=15.7").await;
    assert_eq!((&page["count"], &page["next"], &page["previous"]), (&json!(2), &Value::Null, &Value::Null));
    let row = &page["results"]["data"][0];
    assert_eq!(page["results"]["success"], true);
    assert_eq!(row["system"], json!({ "name": "System_A" }));
    assert_eq!((&row["pid"], &row["name"]), (&json!(5678), &json!("chrome")));
    assert_eq!((&row["cpu_percent"], &row["memory_percent"]), (&json!(15.7), &json!(8.3)));
    let today = "start_time=00:00:00&end_time=23:59:59";
    assert_eq!(server.get_json(&format!("/api/filter-processes/?{today}")).await["count"], 4);
    let duration = server.get_json("/api/process-duration/?system_name=System_A&process_name=python").await;
    assert_eq!((&duration["success"], &duration["runs"][0]["pid"]), (&json!(true), &json!(1234)));
}

#[tokio::test]
async fn without_the_setting_a_key_is_needed() {
    let server = TestServer::start().await;
    let post = || {
        server.client.post(server.url("/api/process-data/")).header("Content-Type", "application/json").body(PUBLISHED)
    };
    let (status, answer) = status_and_json(post()).await;
    assert_eq!((status, answer), (401, json!({ "detail": "Authentication credentials were not provided." })));
    let other = new_key(&*server.store, KeyPurpose::Upload, Some("System_B")).await;
    assert_eq!(status_and_json(post().header("Authorization", format!("Api-Key {other}"))).await.0, 403);
    let key = format!("Api-Key {}", server.upload_key);
    assert_eq!(status_and_json(post().header("Authorization", key)).await.0, 201);
}

#[tokio::test]
async fn errors_are_in_its_own_manner() {
    let server = TestServer::start().await;
    let failure = |message: &str| json!({ "success": false, "message": message });
    let required = "System name and processes are required.";
    for body in ["{}", r#"{"system_name": "a"}"#, r#"{"processes": []}"#, r#"{"system_name": "", "processes": []}"#] {
        let request = server.post("/api/process-data/").header("Content-Type", "application/json").body(body);
        assert_eq!(status_and_json(request).await, (400, failure(required)), "{body}");
    }
    let request = server.post("/api/process-data/").header("Content-Type", "application/json").body("{");
    let (status, answer) = status_and_json(request).await;
    assert_eq!((status, &answer["success"]), (400, &json!(false)));
    let both = "Both system name and process name are required.";
    let none = "No process found with the specified name on the system.";
    for (path, status, message) in [
        ("/api/process-duration/", 400, both),
        ("/api/process-duration/?system_name=a", 400, both),
        ("/api/process-duration/?system_name=a&process_name=b", 404, none),
        ("/api/process-filter/?page=2", 404, "Invalid page."),
        (
            "/api/process-filter/?start_time=25:00:00",
            400,
            "Invalid start_time: use HH:MM:SS, or a time as in RFC 3339.",
        ),
    ] {
        assert_eq!(status_and_json(server.get(path)).await, (status, failure(message)), "{path}");
    }
    assert_eq!(server.get_json("/api/process-filter/?system_name=unknown").await["count"], 0);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let server = TestServer::start().await;
    let processes: Vec<_> =
        (1..=25).map(|pid| json!({ "pid": pid, "name": "p", "user": "u", "memory_percent": 2 })).collect();
    server.upload_ok(&snapshot("a", "2025-08-22T09:15:00Z", json!(processes))).await;
    let mut path = Some("/api/process-filter/?page_size=10&system_name=a&user=u&min_memory=2".to_owned());
    let mut pids = Vec::new();
    while let Some(at) = path {
        let page = server.get_json(&at).await;
        assert_eq!(page["count"], 25);
        let rows = page["results"]["data"].as_array().unwrap().clone();
        pids.extend(rows.iter().map(|row| row["pid"].as_u64().unwrap()));
        path = page["next"].as_str().map(|url| url.strip_prefix(&server.url("")).unwrap().to_owned());
    }
    assert_eq!(pids, (1..=25).collect::<Vec<_>>());
    let third = server.get_json("/api/process-filter/?page_size=10&page=3").await;
    assert_eq!(third["results"]["data"].as_array().unwrap().len(), 5);
    assert!(third["previous"].as_str().unwrap().contains("page=2"));
}

#[tokio::test]
async fn both_ends_of_the_range_are_in_it() {
    let server = TestServer::start().await;
    for minute in [10, 20, 30] {
        let time = format!("2025-08-22T09:{minute}:00Z");
        server.upload_ok(&snapshot("a", &time, json!([{ "pid": 1, "name": "p" }]))).await;
    }
    let range = "start_time=2025-08-22T09:10:00Z&end_time=2025-08-22T09:20:00Z";
    assert_eq!(server.get_json(&format!("/api/process-filter/?{range}")).await["count"], 2);
    let duration = server.get_json("/api/process-duration/?system_name=a&process_name=p").await;
    assert!(duration["duration_seconds"].as_f64().unwrap() >= 1_200.0, "{duration}");
}
