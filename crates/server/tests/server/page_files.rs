//! The page, from inside the binary and from a folder.

use crate::support::TestServer;

fn page_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let index =
        r#"<script type="importmap">{"imports":{}}</script><script type="module" src="/page/main.js"></script>"#;
    std::fs::write(folder.path().join("index.html"), index).unwrap();
    std::fs::write(folder.path().join("main.js"), "export const x = 1;\n".repeat(100)).unwrap();
    folder
}

#[tokio::test]
async fn addresses_of_the_router_are_the_page() {
    let folder = page_folder();
    let path = folder.path().to_owned();
    let server = TestServer::start_with(|config| config.page_dir = Some(path)).await;
    for path in ["/", "/index.html", "/hosts/MACHINE-01", "/hosts/a%2Fb"] {
        let response = server.request(reqwest::Method::GET, path).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["cache-control"]),
            (200, &"no-cache".parse().unwrap())
        );
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("script-src 'self' 'sha256-") && policy.contains("require-trusted-types-for"),
            "{policy}"
        );
    }
    for path in ["/hosts/x.js", "/page/none.js", "/page/../Cargo.toml", "/page/%2e%2e/main.js", "/api/x/", "/ws/x"] {
        assert_eq!(server.request(reqwest::Method::GET, path).send().await.unwrap().status(), 404, "{path}");
    }
    assert_eq!(server.request(reqwest::Method::POST, "/hosts/x").send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn files_are_compressed_when_asked_for() {
    let folder = page_folder();
    let path = folder.path().to_owned();
    let server = TestServer::start_with(|config| config.page_dir = Some(path)).await;
    let get = |encoding: &'static str| {
        server.request(reqwest::Method::GET, "/page/main.js").header("Accept-Encoding", encoding)
    };
    let plain = get("").send().await.unwrap();
    assert_eq!(plain.headers()["content-type"], "text/javascript; charset=utf-8");
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    let gzip = get("gzip, br").send().await.unwrap();
    assert_eq!(gzip.headers()["content-encoding"], "gzip");
    let unpacked = std::io::read_to_string(flate2::read::GzDecoder::new(&*gzip.bytes().await.unwrap())).unwrap();
    assert_eq!(unpacked.as_bytes(), &*plain);
    let zstd = get("gzip, zstd;q=1").send().await.unwrap();
    assert_eq!(zstd.headers()["content-encoding"], "zstd");
    assert_eq!(zstd::stream::decode_all(&*zstd.bytes().await.unwrap()).unwrap(), &*plain);
}

#[tokio::test]
async fn the_binary_has_the_page() {
    let server = TestServer::start().await;
    let response = server.request(reqwest::Method::GET, "/").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let html = response.text().await.unwrap();
    let script = html.split('"').find(|part| part.starts_with("/page/") && part.ends_with(".js")).expect("a script");
    let response = server.request(reqwest::Method::GET, script).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
}
