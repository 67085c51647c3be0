//! The questions, answered over the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use procession_model::{Description, Identity, Metric, Timestamp};

use super::extent::{Extent, extent};
use super::lives::Lives;
use super::piece::Piece;
use super::plan::{self, Filter, Reads};
use super::search::Finder;
use super::series::{MeanOver, Steps};
use super::{
    Analysis, Changes, HostsWith, Measure, Moment, Of, POINTS_MAX, ProcessSeries, ProgramRuns, ROWS_MAX, RecentCpu,
    Search, SearchAnswer, Series, Top, TopRequest, changes, hosts_with, runs, top,
};
use crate::engine::{Engine, Level, SegmentStore, Segments};
use crate::rollup::Rollup;
use crate::{HostNumber, KeptSnapshot, Nearest, Range, StoreError};

/// What wants no points is answered by snapshots up to so many milliseconds, six hours, and by hours beyond.
const RAW_MS_MAX: i64 = 21_600_000;
/// The peak of a sum, which rollups only estimate, is answered by snapshots up to so many milliseconds, a day.
const PEAK_RAW_MS_MAX: i64 = 86_400_000;
/// What wants points is answered by snapshots up to so many of a host: two and a half days at 5 s.
const READS_MAX: u64 = 43_200;
/// Over several hosts steps have at least this length in milliseconds.
const COMMON_STEP_MS_MIN: u64 = 1_000;

/// How fine a series is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fineness {
    pub(super) step_ms: u64,
    pub(super) level: Level,
}

impl Fineness {
    /// For at most `points` points over a stretch of time. Where snapshots are too many to read them all, steps are of a level
    /// that is there while these are.
    pub(super) fn of(extent: Extent, points: usize, least_step_ms: u64, kept: Level) -> Self {
        let points = points.max(1) as u64;
        if least_step_ms == 0 && extent.frames <= points {
            return Self { step_ms: 0, level: Level::Raw };
        }
        let span = u64::try_from(extent.last.since_ms(extent.first)).unwrap_or(0).saturating_add(1);
        // A span that begins within a step touches one more than it is long.
        let wanted = span.div_ceil(points.saturating_sub(1).max(1)).max(least_step_ms);
        let whole = |level: Level| wanted.next_multiple_of(level.step_ms());
        let step_ms = if points == 1 {
            // One step for all: so long that no multiple of it lies within.
            covering(extent)
        } else if extent.reads > READS_MAX || wanted > kept.step_ms() / 2 {
            whole(kept)
        } else if wanted > Level::QuarterHour.step_ms() / 2 {
            whole(Level::QuarterHour)
        } else if wanted > Level::Minute.step_ms() / 2 {
            whole(Level::Minute)
        } else {
            wanted
        };
        Self { step_ms, level: Level::for_step(step_ms) }
    }
}

/// A step of whole quarters of an hour that has all of a stretch in it.
pub(super) fn covering(extent: Extent) -> u64 {
    let mut step_ms = Level::QuarterHour.step_ms();
    let number = |step_ms, time| Rollup::number_of(step_ms, time);
    while step_ms < u64::MAX / 4 && number(step_ms, extent.first) != number(step_ms, extent.last) {
        step_ms *= 2;
    }
    step_ms
}

impl<S: Segments> Engine<S> {
    /// The hosts asked for.
    fn hosts_of(&self, host: Option<HostNumber>) -> Vec<HostNumber> {
        host.map_or_else(|| self.host_numbers(), |host| vec![host])
    }

    fn extent(&self, hosts: &[HostNumber], range: Range) -> Result<Option<Extent>, StoreError> {
        let mut all: Option<Extent> = None;
        for host in hosts {
            if let Some(extent) = extent(self, *host, range)? {
                all = Some(extent.with(all));
            }
        }
        Ok(all)
    }

    fn process_series(
        &self,
        host: HostNumber,
        identity: Identity,
        range: Range,
        points: usize,
    ) -> Result<Option<ProcessSeries>, StoreError> {
        let points = points.min(POINTS_MAX);
        let Some(extent) = self.extent(&[host], range)? else {
            return Ok(None);
        };
        let extent = lifetime(extent, identity, range);
        let fine = Fineness::of(extent, points, 0, Level::Hour);
        let filter = Filter { pid: Some(identity.pid), ..Filter::default() };
        let range = Range { start: range.start.max(Some(extent.first)), end: range.end };
        let Some(gathered) = plan::gather(self, host, range, fine.level, filter)? else {
            return Ok(None);
        };
        let lives = Lives::of(&gathered.pieces, &|description| description.identity == identity, range.start);
        let Some(last) = lives.lives.last() else {
            return Ok(None);
        };
        let mut run = last.run(gathered.newest);
        run.started = lives.lives.iter().map(|life| life.run(None).started).min().unwrap_or(run.started);
        let series = Steps::of(&gathered.pieces, &lives, fine.step_ms).of_process(gathered.rollup_ms());
        Ok(Some(ProcessSeries { run, series }))
    }

    fn series(&self, host: Option<HostNumber>, of: &Of, range: Range, points: usize) -> Result<Series, StoreError> {
        let points = points.min(POINTS_MAX);
        let hosts = self.hosts_of(host);
        let Some(extent) = self.extent(&hosts, range)? else {
            return Ok(Series::default());
        };
        let least_step_ms = if host.is_some() { 0 } else { COMMON_STEP_MS_MIN };
        let fine = Fineness::of(extent, points, least_step_ms, Level::Hour);
        let mut sum: BTreeMap<i64, super::SeriesPoint> = BTreeMap::new();
        let mut rollup_ms = 0;
        for host in hosts {
            let Some(gathered) = plan::gather(self, host, range, fine.level, of.filter())? else { continue };
            let lives = Lives::of(&gathered.pieces, &|description| of.has(description), range.start);
            rollup_ms = rollup_ms.max(gathered.rollup_ms());
            Steps::of(&gathered.pieces, &lives, fine.step_ms).add_to(&mut sum, MeanOver::Snapshots);
        }
        Ok(Series { points: sum.into_values().collect(), step_ms: fine.step_ms, rollup_ms })
    }

    fn program_runs(
        &self,
        host: Option<HostNumber>,
        name: &str,
        range: Range,
        offset: u64,
        limit: usize,
    ) -> Result<ProgramRuns, StoreError> {
        let mut answer = ProgramRuns::default();
        let of = Of::Program(name.to_owned());
        let limit = limit.min(ROWS_MAX);
        for host in host.map_or_else(|| hosts_with::may_have(self, name), |host| Ok(vec![host]))? {
            let filter = Filter { reads: Reads::Metrics(&[Metric::Cpu, Metric::Memory]), ..of.filter() };
            let Some(gathered) = plan::gather(self, host, range, level_for(self, host, range, RAW_MS_MAX)?, filter)?
            else {
                continue;
            };
            let lives = Lives::of(&gathered.pieces, &|description| of.has(description), range.start);
            let (more, on_host) = runs::runs(host, &lives, range, gathered.newest);
            let skip = usize::try_from(offset.saturating_sub(answer.count)).unwrap_or(usize::MAX);
            answer.count += more.len() as u64;
            let left = limit - answer.runs.len();
            answer.runs.extend(more.into_iter().skip(skip).take(left));
            if on_host.runs > 0 {
                answer.hosts.push(on_host);
            }
        }
        runs::bound_gaps(&mut answer.hosts);
        Ok(answer)
    }

    fn top(&self, request: &TopRequest) -> Result<Top, StoreError> {
        let &TopRequest { host, range, by, group, limit } = request;
        let raw_ms_max = if by == Measure::MemoryPeak { PEAK_RAW_MS_MAX } else { RAW_MS_MAX };
        let level = if by == Measure::MemoryGrowth { Level::Raw } else { level_for(self, host, range, raw_ms_max)? };
        let pieces = if by == Measure::MemoryGrowth {
            self.both_ends(host, range)?
        } else {
            let filter = Filter { reads: Reads::Metrics(by.metrics()), ..Filter::default() };
            plan::gather(self, host, range, level, filter)?.map(|gathered| gathered.pieces)
        };
        Ok(top::top(&pieces.unwrap_or_default(), by, group, range.start, limit))
    }

    /// The first and the last snapshot of a range.
    fn both_ends(&self, host: HostNumber, range: Range) -> Result<Option<Vec<Piece>>, StoreError> {
        let first = match range.start {
            Some(start) => self.snapshot_at(host, start, Nearest::AtOrAfter)?,
            None => self.snapshot_at(host, Timestamp::from_ms(i64::MIN), Nearest::AtOrAfter)?,
        };
        let end = range.end.map_or(Timestamp::from_ms(i64::MAX), |end| end.plus_ms(-1));
        let last = self.snapshot_at(host, end, Nearest::AtOrBefore)?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
        let times = [first.snapshot.time, last.snapshot.time];
        if times.iter().any(|time| !range.contains(*time)) {
            return Ok(None);
        }
        let mut pieces = Vec::new();
        for time in times {
            let one = Range { start: Some(time), end: Some(time.plus_ms(1)) };
            let gathered = plan::gather(self, host, one, Level::Raw, Filter::default())?;
            // A pid without a start counts as the same process at both ends, though it may have been away meanwhile.
            pieces.extend(gathered.into_iter().flat_map(|gathered| gathered.pieces).map(|piece| match piece {
                Piece::Raw(raw) => Piece::Raw(raw.following(times[0])),
                rolled @ Piece::Rolled(_) => rolled,
            }));
        }
        Ok(Some(pieces))
    }

    fn at(&self, moment: Moment) -> Result<Option<KeptSnapshot>, StoreError> {
        self.snapshot_at(moment.host, moment.time, Nearest::AtOrBefore)
    }

    fn changes(&self, from: Moment, to: Moment, limit: usize) -> Result<Option<Changes>, StoreError> {
        let (Some(from), Some(to)) = (self.at(from)?, self.at(to)?) else {
            return Ok(None);
        };
        Ok(Some(changes::changes(&from, &to, limit)))
    }

    fn search(&self, search: &Search, limit: usize) -> Result<SearchAnswer, StoreError> {
        let mut finder = Finder::new(search, limit);
        for host in self.host_numbers() {
            if finder.wants(host)
                && let Some((id, state)) = self.newest(host)?
            {
                finder.look_at(id, &state);
            }
        }
        Ok(finder.finish())
    }
}

/// The part of a stretch of time in which a process can have lived.
fn lifetime(extent: Extent, identity: Identity, range: Range) -> Extent {
    let Some(start) = identity.start else { return extent };
    let first = extent.first.max(range.start.map_or(start, |asked| asked.max(start)));
    Extent { first: first.min(extent.last), ..extent }
}

/// The level for questions that want no points.
fn level_for<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    range: Range,
    raw_ms_max: i64,
) -> Result<Level, StoreError> {
    let Some(extent) = extent(engine, host, range)? else { return Ok(Level::Raw) };
    let span_ms = extent.last.since_ms(extent.first);
    Ok(if span_ms <= raw_ms_max { Level::Raw } else { Level::Hour })
}

impl Of {
    /// Whether a process is one of these.
    fn has(&self, description: &Description) -> bool {
        match self {
            Self::Program(name) => *description.name == **name,
            Self::User(user) => description.user.as_deref() == Some(user.as_str()),
        }
    }

    fn filter(&self) -> Filter<'_> {
        match self {
            Self::Program(name) => Filter { name: Some(name), ..Filter::default() },
            Self::User(user) => Filter { user: Some(user), ..Filter::default() },
        }
    }
}

#[async_trait]
impl<S: Segments> Analysis for SegmentStore<S> {
    async fn process_series(
        &self,
        host: HostNumber,
        identity: Identity,
        range: Range,
        points: usize,
    ) -> Result<Option<ProcessSeries>, StoreError> {
        self.query(move |engine| engine.process_series(host, identity, range, points)).await
    }

    async fn series(
        &self,
        host: Option<HostNumber>,
        of: &Of,
        range: Range,
        points: usize,
    ) -> Result<Series, StoreError> {
        let of = of.clone();
        self.query(move |engine| engine.series(host, &of, range, points)).await
    }

    async fn recent_cpu(
        &self,
        host: HostNumber,
        range: Range,
        snapshots: usize,
    ) -> Result<Option<RecentCpu>, StoreError> {
        self.query(move |engine| engine.recent_cpu(host, range, snapshots)).await
    }

    async fn program_runs(
        &self,
        host: Option<HostNumber>,
        name: &str,
        range: Range,
        offset: u64,
        limit: usize,
    ) -> Result<ProgramRuns, StoreError> {
        let name = name.to_owned();
        self.query(move |engine| engine.program_runs(host, &name, range, offset, limit)).await
    }

    async fn top(&self, request: &TopRequest) -> Result<Top, StoreError> {
        let request = *request;
        self.query(move |engine| engine.top(&request)).await
    }

    async fn changes(&self, from: Moment, to: Moment, limit: usize) -> Result<Option<Changes>, StoreError> {
        self.query(move |engine| engine.changes(from, to, limit)).await
    }

    async fn hosts_with(&self, name: &str, range: Range, limit: usize) -> Result<HostsWith, StoreError> {
        let name: Arc<str> = Arc::from(name);
        self.query(move |engine| hosts_with::hosts_with(engine, &name, range, limit)).await
    }

    async fn search(&self, search: &Search, limit: usize) -> Result<SearchAnswer, StoreError> {
        let search = search.clone();
        self.query(move |engine| engine.search(&search, limit)).await
    }
}
