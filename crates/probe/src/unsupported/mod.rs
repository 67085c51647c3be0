//! Operating systems without a collector: says so.

use std::sync::Arc;

use procession_model::{HostFacts, Snapshot};

use crate::{Moment, ProbeConfig, ProbeError};

/// Never made.
#[derive(Debug)]
pub(crate) struct Collector {
    facts: Arc<HostFacts>,
}

impl Collector {
    pub(crate) fn new(_config: ProbeConfig) -> Result<Self, ProbeError> {
        Err(ProbeError::Unsupported)
    }

    pub(crate) fn snapshot_into(&mut self, _moment: Moment, _snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        Err(ProbeError::Unsupported)
    }

    pub(crate) fn drain(&mut self) -> Option<f64> {
        None
    }

    pub(crate) fn room(&self) -> Option<usize> {
        None
    }

    pub(crate) fn notes(&self) -> &[String] {
        &[]
    }

    pub(crate) fn facts(&self) -> &Arc<HostFacts> {
        &self.facts
    }
}

pub(crate) fn host_name() -> Option<String> {
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty())
}

pub(crate) fn machine_id() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_that_it_cannot() {
        assert!(matches!(Collector::new(ProbeConfig::default()), Err(ProbeError::Unsupported)));
    }
}
