//! What simulated agents send, made before they start: the simulation must cost the machine little beside the server
//! that it is to measure. Frames and uploads are made once for each of a few machines and shared by all hosts; at a
//! tick only the time, and what begins, is new.

use std::sync::Arc;

use bytes::Bytes;
use procession_codec::{ApplyError, Frame, FrameKind, HostState, MetricChanges, frame};
use procession_model::{Description, End, Identity, Metric, Snapshot, Timestamp};
use procession_server::upload;

use super::machine::{Machine, MachineConfig};
use crate::moment;

/// Ticks after which a pattern starts again.
const TICKS: usize = 32;

/// Of how many of them there are uploads, which are a hundred times as long as frames.
const UPLOADS: usize = 8;

/// The ticks of one made machine.
#[derive(Debug)]
pub(super) struct Pattern {
    key: Frame,
    deltas: Vec<Frame>,
    /// Uploads from after the time on.
    uploads: Vec<Bytes>,
    turnover: Turnover,
}

/// A process that ends and another of the same program that begins in its slot.
#[derive(Debug)]
struct Turnover {
    slot: u32,
    description: Arc<Description>,
    first: [MetricChanges; Metric::COUNT],
}

impl Pattern {
    /// Lets a machine run for [`TICKS`].
    pub(super) fn new(mut config: MachineConfig, boot: Timestamp) -> Result<Self, ApplyError> {
        // Frames are sent in rounds, so what begins and ends must not depend on the round: see `turnover`.
        config.ticks_per_turnover = 0;
        let mut machine = Machine::new(config, boot);
        let mut state = HostState::new();
        let mut last = machine.tick(boot);
        let key = state.advance(&last)?;
        let mut deltas = Vec::with_capacity(TICKS);
        let mut uploads = Vec::with_capacity(UPLOADS);
        for _ in 0..TICKS {
            last = machine.tick(last.time.plus_ms(1));
            deltas.push(state.advance(&last)?);
            if uploads.len() < UPLOADS {
                uploads.push(upload_after_time(&last));
            }
        }
        let turnover = Turnover::of(&state);
        Ok(Self { key, deltas, uploads, turnover })
    }

    /// The bytes of a frame that stands alone.
    pub(super) fn key(&self, time: Timestamp) -> Bytes {
        encoded(&Frame { time, ..self.key.clone() })
    }

    /// The bytes of the frame of a tick; every fourth one has a process that ends and one that begins.
    pub(super) fn delta(&self, tick: u64, time: Timestamp) -> Bytes {
        let place = usize::try_from(tick % TICKS as u64).unwrap_or_default();
        let mut frame = Frame { time, ..self.deltas[place].clone() };
        if tick.is_multiple_of(4) {
            self.turnover.put_in(&mut frame, tick);
        }
        encoded(&frame)
    }

    /// The upload of a tick, from after the time on.
    pub(super) fn upload(&self, tick: usize) -> Bytes {
        self.uploads[tick % self.uploads.len()].clone()
    }
}

impl Turnover {
    /// Of the process in the last slot.
    fn of(state: &HostState) -> Self {
        let mut first = [const { MetricChanges { slots: Vec::new(), values: Vec::new() } }; Metric::COUNT];
        let (mut slot, mut description) = (0, Arc::new(Description::new(1, "sleep")));
        if let Some((last_slot, process)) = state.processes().last() {
            slot = last_slot;
            description = process.description;
            for metric in Metric::ALL {
                if let Some(value) = process.sample.get(metric) {
                    first[metric.index()] = MetricChanges { slots: vec![slot], values: vec![value] };
                }
            }
        }
        Self { slot, description, first }
    }

    fn put_in(&self, frame: &mut Frame, tick: u64) {
        if frame.kind == FrameKind::Key {
            return;
        }
        let pid = 100_000 + u32::try_from(tick % 1_000_000).unwrap_or_default();
        let identity = Identity { pid, start: Some(frame.time.plus_ms(-1)) };
        frame.ended.retain(|(slot, _)| *slot != self.slot);
        frame.ended.push((self.slot, End::default()));
        frame.ended.sort_unstable_by_key(|(slot, _)| *slot);
        let description = Arc::new(Description { identity, ..Description::clone(&self.description) });
        frame.began.retain(|began| began.slot != self.slot);
        frame.began.push(procession_codec::Began { slot: self.slot, description });
        for (changes, first) in frame.changes.iter_mut().zip(&self.first) {
            // The slot is the highest one, so it stands last and slots still ascend.
            if changes.slots.last() == Some(&self.slot) {
                changes.slots.pop();
                changes.values.pop();
            }
            changes.slots.extend(&first.slots);
            changes.values.extend(&first.values);
        }
    }
}

/// The body of an upload is `{"hostname":"…","snapshot_time":"…"` and this.
fn upload_after_time(snapshot: &Snapshot) -> Bytes {
    let snapshot = Snapshot { time: Timestamp::from_ms(0), ..snapshot.clone() };
    let mut body = Vec::new();
    upload::write("", &snapshot, &mut body);
    let time = moment::write(snapshot.time);
    let place = body.windows(time.len()).position(|window| window == time.as_bytes());
    let after_quote = place.map_or(0, |place| place + time.len() + 1);
    Bytes::from(body).slice(after_quote..)
}

fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = Vec::new();
    frame::encode(frame, &mut bytes);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_go_on_after_any_name_and_time() {
        let pattern = Pattern::new(MachineConfig::ordinary(1, 300, 1_000), Timestamp::from_ms(0)).unwrap();
        for tick in 0..2 * UPLOADS {
            let begin = r#"{"hostname":"h","snapshot_time":"2025-08-22T09:15:00Z""#.as_bytes();
            let read = upload::parse(&[begin, &pattern.upload(tick)].concat()).unwrap();
            assert_eq!((read.hostname.as_str(), read.snapshot.time.as_ms()), ("h", 1_755_854_100_000));
            assert_eq!(read.snapshot.processes.len(), 300);
        }
        assert_ne!(pattern.upload(0), pattern.upload(1));
    }

    #[test]
    fn frames_apply_round_after_round() {
        let pattern = Pattern::new(MachineConfig::ordinary(1, 300, 1_000), Timestamp::from_ms(0)).unwrap();
        let mut state = HostState::new();
        state.apply(&frame::decode(&pattern.key(Timestamp::from_ms(1_000))).unwrap()).unwrap();
        for tick in 0..100 {
            let time = Timestamp::from_ms(2_000 + i64::try_from(tick).unwrap() * 1_000);
            state.apply(&frame::decode(&pattern.delta(tick, time)).unwrap()).unwrap();
            assert_eq!((state.time(), state.process_count()), (time, 300));
        }
    }
}
