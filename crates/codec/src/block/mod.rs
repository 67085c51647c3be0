//! A block: a sealed run of one host's frames, by column.
//!
//! A block is two strings of bytes. The **head** is short and answers most questions without the rest: what the block covers, the
//! host's own series, and which names, users and pids it has for certain not. The **body** has the processes. Both are
//! immutable. Strings are in the host's [`Dictionary`], which outlives the block.

mod adaptive;
mod column;
mod descriptions;
mod dictionary;
mod ends;
mod fields;
mod happenings;
mod head;
mod hex;
mod lives;
mod metrics;
mod moment;
mod open;
mod opening;
mod range;
mod row;
mod scale;
mod seal;
mod skip;
mod symbols;
mod ticks;

pub use column::{ColumnBytes, ColumnReader, ColumnWriter};
pub use dictionary::Dictionary;
pub use head::{Head, Series, Summary, Timeline};
pub use open::Block;
pub use opening::Wanted;
pub use row::{Row, RowSamples, RowSeries};
pub use seal::{Effort, SealError, Sealed, seal};
pub use skip::Skip;

/// The version of the format that [`seal()`] writes; those before it are read.
pub const VERSION: u8 = 3;
/// The most frames of a block.
pub const BLOCK_FRAMES_MAX: usize = 1 << 16;
/// The most process samples of a block: processes times frames. Bounds what opening a block takes.
pub const BLOCK_SAMPLES_MAX: u64 = 1 << 22;
/// The most rows of a block: those in its samples, and those that ended in its first frame.
pub const BLOCK_ROWS_MAX: usize = (1 << 22) + crate::limits::PROCESSES_MAX;
/// The most brief processes of a block.
pub const BLOCK_BRIEF_MAX: usize = 1 << 20;
/// The most losses of a block.
pub const BLOCK_LOSSES_MAX: usize = 1 << 18;
