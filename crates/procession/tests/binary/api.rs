//! Requests to the API, with one kept connection.

use serde_json::Value;
use ureq::Agent;

use crate::harness::{Data, Server};

/// A client with keys for everything.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    upload_key: String,
    read_key: String,
}

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(server: &Server, data: &Data) -> Self {
        Self::with_keys(server, &data.key("upload", &[]), &data.key("read", &[]))
    }

    pub(crate) fn with_keys(server: &Server, upload_key: &str, read_key: &str) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        Self::over(agent, server, upload_key, read_key)
    }

    /// A client of one's own making.
    pub(crate) fn over(agent: Agent, server: &Server, upload_key: &str, read_key: &str) -> Self {
        Self { agent, base: server.url.clone(), upload_key: upload_key.into(), read_key: read_key.into() }
    }

    /// GET with the reading key.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).expect("an answer")
    }

    pub(crate) fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.base));
        answer(request.header("Authorization", format!("Api-Key {}", self.read_key)).call()?)
    }

    /// POST of an upload with the uploading key.
    pub(crate) fn upload(&self, body: &Value) -> Answer {
        self.try_upload(body).expect("an answer")
    }

    pub(crate) fn try_upload(&self, body: &Value) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(format!("{}/api/process-snapshots/", self.base));
        let request = request
            .header("Authorization", format!("Api-Key {}", self.upload_key))
            .header("Content-Type", "application/json");
        answer(request.send(body.to_string())?)
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(256 << 20).read_to_string()?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
}
