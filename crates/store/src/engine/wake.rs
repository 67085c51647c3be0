//! Waking a host: its live state from its last block and the open frames.
//!
//! A restart reads the journal but decodes nothing; each host pays when it is first asked for. A frame that is damaged, or
//! goes on from one that is, ends what can be known until the next keyframe: the prefix stays, the loss is reported.

use std::sync::Arc;

use procession_codec::{FrameKind, HostState, frame};

use super::cursor::Cursor;
use super::open_host::{Base, FrameTotals, OpenFrame, OpenHost};
use super::segments::Segments;
use super::{Engine, sealed};
use crate::StoreError;

impl<S: Segments> Engine<S> {
    /// The state after the newest durable frame of a host.
    pub(super) fn awake_state(&self, host: &mut OpenHost) -> Result<Arc<HostState>, StoreError> {
        if let Some(state) = &host.state {
            return Ok(Arc::clone(state));
        }
        let mut state = self.base_state(host)?;
        let mut last_good = host.mark.sealed;
        let mut dropped = Vec::new();
        host.frames.retain_mut(|open| {
            let kept = go_on(&mut state, open, last_good);
            if kept {
                last_good = open.sequence;
            } else {
                dropped.push((open.sequence, open.row));
            }
            kept
        });
        host.late.retain_mut(|open| {
            let kept = go_on(&mut HostState::new(), open, 0);
            if !kept {
                dropped.push((open.sequence, open.row));
            }
            kept
        });
        self.report_dropped(host, &dropped);
        let state = Arc::new(state);
        host.state = Some(Arc::clone(&state));
        Ok(state)
    }

    /// The state before the first open frame; of a sleeping host the end of its last block.
    fn base_state(&self, host: &mut OpenHost) -> Result<HostState, StoreError> {
        match &host.base {
            Base::Nothing => Ok(HostState::new()),
            Base::Keyframe(packed) => sealed::base_state(Some(packed)),
            Base::Asleep => {
                let state = self.sealed_end(host)?;
                host.base = if state.is_empty() {
                    Base::Nothing
                } else {
                    Base::Keyframe(sealed::pack_base(&state.keyframe())?)
                };
                Ok(state)
            }
        }
    }

    fn sealed_end(&self, host: &OpenHost) -> Result<HostState, StoreError> {
        let Some(entry) = self.segments.last_block(host.mark.host)? else {
            return Ok(HostState::new());
        };
        self.run_of(&entry).and_then(end_of).or_else(|error| {
            self.report(format!("host {}: last block: {error}", host.mark.host));
            Ok(HostState::new())
        })
    }

    /// What was lost cannot be gone on from, and does not hold its row of the journal.
    fn report_dropped(&self, host: &mut OpenHost, dropped: &[(u32, u64)]) {
        let Some((first, _)) = dropped.first() else {
            return;
        };
        if let Some(stream) = &mut host.mark.stream {
            stream.resumable = false;
        }
        let number = host.mark.host;
        self.report(format!("host {number}: {} frames of the journal are lost, the first is {first}", dropped.len()));
        self.rows().release(dropped.iter().map(|(_, row)| *row));
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
    true
}

/// The state after the last frame of a run.
pub(super) fn end_of(run: sealed::Run) -> Result<HostState, StoreError> {
    let mut cursor = Cursor::start(run)?;
    while cursor.advance()?.is_some() {}
    Ok(cursor.into_state())
}
