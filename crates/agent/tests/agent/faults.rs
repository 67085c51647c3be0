//! Networks and servers that fail: whatever was acknowledged is there once, and whatever is not there was told as a gap.
//! Rows 4, 14 and 15 of the table of failures. `PROCESSION_TEST_SEEDS` makes them longer (`cargo xtask soak`).

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use fastrand::Rng;
use procession_agent::{AgentConfig, InProcess, run_with};
use procession_codec::frame::decode;
use procession_codec::{FrameKind, HostState};
use procession_protocol::{AgentMessage, FrameMessage, FromAgent, Link, ServerMessage};
use tokio::sync::mpsc;

use crate::made::{Kept, MadeMachine, config, frame, hello, time_of, welcome};

type ServerLink = Link<ServerMessage, AgentMessage>;

fn seeds(default: u64) -> u64 {
    std::env::var("PROCESSION_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(default)
}

struct Agent {
    links: mpsc::Receiver<ServerLink>,
    task: tokio::task::JoinHandle<()>,
}

impl Agent {
    fn start(machine: MadeMachine, config: AgentConfig) -> Self {
        let (server, links) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            run_with(Box::new(machine), config, InProcess { server }, pending()).await.unwrap();
        });
        Self { links, task }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Every snapshot up to the last one is there once and in order, or within a gap that was told, and the gaps count exactly
/// what is not there.
fn check(streams: &BTreeMap<String, Kept>, what: &str) {
    let taken: Vec<u32> = streams.values().flat_map(|kept| kept.taken.iter().map(|(_, number)| *number)).collect();
    assert!(taken.is_sorted_by(|left, right| left < right), "{what}: in order, none twice: {taken:?}");
    let losses: Vec<_> = streams.values().flat_map(|kept| &kept.losses).collect();
    let missing: Vec<u32> =
        (1..taken.last().copied().unwrap_or(0)).filter(|number| taken.binary_search(number).is_err()).collect();
    for number in &missing {
        let time = time_of(*number);
        assert!(losses.iter().any(|loss| (loss.from..=loss.until).contains(&time)), "{what}: {number} is missing");
    }
    let counted: u64 = losses.iter().filter_map(|loss| loss.count).sum();
    assert_eq!(counted, missing.len() as u64, "{what}: {losses:?} for {missing:?}");
}

/// What a server that keeps everything at once does on one connection, until the network fails or so many are taken.
async fn take_while_it_lasts(link: &mut ServerLink, kept: &mut Kept, rng: &mut Rng, until: u32) {
    let mut awaited = None;
    loop {
        let wait = tokio::time::timeout(Duration::from_secs(200), link.receive()).await;
        let Ok(Some(message)) = wait else { return };
        let AgentMessage::Frame(message) = message else { continue };
        // What was on its way when the keyframe was asked for is not it; one after a gap may be.
        let is_keyframe = || decode(&message.frame).unwrap().kind == FrameKind::Key;
        if awaited.is_some_and(|awaited| message.sequence < awaited || !is_keyframe()) {
            continue;
        }
        awaited = None;
        kept.take(&message);
        let acknowledged = ServerMessage::Acknowledged { sequence: kept.last_sequence };
        let answers = match rng.u32(0..20) {
            0..8 => vec![acknowledged],
            8..10 => vec![acknowledged.clone(), acknowledged],
            10..12 => vec![ServerMessage::Acknowledged { sequence: rng.u64(0..=kept.last_sequence) }],
            // Lost, or told later with another one.
            12..16 => vec![],
            16 => {
                kept.state = HostState::new();
                awaited = Some(kept.last_sequence + 1);
                vec![acknowledged, ServerMessage::KeyframeNeeded { sequence: kept.last_sequence + 1 }]
            }
            17 => {
                tokio::time::sleep(Duration::from_secs(rng.u64(0..120))).await;
                vec![acknowledged]
            }
            _ => return,
        };
        for answer in answers {
            if link.send(answer).await.is_err() {
                return;
            }
        }
        if kept.taken.last().is_some_and(|(_, number)| *number >= until) {
            return;
        }
    }
}

async fn one_network(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let machine = MadeMachine { command_line_bytes: rng.usize(0..300), ..MadeMachine::default() };
    // With some seeds less may wait than the network keeps away.
    let queue_bytes_max = if rng.bool() { 8 << 20 } else { rng.usize(8_000..40_000) };
    let mut agent = Agent::start(machine, AgentConfig { queue_bytes_max, ..config() });
    let mut streams: BTreeMap<String, Kept> = BTreeMap::new();
    let until = rng.u32(50..150);
    while !streams.values().any(|kept| kept.taken.last().is_some_and(|(_, number)| *number >= until)) {
        let mut link = agent.links.recv().await.unwrap();
        if rng.u32(0..10) == 0 {
            continue;
        }
        if rng.u32(0..10) == 0 {
            tokio::time::sleep(Duration::from_secs(rng.u64(0..300))).await;
            continue;
        }
        let Some(AgentMessage::Control(FromAgent::Hello(hello))) = link.receive().await else { continue };
        let kept = streams.entry(hello.stream).or_default();
        let resume = !kept.state.snapshot().processes.is_empty() && rng.bool();
        if !resume {
            kept.state = HostState::new();
        }
        if link.send(welcome(kept.last_sequence, resume)).await.is_ok() {
            take_while_it_lasts(&mut link, kept, &mut rng, until).await;
        }
    }
    check(&streams, &format!("seed {seed}"));
}

/// Row 15: what was sent is what is stored and what is reported as a gap.
#[tokio::test(start_paused = true)]
async fn networks_split_and_heal() {
    for seed in 0..seeds(200) {
        one_network(seed).await;
    }
}

/// Row 14: the connection ends after the server has kept a frame, and before it could say so.
#[tokio::test(start_paused = true)]
async fn acknowledgements_are_lost_after_the_commit() {
    let times = seeds(1_000);
    let mut agent = Agent::start(MadeMachine::default(), config());
    let mut kept = Kept::default();
    for _ in 0..times {
        let mut link = agent.links.recv().await.unwrap();
        hello(&mut link).await;
        link.send(welcome(kept.last_sequence, kept.last_sequence > 0)).await.unwrap();
        kept.take(&frame(&mut link).await);
    }
    assert_eq!(kept.taken.len() as u64, times);
    check(&BTreeMap::from([(String::new(), kept)]), "one each");
}

/// Row 4: the server is away for a day, on made time.
#[tokio::test(start_paused = true)]
async fn a_day_without_a_server_is_kept_and_sent_in_order() {
    let folder = tempfile::tempdir_in(if cfg!(target_os = "linux") { "/dev/shm" } else { "." }).unwrap();
    let machine = MadeMachine::default();
    let config = AgentConfig { spool: vec![folder.path().to_owned()], ..config() };
    let mut agent = Agent::start(machine.clone(), config);
    let day = 86_400 / 5;
    while machine.taken.load(std::sync::atomic::Ordering::SeqCst) < day {
        tokio::time::sleep(Duration::from_secs(60)).await;
        // Nobody answers who connects meanwhile.
        if let Ok(link) = agent.links.try_recv() {
            drop(link);
        }
    }
    let mut link = agent.links.recv().await.unwrap();
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    let mut kept = Kept::default();
    while kept.taken.len() < day as usize {
        let message: FrameMessage = frame(&mut link).await;
        kept.take(&message);
        link.send(ServerMessage::Acknowledged { sequence: message.sequence }).await.unwrap();
    }
    assert!(kept.losses.is_empty());
    check(&BTreeMap::from([(String::new(), kept)]), "all of them");
}
