//! The published API of the Process Monitor Application, with requests as its document shows them.

use crate::support::{TIME, TestServer, one_process, snapshot, status_and_json};
use serde_json::{Value, json};

/// The request example of the published document, word by word.
const PUBLISHED: &str = r#"{
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

#[tokio::test]
async fn the_published_example_is_stored_and_read_back() {
    let server = TestServer::start().await;
    let upload = server.post("/api/process-snapshots/").header("Content-Type", "application/json").body(PUBLISHED);
    let (status, answer) = status_and_json(upload.try_clone().unwrap()).await;
    assert_eq!((status, &answer), (201, &json!({ "message": "Snapshot uploaded successfully.", "snapshot_id": 1 })));
    let (status, answer) = status_and_json(upload).await;
    assert_eq!((status, &answer["snapshot_id"]), (200, &json!(1)));

    let hosts = server.get_json("/api/hosts/").await;
    assert_eq!((hosts[0]["hostname"].as_str(), hosts.as_array().unwrap().len()), (Some("MACHINE-01"), 1));
    let list = server.get_json("/api/process-snapshots/list/?hostname=MACHINE-01").await;
    assert_eq!(list, json!([{ "snapshot_id": 1, "hostname": "MACHINE-01", "timestamp": TIME }]));

    let child = json!({ "pid": 200, "name": "notepad.exe", "cpu": 1.2, "memory": "50MB", "memory_bytes": 50_000_000,
        "parent_pid": 100, "children": [] });
    let tree = json!([{ "pid": 100, "name": "explorer.exe", "cpu": 2.5, "memory": "150MB", "memory_bytes": 150_000_000,
        "parent_pid": null, "children": [child] }]);
    let detail = json!({ "snapshot_id": 1, "hostname": "MACHINE-01", "timestamp": TIME, "processes": tree });
    assert_eq!(server.get_json("/api/process-snapshots/1/").await, detail);
    let latest = json!({ "snapshot_id": 1, "hostname": "MACHINE-01", "snapshot_time": TIME, "processes": tree });
    assert_eq!(server.get_json("/api/process-snapshots/latest/?hostname=MACHINE-01").await, latest);
    assert_eq!(server.get_json("/api/process-snapshots/latest/").await, json!([latest]));
    let point =
        json!({ "snapshot_id": 1, "timestamp": TIME, "cpu": 3.7, "memory_bytes": 200_000_000, "process_count": 2 });
    assert_eq!(server.get_json("/api/process-snapshots/series/?hostname=MACHINE-01").await, json!([point]));
    let with_trees = server.get_json("/api/process-snapshots/series/?hostname=MACHINE-01&include=processes").await;
    assert_eq!(with_trees[0]["processes"], tree);
}

#[tokio::test]
async fn paths_are_the_same_without_their_slash() {
    let server = TestServer::start().await;
    let body = snapshot("h", TIME, one_process());
    let (status, _) = status_and_json(server.post("/api/process-snapshots").json(&body)).await;
    assert_eq!(status, 201);
    for path in ["/api/hosts", "/api/process-snapshots/latest", "/api/process-snapshots/1?x=1", "/api/process-filter"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn lists_and_series_are_paged() {
    let server = TestServer::start().await;
    for minute in 0..5 {
        for host in ["a", "b"] {
            let time = format!("2025-08-22T09:{minute:02}:00.500Z");
            server.upload_ok(&snapshot(host, &time, one_process())).await;
        }
    }
    let ids =
        |list: &Value| list.as_array().unwrap().iter().map(|e| e["snapshot_id"].as_u64().unwrap()).collect::<Vec<_>>();
    let b = 1_u64 << 32;
    let all = server.get_json("/api/process-snapshots/list/").await;
    assert_eq!(ids(&all), [1, b + 1, 2, b + 2, 3, b + 3, 4, b + 4, 5, b + 5]);
    assert_eq!(all[1]["timestamp"], "2025-08-22T09:00:00.500Z");
    let part = server.get_json("/api/process-snapshots/list/?limit=3").await;
    assert_eq!(ids(&part), [b + 4, 5, b + 5]);
    let before = server.get_json(&format!("/api/process-snapshots/list/?limit=3&before={}", b + 4)).await;
    assert_eq!(ids(&before), [3, b + 3, 4]);
    let range = "start=2025-08-22T09:01:00Z&end=2025-08-22T09:03:00.500Z";
    assert_eq!(ids(&server.get_json(&format!("/api/process-snapshots/list/?hostname=a&{range}")).await), [2, 3]);
    for name in ["limit", "limt"] {
        let series = server.get_json(&format!("/api/process-snapshots/series/?hostname=a&{name}=2")).await;
        assert_eq!(ids(&series), [4, 5]);
    }
    assert_eq!(server.get_json("/api/process-snapshots/series/?hostname=unknown").await, json!([]));
    assert_eq!(server.get_json("/api/process-snapshots/list/?hostname=unknown").await, json!([]));
}

#[tokio::test]
async fn late_snapshots_have_their_place_in_time() {
    let server = TestServer::start().await;
    server.upload_ok(&snapshot("h", "2025-08-22T09:10:00Z", one_process())).await;
    let late = server.upload_ok(&snapshot("h", "2025-08-22T09:05:00Z", json!([]))).await;
    let list = server.get_json("/api/process-snapshots/list/").await;
    assert_eq!((&list[0]["snapshot_id"], &list[1]["snapshot_id"]), (&json!(late), &json!(1)));
    let latest = server.get_json("/api/process-snapshots/latest/?hostname=h").await;
    assert_eq!(latest["snapshot_id"], 1);
    assert_eq!(server.get_json(&format!("/api/process-snapshots/{late}/")).await["processes"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let server = TestServer::start().await;
    let post = |body: &'static str| {
        server.post("/api/process-snapshots/").header("Content-Type", "application/json").body(body)
    };
    let (status, answer) = status_and_json(post("{\"hostname\": ")).await;
    assert_eq!(status, 400);
    assert!(answer["detail"].as_str().unwrap().starts_with("JSON parse error - "), "{answer}");
    let body = r#"{"hostname":"h","snapshot_time":"2025-08-22T09:15:00Z","processes":[{"pid":1,"name":"a"},{"pid":1,"name":"b","cpu":-1}]}"#;
    let (status, answer) = status_and_json(post(body)).await;
    let problems = json!({ "cpu": ["Ensure this value is greater than or equal to 0."],
        "pid": ["This pid occurs more than once in the snapshot."] });
    assert_eq!((status, answer), (400, json!({ "processes": { "1": problems } })));
    let expected = [
        ("/api/process-snapshots/series/", 400, json!({ "hostname": ["This query parameter is required."] })),
        ("/api/process-snapshots/99/", 404, json!({ "detail": "Not found." })),
        ("/api/process-snapshots/x/", 404, json!({ "detail": "Not found." })),
        ("/api/process-snapshots/18446744073709551616/", 404, json!({ "detail": "Not found." })),
        ("/api/process-snapshots/latest/?hostname=none", 404, json!({ "detail": "Not found." })),
        ("/api/nothing/", 404, json!({ "detail": "Not found." })),
        ("/api/process-snapshots/", 405, json!({ "detail": "Method \"GET\" not allowed." })),
    ];
    for (path, status, answer) in expected {
        assert_eq!(status_and_json(server.get(path)).await, (status, answer), "{path}");
    }
    assert_eq!(server.get_json("/api/hosts/").await, json!([]), "nothing of it was stored");
}

#[tokio::test]
async fn parents_that_cannot_be_make_roots() {
    let server = TestServer::start().await;
    let processes = json!([
        { "pid": 1, "name": "absent parent", "parent_pid": 99 },
        { "pid": 2, "name": "own parent", "parent_pid": 2 },
        { "pid": 3, "name": "cycle", "parent_pid": 4 },
        { "pid": 4, "name": "cycle", "parent_pid": 3 },
        { "pid": 5, "name": "mixed", "children": [{ "pid": 6, "name": "nested" }] },
        { "pid": 7, "name": "flat", "parent_pid": 6 },
    ]);
    let id = server.upload_ok(&snapshot("h", TIME, processes)).await;
    let trees = server.get_json(&format!("/api/process-snapshots/{id}/")).await["processes"].clone();
    let roots: Vec<_> = trees.as_array().unwrap().iter().map(|tree| tree["pid"].as_u64().unwrap()).collect();
    assert_eq!(roots, [1, 2, 3, 5]);
    assert_eq!(trees[2]["children"][0]["pid"], 4);
    assert_eq!(trees[3]["children"][0]["children"][0]["pid"], 7);
    assert_eq!((&trees[0]["parent_pid"], &trees[1]["parent_pid"]), (&json!(99), &json!(2)));
}

/// A chain of `depth` processes within one another, and brothers up to `count`, with hostile names.
fn deep(depth: u32, count: u32) -> Value {
    let hostile = [
        "<script>alert(1)</script>",
        "'; DROP TABLE x; --",
        "=cmd|' /C calc'!A0",
        "\u{1b}[2J\u{202e}",
        "\u{0}\r\n",
        "𝔭𝔯𝔬𝔠",
    ];
    let name = |pid: u32| format!("{}{pid}", hostile[pid as usize % hostile.len()]);
    let mut inner = json!([]);
    for pid in (1..=depth).rev() {
        let mut node = json!({ "pid": pid, "name": name(pid), "cpu": 0.1, "memory": 4096, "children": inner });
        if pid == depth {
            let brothers =
                (depth + 1..=count).map(|pid| json!({ "pid": pid, "name": name(pid), "cpu": 1, "memory": "1 KiB" }));
            node["children"] = brothers.collect();
        }
        inner = json!([node]);
    }
    inner
}

fn pids(trees: &Value, depth: usize, out: &mut Vec<(u64, usize, String)>) {
    for tree in trees.as_array().into_iter().flatten() {
        out.push((tree["pid"].as_u64().unwrap(), depth, tree["name"].as_str().unwrap().to_owned()));
        pids(&tree["children"], depth + 1, out);
    }
}

#[tokio::test]
async fn deep_and_wide_trees_come_back_equal() {
    let server = TestServer::start().await;
    let processes = deep(60, 5_000);
    let id = server.upload_ok(&snapshot("h", TIME, processes.clone())).await;
    // serde_json reads at most 128 levels, which is what 60 processes within one another need.
    let detail = server.get_json(&format!("/api/process-snapshots/{id}/")).await;
    let (mut sent, mut kept) = (Vec::new(), Vec::new());
    pids(&processes, 0, &mut sent);
    pids(&detail["processes"], 0, &mut kept);
    assert_eq!(kept.len(), 5_000);
    assert_eq!(kept, sent);
}

#[tokio::test]
async fn absurd_depth_is_refused_and_long_chains_are_served() {
    let server = TestServer::start().await;
    for depth in [300, 10_000, 100_000] {
        let body = format!(
            r#"{{"hostname":"h","snapshot_time":"{TIME}","processes":{}{}}}"#,
            r#"[{"pid":1,"name":"p","children":"#.repeat(depth),
            "[]".to_owned() + &"}]".repeat(depth)
        );
        let request = server.post("/api/process-snapshots/").header("Content-Type", "application/json").body(body);
        let (status, answer) = status_and_json(request).await;
        assert_eq!((status, answer), (400, json!({ "processes": ["Processes are nested more than 256 deep."] })));
    }
    let chain: Value =
        (1..=10_000).map(|pid| json!({ "pid": pid, "name": "p", "parent_pid": pid - 1 })).collect::<Vec<_>>().into();
    let id = server.upload_ok(&snapshot("h", TIME, chain)).await;
    let text = server.get(&format!("/api/process-snapshots/{id}/")).send().await.unwrap().text().await.unwrap();
    assert_eq!(text.matches("\"pid\":").count(), 10_000);
    assert!(text.ends_with(&"]}".repeat(10_000)));
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let server = TestServer::start().await;
    let id = server.upload_ok(&snapshot("h", TIME, one_process())).await;
    let folder = server.stop().await;
    let server = TestServer::start_in(folder, |_| {}).await;
    assert_eq!(server.get_json(&format!("/api/process-snapshots/{id}/")).await["hostname"], "h");
    assert_eq!(server.get_json("/api/hosts/").await[0]["process_count"], 1);
    assert_eq!(server.upload(&snapshot("h", TIME, one_process())).await.status(), 200);
}
