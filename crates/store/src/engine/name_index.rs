//! The index of names: when the sealed history of each host has a name, so that all hosts are asked for one in moments.
//!
//! It is changed in the transaction that seals blocks, or deletes them, so it is never ahead of them or behind. A name that lives
//! on costs nothing a block. A host is not in it until all that is kept of it was gone through: stores that are older than
//! the index are, a few blocks at a time, whenever something is sealed. Such a host is asked itself meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};

use procession_codec::Frame;
use procession_model::Timestamp;

use super::Engine;
use super::name_spans::{Begins, LateNames, NameSpan, NameSpans};
use super::open_run;
use super::rollups_due::Hurry;
use super::segments::{BlockEntry, HostMark, HostNames, NameChange, NameLast, NameRow, NameSeen, Sealing, Segments};
use crate::analysis::kept_names::KeptNames;
use crate::{HostNumber, StoreError};

/// So many blocks and rollups are gone through for hosts that are not in the index, each time that something is sealed.
const BLOCKS_A_TIME: usize = 256;

/// A host with more names is not in the index: it makes them up, and would make it grow without bound.
pub(crate) const NAMES_MAX: u64 = 1 << 16;

/// Which hosts the index has.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    hosts: HashMap<HostNumber, Followed>,
    /// Hosts that are not in it, though something of them is sealed.
    waiting: BTreeSet<HostNumber>,
    /// Those of them that had too many names.
    crowded: BTreeSet<HostNumber>,
    /// The last of them that was tried.
    tried: HostNumber,
}

/// What is known of a host that the index has.
#[derive(Clone, Copy, Debug)]
struct Followed {
    /// As in [`HostNames`].
    until: Option<Timestamp>,
    /// Whether all names of what the next block goes on from are in the index as still there, and no others.
    is_sure: bool,
}

impl NameIndex {
    /// Of the hosts that have marks and of those that the index has.
    pub(super) fn of(
        marks: impl Iterator<Item = HostMark>,
        named: impl IntoIterator<Item = (HostNumber, HostNames)>,
    ) -> Self {
        let hosts: HashMap<_, _> = named.into_iter().map(|(host, names)| (host, Followed::of(&names))).collect();
        let sealed = marks.filter(|mark| mark.sealed > 0 || mark.sealed_late > 0).map(|mark| mark.host);
        let waiting = sealed.filter(|host| !hosts.contains_key(host)).collect();
        Self { waiting, hosts, ..Self::default() }
    }

    fn follow(&mut self, host: HostNumber, names: &HostNames) {
        self.waiting.remove(&host);
        let before = self.hosts.insert(host, Followed::of(names));
        // What came late or was deleted makes nothing surer.
        let is_doubted = before.is_some_and(|before| !before.is_sure && before.until == names.until);
        if let Some(followed) = self.hosts.get_mut(&host).filter(|_| is_doubted) {
            followed.is_sure = false;
        }
    }

    fn wait(&mut self, host: HostNumber) {
        self.hosts.remove(&host);
        self.waiting.insert(host);
    }

    /// The host that is to be gone through next.
    fn next_waiting(&mut self) -> Option<HostNumber> {
        let is_new = |host: &&HostNumber| !self.crowded.contains(host);
        let after = self.waiting.range(self.tried.saturating_add(1)..).find(is_new);
        let next = after.or_else(|| self.waiting.iter().find(is_new)).copied()?;
        self.tried = next;
        Some(next)
    }
}

impl Followed {
    fn of(names: &HostNames) -> Self {
        Self { until: names.until, is_sure: names.until.is_some() }
    }
}

/// What the index does not say of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Anything.
    All,
    /// Which names lived when its open frames began.
    NotOfBase,
}

/// The names of the blocks of a host that are sealed together.
pub(super) struct SealedNames {
    begins: Begins,
    until: Option<Timestamp>,
    in_time: Option<NameSpans>,
    late: LateNames,
}

impl SealedNames {
    /// What is sealed goes on from a state.
    pub(super) fn go_on_from(&mut self, base: &procession_codec::HostState) {
        self.in_time = Some(NameSpans::after(base, self.begins));
    }

    /// The next frame.
    pub(super) fn add(&mut self, frame: &Frame, late: bool) {
        match &mut self.in_time {
            Some(spans) if !late => spans.add(frame),
            _ => self.late.add(frame),
        }
    }

    /// The last snapshot that came in its time, once all of it is sealed.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.in_time.as_ref().map(NameSpans::time).or(self.until)
    }

    fn touched(&self) -> BTreeSet<Arc<str>> {
        let in_time = self.in_time.iter().flat_map(NameSpans::told).map(|(name, _)| name);
        in_time.chain(self.late.told().map(|(name, _)| name)).cloned().collect()
    }

    /// The rows that change, when these are there.
    fn changed(&self, there: &BTreeMap<Arc<str>, NameSeen>, until_before: Option<Timestamp>) -> Vec<NameRow> {
        let mut rows: BTreeMap<Arc<str>, NameSeen> = there.clone();
        if let Some(spans) = &self.in_time {
            if self.begins == Begins::Anew {
                let gone = rows.iter_mut().filter(|(name, _)| !spans.lives(name));
                for (_, seen) in gone.filter(|(_, seen)| matches!(seen.last, NameLast::Still { .. })) {
                    seen.last = NameLast::At(until_before.unwrap_or(seen.first));
                }
            }
            for (name, span) in spans.told() {
                let seen = in_time(rows.get(name).copied(), span);
                rows.insert(Arc::clone(name), seen);
            }
        }
        for (name, told) in self.late.told() {
            let seen = late(rows.get(name).copied(), told);
            rows.insert(Arc::clone(name), seen);
        }
        let is_changed = |(name, seen): &(Arc<str>, NameSeen)| there.get(name) != Some(seen);
        rows.into_iter().filter(is_changed).map(|(name, seen)| NameRow { name, seen: Some(seen) }).collect()
    }
}

/// What becomes of a row with frames that are later than all that it tells of but late frames.
fn in_time(there: Option<NameSeen>, span: NameSpan) -> NameSeen {
    let last = match (span.last, there.map(|there| there.last)) {
        (NameLast::At(last), Some(NameLast::At(other))) => NameLast::At(last.max(other)),
        (last, _) => last,
    };
    let known = there.map(|there| there.first).into_iter().chain(span.first).min();
    let first = known.unwrap_or(match last {
        NameLast::At(last) => last,
        NameLast::Still { since } => since,
    });
    NameSeen { first, last }
}

/// What becomes of a row with late frames.
fn late(there: Option<NameSeen>, (first, last): (Timestamp, Timestamp)) -> NameSeen {
    let Some(there) = there else { return NameSeen { first, last: NameLast::At(last) } };
    let last = match there.last {
        NameLast::At(other) => NameLast::At(other.max(last)),
        still @ NameLast::Still { .. } => still,
    };
    NameSeen { first: there.first.min(first), last }
}

impl<S: Segments> Engine<S> {
    pub(super) fn name_index(&self) -> MutexGuard<'_, NameIndex> {
        self.name_index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts of which the index does not say everything. Taken before it is read.
    pub(crate) fn doubted_names(&self) -> HashMap<HostNumber, Doubt> {
        let index = self.name_index();
        let unsure = index.hosts.iter().filter(|(_, followed)| !followed.is_sure);
        let unsure = unsure.map(|(host, _)| (*host, Doubt::NotOfBase));
        unsure.chain(index.waiting.iter().map(|host| (*host, Doubt::All))).collect()
    }

    /// For the names of what is to be sealed of a host; `None` if the index does not have it.
    pub(super) fn names_to_seal(&self, host: HostNumber) -> Option<SealedNames> {
        let index = self.name_index();
        if index.waiting.contains(&host) {
            return None;
        }
        let followed = index.hosts.get(&host).copied().unwrap_or(Followed { until: None, is_sure: false });
        let begins = if followed.is_sure { Begins::Known } else { Begins::Anew };
        Some(SealedNames { begins, until: followed.until, in_time: None, late: LateNames::default() })
    }

    /// What becomes of a host in the index when this is sealed. A damaged index holds no sealing up: it is made anew.
    pub(super) fn name_change(&self, host: HostNumber, names: Option<&SealedNames>) -> Result<NameChange, StoreError> {
        match names.map(|names| self.put_names(host, names)) {
            Some(Err(StoreError::Damaged(_))) => {
                self.name_index_is_wrong(host);
                Ok(NameChange::Forget)
            }
            Some(change) => change,
            None => Ok(NameChange::Forget),
        }
    }

    fn put_names(&self, host: HostNumber, names: &SealedNames) -> Result<NameChange, StoreError> {
        // How many there are is read as well: of a commit whose answer was lost nothing is known here.
        let known = if names.begins == Begins::Anew {
            self.segments.names(host)?.unwrap_or_default()
        } else {
            self.segments.names_seen(host, &names.touched().into_iter().collect::<Vec<_>>())?
        };
        let there = known.rows.into_iter().filter_map(|row| Some((row.name, row.seen?))).collect();
        let rows = names.changed(&there, known.until);
        let count = known.count + rows.iter().filter(|row| !there.contains_key(&row.name)).count() as u64;
        if count > NAMES_MAX {
            tracing::warn!(host, "a host with too many names leaves the index of names: it is asked itself");
            return Ok(NameChange::Forget);
        }
        Ok(NameChange::Put(HostNames { until: names.until(), count, rows }))
    }

    /// This is durable.
    pub(super) fn names_sealed(&self, changes: &[(HostNumber, NameChange)]) {
        let mut index = self.name_index();
        for (host, change) in changes {
            match change {
                NameChange::Put(names) | NameChange::Replace(names) => index.follow(*host, names),
                NameChange::Forget => index.wait(*host),
            }
        }
    }

    /// The state that the next block of a host goes on from is not the one that the last one ended with.
    pub(super) fn doubt_names_of_base(&self, host: HostNumber) {
        if let Some(followed) = self.name_index().hosts.get_mut(&host) {
            followed.is_sure = false;
        }
    }

    /// The index is not right about a host: it is made anew.
    fn name_index_is_wrong(&self, host: HostNumber) {
        self.report(format!("host {host}: the index of names is wrong"));
        self.name_index().wait(host);
    }

    /// Takes some hosts into the index that it does not have. Called by whoever seals, one at a time.
    pub(super) fn index_names(&self, hurry: Hurry) {
        let mut left = if hurry == Hurry::None { BLOCKS_A_TIME } else { 1 };
        let hosts = self.name_index().waiting.len();
        for _ in 0..hosts {
            let Some(host) = self.name_index().next_waiting() else { return };
            match self.index_names_of(host) {
                Ok(blocks) => left = left.saturating_sub(blocks.max(1)),
                // It is asked itself, and tried again.
                Err(error) => tracing::warn!(host, %error, "the names of a host could not be gone through"),
            }
            if left == 0 {
                return;
            }
        }
    }

    /// Takes a host into the index; returns how many blocks and rollups were gone through.
    fn index_names_of(&self, host: HostNumber) -> Result<usize, StoreError> {
        let Some(cell) = self.hosts.get(host) else { return Ok(0) };
        let base = open_run::base_state(&self.base(&cell.lock())?)?;
        let mut kept = KeptNames::of(self, host, &[])?;
        let Some(names) = kept.all(NAMES_MAX) else {
            self.name_index().crowded.insert(host);
            return Ok(kept.entries().len());
        };
        let still: BTreeSet<&str> = base.occupied().map(|(_, description, _)| &*description.name).collect();
        let has_base = |name: &&str| names.get(*name).is_some_and(|(_, last)| *last == base.time());
        let until = Some(base.time()).filter(|_| !base.is_empty() && still.iter().all(has_base));
        let row = |(name, (first, last)): (&Arc<str>, &(Timestamp, Timestamp))| {
            let is_still = until.is_some() && still.contains(&**name);
            let last = if is_still { NameLast::Still { since: *last } } else { NameLast::At(*last) };
            NameRow { name: Arc::clone(name), seen: Some(NameSeen { first: *first, last }) }
        };
        let rows = HostNames { until, count: names.len() as u64, rows: names.iter().map(row).collect() };
        let sealing = Sealing { names: vec![(host, NameChange::Replace(rows))], ..Sealing::default() };
        self.segments.seal(&sealing)?;
        self.names_sealed(&sealing.names);
        Ok(kept.entries().len())
    }

    /// What becomes of the index when these blocks are deleted. Called by whoever deletes them, while nobody seals.
    pub(super) fn names_without(&self, removed: &[BlockEntry]) -> Result<Vec<(HostNumber, NameChange)>, StoreError> {
        let mut of_hosts: BTreeMap<HostNumber, Vec<BlockEntry>> = BTreeMap::new();
        for entry in removed {
            of_hosts.entry(entry.host).or_default().push(*entry);
        }
        let mut changes = Vec::new();
        for (host, removed) in of_hosts {
            if !self.name_index().hosts.contains_key(&host) {
                continue;
            }
            match self.names_of_host_without(host, &removed) {
                Ok(names) => changes.extend(names.map(|names| (host, NameChange::Put(names)))),
                Err(StoreError::Damaged(_)) => {
                    self.name_index_is_wrong(host);
                    changes.push((host, NameChange::Forget));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changes)
    }

    fn names_of_host_without(&self, host: HostNumber, removed: &[BlockEntry]) -> Result<Option<HostNames>, StoreError> {
        let counted = KeptNames::of(self, host, &[])?;
        let gone = || removed.iter().filter(|entry| counted.entries().iter().any(|other| other.id == entry.id));
        let from = gone().map(|entry| entry.first_time).min();
        let Some((from, until)) = from.zip(gone().map(|entry| entry.last_time).max()) else { return Ok(None) };
        let Some(names) = self.segments.names(host)? else { return Ok(None) };
        let ids: Vec<i64> = removed.iter().map(|entry| entry.id).collect();
        let mut kept = KeptNames::of(self, host, &ids)?;
        let is_gone = |time: Timestamp| time >= from && time <= until;
        let mut changed = HostNames { until: names.until, count: names.count, rows: Vec::new() };
        for NameRow { name, seen } in names.rows {
            let Some(seen) = seen else { continue };
            let last = seen.last_of(names.until);
            if !is_gone(seen.first) && !is_gone(last) {
                continue;
            }
            let left = kept.times(&name);
            if matches!(seen.last, NameLast::Still { .. }) && left.is_none_or(|(_, other)| other != last) {
                // The snapshot that they were in last is not kept.
                changed.until = None;
            }
            changed.count -= u64::from(left.is_none()).min(changed.count);
            changed.rows.push(NameRow { name, seen: left.map(|(first, left)| seen.moved(first, left, last)) });
        }
        Ok(Some(changed))
    }

    /// Goes through all that is kept of the hosts in the index. Where it is wrong is told, and made anew by who may write.
    pub(super) fn verify_names(&self) -> Result<(), StoreError> {
        for (host, _) in self.hosts.all() {
            let _nothing_is_sealed = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.name_index().waiting.contains(&host) {
                continue;
            }
            let mut kept = KeptNames::of(self, host, &[])?;
            let is_right = match self.segments.names(host) {
                Ok(names) => {
                    let there = kept.all(NAMES_MAX).unwrap_or_default();
                    // What cannot be read is told by who reads it; the index may well know more.
                    !kept.is_whole() || names.is_none_or(|names| names.is_of(&there))
                }
                Err(StoreError::Damaged(_)) => false,
                Err(error) => return Err(error),
            };
            if !is_right {
                self.name_index_is_wrong(host);
            }
        }
        Ok(())
    }
}

impl NameSeen {
    /// The last snapshot, of a host of which the last one that came in its time is known.
    fn last_of(self, until: Option<Timestamp>) -> Timestamp {
        match self.last {
            NameLast::At(last) => last,
            NameLast::Still { .. } => until.unwrap_or(self.first),
        }
    }

    /// When less of it is left; `before` was the last.
    fn moved(self, first: Timestamp, last: Timestamp, before: Timestamp) -> Self {
        let last = match self.last {
            NameLast::Still { since } if last == before => NameLast::Still { since: since.max(first) },
            _ => NameLast::At(last),
        };
        Self { first, last }
    }
}

impl HostNames {
    /// Whether it says of all names when they are there, and of no others.
    fn is_of(&self, there: &HashMap<Arc<str>, (Timestamp, Timestamp)>) -> bool {
        let is_right = |row: &NameRow| {
            let seen = row.seen.map(|seen| (seen.first, seen.last_of(self.until)));
            there.get(&row.name).copied() == seen
        };
        self.rows.len() == there.len() && self.count == there.len() as u64 && self.rows.iter().all(is_right)
    }
}
