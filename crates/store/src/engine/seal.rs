//! Open runs become blocks.
//!
//! A run is sealed when it is long, old or silent, or when all open runs together are over their cap. Readers and the
//! ingest go on meanwhile: frames are copied out, encoded and committed without a lock, and leave the open run after that.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use procession_codec::HostState;
use procession_codec::block::{BLOCK_FRAMES_MAX, Dictionary, Effort};
use procession_model::Timestamp;

use super::Engine;
use super::level::Level;
use super::name_index::SealedNames;
use super::open_host::{Base, HostCell, OpenFrame, OpenHost};
use super::open_run;
use super::rollups_due::{Hurry, MANY_HOSTS};
use super::segments::{BlockEntry, HostMark, NewBlock, Sealing, Segments};
use crate::{HostNumber, StoreError};

/// When open runs are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealPolicy {
    /// A run of so many frames is sealed.
    pub frames_max: usize,
    /// A run of so many bytes in memory is sealed.
    pub bytes_max: usize,
    /// A run of so many process samples is sealed: opening a block takes as long as it has samples.
    pub samples_max: u64,
    /// A run whose first frame came so many milliseconds ago is sealed.
    pub age_max_ms: i64,
    /// A run whose last frame came so many milliseconds ago is sealed.
    pub silence_ms: i64,
    /// When all open runs together have more bytes in memory, the longest are sealed until half of it is left.
    pub open_bytes_max: usize,
    /// When the journal has more bytes, those that hold its oldest rows are sealed until half of it is left: a start reads it.
    pub journal_bytes_max: u64,
}

impl Default for SealPolicy {
    fn default() -> Self {
        Self {
            frames_max: 720,
            bytes_max: 4 << 20,
            samples_max: 1 << 20,
            age_max_ms: 3_600_000,
            silence_ms: 600_000,
            open_bytes_max: 176 << 20,
            journal_bytes_max: 512 << 20,
        }
    }
}

/// Most hosts of one transaction: bounds how long ingest waits for it, and what is encoded but not yet kept.
const TRANSACTION_HOSTS_MAX: usize = 32;

/// What is copied out of a host to be sealed.
struct Due {
    cell: Arc<HostCell>,
    mark: HostMark,
    base: Base,
    frames: Vec<OpenFrame>,
    late: Vec<OpenFrame>,
}

/// What is left of a host once it is sealed.
struct After {
    mark: HostMark,
    base: Base,
    dictionary: Dictionary,
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
        self.has_long_run.store(false, Ordering::Relaxed);
        let hosts = self.due_hosts(which);
        let hurry = if hosts.len() < MANY_HOSTS { Hurry::None } else { Hurry::Many };
        for some in hosts.chunks(TRANSACTION_HOSTS_MAX) {
            let due = some.iter().map(|cell| self.take_due(cell)).collect::<Result<Vec<_>, _>>()?;
            let numbers: Vec<HostNumber> = due.iter().map(|due| due.mark.host).collect();
            let effort = if self.is_flooded() { Effort::Fast } else { Effort::for_hosts(hosts.len()) };
            self.seal_together(due, effort)?;
            self.room.notify_waiters();
            self.rollups_due().add(&numbers);
            self.roll_up(hurry);
        }
        if hosts.is_empty() {
            self.roll_up(hurry);
        }
        self.index_names(hurry);
        Ok(())
    }

    /// Makes rollups of some hosts that have blocks without.
    fn roll_up(&self, hurry: Hurry) {
        let hosts = self.rollups_due().take(hurry);
        // Made of what is durable already, so nothing is lost when this fails: the next sealing makes up for it.
        if let Err(error) = crate::rollup::after_seal(self, &hosts) {
            tracing::error!(%error, "rollups could not be made");
        }
    }

    /// Whether something should be sealed without waiting for its time.
    pub(super) fn is_pressed(&self) -> bool {
        self.is_crowded() || self.has_long_run.load(Ordering::Relaxed)
    }

    fn is_crowded(&self) -> bool {
        self.is_over(1)
    }

    /// Whether nothing more can be taken before something is sealed.
    pub(super) fn is_flooded(&self) -> bool {
        self.is_over(2)
    }

    fn is_over(&self, times: u8) -> bool {
        let policy = &self.policy;
        self.open_bytes.get() > policy.open_bytes_max.saturating_mul(times.into())
            || self.rows().bytes() > policy.journal_bytes_max.saturating_mul(times.into())
    }

    /// Hosts whose oldest frame is in an earlier row of the journal keep too much of it.
    fn first_row_to_stay(&self) -> u64 {
        let rows = self.rows();
        let max = self.policy.journal_bytes_max;
        if rows.bytes() > max { rows.first_within(max / 2) } else { 0 }
    }

    fn due_hosts(&self, which: Which) -> Vec<Arc<HostCell>> {
        let mut due = Vec::new();
        let mut rest = Vec::new();
        let first_to_stay = self.first_row_to_stay();
        for (_, cell) in self.hosts.all() {
            let mut host = cell.lock();
            let holds_journal = host.oldest_row().is_some_and(|row| row < first_to_stay);
            let (is_due, bytes) = (self.is_due(&mut host, which) || holds_journal, open_bytes(&host));
            drop(host);
            if is_due {
                due.push(cell);
            } else if bytes > 0 {
                rest.push((bytes, cell));
            }
        }
        if self.open_bytes.get() > self.policy.open_bytes_max {
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
        // In memory until what is open goes on from the next one: readers do not see the one of the database until then.
        host.base = self.base(&host)?;
        let due = Due {
            cell: Arc::clone(cell),
            mark: host.mark,
            base: host.base.clone(),
            frames: host.frames.clone(),
            late: host.late.clone(),
        };
        Ok(due)
    }

    fn seal_together(&self, due: Vec<Due>, effort: Effort) -> Result<(), StoreError> {
        let mut sealing = Sealing::default();
        let mut done = Vec::new();
        for due in due {
            match self.seal_host(&due, effort, &mut sealing) {
                Ok(after) => done.push((due, after)),
                // One host that cannot be read again does not hold up the others, and goes on with what can.
                Err(StoreError::Damaged(error)) => {
                    self.report(format!("host {}: {error}", due.mark.host));
                    self.let_go_of_unreadable(&due.cell)?;
                }
                Err(error) => return Err(error),
            }
        }
        let sealed_rows = || done.iter().flat_map(|(due, _)| due.frames.iter().chain(&due.late)).map(|frame| frame.row);
        sealing.journal_rows = self.rows().free_after(sealed_rows());
        self.segments.seal(&sealing)?;
        self.names_sealed(&sealing.names);
        let mut rows = self.rows();
        rows.release(sealed_rows());
        rows.forget(&sealing.journal_rows);
        drop(rows);
        for (due, after) in done {
            self.leave(&due, after);
        }
        Ok(())
    }

    /// Adds what has to be kept of a host; returns what is left of it.
    fn seal_host(&self, due: &Due, effort: Effort, sealing: &mut Sealing) -> Result<After, StoreError> {
        let host = due.mark.host;
        let mut work = HostSealing {
            host,
            dictionary: self.dictionary_to_go_on(host, due.mark.epoch)?,
            effort,
            frames_max: self.policy.frames_max.clamp(1, BLOCK_FRAMES_MAX),
            samples_max: self.policy.samples_max,
            names: self.names_to_seal(host),
            blocks: Vec::new(),
        };
        let mut base = due.base.clone();
        if !due.frames.is_empty() {
            let state = open_run::base_state(&due.base)?;
            if let Some(names) = &mut work.names {
                names.go_on_from(&state);
            }
            let end = work.seal(state, &due.frames, false)?;
            sealing.bases.push((host, open_run::pack_base(&end)?));
            base = Base::Asleep;
        }
        work.seal(HostState::new(), &due.late, true)?;
        let mark = HostMark { epoch: work.dictionary.epoch(), ..due.sealed_mark() };
        let names = self.name_change(host, work.names.as_ref())?;
        sealing.names.push((host, names));
        sealing.marks.push(mark);
        sealing.blocks.append(&mut work.blocks);
        Ok(After { mark, base, dictionary: work.dictionary })
    }

    /// The dictionary that a host's next block goes on with: another one where that cannot be read.
    fn dictionary_to_go_on(&self, host: HostNumber, epoch: u32) -> Result<Dictionary, StoreError> {
        match self.own_dictionary(host, epoch) {
            Err(StoreError::Damaged(error)) => {
                self.report(error);
                Ok(Dictionary::new(epoch + 1))
            }
            dictionary => dictionary,
        }
    }

    /// What was sealed leaves the open run.
    fn leave(&self, due: &Due, after: After) {
        let bytes: usize = due.frames.iter().chain(&due.late).map(OpenFrame::memory_bytes).sum();
        self.open_bytes.remove(bytes);
        let mut host = due.cell.lock();
        host.frames.drain(..due.frames.len());
        host.late.drain(..due.late.len());
        host.base = after.base;
        host.mark.sealed = after.mark.sealed;
        host.mark.sealed_late = after.mark.sealed_late;
        host.mark.epoch = after.mark.epoch;
        host.watch.opened = None;
        drop(host);
        self.give_dictionary(due.mark.host, after.dictionary);
    }
}

impl Due {
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

/// The blocks of one host that are made together.
struct HostSealing {
    host: HostNumber,
    dictionary: Dictionary,
    effort: Effort,
    frames_max: usize,
    samples_max: u64,
    names: Option<SealedNames>,
    blocks: Vec<NewBlock>,
}

impl HostSealing {
    /// Seals frames in blocks that are not too big; returns the state after the last.
    fn seal(&mut self, base: HostState, frames: &[OpenFrame], late: bool) -> Result<HostState, StoreError> {
        let mut state = base;
        let mut rest = frames;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(self.block_length(rest));
            state = self.seal_block(&state, some, late)?;
            rest = others;
        }
        Ok(state)
    }

    /// How many of the frames make a block: at least one.
    fn block_length(&self, frames: &[OpenFrame]) -> usize {
        let mut samples = 0;
        let fits = |frame: &&OpenFrame| {
            samples += u64::from(frame.totals.processes);
            samples <= self.samples_max
        };
        frames.iter().take(self.frames_max).take_while(fits).count().max(1)
    }

    fn seal_block(&mut self, base: &HostState, frames: &[OpenFrame], late: bool) -> Result<HostState, StoreError> {
        if self.dictionary.is_full() {
            self.dictionary = Dictionary::new(self.dictionary.epoch() + 1);
        }
        let decoded = open_run::decoded(frames)?;
        let sealed = open_run::seal_run(base, &decoded, &self.dictionary, self.effort)?;
        if let Some(names) = &mut self.names {
            decoded.iter().for_each(|(_, frame)| names.add(frame, late));
        }
        if let Some(segment) = &sealed.segment {
            self.dictionary.push(segment).map_err(|error| StoreError::Damaged(error.to_string()))?;
        }
        let summary = sealed.summary;
        let entry = BlockEntry {
            id: 0,
            host: self.host,
            level: Level::Raw,
            late,
            first_time: summary.time_min,
            last_time: summary.time_max,
            first_sequence: summary.first_sequence,
            last_sequence: summary.last_sequence,
            frames: summary.frames,
            samples: summary.process_samples,
            bytes: (sealed.head.len() + sealed.body.len()) as u64,
            epoch: summary.epoch,
            segments: self.dictionary.segments(),
        };
        self.blocks.push(NewBlock { entry, head: sealed.head, body: sealed.body, segment: sealed.segment });
        Ok(sealed.end)
    }
}

fn open_bytes(host: &OpenHost) -> usize {
    host.frames.iter().chain(&host.late).map(OpenFrame::memory_bytes).sum()
}
