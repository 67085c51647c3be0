//! Whether a name may be in frames that are not sealed, without decoding them.
//!
//! A frame writes each of its strings out once, as it is, and short frames are not compressed: looking for the bytes is some
//! hundred times as quick as decoding a thousand hosts' open frames.

use super::segments::Segments;
use super::view::Part;

/// Bit of a frame's second byte that says that its body is compressed (`docs/FORMAT.md`).
const COMPRESSED: u8 = 1 << 1;

impl<S: Segments> Part<'_, S> {
    /// Whether a process of this name may have begun in these open frames; false for blocks. What lived before them is not
    /// looked at.
    pub(crate) fn may_begin_open(&self, name: &str) -> bool {
        let finder = memchr::memmem::Finder::new(name.as_bytes());
        self.open_frames().is_some_and(|frames| {
            frames.iter().any(|frame| {
                let is_compressed = frame.bytes.get(1).is_none_or(|flags| flags & COMPRESSED != 0);
                if is_compressed { begins(&frame.bytes, name) } else { finder.find(&frame.bytes).is_some() }
            })
        })
    }
}

fn begins(frame: &[u8], name: &str) -> bool {
    procession_codec::frame::decode(frame).map_or(true, |frame| {
        frame.began.iter().any(|began| *began.description.name == *name)
            || frame.brief.iter().any(|brief| *brief.description.name == *name)
    })
}
