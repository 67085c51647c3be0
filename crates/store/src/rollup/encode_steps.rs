//! The steps of a rollup: the host over time. Sums are written as what they differ from what the highest or the last value
//! says.

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_codec::numbers::{add_difference, difference, unzigzag, zigzag};
use procession_model::{HostMetric, HostSample, Metric};

use super::columns::{SeriesReader, SeriesWriter, from_optional, get_count, optional};
use super::{Rollup, Step};

/// The most steps of a rollup.
const STEPS_MAX: usize = 1 << 20;
/// How many lists the steps are.
const LISTS: usize = 17 + HostMetric::COUNT;

pub(super) fn put_steps(columns: &mut ColumnWriter, steps: &[Step], step_ms: u64) {
    columns.put(&[steps.len() as u64]);
    let mut series = SeriesWriter::default();
    let start = |step: &Step| Rollup::start_of(step_ms, step.number);
    let mut add = |value: &dyn Fn(&Step) -> u64| series.add(steps.iter().map(value));
    add(&|step| step.number.cast_unsigned());
    add(&|step| u64::from(step.last_sequence));
    add(&|step| step.snapshots);
    add(&|step| u64::from(step.processes_max));
    add(&|step| step.memory_max);
    let mut ways = |value: &dyn Fn(&Step) -> u64| series.add_ways(steps.iter().map(value));
    ways(&|step| zigzag(step.first.since_ms(start(step))));
    ways(&|step| zigzag(step.last.since_ms(step.first)));
    ways(&|step| difference(step_ms, step.interval_ms));
    ways(&|step| difference(times(step.processes_max.into(), step.snapshots), step.process_samples));
    ways(&|step| zigzag(step.cpu_max.cast_signed()));
    ways(&|step| difference(step.cpu_max, narrow(step.cpu_sum)));
    ways(&|step| difference(times(step.memory_max, step.snapshots), narrow(step.memory_sum)));
    ways(&|step| difference(step.snapshots, step.host_cpu_snapshots));
    ways(&|step| difference(step.snapshots, step.host_memory_snapshots));
    ways(&|step| difference(host_cpu(step), narrow(step.host_cpu_sum)));
    ways(&|step| difference(host_tenths(step), step.host_cpu_tenths));
    ways(&|step| difference(host_memory(step), narrow(step.host_memory_sum)));
    for metric in HostMetric::ALL {
        series.add(steps.iter().map(|step| optional(step.host.get(metric))));
    }
    series.finish(columns);
}

pub(super) fn get_steps(columns: &mut ColumnReader<'_>, step_ms: u64) -> Result<Vec<Step>, DecodeError> {
    let count = get_count(columns, STEPS_MAX, "steps")?;
    let mut series = SeriesReader::get(columns, LISTS)?;
    let lists: Vec<_> = (0..5).map(|_| series.next(columns, count)).collect::<Result<_, _>>()?;
    let ways: Vec<_> = (5..17).map(|_| series.next_ways(columns, count)).collect::<Result<_, _>>()?;
    let hosts: Vec<_> = HostMetric::ALL.iter().map(|_| series.next(columns, count)).collect::<Result<_, _>>()?;
    if lists[0].windows(2).any(|pair| pair[0].cast_signed() >= pair[1].cast_signed()) {
        return Err(DecodeError::Invalid("the order of steps"));
    }
    (0..count).map(|index| step(step_ms, &Numbers { lists: &lists, ways: &ways, hosts: &hosts, index })).collect()
}

/// The numbers of one step.
struct Numbers<'a> {
    lists: &'a [Vec<u64>],
    ways: &'a [Vec<u64>],
    hosts: &'a [Vec<u64>],
    index: usize,
}

fn step(step_ms: u64, numbers: &Numbers<'_>) -> Result<Step, DecodeError> {
    let list = |list: usize| numbers.lists[list][numbers.index];
    let way = |way: usize| numbers.ways[way][numbers.index];
    let narrow_32 = |value: u64| u32::try_from(value).map_err(|_| DecodeError::OverLimit("a number of a step"));
    let mut host = *HostSample::ABSENT.raw();
    for (raw, column) in host.iter_mut().zip(numbers.hosts) {
        *raw = from_optional(column[numbers.index]).unwrap_or(Metric::ABSENT);
    }
    let number = list(0).cast_signed();
    let first = Rollup::start_of(step_ms, number).plus_ms(unzigzag(way(0)));
    let (snapshots, processes_max, memory_max) = (list(2), narrow_32(list(3))?, list(4));
    let cpu_max = unzigzag(way(4)).cast_unsigned();
    let mut step = Step {
        number,
        first,
        last: first.plus_ms(unzigzag(way(1))),
        last_sequence: narrow_32(list(1))?,
        snapshots,
        interval_ms: add_difference(step_ms, way(2)),
        process_samples: add_difference(times(processes_max.into(), snapshots), way(3)),
        processes_max,
        cpu_sum: add_difference(cpu_max, way(5)).into(),
        cpu_max,
        memory_sum: add_difference(times(memory_max, snapshots), way(6)).into(),
        memory_max,
        host_cpu_snapshots: add_difference(snapshots, way(7)),
        host_cpu_sum: 0,
        host_cpu_tenths: 0,
        host_memory_sum: 0,
        host_memory_snapshots: add_difference(snapshots, way(8)),
        host: HostSample::from_raw(host),
    };
    step.host_cpu_sum = add_difference(host_cpu(&step), way(9)).into();
    step.host_cpu_tenths = add_difference(host_tenths(&step), way(10));
    step.host_memory_sum = add_difference(host_memory(&step), way(11)).into();
    Ok(step)
}

/// What the sum of the host's CPU would be if it were always the last.
fn host_cpu(step: &Step) -> u64 {
    times(step.host.get(HostMetric::Cpu).unwrap_or(0), step.host_cpu_snapshots)
}

/// What its CPU time would be if all snapshots stood for the same time.
fn host_tenths(step: &Step) -> u64 {
    times(narrow(step.host_cpu_sum), step.interval_ms / step.snapshots.max(1))
}

/// What the sum of the used memory would be if it were always the last.
fn host_memory(step: &Step) -> u64 {
    times(step.host.get(HostMetric::MemoryUsed).unwrap_or(0), step.host_memory_snapshots)
}

const fn times(one: u64, other: u64) -> u64 {
    one.wrapping_mul(other)
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}
