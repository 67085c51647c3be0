//! Made machines and servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use procession_agent::{AgentConfig, Sampler};
use procession_codec::frame::decode;
use procession_codec::{FrameKind, HostState};
use procession_model::{Description, HostFacts, Identity, Loss, Metric, Process, Sample, Snapshot, Timestamp};
use procession_probe::ProbeError;
use procession_protocol::{AgentMessage, AgentSettings, FrameMessage, FromAgent, Hello, Link, ServerMessage, Welcome};

/// Snapshots of a machine on which pid 1 stays, its CPU is the number of the snapshot, and another process begins at
/// every snapshot and ends at the next.
#[derive(Clone, Default)]
pub(crate) struct MadeMachine {
    pub(crate) taken: Arc<AtomicU32>,
    /// Makes frames as large as one wants.
    pub(crate) command_line_bytes: usize,
}

/// The time of the made snapshot of this number, from 1.
pub(crate) fn time_of(number: u32) -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000 + i64::from(number) * 5_000)
}

impl Sampler for MadeMachine {
    fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        let number = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        let process = |pid: u32, cpu: u32| {
            let start = Some(Timestamp::from_ms(i64::from(pid)));
            let description = Description {
                identity: Identity { pid, start },
                command_line: Some(format!("{pid}{}", "x".repeat(self.command_line_bytes)).into()),
                ..Description::new(pid, "made")
            };
            Process { description: description.into(), sample: Sample::ABSENT.with(Metric::Cpu, u64::from(cpu)) }
        };
        *snapshot = Snapshot {
            time: time_of(number),
            facts: self.facts(),
            processes: vec![process(1, number), process(100 + number, 0)],
            ..Snapshot::default()
        };
        Ok(())
    }

    fn facts(&self) -> Arc<HostFacts> {
        Arc::new(HostFacts { boot_id: Some("made-boot".into()), ..HostFacts::default() })
    }
}

pub(crate) fn config() -> AgentConfig {
    AgentConfig { hostname: Some("made".to_owned()), ..AgentConfig::default() }
}

/// What a server has of one stream.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) state: HostState,
    /// Sequence and number of the snapshot of each frame that was taken.
    pub(crate) taken: Vec<(u64, u32)>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) last_sequence: u64,
    pub(crate) kinds: Vec<FrameKind>,
    pub(crate) frame_versions: std::collections::BTreeSet<u8>,
}

impl Kept {
    /// Takes a frame as a server does; checks that it is the snapshot that the made machine had.
    pub(crate) fn take(&mut self, message: &FrameMessage) {
        assert!(message.sequence > self.last_sequence, "{} comes after {}", message.sequence, self.last_sequence);
        let frame = decode(&message.frame).unwrap();
        if frame.kind == FrameKind::Delta {
            assert_eq!(message.sequence, self.last_sequence + 1, "a delta follows its frame");
        }
        self.state.apply(&frame).unwrap();
        self.losses.extend(&frame.losses);
        self.kinds.push(frame.kind);
        self.frame_versions.insert(message.frame[0]);
        let number = u32::try_from((frame.time.as_ms() - time_of(0).as_ms()) / 5_000).unwrap();
        let pids: Vec<_> = self.state.snapshot().processes.iter().map(|it| it.description.identity.pid).collect();
        assert_eq!(pids.len(), 2);
        assert!(pids.contains(&(100 + number)), "{pids:?} in snapshot {number}");
        self.taken.push((message.sequence, number));
        self.last_sequence = message.sequence;
    }
}

pub(crate) fn welcome(last_sequence: u64, resume: bool) -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        protocol: procession_protocol::VERSION,
        server_version: "made".to_owned(),
        last_sequence,
        resume,
        time_ms: 0,
        settings: AgentSettings::default(),
        frame_version: procession_codec::frame::VERSION,
        packing: procession_codec::wire::VERSION,
    })
}

/// Waits for the greeting.
pub(crate) async fn hello(link: &mut Link<ServerMessage, AgentMessage>) -> Hello {
    match link.receive().await.unwrap() {
        AgentMessage::Control(FromAgent::Hello(hello)) => hello,
        other => panic!("{other:?} in place of a greeting"),
    }
}

/// Waits for the next frame; what the agent says of itself is skipped.
pub(crate) async fn frame(link: &mut Link<ServerMessage, AgentMessage>) -> FrameMessage {
    loop {
        if let AgentMessage::Frame(frame) = link.receive().await.unwrap() {
            return frame;
        }
    }
}
