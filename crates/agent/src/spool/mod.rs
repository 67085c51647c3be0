//! Frames on disk until the server has them.
//!
//! A folder has one folder a stream (one life of an agent), a stream has segments, a segment has records. A segment is only
//! appended to and then only deleted, so that a crash costs at most the record that was being written. What the server has
//! acknowledged is not noted: it tells so itself at the next greeting.

mod disk;
mod folder;
mod identity;
#[cfg(test)]
mod power_cut_tests;
mod record;
mod segment;

pub(crate) use folder::{SpoolError, SpoolFolder, StreamFolder};
pub(crate) use identity::{Found, find_installation, keep_installation};
pub(crate) use segment::{Contents, Segment};
