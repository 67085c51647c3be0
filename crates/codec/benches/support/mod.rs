//! What the benches measure with: made populations, recordings, and the plain format to compare with.

#![expect(dead_code, reason = "each bench uses a part of this")]

pub(crate) mod made;
pub(crate) mod plain;
pub(crate) mod recording;

use std::sync::Arc;

use procession_codec::{Frame, HostState};
use procession_model::Snapshot;

/// The frames that lead through snapshots, numbered from 1.
pub(crate) fn frames(snapshots: &[Snapshot]) -> Vec<(u32, Arc<Frame>)> {
    let mut state = HostState::new();
    let advance = |(sequence, snapshot)| {
        let frame = state.advance(snapshot).expect("a snapshot that the codec takes");
        (sequence, Arc::new(frame))
    };
    (1..).zip(snapshots).map(advance).collect()
}

/// Processes, summed over the snapshots.
pub(crate) fn process_samples(snapshots: &[Snapshot]) -> usize {
    snapshots.iter().map(|snapshot| snapshot.processes.len()).sum()
}
