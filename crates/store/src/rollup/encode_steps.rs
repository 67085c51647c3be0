//! The steps of a rollup: the host over time.

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_model::{HostMetric, HostSample, Metric, Timestamp};

use super::columns::{from_optional, get_count, go, optional, unzigzag, way, zigzag};
use super::{Rollup, Step};

/// The most steps of a rollup.
const STEPS_MAX: usize = 1 << 20;

pub(super) fn put_steps(columns: &mut ColumnWriter, rollup: &Rollup) {
    let steps = &rollup.steps;
    columns.put(&[steps.len() as u64]);
    let mut put = |value: &dyn Fn(&Step) -> u64| columns.put(&steps.iter().map(value).collect::<Vec<_>>());
    let start = |step: &Step| Rollup::start_of(rollup.step_ms, step.number);
    put(&|step| zigzag(step.first.since_ms(start(step))));
    put(&|step| zigzag(step.last.since_ms(step.first)));
    put(&|step| step.snapshots);
    put(&|step| step.interval_ms);
    put(&|step| step.process_samples);
    put(&|step| u64::from(step.processes_max));
    put(&|step| narrow(step.cpu_sum));
    put(&|step| step.cpu_max);
    put(&|step| step.host_cpu_snapshots);
    put(&|step| narrow(step.host_cpu_sum));
    put(&|step| step.host_cpu_tenths);
    put(&|step| step.host_memory_snapshots);
    let mut put_ways = |value: &dyn Fn(&Step) -> u64| {
        let mut before = 0;
        let ways = steps.iter().map(|step| {
            let (from, to) = (before, value(step));
            before = to;
            way(from, to)
        });
        columns.put(&ways.collect::<Vec<_>>());
    };
    put_ways(&|step| step.number.cast_unsigned());
    put_ways(&|step| u64::from(step.last_sequence));
    put_ways(&|step| narrow(step.memory_sum));
    put_ways(&|step| step.memory_max);
    put_ways(&|step| narrow(step.host_memory_sum));
    for metric in HostMetric::ALL {
        put_ways(&|step| optional(step.host.get(metric)));
    }
}

pub(super) fn get_steps(columns: &mut ColumnReader<'_>, step_ms: u64) -> Result<Vec<Step>, DecodeError> {
    let count = get_count(columns, STEPS_MAX, "steps")?;
    let mut plain: Vec<_> = (0..12).map(|_| columns.get(count)).collect::<Result<_, _>>()?;
    let mut ways: Vec<_> = (0..5 + HostMetric::COUNT).map(|_| columns.get(count)).collect::<Result<_, _>>()?;
    for column in &mut ways {
        let mut before = 0;
        for value in column {
            before = go(before, *value);
            *value = before;
        }
    }
    let numbers = &ways[0];
    if numbers.windows(2).any(|pair| pair[0].cast_signed() >= pair[1].cast_signed()) {
        return Err(DecodeError::Invalid("the order of steps"));
    }
    let hosts = ways.split_off(5);
    let host = |index: usize| {
        let mut raw = *HostSample::ABSENT.raw();
        for (raw, column) in raw.iter_mut().zip(&hosts) {
            *raw = from_optional(column[index]).unwrap_or(Metric::ABSENT);
        }
        HostSample::from_raw(raw)
    };
    let narrow_32 = |value: u64| u32::try_from(value).map_err(|_| DecodeError::OverLimit("a number of a step"));
    let step = |index: usize| {
        let number = ways[0][index].cast_signed();
        let first = moved(Rollup::start_of(step_ms, number), plain[0][index]);
        Ok(Step {
            number,
            first,
            last: moved(first, plain[1][index]),
            last_sequence: narrow_32(ways[1][index])?,
            snapshots: plain[2][index],
            interval_ms: plain[3][index],
            process_samples: plain[4][index],
            processes_max: narrow_32(plain[5][index])?,
            cpu_sum: plain[6][index].into(),
            cpu_max: plain[7][index],
            memory_sum: ways[2][index].into(),
            memory_max: ways[3][index],
            host_cpu_snapshots: plain[8][index],
            host_cpu_sum: plain[9][index].into(),
            host_cpu_tenths: plain[10][index],
            host_memory_sum: ways[4][index].into(),
            host_memory_snapshots: plain[11][index],
            host: host(index),
        })
    };
    let steps = (0..count).map(step).collect();
    plain.clear();
    steps
}

fn moved(time: Timestamp, way: u64) -> Timestamp {
    time.plus_ms(unzigzag(way))
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}
