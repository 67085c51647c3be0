//! Real sockets: what the agent sends, and what it says when it is not taken.

use std::future::pending;

use futures_util::{SinkExt as _, StreamExt as _};
use procession_agent::{Connect as _, ConnectError, Key, WebSocket, run_with};
use procession_protocol::{FrameReader, FromAgent, FromServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::made::{Kept, MadeMachine, config, welcome};

fn socket(address: &str) -> WebSocket {
    WebSocket::new(address.parse().unwrap(), Key::parse("secret.key").unwrap(), None)
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/api/process-snapshots/", listener.local_addr().unwrap());
    (listener, address)
}

/// What an older server says: nothing of packed frames.
fn welcome_of_an_older_server(last_sequence: u64, resume: bool) -> FromServer {
    let FromServer::Welcome(mut welcome) = welcome(last_sequence, resume) else { panic!("no welcome") };
    welcome.packing = 0;
    FromServer::Welcome(welcome)
}

#[tokio::test]
async fn sends_its_key_and_its_frames() {
    let kinds = frames_of_two_connections(welcome).await;
    assert_eq!(kinds, [1, 2, 2, 1, 2, 2], "what follows is packed");
}

#[tokio::test]
async fn an_older_server_gets_frames_as_they_are() {
    assert_eq!(frames_of_two_connections(welcome_of_an_older_server).await, [1; 6]);
}

/// Returns the first byte of each message.
async fn frames_of_two_connections(welcome: fn(u64, bool) -> FromServer) -> Vec<u8> {
    let (listener, address) = listen().await;
    let config = procession_agent::AgentConfig { interval: std::time::Duration::from_millis(200), ..config() };
    let agent = tokio::spawn(run_with(Box::new(MadeMachine::default()), config, socket(&address), pending()));
    let (mut kept, mut kinds) = (Kept::default(), Vec::new());
    for resume in [false, true] {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let check = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), procession_protocol::PATH);
            assert_eq!(request.headers()["authorization"], "Api-Key secret.key");
            Ok(response)
        };
        let mut server = accept_hdr_async(stream, check).await.unwrap();
        let Message::Text(text) = server.next().await.unwrap().unwrap() else { panic!("no greeting") };
        let FromAgent::Hello(hello) = FromAgent::from_json(&text).unwrap() else { panic!("{text}") };
        assert_eq!(hello.hostname, "made");
        server.send(Message::text(welcome(kept.last_sequence, resume).to_json())).await.unwrap();
        let until = kept.last_sequence + 3;
        let mut frames = FrameReader::default();
        while kept.last_sequence < until {
            if let Message::Binary(bytes) = server.next().await.unwrap().unwrap() {
                kinds.push(bytes[0]);
                kept.take(&frames.read(bytes).unwrap());
                let message = FromServer::Acknowledged { sequence: kept.last_sequence };
                server.send(Message::text(message.to_json())).await.unwrap();
            }
        }
    }
    assert_eq!(kept.taken.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    agent.abort();
    kinds
}

/// Answers one request with these bytes.
async fn refusing(answer: &'static str) -> ConnectError {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let error = socket(&address).connect().await.unwrap_err();
    server.await.unwrap();
    error
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let error = refusing("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(error, ConnectError::KeyRefused) && error.to_string().contains("key create"), "{error}");
    let body = r#"{"detail": "This key is for web-*."}"#;
    let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let error = refusing(answer.leak()).await;
    assert!(
        error.to_string().contains("This key is for web-*.") && error.to_string().contains("--hostname"),
        "{error}"
    );
    let error = refusing("HTTP/1.1 421 Misdirected Request\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(error, ConnectError::HostNotAllowed), "{error}");
    let error = refusing("HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(error, ConnectError::Busy { retry_after_seconds: Some(7) }), "{error}");
    let error = refusing("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    assert!(error.to_string().contains("404"), "{error}");
    let error = refusing("SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(matches!(error, ConnectError::NotProcession { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_and_no_tls_there() {
    let (listener, address) = listen().await;
    drop(listener);
    let error = socket(&address).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");

    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = socket(&address.replace("http", "https")).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }) && error.to_string().contains("http://"), "{error}");
    server.await.unwrap();
}
