//! A long history to ask questions of, in both forms.
//!
//! Everything is appended and sealed as a server would do it. Every process of every host at 5 s for 30 days would be three
//! billion samples and take most of an hour to make, so by default most of it is a snapshot in five minutes: blocks have as many
//! snapshots as at 5 s, and a question that reads one block reads as much. The first host has its last day at the fine
//! step, for questions that read every sample of a day. Rows hold a part of it only; each row of the table says which.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use procession::swarm::machine::{Machine, MachineConfig};
use procession_model::Timestamp;
use procession_store::{Catalog as _, History as _, OpenOptions, SqliteStore};
use rusqlite::Connection;

use crate::input::{BEGIN, Input};
use crate::{ours, rows};

pub(crate) const DAY_MS: i64 = 86_400_000;
/// Snapshots that a host is given at a time: a block.
pub(crate) const CHUNK: i64 = 720;
/// The many hosts are seen once in so many milliseconds.
const MANY_STEP_MS: i64 = 900_000;
/// Processes of each of the many hosts.
const MANY_PROCESSES: u32 = 30;
/// The last snapshots of the many hosts stay unsealed.
const MANY_OPEN: i64 = 60;
/// One host in so many of them runs the name that is asked for.
const RARE_ONE_IN: u32 = 50;
/// A name that few of the many hosts have.
pub(crate) const RARE: &str = "restic-backup";
/// A pid that made machines do not come to.
const RARE_PID: u32 = 4_190_000;

/// How long a history.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Days of history
    #[arg(long, default_value_t = 30)]
    pub(crate) days: u32,
    /// Hosts in it
    #[arg(long, default_value_t = 20)]
    pub(crate) hosts: u32,
    /// Processes of each host
    #[arg(long, default_value_t = 300)]
    pub(crate) processes: u32,
    /// Seconds between its snapshots
    #[arg(long, default_value_t = 300)]
    pub(crate) step: u32,
    /// Seconds between the snapshots of the first host in its last day
    #[arg(long, default_value_t = 5)]
    pub(crate) fine_step: u32,
    /// Hosts of a second history: for the question which of them ever ran a name
    #[arg(long, default_value_t = 1_000)]
    pub(crate) many: u32,
    /// Every host at the fine step over all days
    #[arg(long)]
    full: bool,
}

impl Options {
    pub(crate) const fn step_ms(&self) -> i64 {
        1_000 * (if self.full { self.fine_step } else { self.step }) as i64
    }

    const fn fine_step_ms(&self) -> i64 {
        1_000 * self.fine_step as i64
    }

    /// The end of the history.
    pub(crate) const fn end(&self) -> Timestamp {
        BEGIN.plus_ms(self.days as i64 * DAY_MS)
    }

    /// The beginning of its last day.
    pub(crate) const fn last_day(&self) -> Timestamp {
        self.end().plus_ms(-DAY_MS)
    }
}

/// A long history in both forms.
pub(crate) struct Long {
    pub(crate) options: Options,
    /// The folder of the hosts with many processes.
    pub(crate) few: PathBuf,
    /// The folder of many hosts.
    pub(crate) many: PathBuf,
    /// Rows of the first host's last day, and of the last day of each of the many.
    pub(crate) rows: Connection,
    /// What is stored, in words.
    pub(crate) words: String,
}

/// Makes it, or takes the one that is there.
pub(crate) async fn make(folder: &Path, options: &Options, seed: u64) -> Result<Long> {
    let (few, many, done) = (folder.join("few"), folder.join("many"), folder.join("made.txt"));
    let made = format!("{options:?}, seed {seed}\n");
    let words = match fs::read_to_string(&done).ok().and_then(|text| text.strip_prefix(&made).map(str::to_owned)) {
        Some(words) => words,
        None => {
            for old in [&few, &many, &folder.join("rows")] {
                if old.exists() {
                    fs::remove_dir_all(old).with_context(|| old.display().to_string())?;
                }
            }
            let words = make_all(folder, &few, &many, options, seed).await?;
            fs::write(&done, format!("{made}{words}"))?;
            words
        }
    };
    let rows = rows::open(&folder.join("rows"))?;
    Ok(Long { options: *options, few, many, rows, words })
}

async fn make_all(folder: &Path, few: &Path, many: &Path, options: &Options, seed: u64) -> Result<String> {
    fs::create_dir_all(folder.join("rows"))?;
    let mut rows = rows::open(&folder.join("rows"))?;
    rows.execute_batch("PRAGMA synchronous = OFF;")?;
    let mut words = make_few(few, options, seed, &mut rows).await?;
    words += &make_many(many, options, seed, &mut rows).await?;
    rows.execute_batch(
        "CREATE INDEX by_time ON samples (host, time);
         CREATE INDEX by_process ON samples (host, pid, start, time);
         CREATE INDEX by_name ON samples (name, host, time);",
    )?;
    let count: i64 = rows.query_row("SELECT count(*) FROM samples", [], |row| row.get(0))?;
    words +=
        &format!("Plain SQLite rows: {} million, with indexes by time, by process and by name.\n", count / 1_000_000);
    Ok(words)
}

async fn make_few(folder: &Path, options: &Options, seed: u64, rows: &mut Connection) -> Result<String> {
    let store = SqliteStore::open(&OpenOptions::new(folder))?;
    for number in 0..options.hosts {
        let host = store.host_named(&format!("host-{number}"), BEGIN).await?.number;
        let is_fine = number == 0;
        let mut history = Walk::new(seed + u64::from(number), options.processes, BEGIN, options.step_ms());
        let until = if is_fine { options.last_day() } else { options.end() };
        while let Some(chunk) = history.next(until) {
            ours::append(&store, host, &chunk).await?;
            ours::seal(&store).await?;
        }
        history.step_ms = options.fine_step_ms();
        while let Some(chunk) = history.next(options.end()) {
            ours::append(&store, host, &chunk).await?;
            rows::insert(rows, i64::from(host), &chunk)?;
            ours::seal(&store).await?;
        }
    }
    let stats = store.stats().await?;
    store.close().await?;
    Ok(format!(
        "Stored: {} hosts × {} days × {} processes, a snapshot every {} s, but for the first host's last day, which has one \
         every {} s: {:.0} million process samples in {:.0} MB of blocks and dictionaries, {:.0} MB of rollups and \
         {:.2} MB of the index of names.\n",
        options.hosts,
        options.days,
        options.processes,
        options.step_ms() / 1_000,
        options.fine_step,
        mega(stats.process_samples),
        mega(stats.block_bytes + stats.dictionary_bytes),
        mega(stats.rollup_bytes),
        mega(stats.name_bytes),
    ))
}

async fn make_many(folder: &Path, options: &Options, seed: u64, rows: &mut Connection) -> Result<String> {
    let store = SqliteStore::open(&OpenOptions::new(folder))?;
    let sealed_until = options.end().plus_ms(-MANY_OPEN * MANY_STEP_MS);
    let mut walks = Vec::new();
    for number in 0..options.many {
        let host = store.host_named(&format!("many-{number}"), BEGIN).await?.number;
        walks.push((host, Walk::new(seed ^ u64::from(number) << 20, MANY_PROCESSES, BEGIN, MANY_STEP_MS)));
        if number % RARE_ONE_IN == 0 {
            walks[number as usize].1.rare_at = Some(BEGIN.plus_ms(i64::from(number % options.days) * DAY_MS));
        }
    }
    for until in [sealed_until, options.end()] {
        for (host, walk) in &mut walks {
            while let Some(chunk) = walk.next(until) {
                ours::append(&store, *host, &chunk).await?;
                let last_day = chunk.since(options.last_day());
                rows::insert(rows, MANY_ROWS_FROM + i64::from(*host), &last_day)?;
                if until == sealed_until {
                    ours::seal(&store).await?;
                }
            }
        }
    }
    let stats = store.stats().await?;
    store.close().await?;
    Ok(format!(
        "Beside it, for the last question: {} hosts × {} days × {MANY_PROCESSES} processes, a snapshot every {} s, the last \
         {MANY_OPEN} of each host not yet sealed: {:.0} million process samples in {:.1} MB of blocks and dictionaries, {:.1} MB \
         of rollups and {:.1} MB of the index of names; {RARE} ran on one host in {RARE_ONE_IN}, once.\n",
        options.many,
        options.days,
        MANY_STEP_MS / 1_000,
        mega(stats.process_samples),
        mega(stats.block_bytes + stats.dictionary_bytes),
        mega(stats.rollup_bytes),
        mega(stats.name_bytes),
    ))
}

/// Rows of the many hosts have numbers from here on.
pub(crate) const MANY_ROWS_FROM: i64 = 1_000_000;

/// A made machine that goes on.
struct Walk {
    machine: Machine,
    time: Timestamp,
    step_ms: i64,
    /// From when on one snapshot has the rare name.
    rare_at: Option<Timestamp>,
}

impl Walk {
    fn new(seed: u64, processes: u32, begin: Timestamp, step_ms: i64) -> Self {
        let config = MachineConfig::ordinary(seed, processes, step_ms.unsigned_abs());
        let machine = Machine::new(config, begin.plus_ms(-DAY_MS));
        Self { machine, time: begin, step_ms, rare_at: None }
    }

    /// The next snapshots before a time, as many as make a block; `None` if there are no more.
    fn next(&mut self, until: Timestamp) -> Option<Input> {
        let mut snapshots = Vec::new();
        while self.time < until && (snapshots.len() as i64) < CHUNK {
            let mut snapshot = self.machine.tick(self.time);
            if self.rare_at.take_if(|at| *at <= self.time).is_some()
                && let Some(last) = snapshot.processes.last_mut()
            {
                let mut description = (*last.description).clone();
                description.name = RARE.into();
                description.identity.pid = RARE_PID;
                last.description = description.into();
            }
            snapshots.push(snapshot.into());
            self.time = self.time.plus_ms(self.step_ms);
        }
        (!snapshots.is_empty()).then(|| Input { name: String::new(), snapshots })
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mega(count: u64) -> f64 {
    count as f64 / 1e6
}
