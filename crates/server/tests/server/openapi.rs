//! The OpenAPI document is as it was, unless someone means to change it: then `UPDATE=1` writes it anew.

use crate::support::TestServer;
use serde_json::Value;

#[tokio::test]
async fn the_document_is_as_it_was() {
    let server = TestServer::start().await;
    let text = server.get("/api/openapi.json").send().await.unwrap().text().await.unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text.clone() + "\n").unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept.trim_end() == text.trim_end(),
        "the OpenAPI document changed: run with UPDATE=1 and look at the difference"
    );
}

#[tokio::test]
async fn every_documented_path_is_served_and_shown() {
    let server = TestServer::start().await;
    let document: Value = server.get_json("/api/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let page = server.get("/api/docs/").send().await.unwrap().text().await.unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.ends_with('/'), "{path}");
        assert!(page.contains(&format!("<code>{path}</code>")), "{path} is not on the page");
        for (method, operation) in item.as_object().unwrap() {
            let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let status = server.request(method, &path.replace(['{', '}'], "")).send().await.unwrap().status().as_u16();
            assert_eq!(status, 401, "{path}");
            assert!(operation["responses"]["401"].is_object(), "{path}");
        }
    }
}
