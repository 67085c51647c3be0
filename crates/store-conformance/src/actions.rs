//! Random actions on a store and on the model of it.

use std::sync::Arc;

use bytes::Bytes;
use procession_codec::{HostState, frame};
use procession_model::{Snapshot, SnapshotId, Timestamp};
use procession_store::{Append, Appended, FrameOrigin, History};

use crate::model::{Model, canonical};
use crate::random::Random;
use crate::world::Machine;

/// An agent as the store sees it.
#[derive(Debug)]
struct Agent {
    machine: Machine,
    state: HostState,
    stream: u8,
    sequence: u64,
}

/// Hosts that upload, hosts with agents, and one that has both.
#[derive(Debug)]
pub(crate) struct Actors {
    random: Random,
    uploaders: Vec<(u32, Machine)>,
    agents: Vec<(u32, Agent)>,
    clock: Timestamp,
}

/// What an item of a batch should come to.
enum Expected {
    Upload(u32, Snapshot),
    AgentFrame(u32, Snapshot),
    Duplicate(Option<SnapshotId>),
    KeyframeNeeded,
}

impl Actors {
    pub(crate) fn new(seed: u64) -> Self {
        let agent = |host: u32| Agent {
            machine: Machine::new(seed ^ u64::from(host) << 8, true),
            state: HostState::new(),
            stream: 0,
            sequence: 0,
        };
        Self {
            random: Random::new(seed),
            uploaders: vec![(0, Machine::new(seed ^ 1, false)), (1, Machine::new(seed ^ 2, true))],
            agents: vec![(2, agent(2)), (3, agent(3)), (1, agent(1))],
            clock: Timestamp::from_ms(1_000_000),
        }
    }

    /// Appends a batch and checks what became of each item.
    pub(crate) async fn append(&mut self, store: &dyn History, model: &mut Model) {
        let mut batch = Vec::new();
        let mut expected = Vec::new();
        let mut touched = Vec::new();
        for _ in 0..=self.random.below(3) {
            self.clock = self.clock.plus_ms(1 + i64::try_from(self.random.below(5_000)).unwrap());
            let actor = self.random.below((self.uploaders.len() + self.agents.len()) as u64) as usize;
            let host = self.host(actor);
            // The model is brought up to date after the batch, so a host is in it once.
            if !touched.contains(&host) {
                touched.push(host);
                let (item, outcome) = self.item(actor, model);
                batch.push(item);
                expected.push(outcome);
            }
        }
        let applied = store.append(batch).await.unwrap();
        assert_eq!(applied.outcomes.len(), expected.len());
        for (outcome, expected) in applied.outcomes.into_iter().zip(expected) {
            match (outcome, expected) {
                (Appended::Stored(id), Expected::Upload(host, snapshot)) => model.host(host).add_upload(id, snapshot),
                (Appended::Stored(id), Expected::AgentFrame(host, snapshot)) => model.host(host).add(id, snapshot),
                (Appended::Duplicate(got), Expected::Duplicate(id)) => assert_eq!(got, id),
                (Appended::KeyframeNeeded, Expected::KeyframeNeeded) => {}
                (outcome, _) => panic!("not what should have become of it: {outcome:?}"),
            }
        }
    }

    fn host(&self, actor: usize) -> u32 {
        let uploaders = self.uploaders.iter().map(|(host, _)| *host);
        uploaders.chain(self.agents.iter().map(|(host, _)| *host)).nth(actor).unwrap()
    }

    fn item(&mut self, actor: usize, model: &Model) -> (Append, Expected) {
        match actor.checked_sub(self.uploaders.len()) {
            None => self.upload(actor, model),
            Some(agent) => self.agent_frame(agent),
        }
    }

    fn upload(&mut self, index: usize, model: &Model) -> (Append, Expected) {
        let (host, machine) = &mut self.uploaders[index];
        let host = *host;
        let known = model.hosts.get(&host).map(|host| &host.snapshots);
        let some_time = |random: &mut Random| {
            let known = known.filter(|known| !known.is_empty())?;
            known.keys().nth(random.below(known.len() as u64) as usize).copied()
        };
        let time = match self.random.below(6) {
            // The same again, and one in between.
            0 => some_time(&mut self.random).unwrap_or(self.clock),
            1 => some_time(&mut self.random).map_or(self.clock, |time| time.plus_ms(-7)),
            _ => self.clock,
        };
        let snapshot = machine.snapshot(time);
        let append = Append::Snapshot { host, snapshot: Arc::new(snapshot.clone()) };
        let expected = match known.and_then(|known| known.get(&time)) {
            Some((first, _)) => Expected::Duplicate(Some(*first)),
            None => Expected::Upload(host, snapshot),
        };
        (append, expected)
    }

    fn agent_frame(&mut self, index: usize) -> (Append, Expected) {
        let random = self.random.below(8);
        let clock = self.clock;
        let (host, agent) = &mut self.agents[index];
        let host = *host;
        let shared = self.uploaders.iter().any(|(other, _)| *other == host);
        if shared || agent.sequence == 0 || random == 0 {
            // A new connection, as everything needs that may have to go on from an upload.
            agent.reconnect();
            let (append, snapshot) = agent.next(host, clock);
            return (append, Expected::AgentFrame(host, snapshot));
        }
        match random {
            1 => {
                let again = agent.again(host, clock);
                (again, Expected::Duplicate(None))
            }
            2 => {
                let skipped = agent.skipping(host, clock);
                (skipped, Expected::KeyframeNeeded)
            }
            _ => {
                let (append, snapshot) = agent.next(host, clock);
                (append, Expected::AgentFrame(host, snapshot))
            }
        }
    }
}

impl Agent {
    fn reconnect(&mut self) {
        self.stream += 1;
        self.sequence = 0;
        self.state = HostState::new();
    }

    fn next(&mut self, host: u32, time: Timestamp) -> (Append, Snapshot) {
        let snapshot = self.machine.snapshot(time);
        let frame = self.state.advance(&snapshot).unwrap();
        self.sequence += 1;
        (self.append(host, self.sequence, &frame), canonical(self.state.snapshot()))
    }

    /// A frame of a number that was sent before.
    fn again(&mut self, host: u32, time: Timestamp) -> Append {
        let mut elsewhere = self.state.clone();
        let frame = elsewhere.advance(&self.machine.clone().snapshot(time)).unwrap();
        self.append(host, self.sequence, &frame)
    }

    /// A frame after one that never came.
    fn skipping(&mut self, host: u32, time: Timestamp) -> Append {
        let mut elsewhere = self.state.clone();
        let frame = elsewhere.advance(&self.machine.clone().snapshot(time)).unwrap();
        self.append(host, self.sequence + 2, &frame)
    }

    fn append(&self, host: u32, sequence: u64, frame: &procession_codec::Frame) -> Append {
        let mut bytes = Vec::new();
        frame::encode(frame, &mut bytes);
        let origin = FrameOrigin { stream: [self.stream; 16], sequence };
        Append::Frame { host, origin, frame: Bytes::from(bytes) }
    }
}
