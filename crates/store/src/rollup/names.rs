//! The head of a rollup: which names it may have, and when they were seen, for queries that ask a thousand hosts.
//!
//! Hashes of 32 bits, sorted: a name that is not there is taken for there once in some ten million. Beside each the first
//! and the last snapshot that has the name, so that most questions for a name are answered by heads alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnBytes, ColumnWriter, Effort};
use procession_codec::mend::mended;
use procession_codec::numbers::{add_difference, difference};
use procession_model::Timestamp;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Rollup;
use super::columns::{from_optional, get_count, get_one, optional};
use crate::StoreError;
use crate::engine::{BlockEntry, Engine, Segments};

/// The first byte of heads that have a checksum: others begin with a length, which is never 0.
const WITH_CHECKSUM: u8 = 0;
/// The most names of a rollup.
const NAMES_MAX: usize = 1 << 20;
/// Bytes of heads that are kept.
const CACHE_BYTES: u64 = 24 << 20;
/// How many entries the cache is made for; it takes more where they are small.
const CACHE_ENTRIES: usize = 8_192;
/// What a head costs beside its names.
const ENTRY_BYTES: u64 = 128;

/// The first and the last snapshot that has a name.
type Seen = (Timestamp, Timestamp);

/// Which names a rollup may have.
pub(crate) struct Names {
    /// Sorted.
    hashes: Vec<u32>,
    /// When each was seen; `None` where only its end is told, and for all in heads that do not say.
    seen: Vec<Option<Seen>>,
}

impl Names {
    /// The head of a rollup.
    pub(crate) fn head(rollup: &Rollup) -> Vec<u8> {
        let mut names: BTreeMap<u32, Option<Seen>> = BTreeMap::new();
        for row in &rollup.rows {
            let is_seen = row.cells.iter().any(|cell| cell.samples > 0);
            add(&mut names, &row.description.name, is_seen.then_some((row.first, row.last)));
        }
        for folded in &rollup.folded {
            add(&mut names, &folded.key.name, (folded.count > 0).then_some((folded.first, folded.last)));
        }
        let begin = rollup.steps.first().map_or(0, |step| step.first.as_ms().cast_unsigned());
        let since_begin = |time: Timestamp| difference(begin, time.as_ms().cast_unsigned());
        let mut columns = ColumnWriter::new(Effort::Small);
        columns.put(&[names.len() as u64]);
        let mut before = 0;
        let distances = names.keys().map(|hash| {
            let distance = hash - before;
            before = *hash;
            u64::from(distance)
        });
        columns.put(&distances.collect::<Vec<_>>());
        columns.put(&[begin]);
        for end in [|seen: &Seen| seen.0, |seen: &Seen| seen.1] {
            let ways = names.values().map(|seen| optional(seen.as_ref().map(|seen| since_begin(end(seen)))));
            columns.put(&ways.collect::<Vec<_>>());
        }
        let section = columns.finish();
        let mut head = vec![WITH_CHECKSUM];
        head.extend(crc32fast::hash(&section).to_le_bytes());
        head.extend(section);
        head
    }

    /// What [`Names::head`] wrote, or wrote before it told when names were seen and had a checksum.
    pub(crate) fn open(head: &[u8]) -> Result<Self, DecodeError> {
        let Some((&WITH_CHECKSUM, rest)) = head.split_first() else { return Self::open_section(head) };
        let (sum, section) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        let sum = u32::from_le_bytes(*sum);
        if cfg!(fuzzing) || crc32fast::hash(section) == sum {
            return Self::open_section(section);
        }
        Self::open_section(&mended(section, sum).ok_or(DecodeError::Checksum("the names of a rollup"))?)
    }

    /// Whether a head is as it was written, as far as it can tell.
    pub(crate) fn is_whole(head: &[u8]) -> bool {
        let sum = head.split_first().filter(|(first, _)| **first == WITH_CHECKSUM);
        let fits = |(sum, section): (&[u8; 4], &[u8])| u32::from_le_bytes(*sum) == crc32fast::hash(section);
        sum.is_none_or(|(_, rest)| rest.split_first_chunk().is_some_and(fits)) && Self::open(head).is_ok()
    }

    fn open_section(section: &[u8]) -> Result<Self, DecodeError> {
        let bytes = ColumnBytes::new(section)?;
        let mut columns = bytes.reader();
        let count = get_count(&mut columns, NAMES_MAX, "names")?;
        let mut sum = 0_u32;
        let mut hashes = Vec::with_capacity(count);
        for distance in columns.get_u32(count)? {
            sum = sum.checked_add(distance).ok_or(DecodeError::OverLimit("the hash of a name"))?;
            hashes.push(sum);
        }
        if columns.end().is_ok() {
            return Ok(Self { seen: vec![None; hashes.len()], hashes });
        }
        let begin = get_one(&mut columns)?;
        let (firsts, lasts) = (columns.get(count)?, columns.get(count)?);
        columns.end()?;
        let time =
            |number| from_optional(number).map(|way| Timestamp::from_ms(add_difference(begin, way).cast_signed()));
        let seen = firsts.into_iter().zip(lasts).map(|(first, last)| Some((time(first)?, time(last)?))).collect();
        Ok(Self { hashes, seen })
    }

    /// False if it has certainly no process of that name.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        self.hashes.binary_search(&name_hash(name)).is_ok()
    }

    /// The first and last snapshot that has the name, if the head tells.
    pub(crate) fn seen(&self, name: &str) -> Option<Seen> {
        self.hashes.binary_search(&name_hash(name)).ok().and_then(|index| self.seen[index])
    }
}

fn add(names: &mut BTreeMap<u32, Option<Seen>>, name: &str, seen: Option<Seen>) {
    let known = names.entry(name_hash(name)).or_default();
    *known = known.iter().chain(&seen).copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
}

/// FNV-1a with 64 bits, its high half folded in: part of the format.
fn name_hash(name: &str) -> u32 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// Heads that were read lately, by the number of their block.
pub(crate) struct NamesCache(Cache<i64, Arc<Names>, Weights>);

impl Default for NamesCache {
    fn default() -> Self {
        Self(Cache::with_weighter(CACHE_ENTRIES, CACHE_BYTES, Weights))
    }
}

#[derive(Clone)]
struct Weights;

impl Weighter<i64, Arc<Names>> for Weights {
    fn weight(&self, _id: &i64, names: &Arc<Names>) -> u64 {
        ENTRY_BYTES + (names.hashes.len() * (size_of::<u32>() + size_of::<Option<Seen>>())) as u64
    }
}

/// The names of a rollup; `None` once it was deleted.
pub(crate) fn read_names<S: Segments>(
    engine: &Engine<S>,
    entry: &BlockEntry,
) -> Result<Option<Arc<Names>>, StoreError> {
    let cache = &engine.rollup_names().0;
    if let Some(found) = cache.get(&entry.id) {
        return Ok(Some(found));
    }
    let Some(head) = engine.segments().block_head(entry.id)? else {
        return Ok(None);
    };
    let damaged = |error| StoreError::Damaged(format!("host {}: rollup {}: {error}", entry.host, entry.id));
    let names = Arc::new(Names::open(&head).map_err(damaged)?);
    cache.insert(entry.id, Arc::clone(&names));
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use procession_model::Description;

    use super::*;
    use crate::rollup::{Cell, Row};

    fn row(name: &str, first: i64, last: i64, samples: u64) -> Row {
        Row {
            description: Arc::new(Description::new(7, name)),
            parent: None,
            first: Timestamp::from_ms(first),
            last: Timestamp::from_ms(last),
            previous: None,
            is_whole: false,
            end: None,
            first_step: 0,
            cells: vec![Cell { samples, ..Cell::default() }],
        }
    }

    #[test]
    fn heads_tell_when_names_were_seen() {
        let rows = vec![row("a", 500, 900, 3), row("b", -4, 20, 1), row("a", 100, 700, 1), row("ended", 5, 5, 0)];
        let head = Names::head(&Rollup { rows, ..Rollup::default() });
        let names = Names::open(&head).unwrap();
        let times = |name| names.seen(name).map(|(first, last)| (first.as_ms(), last.as_ms()));
        assert_eq!((times("a"), times("b")), (Some((100, 900)), Some((-4, 20))));
        assert_eq!((names.may_have("ended"), times("ended")), (true, None));
        assert_eq!((names.may_have("c"), times("c")), (false, None));
    }

    #[test]
    fn a_wrong_bit_of_a_head_is_told_and_put_right() {
        let head = Names::head(&Rollup { rows: vec![row("a", 500, 900, 3)], ..Rollup::default() });
        assert!(Names::is_whole(&head));
        for bit in 8..head.len() * 8 {
            let mut wrong = head.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!Names::is_whole(&wrong), "bit {bit}");
            assert!(Names::open(&wrong).unwrap().may_have("a"), "bit {bit}");
        }
    }

    #[test]
    fn older_heads_still_say_which_names() {
        let mut columns = ColumnWriter::new(Effort::Small);
        columns.put(&[1]);
        columns.put(&[u64::from(name_hash("a"))]);
        let names = Names::open(&columns.finish()).unwrap();
        assert_eq!((names.may_have("a"), names.may_have("b"), names.seen("a")), (true, false, None));
    }
}
