//! An agent as the server sees it: says hello, sends frames, reads answers.

use std::sync::Arc;

use bytes::Bytes;
use procession_codec::HostState;
use procession_model::{Description, Metric, Process, Sample, Snapshot, Timestamp};
use procession_protocol::{FrameMessage, FromAgent, FromServer, Hello, VERSION};
use tokio_tungstenite::tungstenite::Message;

use crate::sockets::{Socket, open};
use crate::support::TestServer;

pub(crate) const STREAM: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn hello(hostname: &str) -> Hello {
    Hello {
        protocol: VERSION,
        agent_version: "test".into(),
        hostname: hostname.into(),
        agent_id: String::new(),
        boot_id: String::new(),
        stream: STREAM.into(),
        first_sequence: 1,
        time_ms: 0,
    }
}

/// Frames of a host on which one process works more each second.
pub(crate) struct Frames {
    state: HostState,
    sequence: u64,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self { state: HostState::new(), sequence: 0 }
    }

    pub(crate) fn next(&mut self) -> FrameMessage {
        self.sequence += 1;
        let sample = Sample::ABSENT.with(Metric::Cpu, self.sequence * 100);
        let process = Process { description: Arc::new(Description::new(1, "init")), sample };
        let time = Timestamp::from_ms(1_755_854_100_000 + i64::try_from(self.sequence).unwrap() * 1_000);
        let snapshot = Snapshot { time, processes: vec![process], ..Snapshot::default() };
        let frame = self.state.advance(&snapshot).unwrap();
        self.message(&frame)
    }

    pub(crate) fn key(&self) -> FrameMessage {
        self.message(&self.state.keyframe())
    }

    pub(crate) fn message(&self, frame: &procession_codec::Frame) -> FrameMessage {
        let mut bytes = Vec::new();
        procession_codec::frame::encode(frame, &mut bytes);
        FrameMessage { sequence: self.sequence, frame: Bytes::from(bytes) }
    }
}

/// A connection of an agent.
pub(crate) struct Agent(pub(crate) Socket);

impl Agent {
    pub(crate) async fn connect(server: &TestServer) -> Self {
        Self::connect_with(server, &server.upload_key).await
    }

    pub(crate) async fn connect_with(server: &TestServer, key: &str) -> Self {
        let key = format!("Api-Key {key}");
        Self(open(server, "/ws/agent/", &[("authorization", &key)]).await.unwrap_or_else(|status| panic!("{status}")))
    }

    pub(crate) async fn say_hello(&mut self, hello: Hello) -> FromServer {
        self.0.send(Message::text(FromAgent::Hello(hello).to_json())).await;
        self.answer().await
    }

    pub(crate) async fn send(&mut self, frame: FrameMessage) {
        self.0.send(Message::binary(frame.to_bytes())).await;
    }

    pub(crate) async fn answer(&mut self) -> FromServer {
        FromServer::from_json(&self.0.next().await.unwrap().to_string()).unwrap()
    }

    /// Waits until this sequence is acknowledged.
    pub(crate) async fn acknowledged(&mut self, wanted: u64) {
        loop {
            match self.answer().await {
                FromServer::Acknowledged { sequence } if sequence == wanted => return,
                FromServer::Acknowledged { sequence } if sequence < wanted => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
