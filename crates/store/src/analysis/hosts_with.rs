//! Hosts that ever ran a program.
//!
//! The index of names says of all hosts at once when their sealed history has a name, and open frames keep which names began in
//! them. Only a host of which that is not enough is asked itself: where the range begins or ends while it has the name, or
//! where the index does not have the host. It is asked for its first and its last, so its stretches are gone through from
//! both ends until one has the name: of most no more than a head is read, which tells when the name was seen.

use procession_model::{Description, Timestamp};

use super::piece::Piece;
use super::plan::{Filter, Reads};
use super::stretches::{self, Stretch};
use super::{HostWith, HostsWith, ROWS_MAX};
use crate::engine::{Doubt, Engine, HostView, NamedHost, OpenName, Segments};
use crate::{HostNumber, Range, StoreError, parallel};

/// A thread is worth its cost for so many hosts.
const HOSTS_EACH: usize = 16;

/// The first and the last snapshot that tells of a name.
type Times = (Timestamp, Timestamp);

/// Hosts on which a program of this name ran in a range.
pub(crate) fn hosts_with<S: Segments>(
    engine: &Engine<S>,
    name: &str,
    range: Range,
    limit: usize,
) -> Result<HostsWith, StoreError> {
    let mut answer = HostsWith::default();
    let mut doubts = engine.doubted_names();
    let hosts = engine.host_numbers();
    // Open frames first: what is sealed meanwhile is seen twice, and not never.
    let open = parallel::each(&hosts, HOSTS_EACH, |host| engine.open_name(*host, name));
    let sealed = match engine.segments().hosts_with_name(name, None) {
        Err(StoreError::Damaged(error)) => {
            tracing::error!(error, "the index of names is damaged; each host is asked itself");
            doubts.extend(hosts.iter().map(|host| (*host, Doubt::All)));
            Vec::new()
        }
        sealed => sealed?,
    };
    let found = parallel::each(&hosts.iter().zip(&open).collect::<Vec<_>>(), HOSTS_EACH, |(host, open)| {
        let Ok(open) = open else { return with(engine, **host, name, range) };
        let sealed = sealed.binary_search_by_key(*host, |named| named.host).ok().map(|index| sealed[index]);
        let told = match doubts.get(*host) {
            Some(Doubt::All) => InMoments::Sealed,
            Some(Doubt::NotOfBase) => InMoments::Open,
            None => in_moments(open, sealed, range),
        };
        let told = match told {
            InMoments::Told(told) => told,
            InMoments::Sealed if doubts.contains_key(*host) => return with(engine, **host, name, range),
            InMoments::Sealed => return at_ends(engine, **host, name, range),
            InMoments::Open => return anew(engine, **host, name, range),
        };
        Ok(told.map(|(first, last)| HostWith { host: **host, first, last, running: open.running }))
    });
    for found in found {
        let Some(host) = found? else { continue };
        answer.count += 1;
        if answer.hosts.len() < limit.min(ROWS_MAX) {
            answer.hosts.push(host);
        }
    }
    Ok(answer)
}

/// All hosts that may have a process of this name, by their numbers: no others have one.
pub(crate) fn may_have<S: Segments>(engine: &Engine<S>, name: &str) -> Result<Vec<HostNumber>, StoreError> {
    let doubts = engine.doubted_names();
    let mut hosts = engine.host_numbers();
    let open = parallel::each(&hosts, HOSTS_EACH, |host| engine.open_name(*host, name));
    let sealed = match engine.segments().hosts_with_name(name, None) {
        Err(StoreError::Damaged(_)) => return Ok(hosts),
        sealed => sealed?,
    };
    let mut open = open.into_iter();
    hosts.retain(|host| {
        let is_open = open.next().is_none_or(|open| open.map_or(true, |open| open.may_have()));
        is_open || doubts.contains_key(host) || sealed.binary_search_by_key(host, |named| named.host).is_ok()
    });
    Ok(hosts)
}

/// What can be told of a host without reading its history.
enum InMoments {
    /// This.
    Told(Option<Times>),
    /// Its open frames have to be decoded.
    Open,
    /// Its sealed history has to be read.
    Sealed,
}

/// What the index has of a host in a range, and whether that is all.
fn of_sealed(sealed: Option<NamedHost>, range: Range) -> InMoments {
    match sealed.filter(|sealed| range.touches(sealed.first, sealed.last)) {
        None => InMoments::Told(None),
        Some(sealed) if range.contains(sealed.first) && range.contains(sealed.last) => {
            InMoments::Told(Some((sealed.first, sealed.last)))
        }
        Some(_) => InMoments::Sealed,
    }
}

fn in_moments(open: &OpenName, sealed: Option<NamedHost>, range: Range) -> InMoments {
    let InMoments::Told(told) = of_sealed(sealed, range) else { return InMoments::Sealed };
    let lived_on = sealed.is_some_and(|sealed| sealed.still_since.is_some());
    let may_have = open.may_have() || lived_on;
    let Some((first, last)) = open.all.filter(|(first, last)| may_have && range.touches(*first, *last)) else {
        return InMoments::Told(told);
    };
    if !range.contains(first) || !range.contains(last) {
        return InMoments::Open;
    }
    let in_time = match (open.running, open.begun) {
        (0, None) if !lived_on => None,
        (0, _) => return InMoments::Open,
        // None began, so it was there all the time.
        (_, None) => open.in_time,
        // When it was first there matters only where nothing that is sealed tells of it.
        (_, Some(_)) if told.is_none() && lived_on => return InMoments::Open,
        (_, Some(begun)) => open.in_time.map(|(_, newest)| (begun, newest)),
    };
    InMoments::Told(told.into_iter().chain(in_time).chain(open.late).reduce(earliest_and_latest))
}

/// A host whose open frames have to be decoded.
fn anew<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    name: &str,
    range: Range,
) -> Result<Option<HostWith>, StoreError> {
    let Some(view) = engine.view(host)? else { return Ok(None) };
    let open = view.open_times(name, range)?;
    let sealed = engine.segments().hosts_with_name(name, Some(host))?.first().copied();
    let InMoments::Told(told) = of_sealed(sealed, range) else { return with(engine, host, name, range) };
    // The newest snapshot is known even where its block is not there any more.
    let running = view.running(name);
    let newest = view.newest_snapshot().map(|(_, time)| (time, time));
    let newest = newest.filter(|(time, _)| running > 0 && range.contains(*time));
    let told = told.into_iter().chain(open).chain(newest).reduce(earliest_and_latest);
    Ok(told.map(|(first, last)| HostWith { host, first, last, running }))
}

/// A host that has the name across an end of the range. Where it had it all the time, only the snapshots at the ends are looked
/// for.
fn at_ends<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    name: &str,
    range: Range,
) -> Result<Option<HostWith>, StoreError> {
    let Some(view) = engine.view(host)? else { return Ok(None) };
    // Open frames first, as above.
    let sealed = engine.segments().hosts_with_name(name, Some(host))?.first().copied();
    let running = view.running(name);
    if let Some(sealed) = sealed.filter(|_| running > 0 && !view.begins_open(name))
        && let Some(since) = sealed.still_since
    {
        let begins = range.contains(sealed.first).then_some(sealed.first);
        let first = match begins {
            None if range.start.is_some_and(|start| start >= since) => first_in(&view, range)?,
            begins => begins,
        };
        let last = if range.end.is_none_or(|end| end > since) { last_in(&view, range)? } else { None };
        if let Some((first, last)) = first.zip(last).filter(|(first, last)| first <= last) {
            return Ok(Some(HostWith { host, first, last, running }));
        }
    }
    with(engine, host, name, range)
}

/// The first snapshot in a range that begins within a block or within open frames, where none came late; else it is not known.
fn first_in<S: Segments>(view: &HostView<'_, S>, range: Range) -> Result<Option<Timestamp>, StoreError> {
    let Some(start) = range.start else { return Ok(None) };
    let first = times_around(view, start)?.into_iter().find(|time| *time >= start);
    let Some(first) = first.filter(|first| range.contains(*first)) else { return Ok(None) };
    Ok((!has_late(view, start, first)?).then_some(first))
}

/// The last snapshot in a range, as [`first_in`].
fn last_in<S: Segments>(view: &HostView<'_, S>, range: Range) -> Result<Option<Timestamp>, StoreError> {
    let newest = view.newest_snapshot().map(|(_, newest)| newest);
    let Some(end) = range.end.filter(|end| newest.is_some_and(|newest| *end <= newest)) else { return Ok(newest) };
    let last = times_around(view, end.plus_ms(-1))?.into_iter().rfind(|time| *time < end);
    let Some(last) = last.filter(|last| range.contains(*last)) else { return Ok(None) };
    Ok((!has_late(view, last, end)?).then_some(last))
}

/// The snapshots of the stretch that has a moment in it.
fn times_around<S: Segments>(view: &HostView<'_, S>, moment: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
    let parts = view.parts(Range { start: Some(moment), end: Some(moment.plus_ms(1)) })?;
    match parts.as_slice() {
        [part] if !part.late => Ok(part.timeline()?.times),
        _ => Ok(Vec::new()),
    }
}

/// Whether there may be late snapshots between two moments, both included.
fn has_late<S: Segments>(view: &HostView<'_, S>, from: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    let parts = view.parts(Range { start: Some(from), end: Some(until.plus_ms(1)) })?;
    Ok(parts.iter().any(|part| part.late))
}

/// A host that is asked itself.
fn with<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    name: &str,
    range: Range,
) -> Result<Option<HostWith>, StoreError> {
    let (running, newest) = match engine.newest(host)? {
        Some((_, state)) => {
            let named = state.occupied().filter(|(_, description, _)| *description.name == *name);
            (u32::try_from(named.count()).unwrap_or(u32::MAX), Some(state.time()))
        }
        None => (0, None),
    };
    let newest = newest.filter(|newest| running > 0 && range.contains(*newest));
    let found = on_host(engine, host, name, range, newest)?;
    Ok(found.map(|(first, last)| HostWith { host, first, last, running }))
}

/// The first and last snapshot of a host that tells of the name.
fn on_host<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    name: &str,
    range: Range,
    running: Option<Timestamp>,
) -> Result<Option<Times>, StoreError> {
    let filter = Filter { name: Some(name), reads: Reads::Metrics(&[]), ..Filter::default() };
    let mut found: Option<Times> = running.map(|newest| (newest, newest));
    let look = |stretch: &Stretch, found: &mut Option<Times>| -> Result<(), StoreError> {
        if stretch.told.is_some() {
            *found = stretch.told.into_iter().chain(*found).reduce(earliest_and_latest);
            return Ok(());
        }
        let pieces = stretches::open_stretch(engine, host, stretch, range, filter)?;
        let told = pieces.iter().filter_map(|piece| told_of(piece, name));
        *found = told.chain(*found).reduce(earliest_and_latest);
        Ok(())
    };
    let mut stretches = stretches::stretches(engine, host, range, name)?;
    stretches.sort_by_key(|stretch| stretch.first_time);
    for stretch in stretches.iter().filter(|stretch| stretch.may_have) {
        if found.is_some_and(|found| running.is_none_or(|newest| found.0 < newest) && stretch.first_time > found.0) {
            break;
        }
        look(stretch, &mut found)?;
    }
    // The last one may have lived on to the end of its stretch, and so into one that does not tell of its beginning.
    stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.last_time));
    let ends: Vec<Timestamp> = stretches.iter().map(|stretch| stretch.last_time).collect();
    for stretch in stretches.iter().filter(|stretch| stretch.may_have) {
        if found.is_none_or(|found| stretch.last_time <= found.1) {
            break;
        }
        look(stretch, &mut found)?;
    }
    for stretch in stretches.iter().rev().filter(|stretch| !stretch.may_have) {
        if found.is_some_and(|found| found.1 < stretch.last_time && ends.contains(&found.1)) {
            look(stretch, &mut found)?;
        }
    }
    Ok(found)
}

fn earliest_and_latest(one: Times, other: Times) -> Times {
    (one.0.min(other.0), one.1.max(other.1))
}

fn told_of(piece: &Piece, name: &str) -> Option<Times> {
    let wanted = |description: &Description| *description.name == *name;
    let seen = piece.parts(&wanted).into_iter().filter_map(|part| part.seen).map(|seen| (seen.first, seen.last));
    let leaves = piece.leaves(&wanted, None).into_iter().filter(|leaf| leaf.count > 0);
    let leaves = leaves.map(|leaf| (leaf.first, leaf.time));
    seen.chain(leaves).reduce(earliest_and_latest)
}
