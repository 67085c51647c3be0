//! When the processes of a name ran.
//!
//! A process whose start is known is one run, whatever gaps there are. Of others only snapshots tell: a run is an unbroken
//! row of snapshots that have the pid under the name.

use std::collections::HashMap;
use std::sync::Arc;

use procession_codec::block::{Block, Row};
use procession_model::{Brief, Description, End, Identity, Timestamp};

use super::Engine;
use super::positions::{Positions, positions};
use super::segments::Segments;
use crate::{HostNumber, Range, Run, StoreError};

/// Most runs of one answer; the newest are kept.
pub const RUNS_MAX: usize = 100_000;

impl<S: Segments> Engine<S> {
    pub(super) fn runs(&self, host: HostNumber, name: &str, range: Range) -> Result<Vec<Run>, StoreError> {
        let Some(view) = self.view(host)? else {
            return Ok(Vec::new());
        };
        let newest = view.newest.map(|id| id.sequence());
        let parts = view.parts(range)?;
        let mut traces = Traces { range, events: HashMap::new(), done: Vec::new() };
        for (part, positions) in parts.iter().zip(positions(&parts)?) {
            if !part.may_have(Some(name), None)? {
                continue;
            }
            let Some(block) = part.block_with(&[], None)? else {
                continue;
            };
            let newest = newest.filter(|_| !part.late).and_then(|sequence| block.index_of(sequence));
            let traced = Traced { block: &block, positions: &positions, late: part.late, newest };
            for row in block.rows().iter().filter(|row| *row.description.name == *name) {
                traces.add_row(&traced, row);
            }
            for (frame, brief) in block.all_brief().filter(|(_, brief)| *brief.description.name == *name) {
                traces.add_brief(block.timeline().times[frame as usize], brief);
            }
        }
        Ok(traces.finish())
    }
}

/// A block that is gone through.
struct Traced<'a> {
    block: &'a Block,
    positions: &'a Positions,
    late: bool,
    /// The frame that is the host's newest, by index.
    newest: Option<u32>,
}

/// What is found of the processes of a name.
struct Traces {
    range: Range,
    events: HashMap<Identity, Vec<Event>>,
    done: Vec<Run>,
}

/// Something found of a process.
struct Event {
    /// Where among all snapshots.
    position: u64,
    what: What,
}

enum What {
    /// It ended between the snapshot before and this one.
    Ended { end: End, seen: Timestamp },
    /// It was there in this snapshot and the following ones up to another.
    There { until: u64, first: Timestamp, last: Timestamp, running: bool, description: Arc<Description> },
}

impl Traces {
    fn add_row(&mut self, traced: &Traced<'_>, row: &Row) {
        let times = &traced.block.timeline().times;
        let in_range = |frame: u32| self.range.contains(times[frame as usize]);
        let mut found = Vec::new();
        if traced.late {
            // In the order they came, not of time.
            let frames = (row.first..row.after()).filter(|frame| in_range(*frame));
            found.extend(frames.map(|frame| (frame, frame)));
        } else {
            let first = (row.first..row.after()).find(|frame| in_range(*frame));
            let last = (row.first..row.after()).rev().find(|frame| in_range(*frame));
            if let (Some(first), Some(last)) = (first, last) {
                found.extend(traced.positions.unbroken(first, last));
            }
        }
        let events = self.events.entry(row.description.identity).or_default();
        events.extend(found.into_iter().map(|(first, last)| Event {
            position: traced.positions.of(first),
            what: What::There {
                until: traced.positions.of(last),
                first: times[first as usize],
                last: times[last as usize],
                running: traced.newest.is_some_and(|newest| (first..=last).contains(&newest)),
                description: Arc::clone(&row.description),
            },
        }));
        if let Some(end) = row.end
            && let Some(seen) = times.get(row.after() as usize).filter(|time| self.range.contains(**time))
        {
            let position = traced.positions.of(row.after());
            events.push(Event { position, what: What::Ended { end, seen: *seen } });
        }
    }

    /// A process that began and ended between two snapshots.
    fn add_brief(&mut self, seen: Timestamp, brief: &Brief) {
        if !self.range.contains(seen) {
            return;
        }
        let ended = brief.end.time.unwrap_or(seen);
        let started = brief.description.identity.start.unwrap_or(ended);
        self.done.push(Run {
            description: Arc::clone(&brief.description),
            started,
            ended: ended.max(started),
            running: false,
            end: Some(brief.end),
        });
    }

    fn finish(mut self) -> Vec<Run> {
        for (identity, mut events) in self.events {
            // An end was before the snapshot that tells of it.
            events.sort_by_key(|event| (event.position, matches!(event.what, What::There { .. })));
            add_runs(identity, events, &mut self.done);
        }
        self.done.sort_by_key(|run| (run.started, run.description.identity.pid, run.ended));
        self.done.split_off(self.done.len().saturating_sub(RUNS_MAX))
    }
}

/// Adds the runs of one process, or of one pid whose starts are not known.
fn add_runs(identity: Identity, events: Vec<Event>, done: &mut Vec<Run>) {
    let mut open: Option<(Run, u64)> = None;
    for Event { position, what } in events {
        let goes_on = |last: u64| identity.start.is_some() || last + 1 == position;
        match what {
            What::Ended { end, seen } => {
                if let Some((run, _)) = open.as_mut().filter(|(_, last)| goes_on(*last)) {
                    run.ended = end.time.map_or(run.ended, |time| time.min(seen).max(run.ended));
                    run.end = Some(end);
                }
            }
            What::There { until, first, last, running, description } => {
                let started = identity.start.unwrap_or(first);
                let fresh = Run { description, started, ended: last, running, end: None };
                let before = open.take();
                let run = match before {
                    Some((run, at)) if identity.start.is_some() || (goes_on(at) && run.end.is_none()) => {
                        Run { started: run.started, ..fresh }
                    }
                    before => {
                        done.extend(before.map(|(run, _)| run));
                        fresh
                    }
                };
                open = Some((run, until));
            }
        }
    }
    done.extend(open.map(|(run, _)| run));
}
