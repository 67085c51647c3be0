//! All streams that wait: those of earlier lives of this agent, oldest first, and the one that is written.
//!
//! A connection carries one stream. A life writes a stream of its own, since after a loss of power nobody knows which
//! numbers of the old one the server has seen.

use std::collections::VecDeque;
use std::path::Path;

use bytes::Bytes;
use procession_codec::HostState;
use procession_model::{Loss, Timestamp};

use crate::outbox::{Limits, Outbox};
use crate::spool::{SpoolError, SpoolFolder};

/// All streams that wait.
#[derive(Debug)]
pub(crate) struct Outboxes {
    /// Oldest first.
    earlier: VecDeque<Outbox>,
    own: Outbox,
    limits: Limits,
    dropped_with_streams: u64,
    /// What was dropped with whole streams; the next frame tells it.
    untold: Vec<Loss>,
    /// Keeps other agents out.
    _folder: Option<SpoolFolder>,
}

impl Outboxes {
    /// In memory only.
    pub(crate) fn in_memory(stream: String, limits: Limits) -> Self {
        let own = Outbox::new(stream, limits, None);
        Self { earlier: VecDeque::new(), own, limits, dropped_with_streams: 0, untold: Vec::new(), _folder: None }
    }

    /// On disk below `root`, with what is left there. Also returns what was lost there.
    pub(crate) fn on_disk(
        root: &Path,
        hostname: &str,
        stream: String,
        now: Timestamp,
        limits: Limits,
    ) -> Result<(Self, Vec<Loss>), SpoolError> {
        let folder = SpoolFolder::open(root, hostname)?;
        let mut earlier = VecDeque::new();
        let mut losses = Vec::new();
        for found in folder.found_streams()? {
            losses.extend(found.lost.iter().map(|gap| gap.loss()));
            let outbox = Outbox::found(found.folder, found.segments, found.gap, limits);
            if outbox.waiting() > 0 {
                earlier.push_back(outbox);
            } else {
                losses.extend(outbox.delete());
            }
        }
        let own_folder = folder.begin_stream(now, &stream)?;
        let own = Outbox::new(stream, limits, Some(own_folder));
        let untold = Vec::new();
        Ok((Self { earlier, own, limits, dropped_with_streams: 0, untold, _folder: Some(folder) }, losses))
    }

    /// Deletes the streams of earlier lives, which are another machine's.
    pub(crate) fn forget_earlier(&mut self) {
        for outbox in self.earlier.drain(..) {
            outbox.delete();
        }
    }

    /// Whether a server has more of the stream that this life writes than was written. Then another machine goes on with
    /// it: this one is a copy of it, with its memory, or was set back to what it was earlier. Streams of earlier lives may
    /// have lost what the server has.
    pub(crate) fn is_written_elsewhere(&self, last_sequence: u64) -> bool {
        self.earlier.is_empty() && last_sequence > self.own.newest()
    }

    /// Goes on under another name: what the server said of the present one is about another machine's frames. On disk the
    /// old name stays; should it be found there again, the server drops what it has, by host and time.
    pub(crate) fn go_on_as(&mut self, stream: String) {
        self.own.stream = stream;
    }

    /// The stream that is sent.
    pub(crate) fn sending(&self) -> &Outbox {
        self.earlier.front().unwrap_or(&self.own)
    }

    /// The stream that is sent.
    pub(crate) fn sending_mut(&mut self) -> &mut Outbox {
        self.earlier.front_mut().unwrap_or(&mut self.own)
    }

    /// Takes the next frame of the stream that is written. Returns what had to be dropped with a whole stream.
    pub(crate) fn push(&mut self, time: Timestamp, frame: Bytes, state: &HostState, keep: bool) -> Vec<Loss> {
        self.own.push(time, frame, state, keep);
        while self.bytes() > self.limits.bytes_max
            && let Some(oldest) = self.earlier.front_mut()
        {
            oldest.drop_oldest();
            if oldest.waiting() == 0 {
                self.delete_oldest();
            }
        }
        std::mem::take(&mut self.untold)
    }

    /// Whether the stream that is sent is done, and another one waits: that takes a new connection. Deletes it then.
    pub(crate) fn go_to_next_stream(&mut self) -> bool {
        let done = self.earlier.front().is_some_and(|oldest| oldest.waiting() == 0);
        if done {
            self.delete_oldest();
        }
        done
    }

    /// What is written survives the loss of power from here on.
    pub(crate) fn sync(&mut self) {
        self.own.sync();
    }

    /// How many frames wait in all streams.
    pub(crate) fn waiting(&self) -> u64 {
        self.earlier.iter().chain([&self.own]).map(Outbox::waiting).sum()
    }

    /// How many frames were dropped unacknowledged, ever.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped_with_streams + self.earlier.iter().chain([&self.own]).map(Outbox::dropped).sum::<u64>()
    }

    /// Whether this life has written a frame.
    pub(crate) fn has_written(&self) -> bool {
        self.own.newest() > 0
    }

    /// Leaves nothing behind where nothing waits.
    pub(crate) fn end(mut self) {
        self.sync();
        if self.own.waiting() == 0 {
            self.own.delete();
        }
    }

    fn bytes(&self) -> usize {
        self.earlier.iter().chain([&self.own]).map(Outbox::bytes).sum()
    }

    fn delete_oldest(&mut self) {
        if let Some(done) = self.earlier.pop_front() {
            self.dropped_with_streams += done.dropped();
            self.untold.extend(done.delete());
        }
    }
}
