//! Going through a run frame by frame, with the state after each.

use procession_codec::HostState;
use procession_model::Timestamp;

use super::sealed::{self, Run, RunFrame};
use crate::StoreError;

/// A place in a run.
#[derive(Debug)]
pub(super) struct Cursor {
    frames: std::vec::IntoIter<RunFrame>,
    state: HostState,
}

/// A frame that was just applied.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) sequence: u32,
    pub(super) time: Timestamp,
}

impl Cursor {
    /// Before the first frame.
    pub(super) fn start(run: Run) -> Result<Self, StoreError> {
        let mut state = HostState::new();
        if let Some(base) = &run.base {
            sealed::apply(&mut state, base)?;
        }
        Ok(Self { frames: run.frames.into_iter(), state })
    }

    /// The time of the next frame.
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        self.frames.as_slice().first().map(|frame| frame.time)
    }

    /// Applies the next frame; `None` at the end.
    pub(super) fn advance(&mut self) -> Result<Option<Step>, StoreError> {
        let Some(next) = self.frames.next() else {
            return Ok(None);
        };
        let frame = next.decode()?;
        sealed::apply(&mut self.state, &frame)?;
        Ok(Some(Step { sequence: next.sequence, time: next.time }))
    }

    /// Goes to the frame of this sequence; false if the run does not have it.
    pub(super) fn seek(&mut self, sequence: u32) -> Result<bool, StoreError> {
        while let Some(step) = self.advance()? {
            if step.sequence == sequence {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The state after the last frame that was applied.
    pub(super) fn state(&self) -> &HostState {
        &self.state
    }

    /// The state after the last frame that was applied.
    pub(super) fn into_state(self) -> HostState {
        self.state
    }
}
