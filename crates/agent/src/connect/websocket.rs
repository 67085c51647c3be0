//! A server over the network: TCP, perhaps TLS, and a WebSocket whose request carries the key.

use std::path::PathBuf;
use std::time::Duration;

use procession_protocol::{AgentMessage, Link, MESSAGE_BYTES_MAX, ServerMessage, link};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::tls::Tls;
use super::{Connect, ConnectError, LINK_MESSAGES, pump};
use crate::Key;
use crate::address::ServerAddress;

/// The longest time from the first packet to the server's answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const BUFFER_BYTES: usize = 8 << 10;
const REASON_CHARS_MAX: usize = 300;

/// Connects to a server over the network.
#[derive(Debug)]
pub struct WebSocket {
    address: ServerAddress,
    key: Key,
    ca: Option<PathBuf>,
    tls: Option<Tls>,
}

impl WebSocket {
    /// To the server at `address` with `key`; `ca` is a file of certificates to trust beside the machine's own.
    pub const fn new(address: ServerAddress, key: Key, ca: Option<PathBuf>) -> Self {
        Self { address, key, ca, tls: None }
    }

    async fn connect_now(&mut self) -> Result<Link<AgentMessage, ServerMessage>, ConnectError> {
        let target = self.endpoint();
        let unreachable = |source| ConnectError::Unreachable { target: target.clone(), source };
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (agent_side, server_side) = link(LINK_MESSAGES);
        let request = self.request()?;
        if self.address.tls {
            // Certificates are read once, and only where they are needed: they take memory.
            let tls = match self.tls.take() {
                Some(tls) => tls,
                None => Tls::new(self.ca.as_deref())?,
            };
            let stream = self.tls.insert(tls).connect(&self.address.host, &target, stream).await?;
            let socket = self.open(request, stream).await?;
            tokio::spawn(pump::run(socket, server_side));
        } else {
            let socket = self.open(request, stream).await?;
            tokio::spawn(pump::run(socket, server_side));
        }
        Ok(agent_side)
    }

    async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: Request,
        stream: S,
    ) -> Result<WebSocketStream<S>, ConnectError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(2 * MESSAGE_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(WebSocketError::Http(response)) => Err(self.refusal(&response)),
            Err(WebSocketError::Io(source)) => Err(ConnectError::Unreachable { target: self.endpoint(), source }),
            Err(error) => Err(ConnectError::NotProcession { target: self.endpoint(), answer: error.to_string() }),
        }
    }

    fn request(&self) -> Result<Request, ConnectError> {
        let not_sendable =
            |error: http::Error| ConnectError::NotProcession { target: self.endpoint(), answer: error.to_string() };
        let mut request = self
            .address
            .agent_url()
            .into_client_request()
            .map_err(|error| ConnectError::NotProcession { target: self.endpoint(), answer: error.to_string() })?;
        let mut value = HeaderValue::from_str(&format!("Api-Key {}", self.key.secret()))
            .map_err(|error| not_sendable(error.into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        Ok(request)
    }

    fn refusal(&self, response: &Response) -> ConnectError {
        match response.status() {
            StatusCode::UNAUTHORIZED => ConnectError::KeyRefused,
            StatusCode::FORBIDDEN => ConnectError::KeyForbidden(reason(response)),
            StatusCode::MISDIRECTED_REQUEST => ConnectError::HostNotAllowed,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ConnectError::Busy {
                retry_after_seconds: response
                    .headers()
                    .get(header::RETRY_AFTER)
                    .and_then(|value| value.to_str().ok()?.parse().ok()),
            },
            status => ConnectError::NotProcession { target: self.endpoint(), answer: status.to_string() },
        }
    }

    fn endpoint(&self) -> String {
        format!("{}:{}", self.address.host, self.address.port)
    }
}

impl Connect for WebSocket {
    async fn connect(&mut self) -> Result<Link<AgentMessage, ServerMessage>, ConnectError> {
        let target = self.endpoint();
        timeout(CONNECT_TIMEOUT, self.connect_now())
            .await
            .unwrap_or(Err(ConnectError::TimedOut { target, seconds: CONNECT_TIMEOUT.as_secs() }))
    }

    fn target(&self) -> String {
        self.address.to_string()
    }
}

/// The server's own words, without what a terminal might obey.
fn reason(response: &Response) -> String {
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let detail = serde_json::from_str::<serde_json::Value>(&body)
        .ok()
        .and_then(|value| value.get("detail")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| response.status().to_string());
    detail.chars().filter(|letter| !letter.is_control()).take(REASON_CHARS_MAX).collect()
}
