//! Hosts that ever ran a program.
//!
//! A host is asked for its first and its last, so its stretches are gone through from both ends until one has the name: of
//! most no more than a head is read, which tells when the name was seen.

use procession_model::{Description, Timestamp};

use super::piece::Piece;
use super::plan::{Filter, Reads};
use super::stretches::{self, Stretch};
use super::{HostWith, HostsWith, ROWS_MAX};
use crate::engine::{Engine, Segments};
use crate::{HostNumber, Range, StoreError, parallel};

/// A thread is worth its cost for so many hosts.
const HOSTS_EACH: usize = 16;

/// Hosts on which a program of this name ran in a range.
pub(crate) fn hosts_with<S: Segments>(
    engine: &Engine<S>,
    name: &str,
    range: Range,
    limit: usize,
) -> Result<HostsWith, StoreError> {
    let mut answer = HostsWith::default();
    let hosts = engine.host_numbers();
    for found in parallel::each(&hosts, HOSTS_EACH, |host| with(engine, *host, name, range)) {
        let Some(host) = found? else { continue };
        answer.count += 1;
        if answer.hosts.len() < limit.min(ROWS_MAX) {
            answer.hosts.push(host);
        }
    }
    Ok(answer)
}

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
) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let filter = Filter { name: Some(name), reads: Reads::Metrics(&[]), ..Filter::default() };
    let mut found: Option<(Timestamp, Timestamp)> = running.map(|newest| (newest, newest));
    let look = |stretch: &Stretch, found: &mut Option<(Timestamp, Timestamp)>| -> Result<(), StoreError> {
        let earliest_and_latest = |a: (Timestamp, Timestamp), b: (Timestamp, Timestamp)| (a.0.min(b.0), a.1.max(b.1));
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

fn told_of(piece: &Piece, name: &str) -> Option<(Timestamp, Timestamp)> {
    let wanted = |description: &Description| *description.name == *name;
    let seen = piece.parts(&wanted).into_iter().filter_map(|part| part.seen).map(|seen| (seen.first, seen.last));
    let leaves = piece.leaves(&wanted, None).into_iter().filter(|leaf| leaf.count > 0);
    let leaves = leaves.map(|leaf| (leaf.first, leaf.time));
    seen.chain(leaves).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
