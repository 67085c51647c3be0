//! Row 9 of the table of failures: a clock that jumps.

use std::future::pending;
use std::sync::Arc;

use procession_agent::{AgentConfig, InProcess, Sampler, run_with};
use procession_codec::HostState;
use procession_codec::frame::decode;
use procession_model::{Description, HostFacts, Loss, LossKind, Metric, Process, Sample, Snapshot, Timestamp};
use procession_probe::ProbeError;
use procession_protocol::ServerMessage;
use tokio::sync::{mpsc, watch};

use crate::made::{config, frame, hello, welcome};

const INTERVAL_MS: i64 = 5_000;
const JUMP_MS: i64 = 3 * 86_400_000;
const LAST: u32 = 400;

/// A machine whose clock is set three days ahead for a while, and three days back for another; its process' CPU is the
/// number of the snapshot.
struct JumpingClock {
    taken: watch::Sender<u32>,
}

fn time_of(number: u32) -> Timestamp {
    let jump_ms = match number {
        50..=149 => JUMP_MS,
        250..=299 => -JUMP_MS,
        _ => 0,
    };
    Timestamp::from_ms(1_795_219_200_000 + i64::from(number) * INTERVAL_MS + jump_ms)
}

impl Sampler for JumpingClock {
    fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        self.taken.send_modify(|taken| *taken += 1);
        let number = *self.taken.borrow();
        let sample = Sample::ABSENT.with(Metric::Cpu, u64::from(number));
        let process = Process { description: Description::new(1, "made").into(), sample };
        *snapshot = Snapshot { time: time_of(number), processes: vec![process], ..Snapshot::default() };
        Ok(())
    }

    fn facts(&self) -> Arc<HostFacts> {
        Arc::default()
    }
}

/// Whatever the clock says, snapshots come in the order in which they were taken, those from the spool too, and where the
/// clock went ahead by more than was waited, a gap is told.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_three_days_changes_no_order_and_leaves_a_visible_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (taken, mut takes) = watch::channel(0);
    let (server, mut links) = mpsc::channel(1);
    let config = AgentConfig { spool: vec![folder.path().to_owned()], ..config() };
    let agent = tokio::spawn(run_with(Box::new(JumpingClock { taken }), config, InProcess { server }, pending()));
    // The server is away while the clock jumps for the first time.
    takes.wait_for(|taken| *taken == 200).await.unwrap();
    // Connections that the agent has given up meanwhile take no welcome.
    let mut link = loop {
        let mut link = links.recv().await.unwrap();
        assert_eq!(hello(&mut link).await.first_sequence, 1);
        if link.send(welcome(0, false)).await.is_ok() {
            break link;
        }
    };
    let (mut state, mut losses) = (HostState::new(), Vec::new());
    for number in 1..=LAST {
        let message = frame(&mut link).await;
        let frame = decode(&message.frame).unwrap();
        state.apply(&frame).unwrap();
        let cpu = state.snapshot().processes[0].sample.get(Metric::Cpu);
        assert_eq!((cpu, message.sequence), (Some(number.into()), number.into()), "in the order they were taken");
        assert_eq!(frame.time, time_of(number));
        losses.extend(frame.losses);
        link.send(ServerMessage::Acknowledged { sequence: message.sequence }).await.unwrap();
    }
    let missed = |until| Loss { kind: LossKind::Missed, from: time_of(until - 1), until: time_of(until), count: None };
    assert_eq!(losses, [missed(50), missed(300)]);
    agent.abort();
}
