//! What is known to be lost of a host's history.

use procession_model::{Loss, Timestamp};

use super::Engine;
use super::open_run;
use super::segments::Segments;
use super::view::{HostView, Part};
use crate::{HostNumber, Range, StoreError};

/// Most losses of one answer.
pub const LOSSES_MAX: usize = 10_000;

impl<S: Segments> Engine<S> {
    pub(super) fn losses(&self, host: HostNumber, range: Range, limit: usize) -> Result<Vec<Loss>, StoreError> {
        let Some(view) = self.view(host)? else {
            return Ok(Vec::new());
        };
        let mut losses = Vec::new();
        for part in view.parts_that_tell(range)? {
            losses.extend(part.losses()?.into_iter().filter(|loss| range.touches(loss.from, loss.until)));
        }
        losses.sort_unstable_by_key(|loss| (loss.from, loss.until, loss.kind, loss.count));
        losses.dedup();
        Ok(losses.split_off(losses.len().saturating_sub(limit.min(LOSSES_MAX))))
    }
}

impl<S: Segments> HostView<'_, S> {
    /// The stretches whose frames may tell of a loss in a range. A loss is told by the frame after it, and that may be the
    /// first one after the range.
    fn parts_that_tell(&self, range: Range) -> Result<Vec<Part<'_, S>>, StoreError> {
        let mut parts = self.parts(Range { start: range.start, end: None })?;
        let is_after = |part: &Part<'_, S>| range.end.is_some_and(|end| part.first_time >= end);
        let after = parts.iter().filter(|part| is_after(part) && !part.late);
        let first_after: Option<Timestamp> = after.map(|part| part.first_time).min();
        parts.retain(|part| !is_after(part) || Some(part.first_time) <= first_after);
        Ok(parts)
    }
}

impl<S: Segments> Part<'_, S> {
    fn losses(&self) -> Result<Vec<Loss>, StoreError> {
        match self.open_frames() {
            Some(frames) => {
                let told = frames.iter().map(|open| Ok(open_run::decode(&open.bytes)?.losses));
                Ok(told.collect::<Result<Vec<_>, StoreError>>()?.concat())
            }
            None => self.sealed_losses(),
        }
    }
}
