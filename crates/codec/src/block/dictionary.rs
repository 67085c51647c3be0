//! The strings of a host, which outlive its blocks.
//!
//! Command lines are three quarters of a block that stands alone, and the next block has most of them again. So a block
//! names strings by number, and what is new goes into a segment beside it, compressed after the strings before it. An epoch
//! bounds how much has to be read to open one block, and lets retention drop strings: an epoch goes when its last block does.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;

use super::hex::{Extracted, Runs};
use super::{Effort, SealError};
use crate::DecodeError;
use crate::bytes::{Reader, checksum_fits, put_len, put_varint};
use crate::compress::decompress_after;
use crate::limits::STRING_BYTES_MAX;
use crate::lzma;
use crate::mend::mended;

const VERSION: u8 = 3;
/// The same through zstd, after a longer prefix.
const VERSION_2: u8 = 2;
/// And with the lengths of strings before the text.
const VERSION_1: u8 = 1;
/// What ends each string, so that a compressor meets it where it meets the words around it. Never part of UTF-8.
const END: u8 = 0xfd;
/// An epoch with this much text is full.
const TEXT_BYTES_FULL: usize = 1 << 20;
/// An epoch with this many strings is full.
const STRINGS_FULL: usize = 1 << 16;
/// An epoch of this many segments is full: each costs some 20 µs when a block is opened cold.
const SEGMENTS_FULL: u32 = 64;
/// How much one segment may add beyond that.
const SEGMENT_TEXT_BYTES_MAX: usize = 128 << 20;
/// How many strings one segment may add.
const SEGMENT_STRINGS_MAX: usize = 1 << 22;
/// How much of the text before a segment helps to compress it: for each segment it is gone through once more.
const PREFIX_BYTES_MAX: usize = 1 << 18;
/// The same for segments of older versions.
const OLDER_PREFIX_BYTES_MAX: usize = 1 << 20;

/// What ordinary hosts run: a prefix for strings that an epoch does not have yet. Part of the format, so never changed: a
/// new one is a new version.
const COMMON_TEXT: &[u8] = include_bytes!("common_text.txt");

/// A string: most are never asked for, so it becomes one of its own when it is.
#[derive(Clone, Debug)]
struct Known {
    /// Where it ends in the text; it begins where the one before ends.
    end: usize,
    shared: OnceLock<Arc<str>>,
}

/// One epoch of the strings of one host.
#[derive(Debug)]
pub struct Dictionary {
    epoch: u32,
    segments: u32,
    text: String,
    strings: Vec<Known>,
    /// The end of the common text and that of the segments so far, without runs of digits, as long as the longest prefix.
    tail: Vec<u8>,
    runs: Runs,
    has_failed: bool,
    /// How many segments had a wrong bit.
    mended: u32,
    numbers: OnceLock<HashMap<Arc<str>, u32, RandomState>>,
}

impl Dictionary {
    /// An epoch without strings. Epochs of a host count up.
    pub fn new(epoch: u32) -> Self {
        Self {
            epoch,
            segments: 0,
            text: String::new(),
            strings: Vec::new(),
            tail: COMMON_TEXT.to_vec(),
            runs: Runs::default(),
            has_failed: false,
            mended: 0,
            numbers: OnceLock::new(),
        }
    }

    /// Another one with the same segments, to take more in.
    pub fn to_extend(&self) -> Self {
        Self {
            text: self.text.clone(),
            strings: self.strings.clone(),
            tail: self.tail.clone(),
            runs: self.runs.clone(),
            numbers: OnceLock::new(),
            ..*self
        }
    }

    /// Takes the next segment in. After an error the dictionary is of no use any more: it takes nothing and has nothing.
    pub fn push(&mut self, segment: &[u8]) -> Result<(), DecodeError> {
        if self.has_failed {
            return Err(DecodeError::Invalid("a dictionary segment before this one"));
        }
        let pushed = self.try_push(segment);
        self.has_failed = pushed.is_err();
        if self.has_failed {
            self.strings.clear();
        }
        pushed
    }

    fn try_push(&mut self, segment: &[u8]) -> Result<(), DecodeError> {
        let Some((content, crc)) = segment.split_last_chunk() else { return Err(DecodeError::Truncated) };
        let crc = u32::from_le_bytes(*crc);
        if checksum_fits(content, crc) {
            return self.take_segment(content);
        }
        // All later blocks of the epoch need it.
        let content = mended(content, crc).ok_or(DecodeError::Checksum("a dictionary segment"))?;
        self.take_segment(&content)?;
        self.mended += 1;
        Ok(())
    }

    fn take_segment(&mut self, content: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new(content);
        let version = reader.u8()?;
        if !matches!(version, VERSION | VERSION_2 | VERSION_1) {
            return Err(DecodeError::UnknownVersion(version));
        }
        if reader.u32("an epoch")? != self.epoch || reader.u32("a segment")? != self.segments {
            return Err(DecodeError::Invalid("the place of a dictionary segment"));
        }
        let count = reader.count(SEGMENT_STRINGS_MAX, 0, "strings")?;
        let runs = reader.count(SEGMENT_STRINGS_MAX, 0, "runs of digits")?;
        let new = reader.count(SEGMENT_TEXT_BYTES_MAX, 1, "runs of digits")?;
        let new = reader.take(new)?.to_vec();
        let len = reader.count(SEGMENT_TEXT_BYTES_MAX, 0, "text")?;
        let plain = match version {
            VERSION => lzma::decompress_after(self.prefix(), reader.rest(), len)?,
            _ => decompress_after(&self.tail, reader.rest(), len)?,
        };
        let mut reader = Reader::new(&plain);
        let lens =
            (0..if version == VERSION_1 { count } else { 0 }).map(|_| reader.count(STRING_BYTES_MAX, 0, "a string"));
        let lens = lens.collect::<Result<Vec<_>, _>>()?;
        let codes = (0..runs).map(|_| reader.varint()).collect::<Result<_, _>>()?;
        let extracted = Extracted { text: reader.rest().to_vec(), codes, new };
        if version == VERSION_1 {
            let len_max = lens.iter().sum::<usize>();
            if len_max > SEGMENT_TEXT_BYTES_MAX {
                return Err(DecodeError::OverLimit("text"));
            }
            let text = self.runs.restore(&extracted, len_max)?;
            self.take_strings(&text, &lens)?;
        } else {
            let text = self.runs.restore(&extracted, SEGMENT_TEXT_BYTES_MAX)?;
            let (text, lens) = without_ends(&text, count)?;
            self.take_strings(&text, &lens)?;
        }
        self.segments += 1;
        self.tail.extend_from_slice(&extracted.text);
        let surplus = self.tail.len().saturating_sub(OLDER_PREFIX_BYTES_MAX);
        self.tail.drain(..surplus);
        self.numbers = OnceLock::new();
        Ok(())
    }

    /// What stands before the next segment.
    fn prefix(&self) -> &[u8] {
        &self.tail[self.tail.len().saturating_sub(PREFIX_BYTES_MAX)..]
    }

    fn take_strings(&mut self, text: &[u8], lens: &[usize]) -> Result<(), DecodeError> {
        let text = std::str::from_utf8(text).map_err(|_| DecodeError::NotUtf8)?;
        let (mut end, begin) = (0_usize, self.text.len());
        self.strings.reserve(lens.len());
        for len in lens {
            end = end.checked_add(*len).filter(|end| *end <= text.len()).ok_or(DecodeError::Truncated)?;
            if !text.is_char_boundary(end) {
                return Err(DecodeError::NotUtf8);
            }
            self.strings.push(Known { end: begin + end, shared: OnceLock::new() });
        }
        if end != text.len() {
            return Err(DecodeError::Invalid("what follows the end"));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// The number of the epoch.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many segments it has.
    pub const fn segments(&self) -> u32 {
        self.segments
    }

    /// How many of its segments had one wrong bit, which was put right.
    pub const fn mended(&self) -> u32 {
        self.mended
    }

    /// How many strings it has.
    pub const fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// Whether the next block should begin a new epoch.
    pub const fn is_full(&self) -> bool {
        self.text.len() >= TEXT_BYTES_FULL || self.strings.len() >= STRINGS_FULL || self.segments >= SEGMENTS_FULL
    }

    /// The string of a number.
    pub fn get(&self, number: u32) -> Option<&Arc<str>> {
        let index = number as usize;
        let known = self.strings.get(index)?;
        let begin = index.checked_sub(1).and_then(|before| self.strings.get(before)).map_or(0, |before| before.end);
        let text = self.text.get(begin..known.end)?;
        Some(known.shared.get_or_init(|| Arc::from(text)))
    }

    fn number(&self, string: &str) -> Option<u32> {
        let all = || (0..).map_while(|number| Some((Arc::clone(self.get(number)?), number))).collect();
        let numbers = self.numbers.get_or_init(all);
        numbers.get(string).copied()
    }
}

/// The text of so many strings without what ends them, and their lengths.
fn without_ends(ended: &[u8], count: usize) -> Result<(Vec<u8>, Vec<usize>), DecodeError> {
    let mut lens = Vec::with_capacity(count.min(ended.len()));
    let mut text = Vec::with_capacity(ended.len());
    let mut rest = ended;
    while let Some(len) = memchr::memchr(END, rest) {
        if len > STRING_BYTES_MAX {
            return Err(DecodeError::OverLimit("a string"));
        }
        lens.push(len);
        text.extend_from_slice(&rest[..len]);
        rest = &rest[len + 1..];
    }
    if !rest.is_empty() || lens.len() != count {
        return Err(DecodeError::Invalid("the end of a string"));
    }
    Ok((text, lens))
}

/// Strings that a block needs and the dictionary does not have yet.
pub(super) struct NewStrings<'a> {
    dictionary: &'a Dictionary,
    numbers: HashMap<Arc<str>, u32, RandomState>,
    strings: Vec<Arc<str>>,
}

impl<'a> NewStrings<'a> {
    pub(super) fn new(dictionary: &'a Dictionary) -> Self {
        Self { dictionary, numbers: HashMap::default(), strings: Vec::new() }
    }

    /// The number that comes next.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.dictionary.len() + self.strings.len()).unwrap_or(u32::MAX)
    }

    /// The number of a string, given to it if it has none yet.
    pub(super) fn number(&mut self, string: &Arc<str>) -> u32 {
        if let Some(number) = self.dictionary.number(string).or_else(|| self.numbers.get(string).copied()) {
            return number;
        }
        let number = self.next();
        self.numbers.insert(Arc::clone(string), number);
        self.strings.push(Arc::clone(string));
        number
    }

    /// The segment that makes them known; `None` if there are none.
    pub(super) fn segment(&self, effort: Effort) -> Result<Option<Vec<u8>>, SealError> {
        if self.strings.is_empty() {
            return Ok(None);
        }
        let text: Vec<u8> = self.strings.iter().flat_map(|string| string.bytes().chain([END])).collect();
        let extracted = self.dictionary.runs.clone().extract(&text);
        let mut plain = Vec::new();
        for code in &extracted.codes {
            put_varint(&mut plain, *code);
        }
        plain.extend(extracted.text);
        let mut out = vec![VERSION];
        put_varint(&mut out, u64::from(self.dictionary.epoch));
        put_varint(&mut out, u64::from(self.dictionary.segments));
        put_len(&mut out, self.strings.len());
        put_len(&mut out, extracted.codes.len());
        put_len(&mut out, extracted.new.len());
        out.extend(extracted.new);
        put_len(&mut out, plain.len());
        let compressed = lzma::compress_after(self.dictionary.prefix(), &plain, effort.string_trial());
        out.extend(compressed.ok_or(SealError::Compression)?);
        let crc = crc32fast::hash(&out);
        out.extend(crc.to_le_bytes());
        Ok(Some(out))
    }
}
