//! Bodies: compressed, too large, of the wrong kind, and bombs.

use std::io::Write;

use crate::support::{TIME, TestServer, one_process, snapshot, status_and_json};
use serde_json::{Value, json};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn encoded(server: &TestServer, encoding: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
    let request = server.post("/api/process-snapshots/").header("Content-Type", "application/json");
    request.header("Content-Encoding", encoding).body(body)
}

#[tokio::test]
async fn compressed_both_ways() {
    let server = TestServer::start().await;
    for (second, encoding) in ["gzip", "zstd", "identity", "GZIP"].iter().enumerate() {
        let body = snapshot("h", &format!("2025-08-22T09:15:{second:02}Z"), one_process()).to_string();
        let body = match *encoding {
            "zstd" => zstd(body.as_bytes()),
            "identity" => body.into_bytes(),
            _ => gzip(body.as_bytes()),
        };
        assert_eq!(status_and_json(encoded(&server, encoding, body)).await.0, 201, "{encoding}");
    }
    for second in 0..40 {
        server.upload_ok(&snapshot("many", &format!("2025-08-22T09:15:{second:02}Z"), one_process())).await;
    }
    for encoding in ["gzip", "zstd"] {
        // What is written while it is sent is compressed too, up to its end.
        for path in [
            "/api/hosts/",
            "/api/process-snapshots/latest/",
            "/api/process-snapshots/series/?hostname=many&include=processes",
        ] {
            let response = server.get(path).header("Accept-Encoding", encoding).send().await.unwrap();
            assert!(!response.bytes().await.unwrap().is_empty(), "{path}");
        }
        let response =
            server.get("/api/process-snapshots/list/").header("Accept-Encoding", encoding).send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        let bytes = response.bytes().await.unwrap();
        let plain = match encoding {
            "gzip" => std::io::read_to_string(flate2::read::GzDecoder::new(&*bytes)).unwrap(),
            _ => String::from_utf8(zstd::stream::decode_all(&*bytes).unwrap()).unwrap(),
        };
        assert_eq!(serde_json::from_str::<Value>(&plain).unwrap().as_array().unwrap().len(), 44);
    }
}

#[tokio::test]
async fn bombs_and_large_bodies_are_refused() {
    let server = TestServer::start_with(|config| config.limits.body_bytes_max = 1 << 20).await;
    let zeros = vec![b' '; 256 << 20];
    for (encoding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros)), ("gzip", gzip(&vec![b' '; (1 << 20) + 1]))]
    {
        assert!(bomb.len() < 1 << 20);
        let (status, answer) = status_and_json(encoded(&server, encoding, bomb)).await;
        assert_eq!(
            (status, answer),
            (413, json!({ "detail": "The body is larger than 1048576 bytes." })),
            "{encoding}"
        );
    }
    assert_eq!(status_and_json(encoded(&server, "identity", vec![b' '; (1 << 20) + 1])).await.0, 413);
    let exact = snapshot("h", TIME, one_process()).to_string();
    let padded = exact.clone() + &" ".repeat((1 << 20) - exact.len());
    assert_eq!(status_and_json(encoded(&server, "gzip", gzip(padded.as_bytes()))).await.0, 201);
}

#[tokio::test]
async fn a_zstd_frame_may_not_ask_for_a_large_window() {
    let server = TestServer::start().await;
    let body = snapshot("h", TIME, one_process()).to_string();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(body.as_bytes()).unwrap();
    let (status, answer) = status_and_json(encoded(&server, "zstd", encoder.finish().unwrap())).await;
    assert_eq!((status, answer), (400, json!({ "detail": "The body does not fit its Content-Encoding." })));
}

#[tokio::test]
async fn kinds_that_are_not_read() {
    let server = TestServer::start().await;
    let body = snapshot("h", TIME, one_process()).to_string();
    for (name, value, status) in [
        ("Content-Type", "text/plain", 415),
        ("Content-Type", "application/x-www-form-urlencoded", 415),
        ("Content-Type", "Application/JSON; charset=utf-8", 201),
        ("Content-Encoding", "br", 415),
        ("Content-Encoding", "gzip, gzip", 415),
        ("Content-Encoding", "gzip", 400),
        ("Content-Encoding", "zstd", 400),
    ] {
        let request = server.post("/api/process-snapshots/").header(name, value).body(body.clone());
        assert_eq!(status_and_json(request).await.0, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn rubbish_is_never_an_internal_error() {
    let server = TestServer::start().await;
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let example = snapshot(
        "h",
        TIME,
        json!([{ "pid": 1, "name": "a", "children": [{ "pid": 2, "name": "b", "memory": "1MB" }] }]),
    );
    for _ in 0..300 {
        let mut body = example.to_string().into_bytes();
        for _ in 0..=next() % 4 {
            let at = usize::try_from(next()).unwrap() % body.len();
            match next() % 3 {
                0 => body[at] = next().to_le_bytes()[0],
                1 => drop(body.remove(at)),
                _ => body.insert(at, b"{}[],:\"0-e\\u"[usize::try_from(next()).unwrap() % 12]),
            }
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let status = status_and_json(encoded(&server, "identity", body)).await.0;
        assert!([200, 201, 400].contains(&status), "{status}: {text}");
    }
}
