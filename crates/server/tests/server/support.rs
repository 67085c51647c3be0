//! A real server on a free port, with a real store in a temporary folder.

use std::net::SocketAddr;
use std::sync::Arc;

use procession_model::Timestamp;
use procession_server::keys::{self, KeyRequest};
use procession_server::{Server, ServerConfig, ServerHandle, sign_in};
use procession_store::{Catalog, KeyPurpose, OpenOptions, SqliteStore};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const TIME: &str = "2025-08-22T09:15:00Z";

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) client: reqwest::Client,
    pub(crate) upload_key: String,
    pub(crate) read_key: String,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap())
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, change).await
    }

    pub(crate) async fn start_in(folder: tempfile::TempDir, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let store = Arc::new(SqliteStore::open(&OpenOptions::new(folder.path())).unwrap());
        let mut config = ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        change(&mut config);
        let upload_key = new_key(&*store, KeyPurpose::Upload, None).await;
        let read_key = new_key(&*store, KeyPurpose::Read, None).await;
        let server = Server::bind(config, Arc::clone(&store)).await.unwrap();
        let (address, handle) = (server.local_address(), server.handle());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            server.run(async { drop(stopped.await) }).await.unwrap();
        });
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (stop, running) = (Some(stop), Some(running));
        Self { address, handle, store, client, upload_key, read_key, stop, running, folder }
    }

    /// Ends the server as a user would, and waits until it has ended.
    pub(crate) async fn stop(mut self) -> tempfile::TempDir {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap();
        self.folder
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).header("Authorization", format!("Api-Key {}", self.read_key))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).header("Authorization", format!("Api-Key {}", self.upload_key))
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn upload(&self, body: &Value) -> Response {
        self.post("/api/process-snapshots/").json(body).send().await.unwrap()
    }

    /// Uploads and returns the number of the snapshot.
    pub(crate) async fn upload_ok(&self, body: &Value) -> u64 {
        let response = self.upload(body).await;
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["snapshot_id"].as_u64().unwrap()
    }

    /// Signs in by a one-time link and returns the cookie.
    pub(crate) async fn sign_in(&self) -> String {
        let link = sign_in::create_link(&*self.store, &self.handle.url(), now()).await.unwrap();
        let response = self.client.get(link).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

pub(crate) async fn new_key(catalog: &dyn Catalog, purpose: KeyPurpose, host: Option<&str>) -> String {
    let request = KeyRequest { purpose, host_pattern: host.map(str::to_owned), label: None, expires: None };
    keys::create(catalog, request, now()).await.unwrap().plain
}

/// An upload of some processes of a host at a time.
pub(crate) fn snapshot(hostname: &str, time: &str, processes: Value) -> Value {
    json!({ "hostname": hostname, "snapshot_time": time, "processes": processes })
}

/// One process.
pub(crate) fn one_process() -> Value {
    json!([{ "pid": 1, "name": "init", "cpu": 0.5, "memory": "10MB", "parent_pid": null }])
}

pub(crate) async fn status_and_json(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}
