//! When the processes of a name ran.
//!
//! A process whose start is known is one run, whatever gaps there are. Of others only snapshots tell: a run is an unbroken
//! row of snapshots that have the pid under the name.

use std::collections::HashMap;
use std::sync::Arc;

use procession_model::{Description, End, Identity, SnapshotId, Timestamp};

use super::Engine;
use super::segments::Segments;
use super::view::Seen;
use crate::{HostNumber, Range, Run, StoreError};

/// Most runs of one answer; the newest are kept.
pub const RUNS_MAX: usize = 100_000;

impl<S: Segments> Engine<S> {
    pub(super) fn runs(&self, host: HostNumber, name: &str, range: Range) -> Result<Vec<Run>, StoreError> {
        let Some(view) = self.view(host)? else {
            return Ok(Vec::new());
        };
        let mut lives = Lives { name, newest: view.newest, open: HashMap::new(), done: Vec::new(), snapshot: 0 };
        view.each(range, |seen| {
            lives.see(seen);
            Ok(())
        })?;
        Ok(lives.finish())
    }
}

/// Lives of processes of a name, while a range is gone through.
struct Lives<'a> {
    name: &'a str,
    newest: Option<SnapshotId>,
    open: HashMap<Identity, Life>,
    done: Vec<Run>,
    /// Counts the snapshots gone through.
    snapshot: u64,
}

struct Life {
    run: Run,
    /// The last snapshot gone through that had it.
    last_snapshot: u64,
}

impl Lives<'_> {
    fn see(&mut self, seen: &Seen<'_>) {
        self.snapshot += 1;
        for ended in seen.state.ended() {
            if *ended.description.name == *self.name {
                self.end(&ended.description, ended.end, seen.time);
            }
        }
        for brief in seen.state.brief() {
            if *brief.description.name == *self.name {
                self.done.push(brief_run(&brief.description, brief.end, seen.time));
            }
        }
        let running = Some(seen.id) == self.newest;
        for (_, description, _) in seen.state.occupied() {
            if *description.name == *self.name {
                self.alive(description, seen.time, running);
            }
        }
    }

    fn alive(&mut self, description: &Arc<Description>, time: Timestamp, running: bool) {
        let identity = description.identity;
        if let Some(life) = self.open.get_mut(&identity) {
            // Without a start, a pid that was away or ended may be another process.
            let in_sequence = life.last_snapshot + 1 >= self.snapshot && life.run.end.is_none();
            if identity.start.is_some() || in_sequence {
                life.run.description = Arc::clone(description);
                life.run.ended = time;
                life.run.running = running;
                life.run.end = None;
                life.last_snapshot = self.snapshot;
                return;
            }
        }
        let run = Run {
            description: Arc::clone(description),
            started: identity.start.unwrap_or(time),
            ended: time,
            running,
            end: None,
        };
        let before = self.open.insert(identity, Life { run, last_snapshot: self.snapshot });
        self.done.extend(before.map(|life| life.run));
    }

    fn end(&mut self, description: &Description, end: End, seen: Timestamp) {
        let identity = description.identity;
        if let Some(life) = self.open.get_mut(&identity)
            && (identity.start.is_some() || life.last_snapshot + 1 == self.snapshot)
        {
            if let Some(time) = end.time {
                life.run.ended = time.min(seen).max(life.run.ended);
            }
            life.run.end = Some(end);
        }
    }

    fn finish(mut self) -> Vec<Run> {
        self.done.extend(self.open.into_values().map(|life| life.run));
        self.done.sort_by_key(|run| (run.started, run.description.identity.pid, run.ended));
        self.done.split_off(self.done.len().saturating_sub(RUNS_MAX))
    }
}

/// A process that began and ended between two snapshots.
fn brief_run(description: &Arc<Description>, end: End, seen: Timestamp) -> Run {
    let started = description.identity.start.unwrap_or_else(|| end.time.unwrap_or(seen));
    Run {
        description: Arc::clone(description),
        started,
        ended: end.time.unwrap_or(seen).max(started),
        running: false,
        end: Some(end),
    }
}
