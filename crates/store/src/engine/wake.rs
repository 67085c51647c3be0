//! Waking a host: its live state from the base of its open frames and those frames.
//!
//! A restart reads the journal but decodes nothing; each host pays when it is first asked for. A frame that is damaged, or
//! goes on from one that is, ends what can be known until the next keyframe: the prefix stays, the loss is reported.

use std::sync::Arc;

use procession_codec::{FrameKind, HostState, frame};

use super::Engine;
use super::open_host::{Base, FrameTotals, OpenFrame, OpenHost};
use super::open_names::begun_names;
use super::open_run;
use super::segments::{HostMark, Segments};
use crate::StoreError;

/// No frame goes on from a frame of this sequence.
const NOTHING_FITS: u32 = u32::MAX;

impl<S: Segments> Engine<S> {
    /// The state after the newest durable frame of a host.
    pub(super) fn awake_state(&self, host: &mut OpenHost) -> Result<Arc<HostState>, StoreError> {
        if let Some(state) = &host.state {
            return Ok(Arc::clone(state));
        }
        let (mut state, mut last_good) = self.base_state(host)?;
        let mut dropped = Vec::new();
        host.frames.retain_mut(|open| {
            let kept = go_on(&mut state, open, last_good);
            if kept {
                last_good = open.sequence;
            } else {
                dropped.push((open.sequence, open.row, open.memory_bytes()));
            }
            kept
        });
        host.late.retain_mut(|open| {
            let kept = go_on(&mut HostState::new(), open, 0);
            if !kept {
                dropped.push((open.sequence, open.row, open.memory_bytes()));
            }
            kept
        });
        self.report_dropped(host, &dropped);
        host.from_base = host.frames.is_empty() && host.mark.sealed > 0;
        let state = Arc::new(state);
        host.state = Some(Arc::clone(&state));
        Ok(state)
    }

    /// What the open frames of a host, whose lock is held, go on from.
    pub(super) fn base(&self, host: &OpenHost) -> Result<Base, StoreError> {
        match &host.base {
            Base::Asleep => Ok(self.segments.base(host.mark.host)?.map_or(Base::Nothing, Base::Keyframe)),
            known => Ok(known.clone()),
        }
    }

    /// The state before the first open frame, and the sequence of the frame that goes on from it.
    fn base_state(&self, host: &mut OpenHost) -> Result<(HostState, u32), StoreError> {
        let error = match open_run::base_state(&self.base(host)?) {
            Ok(state) => return Ok((state, host.mark.sealed)),
            Err(error) => error,
        };
        self.report(format!("host {}: {error}", host.mark.host));
        self.doubt_names_of_base(host.mark.host);
        if let Some(stream) = &mut host.mark.stream {
            stream.resumable = false;
        }
        // The last block has the same processes, but not their slots: no open change fits it.
        let state = self.last_sealed_state(host.mark).unwrap_or_else(|error| {
            self.report(format!("host {}: {error}", host.mark.host));
            HostState::new()
        });
        host.base = if state.is_empty() { Base::Nothing } else { Base::Keyframe(open_run::pack_base(&state)?) };
        Ok((state, NOTHING_FITS))
    }

    fn last_sealed_state(&self, mark: HostMark) -> Result<HostState, StoreError> {
        let mut state = HostState::new();
        for entry in self.segments.blocks_around(mark.host, mark.sealed)?.iter().filter(|entry| !entry.late) {
            let block = self.block(entry)?;
            let newest = block.and_then(|block| block.snapshot(block.index_of(mark.sealed)?));
            if let Some(snapshot) = newest {
                state.advance(&snapshot).map_err(|error| StoreError::Damaged(error.to_string()))?;
            }
        }
        Ok(state)
    }

    /// What was lost cannot be gone on from, and does not hold its row of the journal.
    fn report_dropped(&self, host: &mut OpenHost, dropped: &[(u32, u64, usize)]) {
        let Some((first, ..)) = dropped.first() else {
            return;
        };
        if let Some(stream) = &mut host.mark.stream {
            stream.resumable = false;
        }
        let number = host.mark.host;
        self.report(format!("host {number}: {} frames of the journal are lost, the first is {first}", dropped.len()));
        self.open_bytes.remove(dropped.iter().map(|(.., bytes)| bytes).sum());
        self.rows().release(dropped.iter().map(|(_, row, _)| *row));
    }
}

/// Applies an open frame if it is whole and goes on from the last good one.
fn go_on(state: &mut HostState, open: &mut OpenFrame, last_good: u32) -> bool {
    let Ok(frame) = frame::decode(&open.bytes) else {
        return false;
    };
    let fits = frame.kind == FrameKind::Key || open.previous == last_good;
    if !fits || state.apply(&frame).is_err() {
        return false;
    }
    open.totals = FrameTotals::of(state);
    open.begun = begun_names(&frame);
    true
}
