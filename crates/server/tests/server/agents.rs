//! Agents' connections: over a WebSocket, and within this process.

use bytes::Bytes;
use procession_protocol::{
    AgentMessage, FrameMessage, FrameWriter, FromAgent, FromServer, Hello, Link, RefusalReason, ServerMessage,
};
use procession_store::KeyPurpose;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::agent_client::{Agent, Frames, hello};
use crate::sockets::open;
use crate::support::{TestServer, new_key};

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
async fn packed_frames_are_taken_and_broken_ones_end_the_connection() {
    let server = TestServer::start().await;
    let mut agent = Agent::connect(&server).await;
    let FromServer::Welcome(welcome) = agent.say_hello(hello("h")).await else { panic!("no welcome") };
    let (mut frames, mut writer) = (Frames::new(), FrameWriter::default());
    writer.pack_up_to(welcome.packing);
    for sequence in 1..=50 {
        let bytes = writer.write(&frames.next());
        assert_eq!(bytes[0], if sequence == 1 { 1 } else { 2 }, "packed from the second on");
        agent.0.send(Message::binary(bytes)).await;
    }
    agent.acknowledged(50).await;
    let latest = server.get_json("/api/process-snapshots/latest/?hostname=h").await;
    assert_eq!((&latest["snapshot_id"], &latest["processes"][0]["cpu"]), (&json!(50), &json!(50.0)));

    // Eight MiB of zeros, and what no packer wrote.
    let mut bomb = vec![2];
    bomb.extend(&zstd::bulk::compress(&vec![0; 8 << 20], 3).unwrap()[4..]);
    for hostile in [bomb, vec![2, 1, 2, 3], vec![2]] {
        let mut agent = Agent::connect(&server).await;
        agent.say_hello(hello("hostile")).await;
        agent.0.send(Message::binary(frames.key().to_bytes())).await;
        agent.0.send(Message::binary(hostile)).await;
        while agent.0.next().await.is_ok() {}
    }
    let stored = server.get_json("/api/process-snapshots/list/?hostname=hostile").await;
    assert_eq!(stored.as_array().unwrap().len(), 1, "the frame before");
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
