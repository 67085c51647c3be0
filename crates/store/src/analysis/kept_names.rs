//! Which names the sealed history of a host has, and when: what the index of names is made of where it was not kept, and
//! compared with.

use std::collections::HashMap;
use std::sync::Arc;

use procession_codec::block::Head;
use procession_model::Timestamp;

use super::piece::{Piece, RolledPiece};
use super::raw::{self, Source};
use super::stretches::RolledUp;
use crate::engine::{BlockEntry, BlockFilter, Engine, Level, Segments};
use crate::{HostNumber, Range, StoreError, rollup};

/// The first and the last snapshot that has a name.
type Times = (Timestamp, Timestamp);

/// The sealed history of a host, asked for names. What is damaged has none.
pub(crate) struct KeptNames<'engine, S: Segments> {
    engine: &'engine Engine<S>,
    /// Rollups, and blocks that no rollup has.
    entries: Vec<BlockEntry>,
    /// What was opened.
    opened: HashMap<i64, HashMap<Arc<str>, Times>>,
    is_whole: bool,
}

impl<'engine, S: Segments> KeptNames<'engine, S> {
    /// Of a host, as if some blocks were deleted already. Whoever asks holds the sealing up.
    pub(crate) fn of(engine: &'engine Engine<S>, host: HostNumber, without: &[i64]) -> Result<Self, StoreError> {
        let rolled = RolledUp::of(engine, host, without)?;
        let filter = BlockFilter { host: Some(host), level: Level::Raw, range: Range::default() };
        let blocks = engine.segments().blocks(filter)?.into_iter();
        let blocks = blocks.filter(|entry| !without.contains(&entry.id) && !rolled.covers(entry));
        let entries = rolled.entries.iter().copied().chain(blocks).collect();
        Ok(Self { engine, entries, opened: HashMap::new(), is_whole: true })
    }

    /// What is gone through.
    pub(crate) fn entries(&self) -> &[BlockEntry] {
        &self.entries
    }

    /// Whether nothing of what was gone through was damaged.
    pub(crate) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// All names; `None` if they are more than so many.
    pub(crate) fn all(&mut self, names_max: u64) -> Option<HashMap<Arc<str>, Times>> {
        let mut all: HashMap<Arc<str>, Times> = HashMap::new();
        for entry in self.entries.clone() {
            for (name, times) in self.read(&entry) {
                let known = all.entry(name).or_insert(times);
                *known = with(*known, times);
            }
            if all.len() as u64 > names_max {
                return None;
            }
        }
        Some(all)
    }

    /// When one name is there. Of most rollups no more than a head is read.
    pub(crate) fn times(&mut self, name: &str) -> Option<Times> {
        let mut found: Option<Times> = None;
        let mut entries = self.entries.clone();
        entries.sort_unstable_by_key(|entry| entry.first_time);
        for entry in &entries {
            if found.is_some_and(|found| entry.first_time > found.0) {
                break;
            }
            found = self.times_in(entry, name).into_iter().chain(found).reduce(with);
        }
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.last_time));
        for entry in &entries {
            if found.is_none_or(|found| entry.last_time <= found.1) {
                break;
            }
            found = self.times_in(entry, name).into_iter().chain(found).reduce(with);
        }
        found
    }

    fn times_in(&mut self, entry: &BlockEntry, name: &str) -> Option<Times> {
        if let Some(opened) = self.opened.get(&entry.id) {
            return opened.get(name).copied();
        }
        match self.told_by_head(entry, name) {
            Ok(Told::Not) => return None,
            Ok(Told::At(times)) => return Some(times),
            Ok(Told::Perhaps) | Err(_) => {}
        }
        let opened = self.read(entry);
        let found = opened.get(name).copied();
        self.opened.insert(entry.id, opened);
        found
    }

    fn told_by_head(&self, entry: &BlockEntry, name: &str) -> Result<Told, StoreError> {
        if entry.level == Level::Raw {
            let Some(head) = self.engine.block_head(entry)? else { return Ok(Told::Not) };
            let skip = Head::open(&head).and_then(|head| head.skip());
            return Ok(if skip.is_ok_and(|skip| !skip.may_have_name(name)) { Told::Not } else { Told::Perhaps });
        }
        let names = rollup::read_names(self.engine, entry)?;
        Ok(match names.filter(|names| names.may_have(name)).map(|names| names.seen(name)) {
            None => Told::Not,
            Some(seen) => seen.map_or(Told::Perhaps, Told::At),
        })
    }

    /// All names of a block or a rollup.
    fn read(&mut self, entry: &BlockEntry) -> HashMap<Arc<str>, Times> {
        let mut names: HashMap<Arc<str>, Times> = HashMap::new();
        let pieces = self.pieces(entry).unwrap_or_else(|error| {
            tracing::error!(%error, "the names of what is damaged are not known");
            self.is_whole = false;
            Vec::new()
        });
        for piece in pieces {
            let parts = piece.parts(&|_| true).into_iter();
            let seen =
                parts.filter_map(|part| Some((part.description, part.seen.map(|seen| (seen.first, seen.last))?)));
            let leaves = piece.leaves(&|_| true, None).into_iter().filter(|leaf| leaf.count > 0);
            for (description, times) in seen.chain(leaves.map(|leaf| (leaf.description, (leaf.first, leaf.time)))) {
                let known = names.entry(Arc::clone(&description.name)).or_insert(times);
                *known = with(*known, times);
            }
        }
        names
    }

    fn pieces(&self, entry: &BlockEntry) -> Result<Vec<Piece>, StoreError> {
        if entry.level == Level::Raw {
            let Some(block) = self.engine.block_with(entry, &[])? else { return Ok(Vec::new()) };
            let pieces = raw::pieces(&[Source::Whole(block)], Range::default(), None);
            return Ok(pieces.into_iter().map(Piece::Raw).collect());
        }
        let rollup = rollup::read_once(self.engine, entry)?;
        Ok(rollup
            .map(|rollup| Piece::Rolled(RolledPiece { window: 0..rollup.steps.len(), rollup }))
            .into_iter()
            .collect())
    }
}

/// What the head of a block tells of a name.
enum Told {
    /// It is not there.
    Not,
    /// It is there then.
    At(Times),
    /// Nothing.
    Perhaps,
}

fn with(one: Times, other: Times) -> Times {
    (one.0.min(other.0), one.1.max(other.1))
}
