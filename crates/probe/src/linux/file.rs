//! Small files of the proc file system, read into a buffer that is used again.

use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::ProbeError;

const FIRST_BYTES: usize = 4 << 10;

/// Opens a file or folder for reading.
pub(super) fn open(folder: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// The bytes of one file at a time.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; FIRST_BYTES] }
    }

    /// Stands for a buffer that is in use; cannot hold anything.
    pub(super) const fn empty() -> Self {
        Self { bytes: Vec::new() }
    }

    /// What a single read gives: for files that the kernel hands over whole.
    pub(super) fn read_once(&mut self, file: impl AsFd) -> Result<&[u8], Errno> {
        let length = rustix::io::pread(file, &mut self.bytes[..], 0)?;
        Ok(&self.bytes[..length])
    }

    /// The file from its beginning, at most `bytes_max` of it.
    pub(super) fn read_whole(&mut self, file: impl AsFd, bytes_max: usize) -> Result<&[u8], Errno> {
        let mut length = 0;
        loop {
            if length == self.bytes.len() {
                self.bytes.resize((length * 2).min(bytes_max.max(length)), 0);
            }
            let end = self.bytes.len().min(bytes_max);
            let read = rustix::io::pread(file.as_fd(), &mut self.bytes[length.min(end)..end], length as u64)?;
            length += read;
            if read == 0 {
                return Ok(&self.bytes[..length]);
            }
        }
    }

    /// A text that the kernel makes at once: as much as fits at the first read, so that there is no more where it does not
    /// fill the buffer.
    fn read_text(&mut self, file: impl AsFd, bytes_max: usize) -> Result<&[u8], Errno> {
        let length = rustix::io::pread(file.as_fd(), &mut self.bytes[..], 0)?;
        if length < self.bytes.len() { Ok(&self.bytes[..length]) } else { self.read_whole(file, bytes_max) }
    }

    /// Opens, reads and closes.
    pub(super) fn read_path(&mut self, folder: impl AsFd, path: &str, bytes_max: usize) -> Result<&[u8], Errno> {
        let file = open(folder, path, OFlags::empty())?;
        self.read_whole(file, bytes_max)
    }
}

/// A file that is kept open and read whole at every snapshot.
#[derive(Debug)]
pub(super) struct KeptFile {
    path: PathBuf,
    file: OwnedFd,
    buffer: ReadBuffer,
}

impl KeptFile {
    const BYTES_MAX: usize = 16 << 20;

    pub(super) fn open(folder: BorrowedFd<'_>, root: &Path, name: &str) -> Result<Self, ProbeError> {
        let path = root.join(name);
        let file = open(folder, name, OFlags::empty()).map_err(|error| read_error(&path, error))?;
        Ok(Self { path, file, buffer: ReadBuffer::new() })
    }

    pub(super) fn read(&mut self) -> Result<&[u8], ProbeError> {
        let Self { path, file, buffer } = self;
        buffer.read_text(&*file, Self::BYTES_MAX).map_err(|error| read_error(path, error))
    }

    pub(super) fn missing(&self, what: &'static str) -> ProbeError {
        ProbeError::Missing { path: self.path.clone(), what }
    }
}

pub(super) fn read_error(path: &Path, error: Errno) -> ProbeError {
    ProbeError::Read { path: path.to_owned(), source: error.into() }
}

/// The number at the start of `text`, after blanks.
pub(super) fn leading_number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// The number after `key` at the beginning of a line.
pub(super) fn number_after(text: &[u8], key: &[u8]) -> Option<u64> {
    text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key)).and_then(leading_number)
}
