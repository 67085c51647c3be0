//! One moment of a host's history for a query: what was open then, and the blocks that were sealed then.
//!
//! Sealing moves frames from the open part to blocks while queries run. A view takes the open part first, with the marks
//! of how far the host is sealed, and then reads only blocks up to those marks: every frame is seen exactly once.

use std::sync::{Arc, OnceLock};

use procession_codec::HostState;
use procession_codec::block::{Block, Head, Series, Timeline};
use procession_model::{Loss, Metric, SnapshotId, Timestamp};

use super::Engine;
use super::level::Level;
use super::open_host::{Base, OpenFrame};
use super::open_run;
use super::segments::{BlockEntry, BlockFilter, HostMark, Segments};
use crate::{HostNumber, Range, StoreError};

/// One moment of a host's history.
pub(crate) struct HostView<'engine, S: Segments> {
    engine: &'engine Engine<S>,
    mark: HostMark,
    pub(super) base: Base,
    /// The state after the newest frame.
    pub(super) state: Arc<HostState>,
    /// Whether that state knows its processes, but not what ended before it.
    pub(super) from_base: bool,
    /// The newest frame by time.
    pub(crate) newest: Option<SnapshotId>,
    /// Open frames, oldest first.
    pub(super) frames: Vec<OpenFrame>,
    /// Open late frames, in the order they came.
    pub(super) late: Vec<OpenFrame>,
}

/// A stretch of a host's history: a block, or what is open.
pub(crate) struct Part<'view, S: Segments> {
    view: &'view HostView<'view, S>,
    what: What,
    /// Time of its first frame.
    pub(crate) first_time: Timestamp,
    /// Time of its last frame.
    pub(crate) last_time: Timestamp,
    /// Whether its frames came late: their times are in no order.
    pub(crate) late: bool,
    /// How many frames.
    pub(crate) frames: u32,
    opened: OnceLock<Arc<Block>>,
}

enum What {
    Sealed(BlockEntry),
    Open,
    OpenLate,
}

impl<S: Segments> Engine<S> {
    /// A view of a host; `None` if it has no history.
    pub(crate) fn view(&self, host: HostNumber) -> Result<Option<HostView<'_, S>>, StoreError> {
        let Some(cell) = self.hosts.get(host) else {
            return Ok(None);
        };
        let mut open = cell.lock();
        let state = self.awake_state(&mut open)?;
        let view = HostView {
            engine: self,
            mark: open.mark,
            base: if open.frames.is_empty() { Base::Nothing } else { self.base(&open)? },
            state,
            from_base: open.from_base,
            newest: SnapshotId::new(host, open.newest_sequence()).ok(),
            frames: open.frames.clone(),
            late: open.late.clone(),
        };
        drop(open);
        Ok((view.newest.is_some() || !view.late.is_empty()).then_some(view))
    }

    /// All hosts that may have a history, by number.
    pub(crate) fn host_numbers(&self) -> Vec<HostNumber> {
        self.hosts.all().into_iter().map(|(host, _)| host).collect()
    }
}

impl<S: Segments> HostView<'_, S> {
    /// The stretches that touch a range, by first time; open ones last.
    pub(crate) fn parts(&self, range: Range) -> Result<Vec<Part<'_, S>>, StoreError> {
        let filter = BlockFilter { host: Some(self.mark.host), level: Level::Raw, range };
        let blocks = self.engine.segments.blocks(filter)?;
        let mut parts: Vec<_> =
            blocks.into_iter().filter(|entry| self.has(entry)).map(|entry| self.sealed(entry)).collect();
        parts.extend(self.open_parts(range));
        Ok(parts)
    }

    /// The open stretches that touch a range.
    pub(crate) fn open_parts(&self, range: Range) -> Vec<Part<'_, S>> {
        let mut parts = Vec::new();
        let open = [(What::Open, &self.frames, false), (What::OpenLate, &self.late, true)];
        for (what, frames, late) in open {
            let times = || frames.iter().map(|frame| frame.time);
            if let (Some(first_time), Some(last_time)) = (times().min(), times().max())
                && range.touches(first_time, last_time)
            {
                let frames = u32::try_from(frames.len()).unwrap_or(u32::MAX);
                parts.push(Part { view: self, what, first_time, last_time, late, frames, opened: OnceLock::new() });
            }
        }
        parts
    }

    /// The last sequence that is in a block of frames that came in their time, or late; 0 if none is.
    pub(crate) const fn sealed_until(&self, late: bool) -> u32 {
        if late { self.mark.sealed_late } else { self.mark.sealed }
    }

    fn sealed(&self, entry: BlockEntry) -> Part<'_, S> {
        Part {
            view: self,
            what: What::Sealed(entry),
            first_time: entry.first_time,
            last_time: entry.last_time,
            late: entry.late,
            frames: entry.frames,
            opened: OnceLock::new(),
        }
    }

    /// Blocks that may have this sequence.
    pub(super) fn blocks_around(&self, sequence: u32) -> Result<Vec<Part<'_, S>>, StoreError> {
        let blocks = self.engine.segments.blocks_around(self.mark.host, sequence)?;
        Ok(blocks.into_iter().filter(|entry| self.has(entry)).map(|entry| self.sealed(entry)).collect())
    }

    /// Whether a block was sealed when this view was taken.
    fn has(&self, entry: &BlockEntry) -> bool {
        entry.last_sequence <= self.sealed_until(entry.late)
    }

    /// The state after an open frame; `None` if it is not open.
    pub(super) fn open_state(&self, sequence: u32) -> Result<Option<HostState>, StoreError> {
        match open_run::state_after(&self.base, &self.frames, sequence)? {
            Some(state) => Ok(Some(state)),
            None => open_run::late_state(&self.late, sequence),
        }
    }

    /// The newest snapshot by time, and when it was taken.
    pub(crate) fn newest_snapshot(&self) -> Option<(SnapshotId, Timestamp)> {
        Some((self.newest?, self.state.time()))
    }

    /// The snapshot of a sequence.
    pub(crate) fn id(&self, sequence: u32) -> Result<SnapshotId, StoreError> {
        SnapshotId::new(self.mark.host, sequence).map_err(|error| StoreError::Damaged(error.to_string()))
    }
}

impl<S: Segments> Part<'_, S> {
    /// What `read` makes of the head; `None` for open frames, which have none, and once retention took the block.
    pub(crate) fn with_head<T>(
        &self,
        read: impl FnOnce(&Head<'_>) -> Result<T, procession_codec::DecodeError>,
    ) -> Result<Option<T>, StoreError> {
        let What::Sealed(entry) = &self.what else {
            return Ok(None);
        };
        let Some(bytes) = self.view.engine.block_head(entry)? else {
            return Ok(None);
        };
        let damaged = |error| StoreError::Damaged(format!("host {}: block {}: {error}", entry.host, entry.id));
        Head::open(&bytes).and_then(|head| read(&head)).map(Some).map_err(damaged)
    }

    /// Whether it may have a process of this name and of this user.
    pub(crate) fn may_have(&self, name: Option<&str>, user: Option<&str>) -> Result<bool, StoreError> {
        if name.is_none() && user.is_none() {
            return Ok(true);
        }
        let may = self.with_head(|head| {
            let skip = head.skip()?;
            Ok(name.is_none_or(|name| skip.may_have_name(name)) && user.is_none_or(|user| skip.may_have_user(user)))
        })?;
        Ok(may.unwrap_or(true))
    }

    /// When its frames were taken, and their sequences, in the order of the frames.
    pub(crate) fn timeline(&self) -> Result<Timeline, StoreError> {
        let of_open = |frames: &[OpenFrame]| Timeline {
            times: frames.iter().map(|frame| frame.time).collect(),
            sequences: frames.iter().map(|frame| frame.sequence).collect(),
        };
        match &self.what {
            What::Open => Ok(of_open(&self.view.frames)),
            What::OpenLate => Ok(of_open(&self.view.late)),
            What::Sealed(_) => Ok(self.with_head(|head| head.timeline())?.unwrap_or_default()),
        }
    }

    /// What the frames of a sealed block tell to be lost.
    pub(super) fn sealed_losses(&self) -> Result<Vec<Loss>, StoreError> {
        match &self.what {
            What::Sealed(entry) => Ok(self.view.engine.block_losses(entry)?.to_vec()),
            What::Open | What::OpenLate => Ok(Vec::new()),
        }
    }

    /// The block that it is, if it is sealed.
    pub(crate) fn entry(&self) -> Option<&BlockEntry> {
        match &self.what {
            What::Sealed(entry) => Some(entry),
            What::Open | What::OpenLate => None,
        }
    }

    /// The open frames that it is, if it is not sealed.
    pub(super) fn open_frames(&self) -> Option<&[OpenFrame]> {
        match &self.what {
            What::Open => Some(&self.view.frames),
            What::OpenLate => Some(&self.view.late),
            What::Sealed(_) => None,
        }
    }

    /// All of it, opened; `None` once retention took it.
    pub(crate) fn block(&self) -> Result<Option<Arc<Block>>, StoreError> {
        self.block_with(&Metric::ALL, None)
    }

    /// The same for those who ask for the snapshot of a sequence: others may have no metric.
    pub(super) fn block_at(&self, sequence: u32) -> Result<Option<Arc<Block>>, StoreError> {
        match &self.what {
            What::Sealed(entry) => self.view.engine.block_at(entry, sequence),
            What::Open | What::OpenLate => self.block(),
        }
    }

    /// The host at its frames, without any process; `None` once retention took it.
    pub(crate) fn host_series(&self) -> Result<Option<(Timeline, Series)>, StoreError> {
        let Some(frames) = self.open_frames() else {
            return self.with_head(|head| Ok((head.timeline()?, head.series()?)));
        };
        let mut series = Series::default();
        for open in frames {
            series.cpu_sums.push(open.totals.cpu);
            series.memory_sums.push(open.totals.memory);
            series.process_counts.push(open.totals.processes);
            series.hosts.push(open_run::decode(&open.bytes)?.host);
        }
        Ok(Some((self.timeline()?, series)))
    }

    /// All of it, opened with at least these metrics, if asked so only those of one pid; `None` once retention took it.
    pub(crate) fn block_with(&self, metrics: &[Metric], pid: Option<u32>) -> Result<Option<Arc<Block>>, StoreError> {
        if let Some(found) = self.opened.get() {
            return Ok(Some(Arc::clone(found)));
        }
        let block = match &self.what {
            What::Sealed(entry) => {
                return match pid {
                    Some(pid) => self.view.engine.block_of(entry, metrics, pid),
                    None => self.view.engine.block_with(entry, metrics),
                };
            }
            What::Open => Arc::new(open_run::as_block(&self.view.base, &self.view.frames)?),
            What::OpenLate => Arc::new(open_run::as_block(&Base::Nothing, &self.view.late)?),
        };
        Ok(Some(Arc::clone(self.opened.get_or_init(|| block))))
    }
}
