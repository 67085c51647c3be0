//! Which host an agent writes: names that change, machines that were cloned.

use procession_protocol::{FromServer, Hello, Refusal, RefusalReason};
use procession_store::KeyPurpose;
use serde_json::{Value, json};

use crate::agent_client::{Agent, Frames, hello};
use crate::support::{TestServer, new_key};

fn of(hostname: &str, agent_id: &str, boot_id: &str) -> Hello {
    Hello { agent_id: agent_id.into(), boot_id: boot_id.into(), ..hello(hostname) }
}

async fn taken(server: &TestServer, hello: Hello) -> Agent {
    let mut agent = Agent::connect(server).await;
    let answer = agent.say_hello(hello).await;
    assert!(matches!(answer, FromServer::Welcome(_)), "{answer:?}");
    agent
}

async fn refused(server: &TestServer, hello: Hello) -> Refusal {
    match Agent::connect(server).await.say_hello(hello).await {
        FromServer::Refusal(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Comes again, while the agent that was first goes on, until the answer is another one than to wait.
async fn after_waiting(server: &TestServer, first: &mut Agent, frames: &mut Frames, hello: Hello) -> FromServer {
    loop {
        let frame = frames.next();
        let sequence = frame.sequence;
        first.send(frame).await;
        first.acknowledged(sequence).await;
        match Agent::connect(server).await.say_hello(hello.clone()).await {
            FromServer::Refusal(Refusal { reason: RefusalReason::Busy, .. }) => {}
            other => return other,
        }
    }
}

async fn all_have_left(server: &TestServer) {
    while server.get_json("/api/hosts/").await.as_array().unwrap().iter().any(|host| host["connected"] == true) {
        tokio::task::yield_now().await;
    }
}

/// Name, and of what it is a clone, of each host.
async fn hosts(server: &TestServer) -> Vec<(String, Value)> {
    let hosts = server.get_json("/api/hosts/").await;
    let host = |host: &Value| (host["hostname"].as_str().unwrap().to_owned(), host["clone_of"].clone());
    hosts.as_array().unwrap().iter().map(host).collect()
}

#[tokio::test]
async fn of_two_agents_with_one_name_the_second_waits_until_the_first_has_left() {
    let server = TestServer::start().await;
    let of = |agent_id: &str| Hello { agent_id: agent_id.into(), ..hello("h") };
    let mut first = Agent::connect(&server).await;
    assert!(matches!(first.say_hello(of("one")).await, FromServer::Welcome(_)));
    let FromServer::Refusal(refusal) = Agent::connect(&server).await.say_hello(of("two")).await else {
        panic!("two histories become one")
    };
    assert_eq!(refusal.reason, RefusalReason::Busy);
    assert!(refusal.message.contains("--hostname") && refusal.retry_after_ms.is_some(), "{refusal:?}");
    // The same agent comes back before the server has noticed that it left.
    assert!(matches!(Agent::connect(&server).await.say_hello(of("one")).await, FromServer::Welcome(_)));
    drop(first);
    while server.get_json("/api/hosts/").await[0]["connected"] == true {
        tokio::task::yield_now().await;
    }
    assert!(matches!(Agent::connect(&server).await.say_hello(of("two")).await, FromServer::Welcome(_)));
}

#[tokio::test]
async fn a_host_keeps_its_history_under_a_new_name() {
    let server = TestServer::start().await;
    let (mut frames, id) = (Frames::new(), "1f");
    let mut agent = taken(&server, of("old", id, "1")).await;
    agent.send(frames.next()).await;
    agent.acknowledged(1).await;
    drop(agent);
    all_have_left(&server).await;

    let mut agent = taken(&server, Hello { first_sequence: 2, ..of("new", id, "2") }).await;
    agent.send(frames.next()).await;
    agent.acknowledged(2).await;
    assert_eq!(hosts(&server).await, [("new".to_owned(), Value::Null)]);
    let list = server.get_json("/api/process-snapshots/list/?hostname=new").await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(server.get_json("/api/process-snapshots/list/?hostname=old").await, json!([]));
    drop(agent);
    all_have_left(&server).await;

    // So it is after a restart, and the old name is free for another machine.
    let server = TestServer::start_in(server.stop().await, |_| {}).await;
    let _agent = taken(&server, Hello { first_sequence: 3, ..of("new", id, "2") }).await;
    let _other = taken(&server, of("old", "2f", "3")).await;
    let names: Vec<_> = hosts(&server).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["new", "old"]);
}

#[tokio::test]
async fn a_name_that_another_host_has_is_not_taken_from_it() {
    let server = TestServer::start().await;
    drop(taken(&server, of("one", "1f", "1")).await);
    drop(taken(&server, of("two", "2f", "2")).await);
    all_have_left(&server).await;
    drop(taken(&server, of("two", "1f", "1")).await);
    assert_eq!(hosts(&server).await, [("one".to_owned(), Value::Null), ("two".to_owned(), Value::Null)]);
}

#[tokio::test]
async fn a_key_renames_no_host_that_it_is_not_for() {
    let server = TestServer::start().await;
    drop(taken(&server, of("db-1", "1f", "1")).await);
    all_have_left(&server).await;
    let key = new_key(&*server.store, KeyPurpose::Upload, Some("web-*")).await;
    let mut agent = Agent::connect_with(&server, &key).await;
    assert!(matches!(agent.say_hello(of("web-1", "1f", "1")).await, FromServer::Welcome(_)));
    assert_eq!(hosts(&server).await, [("db-1".to_owned(), Value::Null), ("web-1".to_owned(), Value::Null)]);
}

#[tokio::test]
async fn a_clone_with_the_same_agent_id_is_told_to_draw_another() {
    let server = TestServer::start().await;
    let (mut first, mut frames) = (taken(&server, of("h", "1f", "1")).await, Frames::new());
    assert_eq!(refused(&server, of("h", "1f", "2")).await.reason, RefusalReason::Busy, "the first may be gone");
    let answer = after_waiting(&server, &mut first, &mut frames, of("h", "1f", "2")).await;
    let FromServer::Refusal(refusal) = answer else { panic!("two histories become one: {answer:?}") };
    assert_eq!(refusal.reason, RefusalReason::Clone);
    // So also where the clone was given another name: that does not rename the first.
    let answer = after_waiting(&server, &mut first, &mut frames, of("other", "1f", "2")).await;
    assert!(matches!(answer, FromServer::Refusal(Refusal { reason: RefusalReason::Clone, .. })), "{answer:?}");
    assert_eq!(hosts(&server).await, [("h".to_owned(), Value::Null)]);
}

#[tokio::test]
async fn a_clone_with_the_same_name_is_a_host_of_its_own() {
    let server = TestServer::start().await;
    let (mut first, mut frames) = (taken(&server, of("h", "1f", "1")).await, Frames::new());
    assert_eq!(refused(&server, of("h", "2f", "2")).await.reason, RefusalReason::Busy);
    let answer = after_waiting(&server, &mut first, &mut frames, of("h", "2f", "2")).await;
    assert!(matches!(answer, FromServer::Welcome(_)), "{answer:?}");
    let split = hosts(&server).await;
    assert_eq!((split.len(), &split[0].1, &split[1].1), (2, &Value::Null, &json!("h")));
    assert!(split[1].0.starts_with("h~"), "{split:?}");

    // It is known from then on, whoever comes first.
    drop(first);
    all_have_left(&server).await;
    let server = TestServer::start_in(server.stop().await, |_| {}).await;
    assert_eq!(hosts(&server).await, split);
    let _clone = taken(&server, of("h", "2f", "3")).await;
    let _first = taken(&server, of("h", "1f", "1")).await;
    assert_eq!(hosts(&server).await, split);
}
