//! Frames that the server has not said to have, in order, and what to send next.
//!
//! Frames stand in segments, each of which begins with an anchor: the state before its first frame, as a keyframe that is
//! sent only where the server has lost its own. So a frame can be turned into a keyframe at any time without keeping a
//! second copy of the state up to date, which would double the cost of every tick. Where the frames take too much, the
//! oldest segment goes as a whole, and the next frame that is sent says what is missing.

use std::collections::VecDeque;

use bytes::Bytes;
use procession_codec::frame::{decode, encode};
use procession_codec::{ApplyError, DecodeError, Frame, FrameKind, HostState};
use procession_model::{Loss, LossKind, Timestamp};
use procession_protocol::{FrameMessage, UNACKNOWLEDGED_FRAMES_MAX};

const SEGMENT_FRAMES_MAX: usize = 64;

/// A frame of our own that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    /// Its bytes make no sense.
    #[error("a kept frame is broken: {0}")]
    Decode(#[from] DecodeError),
    /// It does not fit the one before it.
    #[error("a kept frame does not follow the one before it: {0}")]
    Apply(#[from] ApplyError),
}

/// Frames that wait to be sent or acknowledged.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Oldest first, at least one; only the last one takes frames.
    segments: VecDeque<Segment>,
    bytes_max: usize,
    acknowledged: u64,
    /// The next sequence to send on the present connection.
    cursor: u64,
    keyframe_needed: bool,
    gap: Option<Gap>,
    dropped: u64,
}

#[derive(Debug)]
struct Segment {
    anchor: Option<Bytes>,
    first_sequence: u64,
    frames: Vec<(Timestamp, Bytes)>,
    bytes: usize,
}

/// Frames that were dropped unacknowledged, all before the first one that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    first_sequence: u64,
    last_sequence: u64,
    from: Timestamp,
    until: Timestamp,
}

impl Segment {
    fn new(anchor: Option<Bytes>, first_sequence: u64) -> Self {
        let bytes = anchor.as_ref().map_or(0, Bytes::len);
        Self { anchor, first_sequence, frames: Vec::new(), bytes }
    }

    /// The sequence after the last one.
    fn end(&self) -> u64 {
        self.first_sequence + self.frames.len() as u64
    }

    fn frame(&self, sequence: u64) -> Option<&(Timestamp, Bytes)> {
        let index = sequence.checked_sub(self.first_sequence)?;
        self.frames.get(usize::try_from(index).ok()?)
    }
}

impl Outbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            segments: VecDeque::from([Segment::new(None, 1)]),
            bytes_max,
            acknowledged: 0,
            cursor: 1,
            keyframe_needed: false,
            gap: None,
            dropped: 0,
        }
    }

    /// Takes the next frame of this stream; the first one has to be a keyframe. `state` is what it leads to.
    pub(crate) fn push(&mut self, time: Timestamp, frame: Bytes, state: &HostState) {
        let segment_bytes_max = self.bytes_max / 8;
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += frame.len();
            segment.frames.push((time, frame));
            if segment.frames.len() >= SEGMENT_FRAMES_MAX || segment.bytes >= segment_bytes_max {
                let anchor = encode_to_bytes(&state.keyframe());
                let next = Segment::new(Some(anchor), segment.end());
                self.segments.push_back(next);
                self.forget_acknowledged();
                self.drop_oldest();
            }
        }
    }

    /// The server has everything up to `sequence`. Later acknowledgements never take back earlier ones.
    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        self.acknowledged = self.acknowledged.max(sequence.min(self.newest()));
        self.cursor = self.cursor.max(self.acknowledged + 1);
        if self.gap.is_some_and(|gap| gap.last_sequence <= self.acknowledged) {
            self.gap = None;
        }
        self.forget_acknowledged();
    }

    /// A connection begins: the server has everything up to `last_sequence`, and needs a keyframe unless `resume`.
    pub(crate) fn begin(&mut self, last_sequence: u64, resume: bool) {
        self.acknowledge(last_sequence);
        self.cursor = self.acknowledged + 1;
        self.keyframe_needed = !resume;
    }

    /// The server wants everything from `sequence` on again, first a keyframe.
    pub(crate) fn rewind(&mut self, sequence: u64) {
        self.cursor = sequence.clamp(self.acknowledged + 1, self.cursor);
        self.keyframe_needed = true;
    }

    /// Whether there is a frame to send, and the server would take it.
    pub(crate) fn has_next(&self) -> bool {
        self.cursor <= self.newest() && self.cursor - self.acknowledged <= UNACKNOWLEDGED_FRAMES_MAX as u64
    }

    /// The next frame to send, as a keyframe where one is needed.
    pub(crate) fn next(&mut self) -> Result<Option<FrameMessage>, OutboxError> {
        if !self.has_next() {
            return Ok(None);
        }
        let first_kept = self.segments.front().map_or(1, |segment| segment.first_sequence);
        if self.cursor < first_kept {
            self.cursor = first_kept;
            self.keyframe_needed = true;
        }
        let sequence = self.cursor;
        let Some(segment) = self.segments.iter().find(|segment| sequence < segment.end()) else { return Ok(None) };
        let frame = if self.keyframe_needed {
            let gap = self.gap.filter(|_| sequence == first_kept);
            encode_to_bytes(&segment.keyframe(sequence, gap.map(Gap::loss))?)
        } else {
            segment.frame(sequence).map(|(_, frame)| frame.clone()).unwrap_or_default()
        };
        self.keyframe_needed = false;
        self.cursor += 1;
        Ok(Some(FrameMessage { sequence, frame }))
    }

    /// The first sequence that the server may not have.
    pub(crate) const fn first_unacknowledged(&self) -> u64 {
        self.acknowledged + 1
    }

    /// The last sequence there is; 0 for none.
    pub(crate) fn newest(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.end() - 1)
    }

    /// How many frames wait for an acknowledgement.
    pub(crate) fn waiting(&self) -> u64 {
        let kept_before = self.gap.map_or(self.acknowledged, |gap| gap.last_sequence.max(self.acknowledged));
        self.newest() - kept_before
    }

    /// How many frames were dropped unacknowledged, ever.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Everything of the oldest segments is known to the server, and a younger one has an anchor.
    fn forget_acknowledged(&mut self) {
        while self.segments.len() > 1
            && self.segments.front().is_some_and(|oldest| oldest.end() <= self.acknowledged + 1)
        {
            self.segments.pop_front();
        }
    }

    fn drop_oldest(&mut self) {
        let mut bytes: usize = self.segments.iter().map(|segment| segment.bytes).sum();
        while bytes > self.bytes_max && self.segments.len() > 1 {
            let Some(segment) = self.segments.pop_front() else { return };
            bytes -= segment.bytes;
            self.count_as_lost(&segment);
        }
    }

    fn count_as_lost(&mut self, segment: &Segment) {
        let first_sequence = segment.first_sequence.max(self.acknowledged + 1);
        let last_sequence = segment.end() - 1;
        let time = |sequence| segment.frame(sequence).map(|(time, _)| *time);
        let (Some(from), Some(until)) = (time(first_sequence), time(last_sequence)) else { return };
        self.dropped += last_sequence + 1 - first_sequence;
        let gap = self.gap.get_or_insert(Gap { first_sequence, last_sequence, from, until });
        (gap.last_sequence, gap.until) = (last_sequence, until);
    }
}

impl Segment {
    /// The frame as one that stands alone, with what only the frame itself says of its time.
    fn keyframe(&self, sequence: u64, gap: Option<Loss>) -> Result<Frame, OutboxError> {
        let mut state = HostState::new();
        if let Some(anchor) = &self.anchor {
            state.apply(&decode(anchor)?)?;
        }
        let mut keyframe = Frame::new(FrameKind::Key, Timestamp::default());
        for (_, bytes) in (self.first_sequence..=sequence).zip(&self.frames).map(|(_, frame)| frame) {
            let frame = decode(bytes)?;
            state.apply(&frame)?;
            (keyframe.brief, keyframe.losses) = (frame.brief, frame.losses);
        }
        let (brief, losses) = (keyframe.brief, keyframe.losses);
        keyframe = state.keyframe();
        keyframe.brief = brief;
        keyframe.losses = gap.into_iter().chain(losses).collect();
        Ok(keyframe)
    }
}

impl Gap {
    fn loss(self) -> Loss {
        let count = Some(self.last_sequence + 1 - self.first_sequence);
        Loss { kind: LossKind::Snapshots, from: self.from, until: self.until, count }
    }
}

pub(crate) fn encode_to_bytes(frame: &Frame) -> Bytes {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes);
    bytes.into()
}
