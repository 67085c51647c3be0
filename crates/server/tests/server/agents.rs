//! Agents' connections: over a WebSocket, and within this process.

use std::sync::Arc;

use bytes::Bytes;
use procession_codec::HostState;
use procession_model::{Description, Metric, Process, Sample, Snapshot, Timestamp};
use procession_protocol::{
    AgentMessage, FrameMessage, FromAgent, FromServer, Hello, Link, RefusalReason, ServerMessage, VERSION,
};
use procession_store::KeyPurpose;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::sockets::{Socket, open};
use crate::support::{TestServer, new_key};

const STREAM: &str = "0123456789abcdef0123456789abcdef";

fn hello(hostname: &str) -> Hello {
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
struct Frames {
    state: HostState,
    sequence: u64,
}

impl Frames {
    fn new() -> Self {
        Self { state: HostState::new(), sequence: 0 }
    }

    fn next(&mut self) -> FrameMessage {
        self.sequence += 1;
        let sample = Sample::ABSENT.with(Metric::Cpu, self.sequence * 100);
        let process = Process { description: Arc::new(Description::new(1, "init")), sample };
        let time = Timestamp::from_ms(1_755_854_100_000 + i64::try_from(self.sequence).unwrap() * 1_000);
        let snapshot = Snapshot { time, processes: vec![process], ..Snapshot::default() };
        let frame = self.state.advance(&snapshot).unwrap();
        self.message(&frame)
    }

    fn key(&self) -> FrameMessage {
        self.message(&self.state.keyframe())
    }

    fn message(&self, frame: &procession_codec::Frame) -> FrameMessage {
        let mut bytes = Vec::new();
        procession_codec::frame::encode(frame, &mut bytes);
        FrameMessage { sequence: self.sequence, frame: Bytes::from(bytes) }
    }
}

struct Agent(Socket);

impl Agent {
    async fn connect(server: &TestServer) -> Self {
        let key = format!("Api-Key {}", server.upload_key);
        Self(open(server, "/ws/agent/", &[("authorization", &key)]).await.unwrap_or_else(|status| panic!("{status}")))
    }

    async fn say_hello(&mut self, hello: Hello) -> FromServer {
        self.0.send(Message::text(FromAgent::Hello(hello).to_json())).await;
        self.answer().await
    }

    async fn send(&mut self, frame: FrameMessage) {
        self.0.send(Message::binary(frame.to_bytes())).await;
    }

    async fn answer(&mut self) -> FromServer {
        FromServer::from_json(&self.0.next().await.unwrap().to_string()).unwrap()
    }

    /// Waits until this sequence is acknowledged.
    async fn acknowledged(&mut self, wanted: u64) {
        loop {
            match self.answer().await {
                FromServer::Acknowledged { sequence } if sequence == wanted => return,
                FromServer::Acknowledged { sequence } if sequence < wanted => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn of_two_agents_with_one_name_the_second_waits_until_the_first_has_left() {
    let server = TestServer::start().await;
    let of = |agent_id: &str| Hello { agent_id: agent_id.into(), ..hello("clone") };
    let mut first = Agent::connect(&server).await;
    assert!(matches!(first.say_hello(of("one")).await, FromServer::Welcome(_)));
    let FromServer::Refusal(refusal) = Agent::connect(&server).await.say_hello(of("two")).await else {
        panic!("two histories become one")
    };
    assert_eq!(refusal.reason, RefusalReason::Busy);
    assert!(refusal.message.contains("clone") && refusal.retry_after_ms.is_some(), "{refusal:?}");
    // The same agent comes back before the server has noticed that it left.
    assert!(matches!(Agent::connect(&server).await.say_hello(of("one")).await, FromServer::Welcome(_)));
    drop(first);
    while server.get_json("/api/hosts/").await[0]["connected"] == true {
        tokio::task::yield_now().await;
    }
    assert!(matches!(Agent::connect(&server).await.say_hello(of("two")).await, FromServer::Welcome(_)));
}

#[tokio::test]
async fn frames_are_acknowledged_and_there() {
    let server = TestServer::start().await;
    let mut agent = Agent::connect(&server).await;
    let FromServer::Welcome(welcome) = agent.say_hello(hello("h")).await else { panic!("no welcome") };
    assert_eq!((welcome.last_sequence, welcome.resume), (0, false));
    let mut frames = Frames::new();
    for _ in 0..50 {
        agent.send(frames.next()).await;
    }
    agent.acknowledged(50).await;
    let latest = server.get_json("/api/process-snapshots/latest/?hostname=h").await;
    assert_eq!((&latest["snapshot_id"], &latest["processes"][0]["cpu"]), (&json!(50), &json!(50.0)));
    assert_eq!(server.get_json("/api/hosts/").await[0]["connected"], true);

    // Another connection of the same stream goes on where the last one was, with a delta.
    drop(agent);
    let mut agent = Agent::connect(&server).await;
    let FromServer::Welcome(welcome) = agent.say_hello(Hello { first_sequence: 40, ..hello("h") }).await else {
        panic!("no welcome")
    };
    assert_eq!((welcome.last_sequence, welcome.resume), (50, true));
    agent.send(frames.next()).await;
    agent.acknowledged(51).await;
    assert_eq!(server.get_json("/api/process-snapshots/list/?hostname=h").await.as_array().unwrap().len(), 51);
}

#[tokio::test]
async fn a_delta_that_fits_nothing_asks_for_a_key_once() {
    let server = TestServer::start().await;
    let mut agent = Agent::connect(&server).await;
    agent.say_hello(hello("h")).await;
    let mut frames = Frames::new();
    agent.send(frames.next()).await;
    agent.acknowledged(1).await;
    // Something else is stored for the host, so the stream's next delta does not fit any more.
    let body = crate::support::snapshot("h", "2025-08-22T09:15:01.500Z", crate::support::one_process());
    server.upload_ok(&body).await;
    for _ in 0..5 {
        agent.send(frames.next()).await;
    }
    assert_eq!(agent.answer().await, FromServer::KeyframeNeeded { sequence: 2 });
    agent.send(frames.key()).await;
    agent.acknowledged(6).await;
    agent.send(frames.next()).await;
    agent.acknowledged(7).await;
}

#[tokio::test]
async fn agents_that_may_not_are_told_why() {
    let server = TestServer::start().await;
    let refused = async |hello: Hello| {
        let mut agent = Agent::connect(&server).await;
        match agent.say_hello(hello).await {
            FromServer::Refusal(refusal) => refusal.reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(Hello { protocol: 99, ..hello("h") }).await, RefusalReason::Version);
    assert_eq!(refused(hello(" ")).await, RefusalReason::Invalid);
    assert_eq!(refused(Hello { stream: "x".into(), ..hello("h") }).await, RefusalReason::Invalid);
    let key = new_key(&*server.store, KeyPurpose::Upload, Some("web-*")).await;
    let key = format!("Api-Key {key}");
    let mut bound = Agent(
        open(&server, "/ws/agent/", &[("authorization", &key)]).await.unwrap_or_else(|status| panic!("{status}")),
    );
    let answer = bound.say_hello(hello("db-1")).await;
    assert!(matches!(answer, FromServer::Refusal(refusal) if refusal.reason == RefusalReason::Forbidden));
    assert_eq!(server.get_json("/api/hosts/").await, json!([]), "no host was made");

    let mut agent = Agent::connect(&server).await;
    agent.say_hello(hello("h")).await;
    agent.0.send(Message::binary(FrameMessage { sequence: 1, frame: Bytes::from_static(b"rubbish") }.to_bytes())).await;
    match agent.answer().await {
        FromServer::KeyframeNeeded { sequence: 1 } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_agent_in_this_process_needs_no_socket() {
    let server = TestServer::start().await;
    let mut link: Link<AgentMessage, ServerMessage> = server.handle.local_agent("here");
    link.send(AgentMessage::Control(FromAgent::Hello(hello("here")))).await.unwrap();
    assert!(matches!(link.receive().await, Some(FromServer::Welcome(_))));
    let mut frames = Frames::new();
    link.send(AgentMessage::Frame(frames.next())).await.unwrap();
    assert_eq!(link.receive().await, Some(FromServer::Acknowledged { sequence: 1 }));
    assert_eq!(server.get_json("/api/process-snapshots/latest/?hostname=here").await["snapshot_id"], 1);
    let (_, refusal) = tokio::join!(server.stop(), link.receive());
    assert!(matches!(refusal, Some(FromServer::Refusal(refusal)) if refusal.reason == RefusalReason::Busy));
}
