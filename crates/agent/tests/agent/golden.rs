//! Recorded sessions of every version of the protocol and of packed frames: an old server against this agent, and an old agent's frames
//! against this decoder. `PROCESSION_RECORD=1` records the session of the present version, where there is none.

use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};

use procession_agent::{InProcess, run_with};
use procession_codec::wire;
use procession_protocol::{
    AgentMessage, AgentSettings, FrameReader, FrameWriter, FromAgent, FromServer, Link, ServerMessage, VERSION,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::made::{Kept, MadeMachine, config, frame, welcome};

type ServerLink = Link<ServerMessage, AgentMessage>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/golden")
}

fn sessions() -> Vec<(PathBuf, Vec<Value>)> {
    let mut paths: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            (path, lines)
        })
        .collect()
}

async fn agent() -> (ServerLink, tokio::task::JoinHandle<()>) {
    let (server, mut links) = mpsc::channel(1);
    let task = tokio::spawn(async move {
        run_with(Box::new(MadeMachine::default()), config(), InProcess { server }, pending()).await.unwrap();
    });
    (links.recv().await.unwrap(), task)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What is said in a session with everything in it, as one JSON object a line.
async fn record() -> Vec<Value> {
    let mut lines = Vec::new();
    let (mut link, task) = agent().await;
    let mut frames = FrameWriter::default();
    frames.pack_up_to(wire::VERSION);
    let mut say = Vec::new();
    let settings = AgentSettings {
        interval_ms: Some(2_000),
        fields: Some(vec!["io".to_owned()]),
        mask_words: Some(vec!["word".to_owned()]),
    };
    say.push((1, FromServer::Acknowledged { sequence: 1 }));
    say.push((2, FromServer::Settings(settings)));
    say.push((3, FromServer::KeyframeNeeded { sequence: 2 }));
    say.push((4, FromServer::Acknowledged { sequence: 4 }));
    while let Some(message) = link.receive().await {
        let mut answers = Vec::new();
        match message {
            AgentMessage::Control(control) => {
                lines.push(json!({ "agent": serde_json::to_value(&control).unwrap() }));
                if matches!(control, FromAgent::Hello(_)) {
                    answers.push(welcome(0, false));
                }
            }
            AgentMessage::Frame(message) => {
                let sequence = message.sequence;
                lines.push(json!({ "agent_frame": hex(&frames.write(&message)) }));
                let due = say.iter().position(|(after, _)| *after == sequence);
                answers.extend(due.map(|due| say.remove(due).1));
            }
        }
        for answer in answers {
            lines.push(json!({ "server": serde_json::to_value(&answer).unwrap() }));
            link.send(answer).await.unwrap();
        }
        if say.is_empty() {
            break;
        }
    }
    task.abort();
    lines
}

#[tokio::test(start_paused = true)]
async fn the_present_version_is_recorded() {
    let path = folder().join(format!("session-{VERSION}-packing-{}.jsonl", wire::VERSION));
    if std::env::var_os("PROCESSION_RECORD").is_some() && !path.exists() {
        let text: String = record().await.iter().map(|line| format!("{line}\n")).collect();
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, text).unwrap();
    }
    assert!(path.exists(), "a version without a recorded session: run this with PROCESSION_RECORD=1");
}

/// Fields that an old side says are understood, and none of them is lost on the way.
#[test]
fn every_recorded_message_is_understood_whole() {
    for (path, lines) in sessions() {
        for line in lines {
            let (recorded, again) = if let Some(message) = line.get("agent") {
                let understood = FromAgent::from_json(&message.to_string()).unwrap();
                (message.clone(), serde_json::to_value(&understood).unwrap())
            } else if let Some(message) = line.get("server") {
                let understood = FromServer::from_json(&message.to_string()).unwrap();
                (message.clone(), serde_json::to_value(&understood).unwrap())
            } else {
                continue;
            };
            let (Value::Object(recorded), Value::Object(again)) = (recorded, again) else { panic!("not objects") };
            for (name, value) in recorded {
                assert_eq!(again.get(&name), Some(&value), "{name} in {}", path.display());
            }
        }
    }
}

/// A server of an older release keeps what an agent of this one sends.
#[tokio::test(start_paused = true)]
async fn an_old_server_gets_on_with_this_agent() {
    for (path, lines) in sessions() {
        let (mut link, task) = agent().await;
        let mut kept = Kept::default();
        let mut awaits_keyframe = false;
        let mut frame_version = 0;
        for line in lines {
            if let Some(message) = line.get("server") {
                let message = FromServer::from_json(&message.to_string()).unwrap();
                if let FromServer::Welcome(welcome) = &message {
                    frame_version = welcome.frame_version;
                }
                if let FromServer::KeyframeNeeded { sequence } = message {
                    kept = Kept { last_sequence: sequence - 1, ..Kept::default() };
                    awaits_keyframe = true;
                }
                link.send(message).await.unwrap();
            } else if line["agent"]["type"] == "hello" {
                let AgentMessage::Control(FromAgent::Hello(hello)) = link.receive().await.unwrap() else {
                    panic!("no greeting")
                };
                assert_eq!(Value::from(hello.protocol), line["agent"]["protocol"], "{}", path.display());
            } else if line.get("agent_frame").is_some() {
                let mut message = frame(&mut link).await;
                while awaits_keyframe && message.sequence != kept.last_sequence + 1 {
                    message = frame(&mut link).await;
                }
                awaits_keyframe = false;
                assert!(message.frame[0] <= frame_version, "a frame that this server cannot read");
                kept.take(&message);
            }
        }
        assert!(kept.taken.len() >= 3, "{}", path.display());
        task.abort();
    }
}

/// What an agent of an older release sent makes the same snapshots today.
#[test]
fn an_old_agents_frames_are_understood() {
    for (path, lines) in sessions() {
        let (mut kept, mut frames) = (Kept::default(), FrameReader::default());
        for line in &lines {
            if let Some(sequence) =
                line["server"]["sequence"].as_u64().filter(|_| line["server"]["type"] == "keyframe_needed")
            {
                kept = Kept { last_sequence: sequence - 1, ..Kept::default() };
            }
            if let Some(bytes) = line["agent_frame"].as_str() {
                kept.take(&frames.read(unhex(bytes).into()).unwrap());
            }
        }
        assert!(kept.taken.len() >= 3, "{}", path.display());
    }
}
