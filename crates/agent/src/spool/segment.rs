//! A run of frames that stands alone: in memory, on disk, or both.

use std::path::PathBuf;
use std::{fs, io};

use bytes::Bytes;
use procession_codec::frame::decode;
use procession_codec::{Frame, FrameKind, HostState};
use procession_model::{Loss, Timestamp};

use super::disk::{self, AppendedFile};
use super::record;
use crate::outbox::OutboxError;

/// A segment is not read where it is larger than any that was written.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A run of frames. The last one of a stream is being written; its frames are in memory too.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first_sequence: u64,
    pub(crate) count: u64,
    /// Times of the first and the last frame.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    pub(crate) bytes: usize,
    contents: Option<Contents>,
    disk: Disk,
}

/// The frames themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contents {
    /// The state before the first frame as a keyframe; nothing where the first frame is one.
    pub(crate) anchor: Option<Bytes>,
    pub(crate) frames: Vec<(Timestamp, Bytes)>,
}

#[derive(Debug)]
enum Disk {
    /// Only in memory.
    None,
    Writing(AppendedFile),
    Written {
        path: PathBuf,
    },
}

impl Segment {
    /// A new one, on disk at `path` if that is given. Where writing fails it goes on in memory.
    pub(crate) fn begin(anchor: Option<Bytes>, first_sequence: u64, path: Option<PathBuf>) -> (Self, io::Result<()>) {
        let (disk, result) = match path.map(|path| create(path, first_sequence, anchor.as_ref())) {
            None => (Disk::None, Ok(())),
            Some(Ok(disk)) => (disk, Ok(())),
            Some(Err(error)) => (Disk::None, Err(error)),
        };
        let bytes = record::MAGIC.len() + record::HEADER_BYTES + anchor.as_ref().map_or(0, Bytes::len);
        let contents = Some(Contents { anchor, frames: Vec::new() });
        (Self { first_sequence, count: 0, times: None, bytes, contents, disk }, result)
    }

    /// One that was found on disk.
    pub(crate) fn found(path: PathBuf, first_sequence: u64, contents: &Contents, bytes: usize) -> Self {
        let times = contents.frames.first().zip(contents.frames.last()).map(|(first, last)| (first.0, last.0));
        let count = contents.frames.len() as u64;
        Self { first_sequence, count, times, bytes, contents: None, disk: Disk::Written { path } }
    }

    /// The sequence after the last one.
    pub(crate) const fn end(&self) -> u64 {
        self.first_sequence + self.count
    }

    /// How much of it is only in memory.
    pub(crate) const fn memory_bytes(&self) -> usize {
        if matches!(self.disk, Disk::None) { self.bytes } else { 0 }
    }

    /// Takes a frame. An error says that it, and what follows in this segment, is only in memory.
    pub(crate) fn push(&mut self, time: Timestamp, frame: Bytes) -> io::Result<()> {
        let sequence = self.end();
        let written = match &mut self.disk {
            Disk::Writing(file) => file.append(&record::frame(sequence, time, &frame)),
            Disk::None | Disk::Written { .. } => Ok(()),
        };
        self.bytes += record::HEADER_BYTES + frame.len();
        self.count += 1;
        self.times = Some((self.times.map_or(time, |times| times.0), time));
        if let Some(contents) = &mut self.contents {
            contents.frames.push((time, frame));
        }
        if written.is_err() {
            // Half a record may be there: the file must not be taken for what follows.
            self.delete_file();
        }
        written
    }

    /// What was written survives the loss of power from here on.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match &self.disk {
            Disk::Writing(file) => file.sync(),
            Disk::None | Disk::Written { .. } => Ok(()),
        }
    }

    /// No frame will follow: what is on disk need not be in memory, and survives the loss of power from here on.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        let Disk::Writing(file) = &self.disk else { return Ok(()) };
        file.sync()?;
        self.disk = Disk::Written { path: file.path().to_owned() };
        self.contents = None;
        Ok(())
    }

    /// Takes it off the disk.
    pub(crate) fn delete_file(&mut self) {
        let path = match std::mem::replace(&mut self.disk, Disk::None) {
            Disk::None => return,
            Disk::Writing(file) => file.path().to_owned(),
            Disk::Written { path } => path,
        };
        if let Err(error) = disk::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "a file of the spool could not be deleted");
        }
    }

    /// The frames, from disk if they are only there; kept in memory until [`Segment::unload`].
    pub(crate) fn load(&mut self) -> Result<&Contents, OutboxError> {
        let contents = match (self.contents.take(), &self.disk) {
            (Some(contents), _) => contents,
            (None, Disk::Writing(_)) => return Err(OutboxError::Damaged),
            (None, Disk::Written { path }) => {
                let recovered = record::recover(&read(path)?).ok_or(OutboxError::Damaged)?;
                if recovered.contents.frames.len() as u64 != self.count {
                    return Err(OutboxError::Damaged);
                }
                recovered.contents
            }
            (None, Disk::None) => return Err(OutboxError::Damaged),
        };
        Ok(self.contents.insert(contents))
    }

    /// The time of a frame, read from disk if need be.
    pub(crate) fn time_of(&mut self, sequence: u64) -> Option<Timestamp> {
        let index = usize::try_from(sequence.checked_sub(self.first_sequence)?).ok()?;
        match (index, self.times) {
            (0, Some((first, _))) => Some(first),
            _ => self.load().ok()?.frames.get(index).map(|(time, _)| *time),
        }
    }

    /// Forgets frames that are on disk, too.
    pub(crate) fn unload(&mut self) {
        if matches!(self.disk, Disk::Written { .. }) {
            self.contents = None;
        }
    }
}

impl Contents {
    /// The frame with this index as one that stands alone, with what only the frame itself says of its time.
    pub(crate) fn keyframe(&self, index: usize, gap: Option<Loss>) -> Result<Frame, OutboxError> {
        let mut state = HostState::new();
        if let Some(anchor) = &self.anchor {
            state.apply(&decode(anchor)?)?;
        }
        let (mut brief, mut losses) = (Vec::new(), Vec::new());
        for (_, bytes) in self.frames.iter().take(index + 1) {
            let frame = decode(bytes)?;
            state.apply(&frame)?;
            (brief, losses) = (frame.brief, frame.losses);
        }
        let mut keyframe = state.keyframe();
        debug_assert_eq!(keyframe.kind, FrameKind::Key);
        keyframe.brief = brief;
        keyframe.losses = gap.into_iter().chain(losses).collect();
        Ok(keyframe)
    }
}

fn create(path: PathBuf, first_sequence: u64, anchor: Option<&Bytes>) -> io::Result<Disk> {
    let mut file = AppendedFile::create(path)?;
    let written = file.append(&record::begin(first_sequence, anchor)).and_then(|()| disk::sync_folder_of(file.path()));
    if let Err(error) = written {
        disk::remove_file(file.path())?;
        return Err(error);
    }
    Ok(Disk::Writing(file))
}

/// A whole segment from disk.
pub(super) fn read(path: &std::path::Path) -> io::Result<Bytes> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("larger than a segment can be"));
    }
    fs::read(path).map(Bytes::from)
}
