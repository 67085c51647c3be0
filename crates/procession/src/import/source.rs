//! Lines of a file that may be compressed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::progress::Progress;
use crate::failure::Failure;

/// The longest line taken, in bytes: some 300,000 processes. Bounds memory whatever a compressed file expands to.
const LINE_BYTES_MAX: usize = 64 << 20;
const BUFFER_BYTES: usize = 256 << 10;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The lines of a file, numbered from 1.
pub(super) struct Lines {
    file: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
    put_back: bool,
}

impl Lines {
    /// Opens a file, `-` for standard input; how it is compressed is told by its content.
    pub(super) fn open(file: &Path, progress: &Progress) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| Failure::failed(format!("{} cannot be read: {error}", file.display()));
        let raw: Box<dyn Read + Send> = if file == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            let opened = File::open(file).map_err(unreadable)?;
            progress.expect_bytes(opened.metadata().map_err(unreadable)?.len());
            Box::new(opened)
        };
        let buffered = BufReader::with_capacity(BUFFER_BYTES, progress.counting(raw));
        let reader = decompressed(buffered).map_err(unreadable)?;
        Ok(Self { file: file.to_owned(), reader, line: Vec::new(), number: 0, put_back: false })
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The next line that is not empty, with its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, Failure> {
        if std::mem::take(&mut self.put_back) {
            return Ok(Some((self.number, &self.line)));
        }
        loop {
            self.line.clear();
            self.number += 1;
            let most = LINE_BYTES_MAX as u64 + 1;
            let read = (&mut self.reader).take(most).read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| self.wrong(&error.to_string()))?;
            if read == 0 {
                return Ok(None);
            }
            if self.line.len() > LINE_BYTES_MAX {
                return Err(
                    self.wrong(&format!("longer than {LINE_BYTES_MAX} bytes: one upload body a line is wanted"))
                );
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, &self.line)));
            }
        }
    }

    /// Makes the next call give the same line again.
    pub(super) fn put_back(&mut self) {
        self.put_back = true;
    }

    fn wrong(&self, why: &str) -> Failure {
        Failure::failed(format!("{}, line {}: {why}", self.file.display(), self.number))
    }
}

fn decompressed(mut reader: impl BufRead + Send + 'static) -> std::io::Result<Box<dyn BufRead + Send>> {
    let start = reader.fill_buf()?;
    if start.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)));
    }
    if start.starts_with(&GZIP_MAGIC) {
        let decoder = flate2::bufread::MultiGzDecoder::new(reader);
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)));
    }
    Ok(Box::new(reader))
}
