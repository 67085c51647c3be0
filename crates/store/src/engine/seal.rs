//! Open runs become blocks.
//!
//! A run is sealed when it is long, old or silent, or when all open runs together are over their cap. Readers and the
//! ingest go on meanwhile: frames are copied out, encoded and committed without a lock, and leave the open run after that.

use std::sync::{Arc, PoisonError};

use procession_model::Timestamp;

use super::level::Level;
use super::open_host::{Base, HostCell, OpenFrame, OpenHost};
use super::sealed::{self, Run};
use super::segments::{BlockEntry, HostMark, NewBlock, Sealing, Segments};
use super::view::run_frame;
use super::{Engine, wake};
use crate::{HostNumber, StoreError};

/// When open runs are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealPolicy {
    /// A run of so many frames is sealed.
    pub frames_max: usize,
    /// A run of so many bytes is sealed.
    pub bytes_max: usize,
    /// A run whose first frame came so many milliseconds ago is sealed.
    pub age_max_ms: i64,
    /// A run whose last frame came so many milliseconds ago is sealed.
    pub silence_ms: i64,
    /// When all open runs together have more bytes, the longest are sealed until half of it is left.
    pub open_bytes_max: usize,
}

impl Default for SealPolicy {
    fn default() -> Self {
        Self {
            frames_max: 720,
            bytes_max: 4 << 20,
            age_max_ms: 3_600_000,
            silence_ms: 600_000,
            open_bytes_max: 256 << 20,
        }
    }
}

/// Most blocks of one transaction: bounds how long ingest waits for it.
const TRANSACTION_BLOCKS_MAX: usize = 64;

/// What is copied out of a host to be sealed.
struct Due {
    cell: Arc<HostCell>,
    mark: HostMark,
    base: Base,
    frames: Vec<OpenFrame>,
    late: Vec<OpenFrame>,
}

/// What is to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// What is due at a time.
    DueBy(Timestamp),
    /// What is long, and as much as brings the open runs under their cap.
    Long,
}

impl<S: Segments> Engine<S> {
    /// Seals what is due.
    pub(super) fn seal(&self, which: Which) -> Result<(), StoreError> {
        let _one_at_a_time = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts = self.due_hosts(which);
        for some in hosts.chunks(TRANSACTION_BLOCKS_MAX) {
            let due = some.iter().map(|cell| self.take_due(cell)).collect::<Result<Vec<_>, _>>()?;
            self.seal_together(due)?;
        }
        Ok(())
    }

    /// Whether something should be sealed without waiting for its time.
    pub(super) fn is_crowded(&self) -> bool {
        self.open_bytes.get() > self.policy.open_bytes_max
    }

    /// Whether nothing more can be taken before something is sealed.
    pub(super) fn is_flooded(&self) -> bool {
        self.open_bytes.get() > self.policy.open_bytes_max.saturating_mul(2)
    }

    fn due_hosts(&self, which: Which) -> Vec<Arc<HostCell>> {
        let mut due = Vec::new();
        let mut rest = Vec::new();
        for (_, cell) in self.hosts.all() {
            let mut host = cell.lock();
            let (is_due, bytes) = (self.is_due(&mut host, which), open_bytes(&host));
            drop(host);
            if is_due {
                due.push(cell);
            } else if bytes > 0 {
                rest.push((bytes, cell));
            }
        }
        if self.is_crowded() {
            rest.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
            let mut left = self.open_bytes.get();
            for (bytes, cell) in rest {
                if left > self.policy.open_bytes_max / 2 {
                    left = left.saturating_sub(bytes);
                    due.push(cell);
                }
            }
        }
        due
    }

    fn is_due(&self, host: &mut OpenHost, which: Which) -> bool {
        let policy = &self.policy;
        if host.frames.is_empty() && host.late.is_empty() {
            return false;
        }
        let is_long =
            host.frames.len().max(host.late.len()) >= policy.frames_max || open_bytes(host) >= policy.bytes_max;
        match which {
            Which::Long => is_long,
            Which::DueBy(now) => {
                let opened = *host.watch.opened.get_or_insert(now);
                let newest = host.watch.newest.filter(|(sequence, _)| *sequence == host.mark.last_sequence);
                let (_, newest_seen) = *host.watch.newest.insert(newest.unwrap_or((host.mark.last_sequence, now)));
                is_long || now.since_ms(opened) >= policy.age_max_ms || now.since_ms(newest_seen) >= policy.silence_ms
            }
        }
    }

    fn take_due(&self, cell: &Arc<HostCell>) -> Result<Due, StoreError> {
        let mut host = cell.lock();
        self.awake_state(&mut host)?;
        let due = Due {
            cell: Arc::clone(cell),
            mark: host.mark,
            base: host.base.clone(),
            frames: host.frames.clone(),
            late: host.late.clone(),
        };
        Ok(due)
    }

    fn seal_together(&self, due: Vec<Due>) -> Result<(), StoreError> {
        let mut sealing = Sealing::default();
        let mut bases = Vec::new();
        for due in &due {
            bases.push(due.seal_into(&mut sealing)?);
        }
        let sealed_rows = || due.iter().flat_map(|due| due.frames.iter().chain(&due.late)).map(|frame| frame.row);
        sealing.journal_rows = self.rows().free_after(sealed_rows());
        self.segments.seal(&sealing)?;
        for (due, base) in due.iter().zip(bases) {
            self.leave(due, base);
        }
        let mut rows = self.rows();
        rows.release(sealed_rows());
        rows.forget(&sealing.journal_rows);
        Ok(())
    }

    /// What was sealed leaves the open run.
    fn leave(&self, due: &Due, base: Base) {
        let bytes: usize = due.frames.iter().chain(&due.late).map(|frame| frame.bytes.len()).sum();
        self.open_bytes.remove(bytes);
        let mut host = due.cell.lock();
        host.frames.drain(..due.frames.len());
        host.late.drain(..due.late.len());
        host.base = base;
        let sealed = due.sealed_mark();
        host.mark.sealed = sealed.sealed;
        host.mark.sealed_late = sealed.sealed_late;
        host.watch.opened = None;
    }
}

impl Due {
    /// Adds the blocks and the mark; returns the base of the run that follows.
    fn seal_into(&self, sealing: &mut Sealing) -> Result<Base, StoreError> {
        let host = self.mark.host;
        let mut base = self.base.clone();
        if !self.frames.is_empty() {
            let packed = match &self.base {
                Base::Keyframe(packed) => Some(sealed::base_state(Some(packed))?.keyframe()),
                Base::Nothing | Base::Asleep => None,
            };
            let run = Run { base: packed, frames: self.frames.iter().map(run_frame).collect() };
            sealing.blocks.push(block(host, false, &run, &self.frames)?);
            base = Base::Keyframe(sealed::pack_base(&wake::end_of(run)?.keyframe())?);
        }
        if !self.late.is_empty() {
            let mut late = self.late.clone();
            late.sort_by_key(|frame| frame.time);
            let run = Run { base: None, frames: late.iter().map(run_frame).collect() };
            sealing.blocks.push(block(host, true, &run, &late)?);
        }
        sealing.marks.push(self.sealed_mark());
        Ok(base)
    }

    /// The mark once this is sealed.
    fn sealed_mark(&self) -> HostMark {
        let highest =
            |frames: &[OpenFrame], before: u32| frames.iter().map(|frame| frame.sequence).max().unwrap_or(before);
        HostMark {
            sealed: highest(&self.frames, self.mark.sealed),
            sealed_late: highest(&self.late, self.mark.sealed_late),
            ..self.mark
        }
    }
}

/// A block of frames that are not empty and in the order of their times.
fn block(host: HostNumber, late: bool, run: &Run, frames: &[OpenFrame]) -> Result<NewBlock, StoreError> {
    let bytes = sealed::encode(run)?;
    let sequences = || frames.iter().map(|frame| frame.sequence);
    let time = |frame: Option<&OpenFrame>| frame.map_or(Timestamp::default(), |frame| frame.time);
    let entry = BlockEntry {
        id: 0,
        host,
        level: Level::Raw,
        late,
        first_time: time(frames.first()),
        last_time: time(frames.last()),
        first_sequence: sequences().min().unwrap_or(0),
        last_sequence: sequences().max().unwrap_or(0),
        frames: u32::try_from(frames.len()).unwrap_or(u32::MAX),
        samples: frames.iter().map(|frame| u64::from(frame.totals.processes)).sum(),
        bytes: bytes.len() as u64,
        dictionary: 0,
    };
    Ok(NewBlock { entry, skip: Vec::new(), bytes, segment: Vec::new() })
}

fn open_bytes(host: &OpenHost) -> usize {
    host.frames.iter().chain(&host.late).map(|frame| frame.bytes.len()).sum()
}
