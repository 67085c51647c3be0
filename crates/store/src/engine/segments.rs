//! What the history needs of a database: rows of bytes, by number and by range, and one transaction.
//!
//! Everything that knows frames is above this line, so SQLite, PostgreSQL and MySQL can hold the same rows with the same
//! SQL. Calls block: the engine works on threads for blocking work; an async driver blocks on its own handle there.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use procession_model::Timestamp;

use super::level::Level;
use crate::{HostNumber, Range, StoreError, StreamPosition};

/// A row of the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalRow {
    /// Its number; later rows have higher ones.
    pub(crate) id: u64,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

/// How far a host is sealed, and what has to outlive its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostMark {
    /// Which host.
    pub(crate) host: HostNumber,
    /// The last sequence in a block of frames that came in their time; 0 if none.
    pub(crate) sealed: u32,
    /// The last sequence in a block of late frames; 0 if none.
    pub(crate) sealed_late: u32,
    /// The last sequence given.
    pub(crate) last_sequence: u32,
    /// The epoch of the dictionary that the next block goes on with.
    pub(crate) epoch: u32,
    /// Where the host's agent has got to.
    pub(crate) stream: Option<StreamPosition>,
}

impl HostMark {
    /// Of a host that is new.
    pub(crate) const fn new(host: HostNumber) -> Self {
        Self { host, sealed: 0, sealed_late: 0, last_sequence: 0, epoch: 0, stream: None }
    }
}

/// A block to be kept.
#[derive(Clone, Debug)]
pub(crate) struct NewBlock {
    /// What is known of it without reading it; its number is not given yet.
    pub(crate) entry: BlockEntry,
    /// The part that answers what can be answered without the rest.
    pub(crate) head: Vec<u8>,
    /// The rest.
    pub(crate) body: Vec<u8>,
    /// Strings that are new to its dictionary.
    pub(crate) segment: Option<Vec<u8>>,
}

/// What is known of a block without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// Its number; later blocks have higher ones.
    pub(crate) id: i64,
    /// Of which host.
    pub(crate) host: HostNumber,
    /// Raw, or how coarse.
    pub(crate) level: Level,
    /// Whether it holds frames that came late.
    pub(crate) late: bool,
    /// Time of its first frame.
    pub(crate) first_time: Timestamp,
    /// Time of its last frame.
    pub(crate) last_time: Timestamp,
    /// The lowest sequence in it.
    pub(crate) first_sequence: u32,
    /// The highest sequence in it.
    pub(crate) last_sequence: u32,
    /// How many frames (of a rollup: steps).
    pub(crate) frames: u32,
    /// How many processes in all frames together.
    pub(crate) samples: u64,
    /// Length of head and body.
    pub(crate) bytes: u64,
    /// Epoch of its dictionary.
    pub(crate) epoch: u32,
    /// How many segments of the epoch it needs.
    pub(crate) segments: u32,
}

/// Which blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockFilter {
    /// Of which host; all if absent.
    pub(crate) host: Option<HostNumber>,
    /// Of which level.
    pub(crate) level: Level,
    /// Those that have a frame in it, or on both sides of it.
    pub(crate) range: Range,
}

/// When the sealed history of a host has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameSeen {
    /// The first snapshot that tells of it.
    pub(crate) first: Timestamp,
    /// The last one.
    pub(crate) last: NameLast,
}

/// The last snapshot that tells of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameLast {
    /// This one.
    At(Timestamp),
    /// The last one that came in its time: what lives on from block to block costs no row a block.
    Still {
        /// All that came in their time have it since this one.
        since: Timestamp,
    },
}

/// A row of the index of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameRow {
    /// The name.
    pub(crate) name: Arc<str>,
    /// When the host had it; `None` if nothing that is kept tells of it.
    pub(crate) seen: Option<NameSeen>,
}

/// What the index of names has of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostNames {
    /// The last sealed snapshot that came in its time; `None` once nothing that is kept has it.
    pub(crate) until: Option<Timestamp>,
    /// How many names it has in all.
    pub(crate) count: u64,
    /// Its names, or those that change, in no order.
    pub(crate) rows: Vec<NameRow>,
}

/// What becomes of a host in the index of names.
#[derive(Clone, Debug)]
pub(crate) enum NameChange {
    /// These rows take the place of those of the same names.
    Put(HostNames),
    /// These are all.
    Replace(HostNames),
    /// The host is not in the index until it is made anew.
    Forget,
}

/// A host that has a name, as the index of names has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedHost {
    /// Which host.
    pub(crate) host: HostNumber,
    /// The first snapshot that tells of it.
    pub(crate) first: Timestamp,
    /// The last one.
    pub(crate) last: Timestamp,
    /// Since when all that came in their time have it up to the last one that is sealed, if that has it.
    pub(crate) still_since: Option<Timestamp>,
}

/// What is sealed in one transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealing {
    /// Blocks to be kept.
    pub(crate) blocks: Vec<NewBlock>,
    /// New marks of hosts.
    pub(crate) marks: Vec<HostMark>,
    /// What the open frames of hosts go on from now, packed.
    pub(crate) bases: Vec<(HostNumber, Bytes)>,
    /// Rows of the journal that nothing needs any more.
    pub(crate) journal_rows: Vec<u64>,
    /// Blocks that nothing needs any more.
    pub(crate) removed: Vec<i64>,
    /// What becomes of hosts in the index of names.
    pub(crate) names: Vec<(HostNumber, NameChange)>,
}

/// Sums over the tables.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Bytes of the journal.
    pub(crate) journal_bytes: u64,
    /// Bytes of dictionaries.
    pub(crate) dictionary_bytes: u64,
    /// Bytes of the index of names.
    pub(crate) name_bytes: u64,
    /// Bytes that are left on the disk, where that can be told.
    pub(crate) disk_free_bytes: Option<u64>,
    /// For each level.
    pub(crate) levels: [LevelTotals; Level::COUNT],
}

/// Sums over the blocks of a level.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LevelTotals {
    /// How many blocks.
    pub(crate) blocks: u64,
    /// Their frames.
    pub(crate) frames: u64,
    /// Their process samples.
    pub(crate) samples: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Bytes of those that end in the last day of the level.
    pub(crate) last_day_bytes: u64,
    /// Time of the first frame.
    pub(crate) oldest: Option<Timestamp>,
    /// Time of the last frame.
    pub(crate) newest: Option<Timestamp>,
}

/// A database that keeps rows of bytes.
pub(crate) trait Segments: Send + Sync + 'static {
    /// Adds a row to the journal; durable when this returns.
    fn append_journal(&self, bytes: &[u8]) -> Result<u64, StoreError>;
    /// The numbers of all rows of the journal, ascending.
    fn journal_rows(&self) -> Result<Vec<u64>, StoreError>;
    /// Shows every row of the journal with one of these numbers, in their order.
    fn each_journal_row(&self, rows: RangeInclusive<u64>, see: &mut dyn FnMut(JournalRow)) -> Result<(), StoreError>;
    /// All marks.
    fn marks(&self) -> Result<Vec<HostMark>, StoreError>;
    /// Does all of it in one transaction. Returns the numbers of the new blocks.
    fn seal(&self, sealing: &Sealing) -> Result<Vec<i64>, StoreError>;
    /// Blocks by host and first time.
    fn blocks(&self, filter: BlockFilter) -> Result<Vec<BlockEntry>, StoreError>;
    /// Raw blocks of a host whose lowest and highest sequence enclose this one.
    fn blocks_around(&self, host: HostNumber, sequence: u32) -> Result<Vec<BlockEntry>, StoreError>;
    /// What the open frames of a host go on from, packed.
    fn base(&self, host: HostNumber) -> Result<Option<Bytes>, StoreError>;
    /// Blocks of a level that end before a time, the oldest first, so many at most.
    fn oldest_blocks(&self, level: Level, before: Timestamp, limit: usize) -> Result<Vec<BlockEntry>, StoreError>;
    /// Deletes dictionaries of a host that no block needs and that are before an epoch, and gives room back to the disk.
    fn clean_up(&self, hosts: &[HostNumber]) -> Result<(), StoreError>;
    /// The head of a block; `None` once it was deleted.
    fn block_head(&self, id: i64) -> Result<Option<Bytes>, StoreError>;
    /// The body of a block; `None` once it was deleted.
    fn block_body(&self, id: i64) -> Result<Option<Bytes>, StoreError>;
    /// The segments of a dictionary in their order.
    fn dictionary(&self, host: HostNumber, epoch: u32) -> Result<Vec<Bytes>, StoreError>;
    /// The hosts that the index of names has, without their names.
    fn named_hosts(&self) -> Result<Vec<(HostNumber, HostNames)>, StoreError>;
    /// Everything that the index of names has of a host; `None` if it does not have the host.
    fn names(&self, host: HostNumber) -> Result<Option<HostNames>, StoreError>;
    /// What the index of names has of a host, with no other names than these; nothing if it does not have the host.
    fn names_seen(&self, host: HostNumber, names: &[Arc<str>]) -> Result<HostNames, StoreError>;
    /// The hosts that have a name, by their numbers; of one host if that is asked for.
    fn hosts_with_name(&self, name: &str, host: Option<HostNumber>) -> Result<Vec<NamedHost>, StoreError>;
    /// Sums.
    fn totals(&self) -> Result<Totals, StoreError>;
    /// Checks the database's own structure; what is damaged.
    fn check(&self) -> Result<Vec<String>, StoreError>;
    /// Writes everything down.
    fn close(&self) -> Result<(), StoreError>;
}
