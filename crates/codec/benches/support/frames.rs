//! From snapshots to frames.

use std::sync::Arc;

use procession_codec::{Frame, HostState};
use procession_model::Snapshot;

/// The frames that lead through snapshots, numbered from 1.
pub(crate) fn of(snapshots: &[Snapshot]) -> Vec<(u32, Arc<Frame>)> {
    let mut state = HostState::new();
    let advance = |(sequence, snapshot)| {
        let frame = state.advance(snapshot).expect("a snapshot that the codec takes");
        (sequence, Arc::new(frame))
    };
    (1..).zip(snapshots).map(advance).collect()
}
