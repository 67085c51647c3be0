//! What gives the agent its snapshots.

use std::sync::Arc;
use std::time::Instant;

use procession_model::{HostFacts, Snapshot};
use procession_probe::{Moment, Probe, ProbeError};

/// Gives snapshots; the real one is a [`Probe`].
pub trait Sampler: Send {
    /// Replaces `snapshot` by what is now.
    fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError>;

    /// What is known of the machine.
    fn facts(&self) -> Arc<HostFacts>;
}

/// A probe and the time from which its moments are counted.
#[derive(Debug)]
pub(crate) struct ProbeSampler {
    probe: Probe,
    origin: Instant,
}

impl ProbeSampler {
    pub(crate) fn new(probe: Probe) -> Self {
        Self { probe, origin: Instant::now() }
    }
}

impl Sampler for ProbeSampler {
    fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        self.probe.snapshot_into(Moment::now(self.origin), snapshot)
    }

    fn facts(&self) -> Arc<HostFacts> {
        self.probe.facts().clone()
    }
}
