//! Blocks and dictionaries, read and kept for a while.

use std::sync::Arc;

use bytes::Bytes;
use procession_codec::block::{Block, Dictionary, Head, Wanted};
use procession_model::{Identity, Loss, Metric, Timestamp};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Engine;
use super::level::Level;
use super::segments::{BlockEntry, BlockFilter, Segments};
use crate::{HostNumber, Range, StoreError};

/// Bytes of opened blocks that are kept, as far as they can be estimated.
const BLOCK_CACHE_BYTES: u64 = 96 << 20;
/// Bytes of heads that are kept.
const HEAD_CACHE_BYTES: u64 = 16 << 20;
/// Bytes of dictionaries that are kept, as far as they can be estimated.
const DICTIONARY_CACHE_BYTES: u64 = 32 << 20;
/// Bytes of losses that are kept.
const LOSS_CACHE_BYTES: u64 = 2 << 20;
/// How many entries the caches are made for; they take more where entries are small.
const CACHE_ENTRIES: usize = 1_024;
/// An opened block is about so many times its bytes, and so many bytes a row more.
const BLOCK_GROWTH: u64 = 8;
const ROW_BYTES: u64 = 256;
/// What a string costs beside its text.
const STRING_BYTES: u64 = 96;

/// How many blocks are remembered of which one snapshot was asked for.
const ASKED_ONCE_BLOCKS: usize = 256;

/// What was read lately.
pub(super) struct Caches {
    blocks: Cache<i64, Arc<Block>, Weights>,
    /// Blocks of which one snapshot was asked for.
    asked_once: Cache<i64, ()>,
    heads: Cache<i64, Bytes, Weights>,
    losses: Cache<i64, Arc<[Loss]>, Weights>,
    dictionaries: Cache<(HostNumber, u32), KeptDictionary, Weights>,
}

/// An epoch of a host's dictionary.
#[derive(Clone)]
struct KeptDictionary {
    dictionary: Arc<Dictionary>,
    /// Whether a sealing gave it: only then the next one may go on with it. What was read may lack segments, as those of a sealing
    /// that became durable meanwhile.
    is_of_sealing: bool,
}

#[derive(Clone)]
struct Weights;

impl Weighter<i64, Arc<Block>> for Weights {
    fn weight(&self, _id: &i64, block: &Arc<Block>) -> u64 {
        let summary = block.summary();
        // Most values do not change from frame to frame; a sixteenth is on the safe side.
        u64::from(summary.rows) * ROW_BYTES
            + u64::from(summary.frames) * ROW_BYTES
            + summary.process_samples / 16 * BLOCK_GROWTH
    }
}

impl Weighter<i64, Bytes> for Weights {
    fn weight(&self, _id: &i64, head: &Bytes) -> u64 {
        head.len() as u64 + STRING_BYTES
    }
}

impl Weighter<i64, Arc<[Loss]>> for Weights {
    fn weight(&self, _id: &i64, losses: &Arc<[Loss]>) -> u64 {
        size_of_val(&**losses) as u64 + STRING_BYTES
    }
}

impl Weighter<(HostNumber, u32), KeptDictionary> for Weights {
    fn weight(&self, _key: &(HostNumber, u32), kept: &KeptDictionary) -> u64 {
        (kept.dictionary.len() as u64 + 1) * STRING_BYTES * 2
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            blocks: Cache::with_weighter(CACHE_ENTRIES, BLOCK_CACHE_BYTES, Weights),
            asked_once: Cache::new(ASKED_ONCE_BLOCKS),
            heads: Cache::with_weighter(CACHE_ENTRIES, HEAD_CACHE_BYTES, Weights),
            losses: Cache::with_weighter(CACHE_ENTRIES, LOSS_CACHE_BYTES, Weights),
            dictionaries: Cache::with_weighter(CACHE_ENTRIES, DICTIONARY_CACHE_BYTES, Weights),
        }
    }
}

impl<S: Segments> Engine<S> {
    /// The head of a block; `None` once retention took it.
    pub(crate) fn block_head(&self, entry: &BlockEntry) -> Result<Option<Bytes>, StoreError> {
        if let Some(found) = self.caches.heads.get(&entry.id) {
            return Ok(Some(found));
        }
        let head = self.segments.block_head(entry.id)?;
        if let Some(head) = &head {
            self.caches.heads.insert(entry.id, head.clone());
        }
        Ok(head)
    }

    /// A raw block, opened; `None` once retention took it.
    pub(crate) fn block(&self, entry: &BlockEntry) -> Result<Option<Arc<Block>>, StoreError> {
        self.block_with(entry, &Metric::ALL)
    }

    /// A raw block, opened, with at least these metrics; `None` once retention took it.
    pub(crate) fn block_with(&self, entry: &BlockEntry, metrics: &[Metric]) -> Result<Option<Arc<Block>>, StoreError> {
        let found = self.caches.blocks.get(&entry.id);
        if let Some(found) = found.as_ref().filter(|found| found.has(metrics)) {
            return Ok(Some(Arc::clone(found)));
        }
        // What was asked for before is asked for again.
        let is_wanted =
            |metric: &Metric| metrics.contains(metric) || found.as_ref().is_some_and(|found| found.has(&[*metric]));
        let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(is_wanted).collect();
        let block = self.open_block(entry, &metrics, Wanted::All)?;
        if let Some(block) = &block {
            self.caches.blocks.insert(entry.id, Arc::clone(block));
        }
        Ok(block)
    }

    /// The same for those who ask for one pid: other processes may have no metric. What is read for it alone is not kept.
    pub(crate) fn block_of(
        &self,
        entry: &BlockEntry,
        metrics: &[Metric],
        pid: u32,
    ) -> Result<Option<Arc<Block>>, StoreError> {
        match self.caches.blocks.get(&entry.id).filter(|found| found.has(metrics)) {
            Some(found) => Ok(Some(found)),
            None => {
                let is_wanted = |identity: Identity| identity.pid == pid;
                self.open_block(entry, metrics, Wanted::Processes(&is_wanted))
            }
        }
    }

    /// The same for those who ask for one snapshot: other frames may have no metric. Who asks for a second one of a block is
    /// likely to ask for more, so then all of it is read and kept.
    pub(crate) fn block_at(&self, entry: &BlockEntry, sequence: u32) -> Result<Option<Arc<Block>>, StoreError> {
        let is_known = self.caches.asked_once.get(&entry.id).is_some() || self.caches.blocks.get(&entry.id).is_some();
        if is_known {
            return self.block(entry);
        }
        let block = self.open_block(entry, &Metric::ALL, Wanted::Frame(sequence))?;
        self.caches.asked_once.insert(entry.id, ());
        Ok(block)
    }

    fn open_block(
        &self,
        entry: &BlockEntry,
        metrics: &[Metric],
        wanted: Wanted<'_>,
    ) -> Result<Option<Arc<Block>>, StoreError> {
        let (Some(head), Some(body)) = (self.block_head(entry)?, self.segments.block_body(entry.id)?) else {
            return Ok(None);
        };
        let dictionary = self.dictionary(entry.host, entry.epoch, entry.segments)?;
        let damaged = |error| StoreError::Damaged(format!("host {}: block {}: {error}", entry.host, entry.id));
        let block = Block::open_for(&head, &body, &dictionary, metrics, wanted).map_err(damaged)?;
        Ok(Some(Arc::new(block)))
    }

    /// What the frames of a raw block tell to be lost; nothing once retention took it.
    pub(super) fn block_losses(&self, entry: &BlockEntry) -> Result<Arc<[Loss]>, StoreError> {
        if let Some(found) = self.caches.losses.get(&entry.id) {
            return Ok(found);
        }
        let (Some(head), Some(body)) = (self.block_head(entry)?, self.segments.block_body(entry.id)?) else {
            return Ok(Arc::default());
        };
        let damaged = |error| StoreError::Damaged(format!("host {}: block {}: {error}", entry.host, entry.id));
        let losses: Arc<[Loss]> = Head::open(&head).and_then(|head| head.losses(&body)).map_err(damaged)?.into();
        self.caches.losses.insert(entry.id, Arc::clone(&losses));
        Ok(losses)
    }

    /// An epoch of a host's dictionary with at least so many segments.
    pub(super) fn dictionary(
        &self,
        host: HostNumber,
        epoch: u32,
        segments: u32,
    ) -> Result<Arc<Dictionary>, StoreError> {
        let (mut dictionary, wanted) = match self.caches.dictionaries.get(&(host, epoch)) {
            Some(found) if found.dictionary.segments() >= segments => return Ok(found.dictionary),
            // Who needs more than the one before is likely to need still more.
            Some(found) => (found.dictionary.to_extend(), u32::MAX),
            None => (Dictionary::new(epoch), segments),
        };
        self.read_segments(host, &mut dictionary, wanted)?;
        let dictionary = Arc::new(dictionary);
        let kept = KeptDictionary { dictionary: Arc::clone(&dictionary), is_of_sealing: false };
        self.caches.dictionaries.insert((host, epoch), kept);
        Ok(dictionary)
    }

    /// An epoch of a host's dictionary to go on with.
    pub(super) fn own_dictionary(&self, host: HostNumber, epoch: u32) -> Result<Dictionary, StoreError> {
        let kept = self.caches.dictionaries.remove(&(host, epoch)).map(|(_, kept)| kept);
        let own = kept.filter(|kept| kept.is_of_sealing).and_then(|kept| Arc::into_inner(kept.dictionary));
        own.map_or_else(|| self.read_dictionary(host, epoch), Ok)
    }

    /// Takes a dictionary back once all of it is durable.
    pub(super) fn give_dictionary(&self, host: HostNumber, dictionary: Dictionary) {
        let key = (host, dictionary.epoch());
        self.caches.dictionaries.insert(key, KeptDictionary { dictionary: Arc::new(dictionary), is_of_sealing: true });
    }

    /// All of an epoch that is durable.
    pub(super) fn read_dictionary(&self, host: HostNumber, epoch: u32) -> Result<Dictionary, StoreError> {
        let mut dictionary = Dictionary::new(epoch);
        self.read_segments(host, &mut dictionary, u32::MAX)?;
        Ok(dictionary)
    }

    /// Reads on, until there are so many segments at the most: a block needs none after its own.
    fn read_segments(&self, host: HostNumber, dictionary: &mut Dictionary, wanted: u32) -> Result<(), StoreError> {
        let (epoch, has) = (dictionary.epoch(), dictionary.segments());
        let segments = self.segments.dictionary(host, epoch)?;
        for segment in segments.iter().take(wanted as usize).skip(has as usize) {
            let damaged = |error| StoreError::Damaged(format!("host {host}: dictionary {epoch}: {error}"));
            dictionary.push(segment).map_err(damaged)?;
        }
        Ok(())
    }

    /// Forgets what was read of blocks that are deleted now.
    pub(super) fn forget_blocks(&self, ids: &[i64]) {
        for id in ids {
            self.caches.blocks.remove(id);
            self.caches.asked_once.remove(id);
            self.caches.heads.remove(id);
            self.caches.losses.remove(id);
        }
    }
}

impl<S: Segments> Engine<S> {
    /// The sealed snapshot of a host that has exactly this time.
    pub(super) fn sealed_sequence_at(&self, host: HostNumber, time: Timestamp) -> Result<Option<u32>, StoreError> {
        let range = Range { start: Some(time), end: Some(time.plus_ms(1)) };
        for entry in self.segments.blocks(BlockFilter { host: Some(host), level: Level::Raw, range })? {
            let Some(head) = self.block_head(&entry)? else {
                continue;
            };
            let damaged = |error| StoreError::Damaged(format!("host {host}: block {}: {error}", entry.id));
            let timeline = Head::open(&head).and_then(|head| head.timeline()).map_err(damaged)?;
            if let Some(index) = timeline.times.iter().position(|other| *other == time) {
                return Ok(timeline.sequences.get(index).copied());
            }
        }
        Ok(None)
    }
}
