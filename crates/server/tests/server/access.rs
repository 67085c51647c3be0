//! Who may do what: keys, sessions, names of the server, and every route for every role.

use crate::support::{TIME, TestServer, new_key, now, one_process, snapshot, status_and_json};
use procession_server::keys::{self, KeyRequest};
use procession_store::KeyPurpose;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn keys_are_told_apart() {
    let server = TestServer::start().await;
    let with = |value: String| server.client.get(server.url("/api/hosts/")).header("Authorization", value);
    let key = &server.read_key;
    for good in [format!("Api-Key {key}"), format!("api-key {key}"), format!("API-KEY   {key} ")] {
        assert_eq!(with(good).send().await.unwrap().status(), 200);
    }
    let mistyped = format!("{}x", &key[..key.len() - 1]);
    for (wrong, detail) in [
        (format!("Api-Key {mistyped}"), "Invalid key: it is mistyped or incomplete."),
        (format!("Bearer {key}"), "Send the key as: Authorization: Api-Key <key>"),
        ("Api-Key".to_owned(), "Send the key as: Authorization: Api-Key <key>"),
        ("Api-Key \u{e9}".to_owned(), "Send the key as: Authorization: Api-Key <key>"),
    ] {
        let response = with(wrong.clone()).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Api-Key");
        assert_eq!(response.status(), 401);
        assert_eq!(response.json::<Value>().await.unwrap(), json!({ "detail": detail }), "{wrong}");
    }
    let other = TestServer::start().await;
    let (status, answer) = status_and_json(with(format!("Api-Key {}", other.read_key))).await;
    assert_eq!((status, answer), (401, json!({ "detail": "Invalid key." })));
}

#[tokio::test]
async fn keys_expire_are_revoked_and_note_their_use() {
    let server = TestServer::start().await;
    let soon = now().plus_ms(1_500);
    let request = KeyRequest { purpose: KeyPurpose::Read, host_pattern: None, label: None, expires: Some(soon) };
    let expiring = keys::create(&*server.store, request.clone(), now()).await.unwrap().plain;
    let hosts =
        |key: &str| server.client.get(server.url("/api/hosts/")).header("Authorization", format!("Api-Key {key}"));
    assert_eq!(hosts(&expiring).send().await.unwrap().status(), 200);
    while now() < soon {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (status, answer) = status_and_json(hosts(&expiring)).await;
    assert_eq!((status, answer), (401, json!({ "detail": "This key has expired." })));
    let past = KeyRequest { expires: Some(now()), ..request };
    assert!(keys::create(&*server.store, past, now()).await.is_err());

    let cookie = server.sign_in().await;
    let signed_in = |method: Method, path: &str| server.request(method, path).header("Cookie", &cookie);
    let prefix = &server.read_key[..8];
    assert_eq!(hosts(&server.read_key).send().await.unwrap().status(), 200);
    // The use is noted beside the request, so it may be there a moment later.
    let listed = loop {
        let listed: Value = signed_in(Method::GET, "/api/keys/").send().await.unwrap().json().await.unwrap();
        let entry = listed.as_array().unwrap().iter().find(|key| key["prefix"] == prefix).unwrap();
        if let Some(used) = entry["last_used"].as_str() {
            assert!(used.ends_with(":00Z"), "{used}");
            break listed;
        }
        tokio::task::yield_now().await;
    };
    assert!(!listed.to_string().contains(&server.read_key[9..]), "the secret is not shown");
    let revoke = signed_in(Method::DELETE, &format!("/api/keys/{prefix}/"));
    assert_eq!(revoke.header("X-Procession", "1").send().await.unwrap().status(), 204);
    let (status, answer) = status_and_json(hosts(&server.read_key)).await;
    assert_eq!((status, answer), (401, json!({ "detail": "This key has been revoked." })));
}

#[tokio::test]
async fn a_key_for_some_hosts_neither_writes_nor_reads_others() {
    let server = TestServer::start().await;
    for host in ["web-1", "web-2", "db-1"] {
        server.upload_ok(&snapshot(host, TIME, one_process())).await;
    }
    let upload_key = new_key(&*server.store, KeyPurpose::Upload, Some("web-*")).await;
    let upload = |host: &str| {
        let body = snapshot(host, "2025-08-22T10:00:00Z", one_process());
        let request = server.client.post(server.url("/api/process-snapshots/"));
        request.header("Authorization", format!("Api-Key {upload_key}")).json(&body)
    };
    assert_eq!(upload("web-9").send().await.unwrap().status(), 201);
    let (status, answer) = status_and_json(upload("db-1")).await;
    assert_eq!((status, answer), (403, json!({ "detail": "This key is not for that host." })));

    let read_key = new_key(&*server.store, KeyPurpose::Read, Some("web-*")).await;
    let get =
        |path: String| server.client.get(server.url(&path)).header("Authorization", format!("Api-Key {read_key}"));
    let hosts: Vec<Value> = get("/api/hosts/".into()).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        hosts.iter().map(|host| host["hostname"].as_str().unwrap()).collect::<Vec<_>>(),
        ["web-1", "web-2", "web-9"]
    );
    let latest: Vec<Value> = get("/api/process-snapshots/latest/".into()).send().await.unwrap().json().await.unwrap();
    assert_eq!(latest.len(), 3);
    let db = (2_u64 << 32) + 1;
    for path in [
        format!("/api/process-snapshots/{db}/"),
        "/api/process-snapshots/latest/?hostname=db-1".into(),
        "/api/process-snapshots/list/?hostname=db-1".into(),
        "/api/process-snapshots/series/?hostname=db-1".into(),
        "/api/process-snapshots/columns/?hostname=db-1".into(),
        "/api/process-filter/?system_name=db-1".into(),
        "/api/process-duration/?system_name=db-1&process_name=init".into(),
        "/api/charts/host/?hostname=db-1".into(),
        "/api/charts/processes/?hostname=db-1".into(),
        "/metrics".into(),
    ] {
        assert_eq!(get(path.clone()).send().await.unwrap().status(), 403, "{path}");
    }
    for path in ["/api/process-snapshots/list/", "/api/process-filter/"] {
        assert_eq!(get(path.into()).send().await.unwrap().status(), 400, "{path}: all hosts are not for this key");
    }
    let one = new_key(&*server.store, KeyPurpose::Read, Some("db-1")).await;
    let list =
        server.client.get(server.url("/api/process-snapshots/list/")).header("Authorization", format!("Api-Key {one}"));
    assert_eq!(list.send().await.unwrap().json::<Value>().await.unwrap()[0]["snapshot_id"], db);
}

#[tokio::test]
async fn only_our_own_names_are_answered() {
    let server = TestServer::start_with(|config| config.allowed_hosts.push("monitor.example".into())).await;
    for (host, status) in
        [("evil.example", 421), ("monitor.example", 200), ("localhost:1", 200), ("127.0.0.1.evil.example", 421)]
    {
        for path in ["/healthz", "/"] {
            let response = server.client.get(server.url(path)).header("Host", host).send().await.unwrap();
            let expected = if status == 421 { 421 } else { response.status().as_u16() };
            assert_eq!(response.status(), expected, "{host} {path}");
        }
        assert_eq!(
            server.client.get(server.url("/healthz")).header("Host", host).send().await.unwrap().status(),
            status
        );
    }
    // Before anything else: not even a key is looked at.
    let request = server.get("/api/hosts/").header("Host", "evil.example");
    assert_eq!(status_and_json(request).await.0, 421);
}

#[tokio::test]
async fn a_session_begins_by_a_link_that_is_good_once() {
    let server = TestServer::start().await;
    let link = procession_server::sign_in::create_link(&*server.store, &server.handle.url(), now()).await.unwrap();
    assert_eq!(server.client.head(&link).send().await.unwrap().status(), 204, "looking at it does not use it up");
    let response = server.client.get(&link).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!((response.status().as_u16(), &response.headers()["location"]), (303, &"/".parse().unwrap()));
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    assert_eq!(server.client.get(&link).send().await.unwrap().status(), 403);

    let cookie = cookie.split(';').next().unwrap();
    let session = |method: Method| server.request(method, "/api/session/").header("Cookie", cookie);
    let (status, answer) = status_and_json(session(Method::GET)).await;
    assert_eq!((status, &answer["signed_in"]), (200, &json!(true)));
    assert_eq!(session(Method::DELETE).send().await.unwrap().status(), 403, "without the header");
    let foreign = session(Method::DELETE).header("X-Procession", "1").header("Origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let own = session(Method::DELETE).header("X-Procession", "1").header("Origin", server.url(""));
    let response = own.send().await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(session(Method::GET).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn behind_tls_cookies_are_bound_to_it() {
    let server = TestServer::start_with(|config| config.behind_tls = true).await;
    let link = procession_server::sign_in::create_link(&*server.store, &server.handle.url(), now()).await.unwrap();
    let response = server.client.get(&link).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-procession_session=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(response.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn a_signed_in_person_makes_keys() {
    let server = TestServer::start().await;
    let cookie = server.sign_in().await;
    let make = |body: Value| {
        let request = server.request(Method::POST, "/api/keys/").header("Cookie", &cookie);
        request.header("X-Procession", "1").json(&body)
    };
    let (status, made) = status_and_json(make(json!({ "purpose": "upload", "host": "h", "label": "l" }))).await;
    assert_eq!((status, &made["host"], &made["label"]), (201, &json!("h"), &json!("l")));
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(made["prefix"].as_str().unwrap()));
    let request =
        server.client.post(server.url("/api/process-snapshots/")).header("Authorization", format!("Api-Key {key}"));
    assert_eq!(request.json(&snapshot("h", TIME, one_process())).send().await.unwrap().status(), 201);
    for wrong in [
        json!({}),
        json!({ "purpose": "x" }),
        json!({ "purpose": "read", "host": "" }),
        json!({ "purpose": "read", "expires": "2020-01-01T00:00:00Z" }),
        json!({ "purpose": "read", "expires": "soon" }),
    ] {
        assert_eq!(status_and_json(make(wrong.clone())).await.0, 400, "{wrong}");
    }
}

/// Statuses without anything, with an upload key, a read key, a session, and a session with the header.
type Expected = [u16; 5];

#[tokio::test]
async fn every_route_for_every_role() {
    const READ: Expected = [401, 403, 200, 200, 200];
    const OPEN: Expected = [200; 5];
    let server = TestServer::start().await;
    let host = "hostname=h";
    let routes: Vec<(Method, String, Expected)> = vec![
        (Method::POST, "/api/process-snapshots/".into(), [401, 201, 403, 401, 401]),
        (Method::POST, "/api/process-data/".into(), [401, 201, 403, 401, 401]),
        (Method::GET, "/api/hosts/".into(), READ),
        (Method::GET, "/api/process-snapshots/latest/".into(), READ),
        (Method::GET, "/api/process-snapshots/list/".into(), READ),
        (Method::GET, "/api/process-snapshots/1/".into(), READ),
        (Method::GET, format!("/api/process-snapshots/series/?{host}"), READ),
        (Method::GET, format!("/api/process-snapshots/columns/?{host}"), READ),
        (Method::GET, format!("/api/process-snapshots/columns/?{host}&snapshot_id=1"), READ),
        (Method::GET, format!("/api/charts/host/?{host}"), READ),
        (Method::GET, format!("/api/charts/processes/?{host}"), READ),
        (Method::GET, "/api/process-filter/".into(), READ),
        (Method::GET, "/api/filter-processes/".into(), READ),
        (Method::GET, "/api/process-duration/?system_name=h&process_name=init".into(), READ),
        (Method::GET, format!("/api/history/top/?{host}"), READ),
        (Method::GET, format!("/api/history/changes/?{host}"), READ),
        (Method::GET, format!("/api/history/samples/?{host}"), READ),
        (Method::GET, format!("/api/history/process-series/?{host}&pid=1"), READ),
        (Method::GET, "/api/history/program-series/?name=init".into(), READ),
        (Method::GET, "/api/history/user-series/?user=u".into(), READ),
        (Method::GET, "/api/history/runs/?name=init".into(), READ),
        (Method::GET, "/api/history/hosts-with/?name=init".into(), READ),
        (Method::GET, "/api/search/?q=init".into(), READ),
        (Method::GET, "/api/session/".into(), READ),
        (Method::GET, "/metrics".into(), READ),
        (Method::GET, "/api/keys/".into(), [401, 403, 403, 200, 200]),
        (Method::POST, "/api/keys/".into(), [401, 403, 403, 403, 201]),
        (Method::DELETE, "/api/keys/00000000/".into(), [401, 403, 403, 403, 404]),
        (Method::DELETE, "/api/session/".into(), [401, 403, 403, 403, 204]),
        (Method::GET, "/ws/process-snapshots/".into(), [401, 403, 400, 400, 400]),
        (Method::GET, "/ws/live/".into(), [401, 403, 400, 400, 400]),
        (Method::GET, "/ws/agent/".into(), [401, 400, 403, 401, 401]),
        (Method::GET, "/sign-in?token=wrong".into(), [403; 5]),
        (Method::GET, "/healthz".into(), OPEN),
        (Method::GET, "/readyz".into(), OPEN),
        (Method::GET, "/api/openapi.json".into(), OPEN),
        (Method::GET, "/api/docs/".into(), OPEN),
        (Method::GET, "/api/docs/style.css".into(), OPEN),
    ];
    for (method, path, expected) in routes {
        for (role, expected) in expected.iter().enumerate() {
            server.upload(&snapshot("h", TIME, one_process())).await;
            let cookie = server.sign_in().await;
            let request = server.request(method.clone(), &path);
            let request = match role {
                0 => request,
                1 => request.header("Authorization", format!("Api-Key {}", server.upload_key)),
                2 => request.header("Authorization", format!("Api-Key {}", server.read_key)),
                3 => request.header("Cookie", &cookie),
                _ => request.header("Cookie", &cookie).header("X-Procession", "1"),
            };
            let request = match path.as_str() {
                "/api/process-snapshots/" => request.json(&snapshot("other", TIME, one_process())),
                "/api/process-data/" => request.json(&json!({ "system_name": "s", "processes": [] })),
                "/api/keys/" if method == Method::POST => request.json(&json!({ "purpose": "read" })),
                _ => request,
            };
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status, *expected, "{method} {path} as role {role}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_its_security_headers() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/api/hosts/", "/nothing.js", "/api/docs/"] {
        let response = server.get(path).send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(
            (header("x-content-type-options"), header("referrer-policy")),
            ("nosniff".into(), "no-referrer".into())
        );
        assert!(!header("x-request-id").is_empty());
    }
}
