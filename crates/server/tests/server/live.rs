//! What is sent as it happens.

use serde_json::{Value, json};

use crate::sockets::{open, open_reader};
use crate::support::{TestServer, one_process, snapshot};

fn at(second: u32) -> String {
    format!("2025-08-22T09:15:{second:02}Z")
}

fn processes(cpu: f64) -> Value {
    json!([{ "pid": 1, "name": "init", "cpu": 0.5 }, { "pid": 7, "name": "work", "cpu": cpu, "memory": "1MB", "parent_pid": 1 }])
}

#[tokio::test]
async fn stored_snapshots_come_in_the_shape_of_uploads() {
    let server = TestServer::start().await;
    let mut all = open_reader(&server, "/ws/process-snapshots/").await;
    let mut one = open_reader(&server, "/ws/process-snapshots/?hostname=b").await;
    let a = server.upload_ok(&snapshot("a", &at(1), one_process())).await;
    let b = server.upload_ok(&snapshot("b", &at(1), one_process())).await;
    let first = all.next().await.unwrap();
    let children = json!([]);
    let process = json!({ "pid": 1, "name": "init", "cpu": 0.5, "memory": "10MB", "memory_bytes": 10_000_000, "parent_pid": null, "children": children });
    assert_eq!(first, json!({ "snapshot_id": a, "hostname": "a", "snapshot_time": at(1), "processes": [process] }));
    assert_eq!(all.next().await.unwrap()["snapshot_id"], b);
    assert_eq!(one.next().await.unwrap()["snapshot_id"], b);
    // A late one is stored and sent too.
    let late = server.upload_ok(&snapshot("b", &at(0), json!([]))).await;
    let message = one.next().await.unwrap();
    assert_eq!((&message["snapshot_id"], &message["processes"]), (&json!(late), &json!([])));
}

#[tokio::test]
async fn a_viewer_gets_a_key_and_then_changes() {
    let server = TestServer::start().await;
    let first = server.upload_ok(&snapshot("h", &at(1), processes(1.0))).await;
    let mut viewer = open_reader(&server, "/ws/live/?hostname=h").await;
    let key = viewer.next().await.unwrap();
    assert_eq!(
        (&key["type"], &key["snapshot_id"], &key["columns"]["pid"]),
        (&json!("key"), &json!(first), &json!([1, 7]))
    );
    assert_eq!((&key["columns"]["cpu"], &key["columns"]["memory"]), (&json!([50, 100]), &json!([null, 1_000_000])));
    assert_eq!(server.get_json("/api/process-snapshots/columns/?hostname=h").await, key);

    let second = server.upload_ok(&snapshot("h", &at(2), processes(2.0))).await;
    let delta = viewer.next().await.unwrap();
    assert_eq!((&delta["type"], &delta["snapshot_id"]), (&json!("delta"), &json!(second)));
    let slot = &key["columns"]["slot"][1];
    assert_eq!(delta["changes"], json!({ "cpu": { "slots": [slot], "values": [200] } }));

    let third = server.upload_ok(&snapshot("h", &at(3), one_process())).await;
    let delta = viewer.next().await.unwrap();
    assert_eq!(delta["ended"][0]["slot"], *slot);

    // Who comes back gets what was missed, and nothing else.
    let mut back = open_reader(&server, &format!("/ws/live/?hostname=h&after={second}")).await;
    let missed = back.next().await.unwrap();
    assert_eq!((&missed["type"], &missed["snapshot_id"]), (&json!("delta"), &json!(third)));
    let mut stranger = open_reader(&server, "/ws/live/?hostname=h&after=4294967000").await;
    assert_eq!(stranger.next().await.unwrap()["type"], "key");
}

#[tokio::test]
async fn a_past_moment_has_its_neighbours() {
    let server = TestServer::start().await;
    let mut ids = Vec::new();
    for second in 1..=3 {
        ids.push(server.upload_ok(&snapshot("h", &at(second), processes(f64::from(second)))).await);
    }
    let path = "/api/process-snapshots/columns/?hostname=h";
    let middle = server.get_json(&format!("{path}&at=2025-08-22T09:15:02.5Z")).await;
    assert_eq!((&middle["snapshot_id"], &middle["columns"]["cpu"]), (&json!(ids[1]), &json!([50, 200])));
    assert_eq!((&middle["previous_id"], &middle["next_id"]), (&json!(ids[0]), &json!(ids[2])));
    let after = server.get_json(&format!("{path}&at=2025-08-22T09:15:02.5Z&nearest=after")).await;
    assert_eq!((&after["snapshot_id"], &after["next_id"]), (&json!(ids[2]), &Value::Null));
    assert_eq!(server.get_json(&format!("{path}&snapshot_id={}", ids[0])).await["previous_id"], Value::Null);
    let chart = server.get_json("/api/charts/host/?hostname=h&points=10").await;
    assert_eq!((&chart["cpu"], &chart["step_ms"]), (&json!([150, 250, 350]), &json!(0)));
    assert_eq!((&chart["snapshot_id"], &chart["losses"]), (&json!(ids), &json!([])));
}

#[tokio::test]
async fn a_chart_tells_what_is_lost() {
    let server = TestServer::start().await;
    server.upload_ok(&snapshot("h", &at(1), processes(1.0))).await;
    let mut after = snapshot("h", &at(9), processes(1.0));
    let lost = json!({ "kind": "snapshots", "from": at(2), "until": at(8), "count": 7 });
    after["losses"] = json!([lost, { "kind": "events", "from": at(8), "until": at(9), "count": null }]);
    server.upload_ok(&after).await;
    let path = "/api/charts/host/?hostname=h";
    let ms = |second: i64| 1_755_854_100_000 + second * 1_000;
    let snapshots = json!({ "kind": "snapshots", "from_ms": ms(2), "until_ms": ms(8), "count": 7 });
    let events = json!({ "kind": "events", "from_ms": ms(8), "until_ms": ms(9), "count": null });
    assert_eq!(server.get_json(path).await["losses"], json!([snapshots, events]));
    // Told by a snapshot after the range.
    let within = format!("{path}&start={}&end={}", ms(3), ms(5));
    assert_eq!(server.get_json(&within).await["losses"], json!([snapshots]));
    assert_eq!(server.get_json(&format!("{path}&end={}", ms(2))).await["losses"], json!([]));
}

#[tokio::test]
async fn the_last_values_of_all_processes_up_to_a_moment() {
    let server = TestServer::start().await;
    for second in 1..=5 {
        server.upload_ok(&snapshot("h", &at(second), processes(f64::from(second)))).await;
    }
    let path = "/api/charts/processes/?hostname=h";
    let all = server.get_json(path).await;
    assert_eq!((&all["pid"], &all["start_time"]), (&json!([1, 7]), &json!([null, null])));
    assert_eq!(all["cpu"], json!([[50, 100], [50, 200], [50, 300], [50, 400], [50, 500]]));
    let some = server.get_json(&format!("{path}&at={}&snapshots=2", at(3))).await;
    assert_eq!(some["cpu"], json!([[50, 200], [50, 300]]));
    assert_eq!(some["time_ms"].as_array().map(Vec::len), Some(2));
    assert_eq!(server.get(&format!("{path}&at=2001-01-01T00:00:00Z")).send().await.unwrap().status(), 404);
    assert_eq!(server.get(&format!("{path}&snapshots=101")).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_list_of_hosts_changes_live() {
    let server = TestServer::start().await;
    let mut hosts = open_reader(&server, "/ws/live/").await;
    assert_eq!(hosts.next().await.unwrap(), json!({ "type": "hosts", "hosts": [] }));
    server.upload_ok(&snapshot("h", &at(1), processes(1.0))).await;
    let changed = hosts.next().await.unwrap();
    assert_eq!((&changed["type"], &changed["hosts"][0]["hostname"]), (&json!("hosts_changed"), &json!("h")));
    assert_eq!((&changed["hosts"][0]["status"], &changed["hosts"][0]["cpu"]), (&json!("live"), &json!(1.5)));
}

#[tokio::test]
async fn sockets_of_other_pages_and_strangers_are_refused() {
    let server = TestServer::start().await;
    let cookie = server.sign_in().await;
    let own = server.url("");
    for path in ["/ws/live/", "/ws/process-snapshots/"] {
        let status = |headers: &'static str, value: String| {
            let (server, cookie) = (&server, &cookie);
            async move { open(server, path, &[("cookie", cookie), (headers, &value)]).await.err() }
        };
        assert_eq!(status("origin", "http://evil.example".into()).await, Some(403), "{path}");
        assert_eq!(status("origin", "http://localhost:1".into()).await, Some(403), "{path}");
        assert_eq!(status("origin", own.clone()).await, None, "{path}");
        assert_eq!(open(&server, path, &[]).await.err(), Some(401), "{path}");
        assert_eq!(open(&server, path, &[("host", "evil.example")]).await.err(), Some(421), "{path}");
    }
    assert_eq!(open(&server, "/ws/live/?hostname=none", &[("cookie", &cookie)]).await.err(), Some(404));
}

#[tokio::test]
async fn sockets_end_with_the_session_and_the_key() {
    let server = TestServer::start().await;
    let cookie = server.sign_in().await;
    let mut signed_in =
        open(&server, "/ws/live/", &[("cookie", &cookie)]).await.unwrap_or_else(|status| panic!("{status}"));
    let mut by_key = open_reader(&server, "/ws/process-snapshots/").await;
    assert_eq!(signed_in.next().await.unwrap()["type"], "hosts");
    let sign_out =
        server.request(reqwest::Method::DELETE, "/api/session/").header("Cookie", &cookie).header("X-Procession", "1");
    assert_eq!(sign_out.send().await.unwrap().status(), 204);
    assert_eq!(signed_in.next().await, Err(Some(4401)));
    // Revoked by another process: noticed by looking.
    let prefix = server.read_key[..8].to_owned();
    procession_server::keys::revoke(&*server.store, &prefix, crate::support::now()).await.unwrap();
    assert_eq!(by_key.next().await, Err(Some(4401)));
}

#[tokio::test]
async fn a_server_that_ends_says_so() {
    let server = TestServer::start().await;
    let mut viewer = open_reader(&server, "/ws/live/").await;
    assert_eq!(viewer.next().await.unwrap()["type"], "hosts");
    let (_, end) = tokio::join!(server.stop(), viewer.next());
    assert_eq!(end, Err(Some(1001)));
}
