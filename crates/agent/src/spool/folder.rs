//! The folders of a spool, and what is found in them after a crash.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use procession_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Segment, disk, record, segment};
use crate::outbox::Gap;

const GAP_FILE: &str = "gap.json";
const LOCK_FILE: &str = "lock";
const STREAMS_MAX: usize = 10_000;
const HOST_FOLDER_CHARS_MAX: usize = 80;

/// A spool that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error("cannot use the spool in {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the spool in {0} is in use by another agent")]
    Locked(PathBuf),
}

/// A host's folder, locked for this agent.
#[derive(Debug)]
pub(crate) struct SpoolFolder {
    path: PathBuf,
    _lock: File,
}

/// The folder of one stream.
#[derive(Debug)]
pub(crate) struct StreamFolder {
    path: PathBuf,
    /// The stream's name.
    pub(crate) stream: String,
}

/// What was found of a stream.
#[derive(Debug)]
pub(crate) struct FoundStream {
    pub(crate) folder: StreamFolder,
    pub(crate) segments: Vec<Segment>,
    pub(crate) gap: Option<Gap>,
    /// Frames that were there and cannot be read.
    pub(crate) lost: Vec<Gap>,
}

#[derive(Serialize, Deserialize)]
struct GapRecord {
    first_sequence: u64,
    last_sequence: u64,
    from_ms: i64,
    until_ms: i64,
}

impl SpoolFolder {
    /// Opens a host's folder below `root`; makes it if needed.
    pub(crate) fn open(root: &Path, hostname: &str) -> Result<Self, SpoolError> {
        let path = root.join(folder_name(hostname));
        let error = |source| SpoolError::Io { path: path.clone(), source };
        disk::create_folder(&path).map_err(error)?;
        let lock = File::create(path.join(LOCK_FILE)).map_err(error)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Locked(path)),
            Err(TryLockError::Error(source)) => Err(SpoolError::Io { path: path.clone(), source }),
        }
    }

    /// The folder of a new stream. Its name begins with `time`, so that streams sort by age.
    pub(crate) fn begin_stream(&self, time: Timestamp, stream: &str) -> Result<StreamFolder, SpoolError> {
        let path = self.path.join(format!("{:016}-{stream}", time.as_ms().max(0)));
        disk::create_folder(&path).map_err(|source| SpoolError::Io { path: path.clone(), source })?;
        Ok(StreamFolder { path, stream: stream.to_owned() })
    }

    /// Streams of earlier lives, oldest first.
    pub(crate) fn found_streams(&self) -> Result<Vec<FoundStream>, SpoolError> {
        let error = |source| SpoolError::Io { path: self.path.clone(), source };
        let mut found: Vec<(String, PathBuf)> = fs::read_dir(&self.path)
            .map_err(error)?
            .take(STREAMS_MAX)
            .filter_map(Result::ok)
            .filter(|entry| entry.path().is_dir())
            .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
            .collect();
        found.sort();
        let streams = found.into_iter().filter_map(|(name, path)| {
            let (_, stream) = name.split_once('-')?;
            let valid = stream.len() == 32 && stream.bytes().all(|byte| byte.is_ascii_hexdigit());
            valid.then(|| recover_stream(StreamFolder { path, stream: stream.to_owned() }))
        });
        Ok(streams.collect())
    }
}

impl StreamFolder {
    pub(crate) fn segment_path(&self, first_sequence: u64) -> PathBuf {
        self.path.join(format!("{first_sequence:020}.segment"))
    }

    /// Notes what is about to be dropped, so that it can be told after a crash, too.
    pub(crate) fn write_gap(&self, gap: &Gap) -> io::Result<()> {
        let record = GapRecord {
            first_sequence: gap.first_sequence,
            last_sequence: gap.last_sequence,
            from_ms: gap.from.as_ms(),
            until_ms: gap.until.as_ms(),
        };
        disk::replace(&self.path.join(GAP_FILE), &serde_json::to_vec(&record)?)
    }

    /// Takes the whole stream off the disk.
    pub(crate) fn delete(self) {
        if let Err(error) = disk::remove_folder(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a folder of the spool could not be deleted");
        }
    }

    fn read_gap(&self) -> Option<Gap> {
        let record: GapRecord = serde_json::from_slice(&fs::read(self.path.join(GAP_FILE)).ok()?).ok()?;
        (record.first_sequence <= record.last_sequence).then(|| Gap {
            first_sequence: record.first_sequence,
            last_sequence: record.last_sequence,
            from: Timestamp::from_ms(record.from_ms),
            until: Timestamp::from_ms(record.until_ms),
        })
    }
}

/// Reads what there is. What cannot be read is cut off, and counted where the next segment says how much it was.
fn recover_stream(folder: StreamFolder) -> FoundStream {
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder.path)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths.sort();
    let gap = folder.read_gap();
    let (mut segments, mut lost): (Vec<Segment>, Vec<Gap>) = (Vec::new(), Vec::new());
    let mut expected: Option<u64> = None;
    let mut last_time = gap.map_or(Timestamp::default(), |gap| gap.until);
    let mut damaged_before = false;
    for path in paths {
        let bytes = segment::read(&path).unwrap_or_default();
        let Some(recovered) = record::recover(&bytes) else {
            damaged_before = true;
            expected = expected.or_else(|| first_sequence_of(&path));
            remove_damaged(&path);
            continue;
        };
        if recovered.mended > 0 {
            tracing::warn!(records = recovered.mended, path = %path.display(), "wrong bits were put right in the spool");
        }
        let first_sequence = recovered.first_sequence;
        let first_time = recovered.contents.frames.first().map_or(last_time, |(time, _)| *time);
        if let Some(expected) = expected.filter(|expected| *expected < first_sequence) {
            let last_sequence = first_sequence - 1;
            lost.push(Gap { first_sequence: expected, last_sequence, from: last_time, until: first_time });
        }
        damaged_before = recovered.damaged;
        let dropped = gap.is_some_and(|gap| gap.last_sequence >= first_sequence);
        if dropped {
            // It was told as lost, and the power was cut before it was off the disk.
            remove(&path);
            continue;
        }
        let segment = Segment::found(path.clone(), first_sequence, &recovered.contents, recovered.good_bytes);
        if recovered.damaged {
            cut(&path, recovered.good_bytes);
        }
        expected = Some(segment.end());
        last_time = segment.times.map_or(last_time, |(_, last)| last);
        segments.push(segment);
    }
    if damaged_before {
        // Nothing says how much was behind it: at least the one that was being written.
        let sequence = expected.unwrap_or(1);
        lost.push(Gap { first_sequence: sequence, last_sequence: sequence, from: last_time, until: last_time });
    }
    FoundStream { folder, segments, gap, lost }
}

/// As its name says.
fn first_sequence_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn cut(path: &Path, good_bytes: usize) {
    let cut = fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(good_bytes as u64));
    if let Err(error) = cut {
        tracing::warn!(%error, path = %path.display(), "the end of a damaged segment could not be cut off");
    }
}

fn remove_damaged(path: &Path) {
    tracing::warn!(path = %path.display(), "a segment of the spool is damaged from its beginning");
    remove(path);
}

fn remove(path: &Path) {
    if let Err(error) = disk::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "a segment of the spool could not be deleted");
    }
}

/// A host's name as a folder's: what could lead elsewhere is replaced, and what was replaced stays apart by a checksum.
fn folder_name(hostname: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let kept: String = hostname.chars().map(|letter| if plain(&letter) { letter } else { '_' }).collect();
    let kept: String = kept.chars().take(HOST_FOLDER_CHARS_MAX).collect();
    if kept == hostname { kept } else { format!("{kept}.{:08x}", crc32fast::hash(hostname.as_bytes())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder_and_apart() {
        assert_eq!(folder_name("web-1"), "web-1");
        let hostile = ["..", "../x", "a/b", "a\\b", "", "a.b", "ä", &"x".repeat(300)];
        let names: std::collections::HashSet<_> = hostile.iter().map(|name| folder_name(name)).collect();
        assert_eq!(names.len(), hostile.len());
        assert!(names.iter().all(|name| !name.starts_with('.') && !name.contains(['/', '\\']) && name.len() < 100));
    }

    #[test]
    fn a_second_agent_is_told() {
        let root = tempfile::tempdir().unwrap();
        let first = SpoolFolder::open(root.path(), "h").unwrap();
        assert!(matches!(SpoolFolder::open(root.path(), "h"), Err(SpoolError::Locked(_))));
        SpoolFolder::open(root.path(), "other").unwrap();
        drop(first);
        SpoolFolder::open(root.path(), "h").unwrap();
    }
}
