//! Which hosts have blocks that no rollup has yet.
//!
//! Queries read blocks where no rollup is, and a rollup of few blocks is not much less than these. Going on with one costs as
//! much for one short block as for a long one. So a host waits until it has several, and longer where thousands of hosts are
//! sealed at once, each in short blocks because memory is bounded.

use std::collections::BTreeMap;

use crate::HostNumber;

/// So many hosts that are sealed at once leave their rollups for later.
pub(super) const MANY_HOSTS: usize = 64;
/// So many blocks are rolled up together.
const BLOCKS_MIN: u32 = 6;
/// Where many hosts are sealed a host does not wait for longer than so many blocks.
const BLOCKS_MAX: u32 = 12;
/// Most hosts whose rollups are made in one go.
const HOSTS_MAX: usize = 32;

/// How much there is to do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hurry {
    /// Nothing.
    None,
    /// Many hosts are to be sealed.
    Many,
}

/// Hosts that have blocks without a rollup, and how many.
#[derive(Debug, Default)]
pub(super) struct RollupsDue(BTreeMap<HostNumber, u32>);

impl RollupsDue {
    /// Each of these hosts has one block more.
    pub(super) fn add(&mut self, hosts: &[HostNumber]) {
        for host in hosts {
            *self.0.entry(*host).or_default() += 1;
        }
    }

    /// Hosts whose rollups are to be made now.
    pub(super) fn take(&mut self, hurry: Hurry) -> Vec<HostNumber> {
        let least = match hurry {
            Hurry::None => BLOCKS_MIN,
            Hurry::Many => BLOCKS_MAX,
        };
        let due = self.0.iter().filter(|(_, blocks)| **blocks >= least).map(|(host, _)| *host);
        let due: Vec<HostNumber> = due.take(HOSTS_MAX).collect();
        for host in &due {
            self.0.remove(host);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_waits_for_some_blocks_and_not_for_ever() {
        let mut due = RollupsDue::default();
        for blocks in 1..BLOCKS_MAX {
            due.add(&[3, 5]);
            assert_eq!(due.take(Hurry::Many), []);
            if blocks < BLOCKS_MIN {
                assert_eq!(due.take(Hurry::None), []);
            }
        }
        due.add(&[5]);
        assert_eq!(due.take(Hurry::Many), [5]);
        assert_eq!(due.take(Hurry::None), [3]);
        assert_eq!(due.take(Hurry::None), []);
    }
}
