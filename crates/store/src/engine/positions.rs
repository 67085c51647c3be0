//! Where frames are among all snapshots of a host by time.
//!
//! As long as nothing came late the parts follow one another and counting is enough. Late frames lie between others, so then
//! all times have to be put in order.

use super::segments::Segments;
use super::view::Part;
use crate::StoreError;

/// Where the frames of one part are among all.
#[derive(Debug)]
pub(super) enum Positions {
    /// One after the other from here on.
    From(u64),
    /// Anywhere.
    Each(Vec<u64>),
}

/// For each part where its frames are. Only comparable within one call.
pub(super) fn positions<S: Segments>(parts: &[Part<'_, S>]) -> Result<Vec<Positions>, StoreError> {
    if parts.iter().any(|part| part.late) {
        return in_order(parts);
    }
    let mut next = 0;
    let from = |part: &Part<'_, S>| {
        let from = next;
        next += u64::from(part.frames);
        Positions::From(from)
    };
    Ok(parts.iter().map(from).collect())
}

fn in_order<S: Segments>(parts: &[Part<'_, S>]) -> Result<Vec<Positions>, StoreError> {
    let mut all = Vec::new();
    let mut positions = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let timeline = part.timeline()?;
        positions.push(vec![0; timeline.times.len()]);
        let frames = timeline.times.iter().zip(&timeline.sequences).enumerate();
        all.extend(frames.map(|(frame, (time, sequence))| (*time, *sequence, index, frame)));
    }
    all.sort_unstable();
    for ((.., index, frame), position) in all.into_iter().zip(0..) {
        positions[index][frame] = position;
    }
    Ok(positions.into_iter().map(Positions::Each).collect())
}

impl Positions {
    /// Of a frame by its index in the part.
    pub(super) fn of(&self, frame: u32) -> u64 {
        match self {
            Self::From(from) => from + u64::from(frame),
            Self::Each(positions) => positions.get(frame as usize).copied().unwrap_or(u64::MAX),
        }
    }

    /// Divides frames, both ends included, into rows of snapshots without any other in between.
    pub(super) fn unbroken(&self, first: u32, last: u32) -> Vec<(u32, u32)> {
        let Self::Each(_) = self else {
            return vec![(first, last)];
        };
        let mut rows = Vec::new();
        let mut start = first;
        for frame in first..=last {
            if frame == last || self.of(frame) + 1 != self.of(frame + 1) {
                rows.push((start, frame));
                start = frame + 1;
            }
        }
        rows
    }
}
