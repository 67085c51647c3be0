//! The agent's own work: a snapshot at every tick, as a frame into the outbox.

use std::sync::Arc;
use std::time::Duration;

use procession_codec::HostState;
use procession_codec::frame::encode;
use procession_model::{HostFacts, HostMetric, Loss, LossKind, Snapshot, Timestamp};
use procession_protocol::{AgentSettings, MESSAGE_BYTES_MAX};
use tokio::time::Instant;

use crate::outboxes::Outboxes;
use crate::sampler::Sampler;

/// A message has a few bytes beside its frame.
const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 64;

/// Takes snapshots and keeps them as frames.
pub(crate) struct Watcher {
    sampler: Box<dyn Sampler>,
    /// Used again for every snapshot.
    snapshot: Snapshot,
    state: HostState,
    encoded: Vec<u8>,
    pub(crate) outboxes: Outboxes,
    /// What was lost and has not been told in a frame.
    losses: Vec<Loss>,
    earlier: Option<(Instant, Timestamp)>,
    pub(crate) cpu_time_us: u64,
    pub(crate) failures: u64,
}

impl Watcher {
    pub(crate) fn new(sampler: Box<dyn Sampler>, outboxes: Outboxes, losses: Vec<Loss>) -> Self {
        Self {
            sampler,
            snapshot: Snapshot::default(),
            state: HostState::of_this_machine(),
            encoded: Vec::new(),
            outboxes,
            losses,
            earlier: None,
            cpu_time_us: 0,
            failures: 0,
        }
    }

    /// Looks without keeping: afterwards there is an interval.
    pub(crate) fn look(&mut self) {
        if let Err(error) = self.sampler.snapshot_into(&mut self.snapshot) {
            self.fail(&error);
        }
    }

    /// Takes a snapshot and keeps it; `keep` where nobody is there to take it. A failure is counted and told, and the next
    /// tick tries again.
    pub(crate) fn tick(&mut self, interval: Duration, keep: bool) {
        let now = Instant::now();
        if let Err(error) = self.sampler.snapshot_into(&mut self.snapshot) {
            self.fail(&error);
            return;
        }
        let time = self.snapshot.time;
        self.cpu_time_us += self.snapshot.host.get(HostMetric::AgentCpuMicros).unwrap_or(0);
        self.notice_missed(now, time, interval);
        self.snapshot.losses.append(&mut self.losses);
        match self.state.advance(&self.snapshot) {
            Ok(frame) => {
                self.encoded.clear();
                encode(&frame, &mut self.encoded);
            }
            Err(error) => return self.lose(time, &error.to_string()),
        }
        if self.encoded.len() > FRAME_BYTES_MAX {
            return self.lose(time, "it is larger than a message may be");
        }
        let frame = self.encoded.as_slice().to_vec().into();
        for loss in self.outboxes.push(time, frame, &self.state, keep) {
            merge(&mut self.losses, loss);
        }
    }

    /// Takes what the kernel has told; see [`Sampler::drain`].
    pub(crate) fn drain(&mut self) -> Option<f64> {
        self.sampler.drain()
    }

    /// See [`Sampler::room`].
    pub(crate) fn room(&self) -> Option<usize> {
        self.sampler.room()
    }

    /// Resident memory at the last snapshot.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.snapshot.host.get(HostMetric::AgentMemory).unwrap_or(0)
    }

    pub(crate) fn facts(&self) -> Arc<HostFacts> {
        self.sampler.facts()
    }

    pub(crate) fn apply(&mut self, settings: &AgentSettings) {
        if let Err(error) = self.sampler.apply(settings) {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &procession_probe::ProbeError) {
        self.failures += 1;
        tracing::warn!(%error, "this machine could not be sampled");
    }

    /// A snapshot that no frame can hold. The frames after it start anew: the state may have gone on already.
    fn lose(&mut self, time: Timestamp, reason: &str) {
        self.failures += 1;
        tracing::error!(%reason, processes = self.snapshot.processes.len(), "a snapshot is lost");
        self.losses.append(&mut self.snapshot.losses);
        let loss = Loss { kind: LossKind::Snapshots, from: time, until: time, count: Some(1) };
        merge(&mut self.losses, loss);
        self.state = HostState::of_this_machine();
    }

    /// Snapshots that were due and not taken. The monotonic clock stands still while the machine sleeps, so the wall
    /// clock counts too; that one may also have been set, so it says nothing of how many.
    fn notice_missed(&mut self, now: Instant, time: Timestamp, interval: Duration) {
        let Some((earlier_now, earlier_time)) = self.earlier.replace((now, time)) else { return };
        let interval_ms = interval.as_millis().max(1);
        let due = (now - earlier_now).as_millis() / interval_ms;
        let count = u64::try_from(due.saturating_sub(1)).unwrap_or(u64::MAX);
        let wall_ms = u128::try_from(time.since_ms(earlier_time)).unwrap_or(0);
        let slept = wall_ms > (now - earlier_now).as_millis() + 2 * interval_ms;
        if count > 0 || slept {
            let count = if slept { None } else { Some(count) };
            merge(&mut self.losses, Loss { kind: LossKind::Missed, from: earlier_time, until: time, count });
        }
    }
}

/// One loss of each kind is enough, however long nobody could be told.
fn merge(losses: &mut Vec<Loss>, loss: Loss) {
    match losses.iter_mut().find(|known| known.kind == loss.kind) {
        Some(known) => {
            known.from = known.from.min(loss.from);
            known.until = known.until.max(loss.until);
            known.count = known.count.zip(loss.count).map(|(known, more)| known.saturating_add(more));
        }
        None => losses.push(loss),
    }
}

#[cfg(test)]
mod tests {
    use procession_codec::frame::decode;
    use procession_probe::ProbeError;

    use super::*;
    use crate::outbox::Limits;

    /// Snapshots at these times.
    /// The latest comes first.
    struct Times(Vec<i64>);

    impl Sampler for Times {
        fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
            let ms = self.0.pop().ok_or_else(|| ProbeError::List("no more".to_owned()))?;
            *snapshot = Snapshot { time: Timestamp::from_ms(ms), ..Snapshot::default() };
            Ok(())
        }

        fn facts(&self) -> Arc<HostFacts> {
            Arc::default()
        }
    }

    /// The losses told in the frames of snapshots at these times, with a tick every five seconds by the monotonic clock.
    async fn losses(times: &[i64]) -> Vec<Vec<Loss>> {
        let limits = Limits { bytes_max: 1 << 20, memory_bytes_max: 1 << 20 };
        let outboxes = Outboxes::in_memory(String::new(), limits);
        let latest_first = times.iter().rev().copied().collect();
        let mut watcher = Watcher::new(Box::new(Times(latest_first)), outboxes, Vec::new());
        for _ in times {
            watcher.tick(Duration::from_secs(5), false);
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        let frames = std::iter::from_fn(|| watcher.outboxes.sending_mut().next());
        frames.map(|message| decode(&message.frame).unwrap().losses).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_leaves_a_visible_gap_and_no_other_order() {
        const DAYS: i64 = 3 * 86_400_000;
        let jumped = losses(&[0, 5_000, DAYS, DAYS + 5_000, 20_000, 25_000]).await;
        let missed = Loss {
            kind: LossKind::Missed,
            from: Timestamp::from_ms(5_000),
            until: Timestamp::from_ms(DAYS),
            count: None,
        };
        assert_eq!(jumped, [vec![], vec![], vec![missed], vec![], vec![], vec![]]);
    }

    #[tokio::test(start_paused = true)]
    async fn snapshots_that_were_due_are_counted() {
        let limits = Limits { bytes_max: 1 << 20, memory_bytes_max: 1 << 20 };
        let times = Times(vec![30_000, 0]);
        let mut watcher = Watcher::new(Box::new(times), Outboxes::in_memory(String::new(), limits), Vec::new());
        watcher.tick(Duration::from_secs(5), false);
        tokio::time::advance(Duration::from_secs(30)).await;
        watcher.tick(Duration::from_secs(5), false);
        watcher.tick(Duration::from_secs(5), false);
        assert_eq!(watcher.failures, 1, "the third failed");
        watcher.outboxes.sending_mut().next().unwrap();
        let second = watcher.outboxes.sending_mut().next().unwrap();
        assert_eq!(decode(&second.frame).unwrap().losses.first().and_then(|loss| loss.count), Some(5));
    }
}
