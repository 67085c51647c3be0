//! Frames that the server has not said to have, in order, and what to send next.
//!
//! Frames stand in segments, each of which begins with an anchor: the state before its first frame, as a keyframe that is
//! sent only where the server has lost its own. So a frame can be turned into a keyframe at any time without keeping a
//! second copy of the state up to date, which would double the cost of every tick. Where the frames take too much, the
//! oldest segment goes as a whole, and the next frame that is sent says what is missing.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use procession_codec::frame::encode;
use procession_codec::{ApplyError, DecodeError, Frame, HostState};
use procession_model::{Loss, LossKind, Timestamp};
use procession_protocol::{FrameMessage, UNACKNOWLEDGED_FRAMES_MAX};

use crate::spool::{Segment, StreamFolder};

const SEGMENT_FRAMES_MAX: u64 = 64;
const SEGMENT_BYTES_MAX: usize = 1 << 20;

/// A frame of our own that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    /// Its bytes make no sense.
    #[error("a kept frame is broken: {0}")]
    Decode(#[from] DecodeError),
    /// It does not fit the one before it.
    #[error("a kept frame does not follow the one before it: {0}")]
    Apply(#[from] ApplyError),
    /// Its segment cannot be read.
    #[error("the spool cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Its segment is not what was written.
    #[error("a segment of the spool is damaged")]
    Damaged,
}

/// How much may wait, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In memory and on disk together.
    pub(crate) bytes_max: usize,
    /// Of that only in memory.
    pub(crate) memory_bytes_max: usize,
}

/// Frames of one stream that wait to be sent or acknowledged.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) stream: String,
    folder: Option<StreamFolder>,
    /// Oldest first; only the last one takes frames.
    segments: VecDeque<Segment>,
    limits: Limits,
    acknowledged: u64,
    /// The next sequence to send on the present connection.
    cursor: u64,
    keyframe_needed: bool,
    gap: Option<Gap>,
    dropped: u64,
    disk_failed: bool,
}

/// Frames that were dropped unacknowledged, all before the first one that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Outbox {
    /// A new stream; on disk where it has a folder.
    pub(crate) fn new(stream: String, limits: Limits, folder: Option<StreamFolder>) -> Self {
        let mut outbox = Self {
            stream,
            folder,
            segments: VecDeque::new(),
            limits,
            acknowledged: 0,
            cursor: 1,
            keyframe_needed: false,
            gap: None,
            dropped: 0,
            disk_failed: false,
        };
        outbox.begin_segment(None, 1);
        outbox
    }

    /// A stream of an earlier life: it only gets smaller.
    pub(crate) fn found(folder: StreamFolder, segments: Vec<Segment>, gap: Option<Gap>, limits: Limits) -> Self {
        let first_sequence = segments.first().map_or(1, |segment| segment.first_sequence);
        Self {
            stream: folder.stream.clone(),
            folder: Some(folder),
            segments: segments.into(),
            limits,
            acknowledged: gap.map_or(first_sequence, |gap| gap.first_sequence) - 1,
            cursor: first_sequence,
            keyframe_needed: false,
            gap,
            dropped: 0,
            disk_failed: false,
        }
    }

    /// Takes the next frame of this stream; the first one has to be a keyframe. `state` is what it leads to. Where nobody
    /// is there to take it, `keep` makes it survive the loss of power.
    pub(crate) fn push(&mut self, time: Timestamp, frame: Bytes, state: &HostState, keep: bool) {
        let segment_bytes_max = (self.limits.bytes_max / 8).min(SEGMENT_BYTES_MAX);
        let Some(segment) = self.segments.back_mut() else { return };
        let mut written = segment.push(time, frame);
        if keep && written.is_ok() {
            written = segment.sync();
        }
        let full = segment.count >= SEGMENT_FRAMES_MAX || segment.bytes >= segment_bytes_max || written.is_err();
        if full {
            written = written.and(segment.close());
            let next = segment.end();
            self.begin_segment(Some(encode_to_bytes(&state.keyframe())), next);
            self.forget_acknowledged();
        }
        self.note_disk(written);
        self.drop_beyond_limits();
    }

    /// The server has everything up to `sequence`. Later acknowledgements never take back earlier ones.
    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        self.acknowledged = self.acknowledged.max(sequence.min(self.newest()));
        self.cursor = self.cursor.max(self.acknowledged + 1);
        self.gap = self.gap.and_then(|gap| gap.after(self.acknowledged));
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

    /// Whether some of what was sent on this connection was dropped before the server said whether it arrived. Only then
    /// the gap can be told exactly.
    pub(crate) fn awaits_acknowledgement(&self) -> bool {
        self.cursor < self.first_kept() && self.cursor > self.acknowledged + 1
    }

    /// Whether there is a frame to send, and the server would take it.
    pub(crate) fn has_next(&self) -> bool {
        if self.awaits_acknowledgement() {
            return false;
        }
        let cursor = self.cursor.max(self.first_kept());
        let before_cursor = self.segments.iter().take_while(|segment| segment.first_sequence < cursor);
        let first = |segment: &Segment| segment.first_sequence.max(self.acknowledged + 1);
        let under_way: u64 =
            before_cursor.map(|segment| segment.end().min(cursor).saturating_sub(first(segment))).sum();
        cursor <= self.newest() && under_way < UNACKNOWLEDGED_FRAMES_MAX as u64
    }

    /// Damage may have taken frames from the middle of a stream that was found.
    fn skip_missing(&mut self) {
        let next = self.segments.iter().find(|segment| self.cursor < segment.end());
        if let Some(after) = next.map(|segment| segment.first_sequence).filter(|first| *first > self.cursor) {
            self.cursor = after;
            self.keyframe_needed = true;
        }
    }

    /// The next frame to send, as a keyframe where one is needed. A segment that cannot be read is lost, and counted.
    pub(crate) fn next(&mut self) -> Option<FrameMessage> {
        while self.has_next() {
            self.skip_missing();
            let sequence = self.cursor;
            match self.frame(sequence) {
                Ok(frame) => {
                    self.keyframe_needed = false;
                    self.cursor += 1;
                    return Some(FrameMessage { sequence, frame });
                }
                Err(error) => {
                    tracing::error!(%error, stream = %self.stream, sequence, "frames that were kept are lost");
                    self.lose_through(sequence);
                }
            }
        }
        None
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
        self.newest().saturating_sub(self.acknowledged.max(self.first_kept() - 1))
    }

    /// How many frames were dropped unacknowledged, ever.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How much it takes, in memory and on disk.
    pub(crate) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// What was written survives the loss of power.
    pub(crate) fn sync(&mut self) {
        if let Some(result) = self.segments.back().map(Segment::sync) {
            self.note_disk(result);
        }
    }

    /// Takes it off the disk. Returns what was dropped of it and not told: no frame of it is left to do so.
    pub(crate) fn delete(mut self) -> Option<Loss> {
        self.segments.clear();
        if let Some(folder) = self.folder.take() {
            folder.delete();
        }
        self.gap.map(Gap::loss)
    }

    fn first_kept(&self) -> u64 {
        self.segments.front().map_or(self.acknowledged + 1, |segment| segment.first_sequence)
    }

    fn begin_segment(&mut self, anchor: Option<Bytes>, first_sequence: u64) {
        let path = self.folder.as_ref().map(|folder| folder.segment_path(first_sequence));
        let (segment, result) = Segment::begin(anchor, first_sequence, path);
        self.segments.push_back(segment);
        self.note_disk(result);
    }

    fn frame(&mut self, sequence: u64) -> Result<Bytes, OutboxError> {
        let gap = self.gap.filter(|_| sequence == self.first_kept()).map(Gap::loss);
        let keyframe_needed = self.keyframe_needed;
        let newest_start = self.segments.back().map_or(0, |segment| segment.first_sequence);
        let Some(segment) = self.segments.iter_mut().find(|segment| sequence < segment.end()) else {
            return Err(OutboxError::Damaged);
        };
        let index = usize::try_from(sequence - segment.first_sequence).map_err(|_| OutboxError::Damaged)?;
        let last = sequence + 1 == segment.end() && segment.first_sequence != newest_start;
        let contents = segment.load()?;
        let frame = if keyframe_needed {
            encode_to_bytes(&contents.keyframe(index, gap)?)
        } else {
            contents.frames.get(index).map(|(_, frame)| frame.clone()).ok_or(OutboxError::Damaged)?
        };
        if last {
            segment.unload();
        }
        Ok(frame)
    }

    /// Everything of the oldest segments is known to the server, and a younger one has an anchor.
    fn forget_acknowledged(&mut self) {
        while self.segments.len() > 1
            && self.segments.front().is_some_and(|oldest| oldest.end() <= self.acknowledged + 1)
        {
            if let Some(mut oldest) = self.segments.pop_front() {
                oldest.delete_file();
            }
        }
    }

    fn drop_beyond_limits(&mut self) {
        let memory = |outbox: &Self| outbox.segments.iter().map(Segment::memory_bytes).sum::<usize>();
        while self.segments.len() > 1
            && (self.bytes() > self.limits.bytes_max || memory(self) > self.limits.memory_bytes_max)
        {
            self.drop_oldest();
        }
    }

    /// Loses everything up to the segment with this sequence.
    fn lose_through(&mut self, sequence: u64) {
        while self.segments.front().is_some_and(|segment| segment.first_sequence <= sequence) {
            self.drop_oldest();
        }
        if self.segments.is_empty() {
            // Only a damaged stream of an earlier life gets here: the one that is written is in memory.
            self.acknowledged = self.acknowledged.max(sequence);
        }
    }

    /// Drops the oldest segment. What was not acknowledged of it is told by the next frame that is sent.
    pub(crate) fn drop_oldest(&mut self) {
        let Some(mut segment) = self.segments.pop_front() else { return };
        let first_sequence = segment.first_sequence.max(self.acknowledged + 1);
        if let Some((from, until)) = segment.times.filter(|_| first_sequence < segment.end()) {
            let last_sequence = segment.end() - 1;
            let from = segment.time_of(first_sequence).unwrap_or(from);
            self.dropped += last_sequence + 1 - first_sequence;
            let gap = self.gap.get_or_insert(Gap { first_sequence, last_sequence, from, until });
            (gap.last_sequence, gap.until) = (last_sequence, until);
            let noted = self.folder.as_ref().map_or(Ok(()), |folder| folder.write_gap(gap));
            self.note_disk(noted);
        }
        segment.delete_file();
    }

    /// Tells once that the disk fails, and once that it works again.
    fn note_disk(&mut self, result: io::Result<()>) {
        match result {
            Err(error) if !self.disk_failed => {
                tracing::error!(%error, "the spool cannot be written: frames wait in memory, which is smaller");
                self.disk_failed = true;
            }
            Err(_) => {}
            Ok(()) => self.disk_failed = false,
        }
    }
}

impl Gap {
    /// What is left of it once the server has said to have everything up to `sequence`: some of what was dropped may have
    /// got there without our knowing. Times within a gap are not kept; snapshots are taken at even steps.
    fn after(self, sequence: u64) -> Option<Self> {
        let had = (sequence + 1).saturating_sub(self.first_sequence);
        let steps = self.last_sequence - self.first_sequence;
        if had == 0 || had > steps {
            return (had == 0).then_some(self);
        }
        let length_ms = i128::from(self.until.since_ms(self.from)) * i128::from(had) / i128::from(steps);
        let from = self.from.plus_ms(i64::try_from(length_ms).unwrap_or(0));
        Some(Self { first_sequence: sequence + 1, from, ..self })
    }

    pub(crate) fn loss(self) -> Loss {
        let count = Some(self.last_sequence + 1 - self.first_sequence);
        Loss { kind: LossKind::Snapshots, from: self.from, until: self.until, count }
    }
}

pub(crate) fn encode_to_bytes(frame: &Frame) -> Bytes {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes);
    bytes.into()
}
