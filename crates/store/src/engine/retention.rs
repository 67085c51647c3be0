//! What is too old, or too much, goes: whole blocks, the oldest first.
//!
//! What has to outlive them is made before; hours stay as long as anything. It runs while ingest does, so it takes a bounded
//! part of it at a time.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use procession_model::Timestamp;

use super::Engine;
use super::level::Level;
use super::segments::{BlockEntry, Sealing, Segments};
use crate::{Retention, Retired, StoreError};

/// Most blocks of one transaction.
const TRANSACTION_BLOCKS_MAX: usize = 256;
/// Most transactions of one call.
const TRANSACTIONS_MAX: usize = 16;

/// Why blocks have to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// They are kept no longer.
    Age,
    /// Everything together has more bytes than it may.
    Room,
}

impl<S: Segments> Engine<S> {
    /// See [`crate::History::retire`].
    pub(super) fn retire(&self, now: Timestamp, retention: Retention) -> Result<Retired, StoreError> {
        let mut retired = Retired::default();
        let mut hosts = BTreeSet::new();
        for _ in 0..TRANSACTIONS_MAX {
            let (blocks, why) = self.too_many(now, retention)?;
            if blocks.is_empty() {
                break;
            }
            self.remove(&blocks, why)?;
            retired.blocks += blocks.len() as u64;
            retired.bytes += blocks.iter().map(|entry| entry.bytes).sum::<u64>();
            hosts.extend(blocks.iter().map(|entry| entry.host));
        }
        if !hosts.is_empty() {
            self.segments.clean_up(&hosts.into_iter().collect::<Vec<_>>())?;
        }
        Ok(retired)
    }

    /// What is made of blocks is durable before they go; names that nothing else has go with them.
    fn remove(&self, blocks: &[BlockEntry], why: Why) -> Result<(), StoreError> {
        let _one_at_a_time = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        crate::rollup::before_retiring(self, blocks, why)?;
        let removed: Vec<i64> = blocks.iter().map(|entry| entry.id).collect();
        let names = self.names_without(blocks)?;
        let sealing = Sealing { removed: removed.clone(), names, ..Sealing::default() };
        self.segments.seal(&sealing)?;
        self.names_sealed(&sealing.names);
        self.forget_blocks(&removed);
        Ok(())
    }

    /// Some blocks that have to go.
    fn too_many(&self, now: Timestamp, retention: Retention) -> Result<(Vec<BlockEntry>, Why), StoreError> {
        // Hours are kept as long as any other level.
        let longest = retention.keep_ms.into_iter().max_by_key(|keep_ms| keep_ms.unwrap_or(i64::MAX)).flatten();
        for (level, keep_ms) in Level::ALL.into_iter().zip(retention.keep_ms.into_iter().chain([longest])) {
            let Some(keep_ms) = keep_ms else {
                continue;
            };
            let old = self.segments.oldest_blocks(level, now.plus_ms(-keep_ms), TRANSACTION_BLOCKS_MAX)?;
            if !old.is_empty() {
                return Ok((old, Why::Age));
            }
        }
        let over = retention.bytes_max.map(|bytes_max| self.over_the_cap(bytes_max)).transpose()?;
        Ok((over.unwrap_or_default(), Why::Room))
    }

    fn over_the_cap(&self, bytes_max: u64) -> Result<Vec<BlockEntry>, StoreError> {
        let totals = self.segments.totals()?;
        let blocks: u64 = totals.levels.iter().map(|level| level.bytes).sum();
        let mut surplus =
            (blocks + totals.dictionary_bytes + totals.name_bytes + totals.journal_bytes).saturating_sub(bytes_max);
        if surplus == 0 {
            return Ok(Vec::new());
        }
        // The oldest goes first, and what is coarser is older; but hours, which are a tenth of all else, go last.
        for level in [Level::QuarterHour, Level::Minute, Level::Raw, Level::Hour] {
            let oldest = self.segments.oldest_blocks(level, Timestamp::from_ms(i64::MAX), TRANSACTION_BLOCKS_MAX)?;
            let mut removed = Vec::new();
            for entry in oldest {
                if surplus == 0 {
                    break;
                }
                surplus = surplus.saturating_sub(entry.bytes);
                removed.push(entry);
            }
            if !removed.is_empty() {
                return Ok(removed);
            }
        }
        Ok(Vec::new())
    }
}
