//! One watched host: its state, and the messages that lead there.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use procession_codec::{ApplyError, Frame, FrameKind, HostState};
use procession_model::SnapshotId;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::wire;

/// How many messages a viewer may fall behind before it gets a new key.
const BEHIND_MAX: usize = 32;
/// How many bytes of past messages are kept for viewers who come back.
const RECENT_BYTES_MAX: usize = 1 << 20;

/// One watched host.
pub(super) struct HostChannel {
    hostname: Arc<str>,
    state: HostState,
    id: SnapshotId,
    key: Option<Utf8Bytes>,
    recent: VecDeque<(SnapshotId, Utf8Bytes)>,
    recent_bytes: usize,
    /// The snapshot before the oldest message of `recent`.
    recent_from: SnapshotId,
    viewers: broadcast::Sender<Utf8Bytes>,
    last_wanted: Instant,
}

/// What a new viewer gets: what it has to know first, and what follows.
pub(crate) struct Joined {
    /// A key, or the changes since what it has.
    pub(crate) first: Vec<Utf8Bytes>,
    /// What follows.
    pub(crate) rest: broadcast::Receiver<Utf8Bytes>,
}

impl HostChannel {
    /// A host whose state is this keyframe.
    pub(super) fn new(hostname: Arc<str>, id: SnapshotId, key: &Frame) -> Result<Self, ApplyError> {
        let mut state = HostState::new();
        state.apply(key)?;
        Ok(Self {
            hostname,
            state,
            id,
            key: None,
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_from: id,
            viewers: broadcast::channel(BEHIND_MAX).0,
            last_wanted: Instant::now(),
        })
    }

    /// The newest snapshot it knows.
    pub(super) const fn id(&self) -> SnapshotId {
        self.id
    }

    /// The state after the newest snapshot.
    pub(super) const fn state(&self) -> &HostState {
        &self.state
    }

    /// The name.
    pub(super) const fn hostname(&self) -> &Arc<str> {
        &self.hostname
    }

    /// Goes on by one frame and tells the viewers.
    pub(super) fn advance(&mut self, id: SnapshotId, frame: &Frame) -> Result<(), ApplyError> {
        self.state.apply(frame)?;
        self.id = id;
        self.key = None;
        let message = match frame.kind {
            FrameKind::Key => self.key(),
            FrameKind::Delta => text(wire::delta_message(id, frame)),
        };
        self.remember(id, message.clone());
        // Without viewers the message is for those who come back.
        drop(self.viewers.send(message));
        Ok(())
    }

    /// Replaces the state, because frames were missed, and tells the viewers.
    pub(super) fn restart(&mut self, id: SnapshotId, key: &Frame) -> Result<(), ApplyError> {
        let mut state = HostState::new();
        state.apply(key)?;
        (self.state, self.id, self.key) = (state, id, None);
        self.recent.clear();
        (self.recent_bytes, self.recent_from) = (0, id);
        let key = self.key();
        drop(self.viewers.send(key));
        Ok(())
    }

    /// The key message, encoded once however many ask.
    pub(super) fn key(&mut self) -> Utf8Bytes {
        self.last_wanted = Instant::now();
        let (id, hostname, state) = (self.id, &self.hostname, &self.state);
        self.key.get_or_insert_with(|| text(wire::state_message(id, hostname, state))).clone()
    }

    /// Lets a viewer in that has `after` already, if anything.
    pub(super) fn join(&mut self, after: Option<SnapshotId>) -> Joined {
        self.last_wanted = Instant::now();
        let rest = self.viewers.subscribe();
        let missed = after.and_then(|after| self.messages_after(after));
        let first = missed.unwrap_or_else(|| vec![self.key()]);
        Joined { first, rest }
    }

    /// Whether nobody watches and nobody has since `moment`.
    pub(super) fn is_idle_since(&self, moment: Instant) -> bool {
        self.viewers.receiver_count() == 0 && self.last_wanted < moment
    }

    fn messages_after(&self, after: SnapshotId) -> Option<Vec<Utf8Bytes>> {
        let from = if after == self.recent_from { 0 } else { self.recent.iter().position(|(id, _)| *id == after)? + 1 };
        Some(self.recent.iter().skip(from).map(|(_, message)| message.clone()).collect())
    }

    fn remember(&mut self, id: SnapshotId, message: Utf8Bytes) {
        self.recent_bytes += message.len();
        self.recent.push_back((id, message));
        while self.recent_bytes > RECENT_BYTES_MAX {
            let Some((id, oldest)) = self.recent.pop_front() else { break };
            self.recent_bytes -= oldest.len();
            self.recent_from = id;
        }
    }
}

/// Our own JSON, which is UTF-8.
pub(super) fn text(bytes: Vec<u8>) -> Utf8Bytes {
    Utf8Bytes::try_from(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use procession_model::Timestamp;
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn id(sequence: u32) -> SnapshotId {
        SnapshotId::new(0, sequence).expect("a number")
    }

    fn frame(kind: FrameKind, second: i64) -> Frame {
        Frame::new(kind, Timestamp::from_ms(second * 1_000))
    }

    fn channel() -> HostChannel {
        HostChannel::new("h".into(), id(1), &frame(FrameKind::Key, 1)).expect("a keyframe applies")
    }

    #[test]
    fn a_thousand_viewers_share_the_bytes_of_one_encoding() {
        let mut channel = channel();
        let mut viewers: Vec<Joined> = (0..1_000).map(|_| channel.join(None)).collect();
        let key = viewers[0].first[0].as_ptr();
        assert!(viewers.iter().all(|viewer| viewer.first.len() == 1 && viewer.first[0].as_ptr() == key));
        for sequence in 2..=4 {
            channel.advance(id(sequence), &frame(FrameKind::Delta, sequence.into())).expect("a delta applies");
            let told: Vec<Utf8Bytes> =
                viewers.iter_mut().map(|viewer| viewer.rest.try_recv().expect("a message")).collect();
            assert!(told[0].contains("\"delta\""), "{}", told[0]);
            assert!(told.iter().all(|message| message.as_ptr() == told[0].as_ptr()));
        }
    }

    #[test]
    fn a_viewer_that_does_not_read_holds_up_nobody_and_nothing_is_kept_for_it() {
        let mut channel = channel();
        let (mut slow, mut quick) = (channel.join(None), channel.join(None));
        let behind = u32::try_from(BEHIND_MAX).expect("small");
        for sequence in 2..=behind + 11 {
            channel.advance(id(sequence), &frame(FrameKind::Delta, sequence.into())).expect("a delta applies");
            assert!(quick.rest.try_recv().is_ok());
        }
        assert!(matches!(slow.rest.try_recv(), Err(TryRecvError::Lagged(10))));
    }
}
