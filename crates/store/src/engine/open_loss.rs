//! An open run that cannot be read again: what is lost of it is told, and the rest goes on.
//!
//! Frames go on from one another and the first one from what the database keeps, so damage there takes all frames with it up
//! to the next that stands alone. The live state is in memory and whole, so the newest frame is made to stand alone: nobody
//! who follows the host notices, and what comes next goes on from it.

use procession_codec::{FrameKind, HostState, frame};

use super::Engine;
use super::open_host::{Base, HostCell, OpenFrame, OpenHost};
use super::open_names::begun_names;
use super::open_run::{apply, base_state, decode};
use super::segments::Segments;
use crate::StoreError;

impl<S: Segments> Engine<S> {
    /// Lets go of open frames that cannot be read again, if there are any.
    pub(super) fn let_go_of_unreadable(&self, cell: &HostCell) -> Result<(), StoreError> {
        let mut host = cell.lock();
        let Some(state) = host.state.clone() else {
            // A batch changes it; the next sealing finds it.
            return Ok(());
        };
        let base = base_state(&self.base(&host)?);
        let readable = base.as_ref().map_or(0, |base| readable(base.clone(), &host.frames));
        let is_newest = host.frames.last().is_some_and(|newest| newest.time == state.time());
        if readable == host.frames.len() || !is_newest {
            return Ok(());
        }
        if base.is_err() {
            host.base = Base::Nothing;
            self.doubt_names_of_base(host.mark.host);
        }
        let stays = standing_alone(&host.frames[readable..]).map_or_else(
            || {
                self.make_newest_stand_alone(&mut host, &state);
                host.frames.len() - 1
            },
            |index| readable + index,
        );
        let lost: Vec<OpenFrame> = host.frames.drain(readable..stays).collect();
        self.open_bytes.remove(lost.iter().map(OpenFrame::memory_bytes).sum());
        self.rows().release(lost.iter().map(|open| open.row));
        if let Some(first) = lost.first() {
            let (number, count, first) = (host.mark.host, lost.len(), first.sequence);
            drop(host);
            self.report(format!("host {number}: {count} open frames are lost, the first is {first}"));
        }
        Ok(())
    }

    fn make_newest_stand_alone(&self, host: &mut OpenHost, state: &HostState) {
        let Some(newest) = host.frames.last_mut() else { return };
        let key = state.keyframe();
        let mut bytes = Vec::new();
        frame::encode(&key, &mut bytes);
        self.open_bytes.remove(newest.memory_bytes());
        newest.bytes = bytes.into();
        newest.begun = begun_names(&key);
        self.open_bytes.add(newest.memory_bytes());
    }
}

/// How many frames go on from a state.
fn readable(mut state: HostState, frames: &[OpenFrame]) -> usize {
    let is_lost = |open: &OpenFrame| decode(&open.bytes).and_then(|frame| apply(&mut state, &frame)).is_err();
    frames.iter().position(is_lost).unwrap_or(frames.len())
}

/// The first frame that stands alone and that all others go on from.
fn standing_alone(frames: &[OpenFrame]) -> Option<usize> {
    let is_key = |open: &OpenFrame| decode(&open.bytes).is_ok_and(|frame| frame.kind == FrameKind::Key);
    (0..frames.len())
        .find(|index| is_key(&frames[*index]) && readable(HostState::new(), &frames[*index..]) == frames.len() - index)
}
