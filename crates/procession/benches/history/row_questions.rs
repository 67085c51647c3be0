//! The same questions to plain rows.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use procession_model::{Identity, Timestamp};
use rusqlite::{Connection, Params, Statement};

use crate::long::{DAY_MS, Long, MANY_ROWS_FROM, Options, RARE};
use crate::questions::SNAPSHOTS;

/// Times that each question is asked but that for snapshots: some take seconds.
const OTHERS: usize = 3;
const POINTS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// The rows and what they are asked.
pub(crate) struct RowQuestions<'a> {
    rows: &'a Connection,
    options: Options,
    seed: u64,
    long_lived: Vec<Identity>,
}

impl<'a> RowQuestions<'a> {
    pub(crate) fn of(long: &'a Long, seed: u64, long_lived: Vec<Identity>) -> Result<Self> {
        Ok(Self { rows: &long.rows, options: long.options, seed, long_lived })
    }

    pub(crate) fn snapshots(&self) -> Result<Vec<Duration>> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut statement = self.rows.prepare(
            "SELECT * FROM samples WHERE host = 0 AND time = (SELECT max(time) FROM samples WHERE host = 0 AND time <= ?1)",
        )?;
        let mut ask = |_| {
            let moment = self.options.last_day().plus_ms(random.i64(60_000..DAY_MS)).as_ms();
            timed(&mut statement, [moment], self.options.processes as usize)
        };
        (0..SNAPSHOTS).map(&mut ask).collect()
    }

    pub(crate) fn process(&self) -> Result<Vec<Duration>> {
        let mut statement = self.rows.prepare(
            "SELECT time, cpu, memory, read_bytes, write_bytes FROM samples WHERE host = 0 AND pid = ?1 AND start = ?2 \
             ORDER BY time",
        )?;
        let ask =
            |process: &Identity| timed(&mut statement, (process.pid, process.start.map_or(0, Timestamp::as_ms)), 1_000);
        self.long_lived.iter().take(OTHERS).map(ask).collect()
    }

    pub(crate) fn series(&self) -> Result<Vec<Duration>> {
        let mut statement = self.rows.prepare(
            "SELECT time / ?1, avg(cpu), max(cpu), avg(memory), max(memory), max(count) FROM (SELECT time, sum(cpu) AS cpu, \
             sum(memory) AS memory, count(*) AS count FROM samples WHERE host = 0 GROUP BY time) GROUP BY 1",
        )?;
        (0..OTHERS).map(|_| timed(&mut statement, [DAY_MS / POINTS], 100)).collect()
    }

    pub(crate) fn top(&self) -> Result<Vec<Duration>> {
        let mut statement = self.rows.prepare(
            "SELECT pid, start, parent_pid, name, sum(cpu) FROM samples WHERE host = 0 AND time >= ?1 AND time < ?2 \
             GROUP BY pid, start",
        )?;
        let start = |hour: usize| self.options.last_day().as_ms() + hour as i64 * HOUR_MS + 60_000;
        (0..OTHERS).map(|hour| timed(&mut statement, [start(hour), start(hour) + HOUR_MS], 100)).collect()
    }

    pub(crate) fn runs(&self) -> Result<Vec<Duration>> {
        let mut statement = self.rows.prepare(
            "SELECT pid, start, min(time), max(time) FROM samples WHERE host = 0 AND name = 'rustc' GROUP BY pid, start",
        )?;
        (0..OTHERS).map(|_| timed(&mut statement, [], 1)).collect()
    }

    pub(crate) fn hosts(&self, is_rare: bool) -> Result<Vec<Duration>> {
        let mut statement = self
            .rows
            .prepare("SELECT host, min(time), max(time) FROM samples WHERE name = ?1 AND host >= ?2 GROUP BY host")?;
        let name = if is_rare { RARE } else { "nginx" };
        // None of the few may have had it in the one day that there are rows of.
        (0..OTHERS).map(|_| timed(&mut statement, (name, MANY_ROWS_FROM), usize::from(!is_rare))).collect()
    }
}

/// How long it takes to read the whole answer, which has at least so many rows.
fn timed(statement: &mut Statement<'_>, parameters: impl Params, least: usize) -> Result<Duration> {
    let began = Instant::now();
    let mut found = statement.query(parameters)?;
    let mut count = 0;
    while found.next()?.is_some() {
        count += 1;
    }
    let took = began.elapsed();
    ensure!(count >= least, "{count} rows");
    Ok(took)
}
