//! Questions about the past, over the real store.

use serde_json::{Value, json};

use crate::support::{TestServer, snapshot, status_and_json};

const MINUTES: u32 = 10;

fn at(minute: u32) -> String {
    format!("2025-08-22T09:{minute:02}:00Z")
}

/// A busy worker below a supervisor, a user's idle shell, and a program that runs every other time.
async fn with_history() -> TestServer {
    let server = TestServer::start().await;
    for minute in 0..MINUTES {
        let mut processes = vec![
            json!({ "pid": 1, "name": "init", "cpu": 0, "memory": "10MB", "user": "root" }),
            json!({ "pid": 10, "name": "worker", "cpu": 50, "memory": (minute + 1) * 1_000_000, "user": "app", "parent_pid": 1,
                "start_time": at(0), "command_line": "worker --queue a" }),
            json!({ "pid": 20, "name": "shell", "cpu": 1, "memory": "1MB", "user": "ann", "parent_pid": 1 }),
        ];
        if minute % 2 == 0 {
            processes.push(
                json!({ "pid": 100 + minute, "name": "cron", "cpu": 2, "user": "root", "start_time": at(minute) }),
            );
        }
        server.upload_ok(&snapshot("h", &at(minute), json!(processes))).await;
    }
    server
        .upload_ok(&snapshot(
            "other",
            &at(0),
            json!([{ "pid": 1, "name": "worker", "cpu": 7, "command_line": "worker --queue a" }]),
        ))
        .await;
    server
}

#[tokio::test]
async fn who_used_it() {
    let server = with_history().await;
    for (group, first) in [("process", "worker"), ("program", "worker"), ("user", "app")] {
        let top = server.get_json(&format!("/api/history/top/?hostname=h&by=cpu&group={group}")).await;
        assert_eq!((&top["group"], &top["rows"][0]["label"]), (&json!(group), &json!(first)), "{top}");
        assert!(top["rows"][0]["share"].as_f64().unwrap() > 0.9);
    }
    let tree = server.get_json("/api/history/top/?hostname=h&group=subtree&limit=100").await;
    let rows = tree["rows"].as_array().unwrap();
    let worker = rows.iter().find(|row| row["label"] == "worker").unwrap();
    assert_eq!(rows[usize::try_from(worker["parent"].as_u64().unwrap()).unwrap()]["label"], "init");
    for by in ["memory", "memory_peak", "memory_growth", "io", "read", "write"] {
        let top = server.get_json(&format!("/api/history/top/?hostname=h&by={by}&group=program")).await;
        assert_eq!((&top["by"], top["rows"].is_array()), (&json!(by), true));
    }
    let (status, answer) = status_and_json(server.get("/api/history/top/?hostname=h&by=luck")).await;
    assert_eq!((status, answer["by"].is_array()), (400, true));
}

#[tokio::test]
async fn over_a_life() {
    let server = with_history().await;
    let start = "2025-08-22T09:00:00Z";
    let life = server.get_json(&format!("/api/history/process-series/?hostname=h&pid=10&start_time={start}")).await;
    assert_eq!((&life["name"], &life["started_at_ms"]), (&json!("worker"), &json!(1_755_853_200_000_i64)));
    assert_eq!((life["cpu"].as_array().unwrap().len(), &life["cpu"][3]), (10, &json!(5_000)));
    assert_eq!(life["memory"][9], 10_000_000);
    assert_eq!(status_and_json(server.get("/api/history/process-series/?hostname=h&pid=77")).await.0, 404);
    assert_eq!(status_and_json(server.get("/api/history/process-series/?hostname=h")).await.0, 400);
    let program = server.get_json("/api/history/program-series/?name=worker&hostname=h").await;
    assert_eq!(program["cpu"][0], 5_000);
    let user = server.get_json("/api/history/user-series/?user=root&hostname=h").await;
    assert_eq!((&user["process_count"][0], &user["process_count"][1]), (&json!(2.0), &json!(1.0)));
}

#[tokio::test]
async fn runs_and_where() {
    let server = with_history().await;
    let runs = server.get_json("/api/history/runs/?name=cron&hostname=h").await;
    assert_eq!((&runs["count"], &runs["hosts"][0]["restarts"]), (&json!(5), &json!(4)), "{runs}");
    let run = &runs["runs"][1];
    assert_eq!((&run["pid"], &run["hostname"], &run["count"]), (&json!(102), &json!("h"), &json!(1)));
    let page = server.get_json("/api/history/runs/?name=cron&offset=3&limit=10").await;
    assert_eq!(page["runs"].as_array().unwrap().len(), 2);
    let hosts = server.get_json("/api/history/hosts-with/?name=worker").await;
    assert_eq!((&hosts["count"], &hosts["hosts"][1]["hostname"]), (&json!(2), &json!("other")));
}

#[tokio::test]
async fn what_changed() {
    let server = with_history().await;
    let range = format!("from={}&to={}", at(0), at(1));
    let changes = server.get_json(&format!("/api/history/changes/?hostname=h&{range}")).await;
    assert_eq!((&changes["ended"][0]["name"], &changes["began_count"]), (&json!("cron"), &json!(0)), "{changes}");
    let worker = changes["changed"].as_array().unwrap().iter().find(|one| one["pid"] == 10).unwrap().clone();
    assert_eq!((&worker["memory"], &worker["moved"]), (&json!([1_000_000, 2_000_000]), &json!(false)));
    let hosts = server.get_json("/api/history/changes/?hostname=h&other_hostname=other").await;
    assert_eq!(hosts["to"]["hostname"], "other");
    assert_eq!(status_and_json(server.get("/api/history/changes/?hostname=h&to=2020-01-01T00:00:00Z")).await.0, 404);
}

#[tokio::test]
async fn live_processes_are_found() {
    let server = with_history().await;
    let found = server.get_json("/api/search/?q=worker").await;
    assert_eq!((&found["count"], &found["hosts"], &found["found"][0]["hostname"]), (&json!(2), &json!(2), &json!("h")));
    let found = server.get_json("/api/search/?q=user:app%20cpu%3E10%20queue").await;
    assert_eq!((&found["count"], &found["found"][0]["memory"]), (&json!(1), &json!(10_000_000)));
    assert_eq!(server.get_json("/api/search/?q=cron%20nothing").await["found"], json!([]));
}

#[tokio::test]
async fn exports_are_whole_and_harmless() {
    let server = TestServer::start().await;
    let names = ["=cmd|' /C calc'!A0", "+1", "-2", "@SUM(1)", "\tx", "a,b\"c\r\nd", "plain"];
    let processes: Vec<Value> = (1..)
        .zip(names)
        .map(|(pid, name)| json!({ "pid": pid, "name": name, "cpu": 1.5, "command_line": name }))
        .collect();
    for minute in 0..3 {
        server.upload_ok(&snapshot("=h", &at(minute), json!(processes))).await;
    }
    let response = server.get("/api/history/samples/?hostname=%3Dh&format=csv").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let text = response.text().await.unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let cpu = rows.headers().unwrap().iter().position(|column| column == "cpu_percent").unwrap();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3 * names.len());
    for (row, name) in rows.iter().zip(names.iter().cycle()) {
        for cell in [&row[2], &row[6], &row[7]] {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
        }
        assert_eq!(row[6].trim_start_matches('\''), *name);
        assert_eq!(&row[cpu], "1.5");
    }
    let range = format!("start={}&end={}", at(1), at(2));
    let json = server.get_json(&format!("/api/history/samples/?hostname=%3Dh&{range}")).await;
    assert_eq!((json.as_array().unwrap().len(), &json[0]["name"]), (names.len(), &json!(names[0])));
    let none = server.get_json("/api/history/samples/?hostname=%3Dh&start=2030-01-01T00:00:00Z").await;
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn a_key_for_some_hosts_finds_those() {
    let server = with_history().await;
    let key = crate::support::new_key(&*server.store, procession_store::KeyPurpose::Read, Some("oth*")).await;
    let get = |path: &str| server.client.get(server.url(path)).header("Authorization", format!("Api-Key {key}"));
    let (_, found) = status_and_json(get("/api/search/?q=worker")).await;
    assert_eq!((&found["count"], &found["found"][0]["hostname"]), (&json!(1), &json!("other")));
    let (_, hosts) = status_and_json(get("/api/history/hosts-with/?name=worker")).await;
    assert_eq!((&hosts["count"], hosts["hosts"].as_array().unwrap().len()), (&json!(1), 1));
    for path in [
        "top/?hostname=h",
        "changes/?hostname=other&other_hostname=h",
        "runs/?name=cron&hostname=h",
        "samples/?hostname=h",
    ] {
        assert_eq!(status_and_json(get(&format!("/api/history/{path}"))).await.0, 403, "{path}");
    }
    assert_eq!(status_and_json(get("/api/history/runs/?name=cron")).await.0, 400);
}
