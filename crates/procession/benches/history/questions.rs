//! Questions to the store.
//!
//! "First" opens the store anew for every question and lets it read what a running server has read of each host (its newest
//! state), so no block, dictionary or rollup is at hand. The system's own cache is warm.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use procession_model::{Identity, Timestamp};
use procession_store::analysis::{Analysis as _, Group, Measure, TopRequest};
use procession_store::{History as _, Nearest, OpenOptions, Range, SqliteStore};

use crate::input::BEGIN;
use crate::long::{CHUNK, DAY_MS, Long, Options, RARE};

/// Times that a snapshot is asked for in a pass.
pub(crate) const SNAPSHOTS: u32 = 300;
/// Passes of those: of one, the 99th percentile is the second worst, which is the machine's.
const SNAPSHOT_PASSES: u32 = 5;
/// Times that anything else is.
pub(crate) const OTHERS: u32 = 30;
const POINTS: usize = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// Whether the store has been asked before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Time,
    Again,
}

/// The store and what it is asked.
pub(crate) struct Questions {
    options: Options,
    random: fastrand::Rng,
    folders: [PathBuf; 2],
    store: Option<SqliteStore>,
    /// Processes of the first host that lived all its last day.
    long_lived: Vec<Identity>,
}

/// Moments and hosts to ask for, the same for both sides.
pub(crate) fn moments(options: &Options, seed: u64) -> Vec<(u32, Timestamp)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let length = options.end().since_ms(BEGIN);
    (0..SNAPSHOTS).map(|_| (random.u32(0..options.hosts), BEGIN.plus_ms(random.i64(60_000..length)))).collect()
}

impl Questions {
    pub(crate) async fn of(long: &Long, seed: u64) -> Result<Self> {
        let folders = [long.few.clone(), long.many.clone()];
        let random = fastrand::Rng::with_seed(seed);
        let mut questions = Self { options: long.options, random, folders, store: None, long_lived: Vec::new() };
        let before = long.options.last_day();
        let newest = questions.fresh(0).await?.latest(0).await?.context("no snapshot")?;
        let identities = newest.snapshot.processes.iter().map(|process| process.description.identity);
        questions.long_lived = identities.filter(|process| process.start.is_some_and(|start| start < before)).collect();
        ensure!(!questions.long_lived.is_empty(), "no process lived for a day");
        Ok(questions)
    }

    pub(crate) fn long_lived(&self) -> Vec<Identity> {
        self.long_lived.clone()
    }

    pub(crate) async fn close(&mut self) -> Result<()> {
        if let Some(store) = self.store.take() {
            store.close().await?;
        }
        Ok(())
    }

    /// The store, opened again; the hosts asked of are awake, as in a server that runs.
    async fn fresh(&mut self, folder: usize) -> Result<&SqliteStore> {
        self.close().await?;
        let store = self.store.insert(SqliteStore::open(&OpenOptions::new(&self.folders[folder]))?);
        let hosts = if folder == 0 { self.options.hosts } else { self.options.many };
        for host in 0..hosts {
            store.facts(host).await?;
        }
        Ok(store)
    }

    async fn prepared(&mut self, first: First, is_first_question: bool, folder: usize) -> Result<&SqliteStore> {
        match &self.store {
            Some(_) if first == First::Again && !is_first_question => {}
            _ => {
                self.fresh(folder).await?;
            }
        }
        self.store.as_ref().context("no store")
    }

    /// No block twice while the store stays open, which is for a pass.
    pub(crate) async fn snapshots(&mut self) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for _ in 0..SNAPSHOT_PASSES {
            let (options, seed) = (self.options, self.random.u64(..));
            let store = self.fresh(0).await?;
            let mut known = std::collections::HashSet::new();
            let block_ms = CHUNK * options.step_ms();
            for (host, moment) in moments(&options, seed) {
                if known.insert((host, moment.since_ms(BEGIN) / block_ms)) {
                    times.push(snapshot(store, &options, host, moment).await?);
                }
            }
        }
        Ok(times)
    }

    pub(crate) async fn first_snapshots(&mut self) -> Result<Vec<Duration>> {
        let options = self.options;
        let mut times = Vec::new();
        for (host, moment) in moments(&options, self.random.u64(..)).into_iter().take(3 * OTHERS as usize) {
            times.push(snapshot(self.fresh(0).await?, &options, host, moment).await?);
        }
        Ok(times)
    }

    pub(crate) async fn process(&mut self, first: First) -> Result<Vec<Duration>> {
        let range = Range { start: Some(self.options.last_day()), end: Some(self.options.end()) };
        let expected = DAY_MS / 1_000 / i64::from(self.options.fine_step);
        let mut times = Vec::new();
        for question in 0..OTHERS as usize {
            let identity = self.long_lived[question % self.long_lived.len()];
            let store = self.prepared(first, question == 0, 0).await?;
            let began = Instant::now();
            let answer = store.process_series(0, identity, range, 20_000).await?.context("no process")?;
            times.push(began.elapsed());
            ensure!(answer.series.points.len() as i64 == expected, "{} points", answer.series.points.len());
        }
        Ok(without_first(times, first))
    }

    pub(crate) async fn series(&mut self, first: First) -> Result<Vec<Duration>> {
        let range = Range { start: Some(BEGIN), end: Some(self.options.end()) };
        let hosts = if first == First::Time { self.options.hosts } else { 1 };
        let mut times = Vec::new();
        for question in 0..OTHERS {
            let store = self.prepared(first, question == 0, 0).await?;
            let began = Instant::now();
            let series = store.host_series(question % hosts, range, POINTS).await?;
            times.push(began.elapsed());
            ensure!(series.points.len() > POINTS / 4, "{} points", series.points.len());
        }
        Ok(without_first(times, first))
    }

    pub(crate) async fn top(&mut self, first: First) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for question in 0..OTHERS {
            let hour = if first == First::Time { self.random.i64(0..22) } else { 12 };
            let start = self.options.last_day().plus_ms(hour * HOUR_MS + 60_000);
            let range = Range { start: Some(start), end: Some(start.plus_ms(HOUR_MS)) };
            let request = TopRequest { host: 0, range, by: Measure::CpuTime, group: Group::Subtree, limit: 20 };
            let store = self.prepared(first, question == 0, 0).await?;
            let began = Instant::now();
            let top = store.top(&request).await?;
            times.push(began.elapsed());
            ensure!(top.rows.len() == 20 && top.rollup_ms == 0, "{} rows", top.rows.len());
        }
        Ok(without_first(times, first))
    }

    pub(crate) async fn runs(&mut self, first: First) -> Result<Vec<Duration>> {
        let range = Range { start: Some(BEGIN), end: Some(self.options.end()) };
        let hosts = if first == First::Time { self.options.hosts } else { 1 };
        let mut times = Vec::new();
        for question in 0..OTHERS {
            let store = self.prepared(first, question == 0, 0).await?;
            let began = Instant::now();
            let runs = store.program_runs(Some(question % hosts), "rustc", range, 0, 1_000).await?;
            times.push(began.elapsed());
            ensure!(runs.count > 0, "no runs");
        }
        Ok(without_first(times, first))
    }

    pub(crate) async fn hosts(&mut self, first: First, is_rare: bool) -> Result<Vec<Duration>> {
        let (name, most) = if is_rare { (RARE, self.options.many / 2) } else { ("nginx", u32::MAX) };
        let mut times = Vec::new();
        for question in 0..OTHERS / 3 {
            let store = self.prepared(first, question == 0, 1).await?;
            let began = Instant::now();
            let answer = store.hosts_with(name, Range::default(), 10_000).await?;
            times.push(began.elapsed());
            ensure!(answer.count > 0 && answer.count <= most.into(), "{} hosts", answer.count);
        }
        Ok(without_first(times, first))
    }
}

async fn snapshot(store: &SqliteStore, options: &Options, host: u32, moment: Timestamp) -> Result<Duration> {
    let began = Instant::now();
    let kept = store.snapshot_at(host, moment, Nearest::AtOrBefore).await?.context("no snapshot")?;
    let took = began.elapsed();
    ensure!(kept.snapshot.processes.len() == options.processes as usize, "not the whole snapshot");
    Ok(took)
}

/// Without the question that made the store read.
fn without_first(mut times: Vec<Duration>, first: First) -> Vec<Duration> {
    if first == First::Again {
        times.remove(0);
    }
    times
}
