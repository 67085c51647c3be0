//! Rules of the protocol, on made time.

use std::future::pending;
use std::time::Duration;

use procession_agent::{AgentError, InProcess, run_with};
use procession_codec::FrameKind;
use procession_model::LossKind;
use procession_protocol::{AgentMessage, AgentSettings, FromAgent, Link, Refusal, RefusalReason, ServerMessage};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::made::{Kept, MadeMachine, config, frame, hello, time_of, welcome};

type ServerLink = Link<ServerMessage, AgentMessage>;

struct Running {
    links: mpsc::Receiver<ServerLink>,
    shutdown: Option<oneshot::Sender<()>>,
    agent: JoinHandle<Result<(), AgentError>>,
}

fn start(machine: MadeMachine, config: procession_agent::AgentConfig) -> Running {
    let (server, links) = mpsc::channel(1);
    let (shutdown, told) = oneshot::channel();
    let agent = tokio::spawn(run_with(Box::new(machine), config, InProcess { server }, async {
        if told.await.is_err() {
            pending().await
        }
    }));
    Running { links, shutdown: Some(shutdown), agent }
}

impl Running {
    async fn link(&mut self) -> ServerLink {
        self.links.recv().await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn greets_sends_and_goes_on_where_the_server_was() {
    let mut running = start(MadeMachine::default(), config());
    let mut kept = Kept::default();
    let mut link = running.link().await;
    let greeting = hello(&mut link).await;
    assert_eq!((greeting.hostname.as_str(), greeting.boot_id.as_str()), ("made", "made-boot"));
    assert_eq!((greeting.stream.len(), greeting.first_sequence), (32, 1));
    link.send(welcome(0, false)).await.unwrap();
    for _ in 0..3 {
        kept.take(&frame(&mut link).await);
        link.send(ServerMessage::Acknowledged { sequence: kept.last_sequence }).await.unwrap();
    }
    // Two more that the agent never learns to be durable.
    kept.take(&frame(&mut link).await);
    kept.take(&frame(&mut link).await);
    drop(link);

    let mut link = running.link().await;
    let again = hello(&mut link).await;
    assert_eq!((again.stream, again.first_sequence), (greeting.stream, 4));
    link.send(welcome(kept.last_sequence, true)).await.unwrap();
    for _ in 0..3 {
        kept.take(&frame(&mut link).await);
    }
    let expected: Vec<_> = (1..=8).map(|number| (u64::from(number), number)).collect();
    assert_eq!(kept.taken, expected);
    assert_eq!(kept.frame_versions, [procession_codec::frame::VERSION].into(), "the newest that the server reads");
    let key_only_at_first = kept.kinds.iter().map(|kind| *kind == FrameKind::Key).collect::<Vec<_>>();
    assert_eq!(key_only_at_first, [true, false, false, false, false, false, false, false]);
}

/// A copy of a machine with its memory goes on with the same stream, and so do both numberings.
#[tokio::test(start_paused = true)]
async fn a_stream_that_another_machine_wrote_on_is_left_and_nothing_is_lost() {
    let mut running = start(MadeMachine::default(), config());
    let mut kept = Kept::default();
    let mut link = running.link().await;
    let greeting = hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    for _ in 0..3 {
        kept.take(&frame(&mut link).await);
        link.send(ServerMessage::Acknowledged { sequence: kept.last_sequence }).await.unwrap();
    }
    assert_eq!(frame(&mut link).await.sequence, 4, "not acknowledged");
    drop(link);

    let mut link = running.link().await;
    assert_eq!(hello(&mut link).await.stream, greeting.stream);
    link.send(welcome(1_000, true)).await.unwrap();
    let mut link = running.link().await;
    let another = hello(&mut link).await;
    assert_ne!(another.stream, greeting.stream);
    assert_eq!(another.first_sequence, 4);
    link.send(welcome(0, false)).await.unwrap();
    let mut of_another = Kept { last_sequence: 3, ..Kept::default() };
    of_another.take(&frame(&mut link).await);
    of_another.take(&frame(&mut link).await);
    assert_eq!(of_another.taken, [(4, 4), (5, 5)]);
    assert_eq!(of_another.kinds, [FrameKind::Key, FrameKind::Delta]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forgot_gets_a_keyframe_of_any_frame() {
    let mut running = start(MadeMachine::default(), config());
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    for sequence in 1..=100 {
        assert_eq!(frame(&mut link).await.sequence, sequence);
        if sequence <= 90 {
            link.send(ServerMessage::Acknowledged { sequence }).await.unwrap();
        }
    }
    // It restarts: durable up to 93, and its state is gone.
    drop(link);
    let mut link = running.link().await;
    assert_eq!(hello(&mut link).await.first_sequence, 91);
    link.send(welcome(93, false)).await.unwrap();
    let mut kept = Kept { last_sequence: 93, ..Kept::default() };
    kept.take(&frame(&mut link).await);
    kept.take(&frame(&mut link).await);
    assert_eq!(kept.taken, [(94, 94), (95, 95)]);
    assert_eq!(kept.kinds, [FrameKind::Key, FrameKind::Delta]);
    // It stumbles over one.
    assert_eq!(frame(&mut link).await.sequence, 96);
    link.send(ServerMessage::KeyframeNeeded { sequence: 96 }).await.unwrap();
    let mut fresh = Kept { last_sequence: 95, ..Kept::default() };
    loop {
        let message = frame(&mut link).await;
        // What was on its way already.
        if message.sequence == 96 || !fresh.taken.is_empty() {
            fresh.take(&message);
        }
        if fresh.taken.len() == 3 {
            break;
        }
    }
    assert_eq!(fresh.taken, [(96, 96), (97, 97), (98, 98)]);
    assert_eq!(fresh.kinds[0], FrameKind::Key);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_dropped_oldest_first_and_told_exactly() {
    let machine = MadeMachine { command_line_bytes: 2_000, ..MadeMachine::default() };
    let taken = machine.taken.clone();
    let mut running = start(machine, procession_agent::AgentConfig { queue_bytes_max: 20_000, ..config() });
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    let mut kept = Kept::default();
    for _ in 0..2 {
        kept.take(&frame(&mut link).await);
    }
    link.send(ServerMessage::Acknowledged { sequence: 2 }).await.unwrap();
    drop(link);
    // The server is away for half an hour; the agent goes on.
    while taken.load(std::sync::atomic::Ordering::SeqCst) < 400 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        if let Ok(link) = running.links.try_recv() {
            drop(link);
        }
    }
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(2, true)).await.unwrap();
    kept.take(&frame(&mut link).await);
    let first = kept.last_sequence;
    assert!(first > 3, "nothing was dropped");
    let [loss] = kept.losses[..] else { panic!("{:?}", kept.losses) };
    assert_eq!((loss.kind, loss.count), (LossKind::Snapshots, Some(first - 3)));
    assert_eq!((loss.from, loss.until), (time_of(3), time_of(u32::try_from(first).unwrap() - 1)));
    link.send(ServerMessage::Acknowledged { sequence: first }).await.unwrap();
    for _ in 0..5 {
        kept.take(&frame(&mut link).await);
    }
    assert_eq!(kept.losses.len(), 1, "told once");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_is_under_way() {
    let mut running = start(MadeMachine::default(), config());
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    let window = procession_protocol::UNACKNOWLEDGED_FRAMES_MAX as u64;
    for sequence in 1..=window {
        assert_eq!(frame(&mut link).await.sequence, sequence);
    }
    let more = tokio::time::timeout(Duration::from_secs(59), frame(&mut link)).await;
    assert!(more.is_err(), "a frame beyond the window");
    link.send(ServerMessage::Acknowledged { sequence: 1 }).await.unwrap();
    assert_eq!(frame(&mut link).await.sequence, window + 1);
}

#[tokio::test(start_paused = true)]
async fn the_server_sets_the_interval_and_hears_how_the_agent_is() {
    let mut running = start(MadeMachine::default(), config());
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    let AgentMessage::Control(FromAgent::Health(_)) = link.receive().await.unwrap() else { panic!("no health first") };
    frame(&mut link).await;
    let settings = AgentSettings { interval_ms: Some(1_000), ..AgentSettings::default() };
    link.send(ServerMessage::Settings(settings)).await.unwrap();
    frame(&mut link).await;
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        frame(&mut link).await;
    }
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn refused_agents_try_again_later() {
    let mut running = start(MadeMachine::default(), config());
    let link = running.link().await;
    let refusal = Refusal { reason: RefusalReason::Busy, message: "Full.".to_owned(), retry_after_ms: Some(60_000) };
    link.send(ServerMessage::Refusal(refusal)).await.unwrap();
    let began = tokio::time::Instant::now();
    running.link().await;
    assert!(began.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_left() {
    let mut running = start(MadeMachine::default(), config());
    let mut silent = running.link().await;
    hello(&mut silent).await;
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(ServerMessage::Acknowledged { sequence: 1 }).await.unwrap();
    assert!(link.receive().await.is_none(), "a server without manners is left, too");
}

#[tokio::test(start_paused = true)]
async fn an_ending_agent_waits_for_the_last_acknowledgement() {
    let mut running = start(MadeMachine::default(), config());
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    let sequence = frame(&mut link).await.sequence;
    running.shutdown.take().unwrap().send(()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!running.agent.is_finished());
    link.send(ServerMessage::Acknowledged { sequence }).await.unwrap();
    running.agent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_ending_agent_does_not_wait_for_ever() {
    let mut running = start(MadeMachine::default(), config());
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    frame(&mut link).await;
    running.shutdown.take().unwrap().send(()).unwrap();
    running.agent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_single_run_ends_when_its_snapshot_is_durable() {
    let once = procession_agent::AgentConfig { once: true, ..config() };
    let mut running = start(MadeMachine::default(), once.clone());
    let mut link = running.link().await;
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    let mut kept = Kept::default();
    kept.take(&frame(&mut link).await);
    assert_eq!(kept.taken, [(1, 2)], "the second look, which has an interval");
    link.send(ServerMessage::Acknowledged { sequence: 1 }).await.unwrap();
    running.agent.await.unwrap().unwrap();

    let running = start(MadeMachine::default(), once);
    drop(running.links);
    assert!(matches!(running.agent.await.unwrap(), Err(AgentError::NotSent(_))));
}
