//! How long questions to a long history take, beside the same questions to indexed SQLite rows.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use procession::swarm::machine::{Machine, MachineConfig};
use procession_model::Timestamp;
use procession_store::{Catalog as _, History as _, Nearest, OpenOptions, Range, SqliteStore};
use rusqlite::Connection;

use crate::input::{BEGIN, Input};
use crate::table::{Table, median_and_p99};
use crate::{Options, ours, rows};

const PROCESSES: u32 = 300;
/// Times that each question is asked, each time of another moment.
const QUESTIONS: u32 = 200;
/// Snapshots made at a time.
const CHUNK: u32 = 600;
const DAY_MS: i64 = 86_400_000;

/// A long history, in both forms.
struct Histories {
    ours: SqliteStore,
    rows: Connection,
    hosts: u32,
    end: Timestamp,
    folder: tempfile::TempDir,
}

/// A table of the times.
pub(crate) async fn measure(options: &Options) -> Result<Table> {
    let mut histories = make(options).await?;
    let mut table = Table::new(&["question", "median, ms", "p99, ms", "rows: median, ms", "rows: p99, ms"]);
    let (ours, theirs) = (snapshots(&mut histories, options.seed).await?, row_snapshots(&histories, options.seed)?);
    add(&mut table, &format!("snapshot of {PROCESSES} processes at a past time, cold"), ours, theirs);
    let (ours, theirs) = (series(&histories).await?, row_series(&histories)?);
    add(&mut table, &format!("a host's CPU, memory and count over {} days, 1,000 points", options.days), ours, theirs);
    let (ours, theirs) = (runs(&histories).await?, row_runs(&histories)?);
    add(&mut table, &format!("all runs of a program on a host over {} days", options.days), ours, theirs);
    histories.ours.close().await?;
    Ok(table)
}

fn add(table: &mut Table, question: &str, mut ours: Vec<Duration>, mut theirs: Vec<Duration>) {
    let [median, p99] = median_and_p99(&mut ours);
    let [row_median, row_p99] = median_and_p99(&mut theirs);
    table.row([question.into(), median, p99, row_median, row_p99]);
}

async fn make(options: &Options) -> Result<Histories> {
    let folder = tempfile::tempdir()?;
    let ours = SqliteStore::open(&OpenOptions::new(folder.path().join("ours")))?;
    let mut rows = rows::open(folder.path())?;
    let step_ms = u64::from(options.step) * 1_000;
    let ticks = options.days * 86_400 / options.step;
    for number in 0..options.hosts {
        let host = ours.host_named(&format!("host-{number}"), BEGIN).await?.number;
        let config = MachineConfig::ordinary(options.seed + u64::from(number), PROCESSES, step_ms);
        let mut machine = Machine::new(config, BEGIN.plus_ms(-DAY_MS));
        let mut time = BEGIN;
        for first in (0..ticks).step_by(CHUNK as usize) {
            let count = CHUNK.min(ticks - first);
            let mut chunk = Input { name: String::new(), snapshots: Vec::new() };
            for _ in 0..count {
                chunk.snapshots.push(machine.tick(time).into());
                time = time.plus_ms(step_ms.cast_signed());
            }
            ours::append(&ours, host, &chunk).await?;
            rows::insert(&mut rows, i64::from(host), &chunk)?;
        }
    }
    ours::seal(&ours).await?;
    rows.execute_batch(
        "CREATE INDEX by_time ON samples (host, time); CREATE INDEX by_name ON samples (host, name, time);",
    )?;
    let end = BEGIN.plus_ms(i64::from(options.days) * DAY_MS);
    Ok(Histories { ours, rows, hosts: options.hosts, end, folder })
}

/// Moments and hosts to ask for.
fn moments(histories: &Histories, seed: u64) -> Vec<(u32, Timestamp)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let length = histories.end.since_ms(BEGIN);
    (0..QUESTIONS).map(|_| (random.u32(0..histories.hosts), BEGIN.plus_ms(random.i64(60_000..length)))).collect()
}

/// Each one of a store that was just opened, so that no block is at hand; the system's own cache is warm for both sides.
async fn snapshots(histories: &mut Histories, seed: u64) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for (host, moment) in moments(histories, seed) {
        histories.ours.close().await?;
        reopen(histories)?;
        let began = Instant::now();
        let kept = histories.ours.snapshot_at(host, moment, Nearest::AtOrBefore).await?;
        times.push(began.elapsed());
        ensure!(kept.is_some_and(|kept| kept.snapshot.processes.len() == PROCESSES as usize), "not the whole snapshot");
    }
    Ok(times)
}

fn reopen(histories: &mut Histories) -> Result<()> {
    let elsewhere = tempfile::tempdir()?;
    // The old one has to let go of the folder before the new one can have it.
    histories.ours = SqliteStore::open(&OpenOptions::new(elsewhere.path()))?;
    histories.ours = SqliteStore::open(&OpenOptions::new(histories.folder.path().join("ours")))?;
    Ok(())
}

fn row_snapshots(histories: &Histories, seed: u64) -> Result<Vec<Duration>> {
    let mut statement = histories.rows.prepare(
        "SELECT * FROM samples WHERE host = ?1 AND time = (SELECT max(time) FROM samples WHERE host = ?1 AND time <= ?2)",
    )?;
    moments(histories, seed)
        .into_iter()
        .map(|(host, moment)| {
            let began = Instant::now();
            let mut found = statement.query((host, moment.as_ms()))?;
            let mut count = 0;
            while found.next()?.is_some() {
                count += 1;
            }
            let took = began.elapsed();
            ensure!(count == PROCESSES, "{count} rows");
            Ok(took)
        })
        .collect()
}

async fn series(histories: &Histories) -> Result<Vec<Duration>> {
    let range = Range { start: Some(BEGIN), end: Some(histories.end) };
    let mut times = Vec::new();
    for question in 0..QUESTIONS / 10 {
        let began = Instant::now();
        let series = histories.ours.host_series(question % histories.hosts, range, 1_000).await?;
        times.push(began.elapsed());
        ensure!(!series.points.is_empty(), "no points");
    }
    Ok(times)
}

fn row_series(histories: &Histories) -> Result<Vec<Duration>> {
    let mut statement = histories
        .rows
        .prepare("SELECT time, sum(cpu), sum(memory), count(*) FROM samples WHERE host = ?1 GROUP BY time")?;
    (0..2)
        .map(|host| {
            let began = Instant::now();
            let mut found = statement.query([host % histories.hosts])?;
            while found.next()?.is_some() {}
            Ok(began.elapsed())
        })
        .collect()
}

async fn runs(histories: &Histories) -> Result<Vec<Duration>> {
    let range = Range { start: Some(BEGIN), end: Some(histories.end) };
    let mut times = Vec::new();
    for question in 0..QUESTIONS / 10 {
        let began = Instant::now();
        let runs = histories.ours.runs(question % histories.hosts, "rustc", range).await?;
        times.push(began.elapsed());
        ensure!(!runs.is_empty(), "no runs");
    }
    Ok(times)
}

fn row_runs(histories: &Histories) -> Result<Vec<Duration>> {
    let mut statement = histories.rows.prepare(
        "SELECT pid, start, min(time), max(time) FROM samples WHERE host = ?1 AND name = 'rustc' GROUP BY pid, start",
    )?;
    (0..2)
        .map(|host| {
            let began = Instant::now();
            let mut found = statement.query([host % histories.hosts])?;
            while found.next()?.is_some() {}
            Ok(began.elapsed())
        })
        .collect()
}
