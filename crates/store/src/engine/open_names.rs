//! Whether a name may be in frames that are not sealed, without decoding them again.
//!
//! Each open frame keeps the hashes of the names that began in it: few, as most frames begin nothing. A thousand hosts are
//! then asked in moments.

use std::sync::Arc;

use procession_codec::Frame;

use super::segments::Segments;
use super::view::Part;
use crate::rollup::name_hash;

/// Hashes of names, sorted; `None` for none.
pub(super) type BegunNames = Option<Arc<[u32]>>;

/// The names that begin in a frame.
pub(super) fn begun_names(frame: &Frame) -> BegunNames {
    let began = frame.began.iter().map(|began| &began.description.name);
    let brief = frame.brief.iter().map(|brief| &brief.description.name);
    let mut hashes: Vec<u32> = began.chain(brief).map(|name| name_hash(name)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    (!hashes.is_empty()).then(|| hashes.into())
}

impl<S: Segments> Part<'_, S> {
    /// Whether a process of this name may have begun in these open frames; false for blocks. What lived before them is not
    /// looked at.
    pub(crate) fn may_begin_open(&self, name: &str) -> bool {
        let hash = name_hash(name);
        let begins = |names: &Arc<[u32]>| names.binary_search(&hash).is_ok();
        self.open_frames().is_some_and(|frames| frames.iter().any(|frame| frame.begun.as_ref().is_some_and(begins)))
    }
}
