//! The plain format that a block is compared with: each field of all processes as differences, varints and zstd.

use std::collections::HashMap;

use procession_model::{Description, Metric, Snapshot};

const LEVEL: i32 = 19;

/// Bytes of a run of snapshots: strings once each, rows by their fields, every value of every sample as the difference from
/// the one before it.
pub(crate) fn bytes(snapshots: &[Snapshot]) -> usize {
    let mut rows: HashMap<&Description, Vec<(usize, [u64; Metric::COUNT])>> = HashMap::new();
    for (index, snapshot) in snapshots.iter().enumerate() {
        for process in &snapshot.processes {
            rows.entry(&process.description).or_default().push((index, *process.sample.raw()));
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(description, samples)| (samples[0].0, description.identity.start, description.identity.pid));
    rows_bytes(&rows) + metrics_bytes(&rows)
}

type Row<'a> = (&'a Description, Vec<(usize, [u64; Metric::COUNT])>);

fn rows_bytes(rows: &[Row<'_>]) -> usize {
    let mut strings = String::new();
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    let mut columns: [Vec<u64>; 10] = Default::default();
    for (description, samples) in rows {
        let Description { identity, parent_pid, name, command_line, user, executable, cgroup } = description;
        let start = identity.start.map_or(0, |start| start.as_ms().cast_unsigned());
        let fixed = [u64::from(identity.pid), start, u64::from(parent_pid.unwrap_or(0))];
        let texts = [Some(name), command_line.as_ref(), user.as_ref(), executable.as_ref(), cgroup.as_ref()];
        let texts = texts.map(|text| {
            let next = numbers.len() as u64 + 1;
            text.map_or(0, |text| {
                *numbers.entry(text).or_insert_with(|| {
                    strings.push_str(text);
                    strings.push('\0');
                    next
                })
            })
        });
        let extent = [samples[0].0 as u64, samples.len() as u64];
        for (column, number) in columns.iter_mut().zip(fixed.into_iter().chain(texts).chain(extent)) {
            column.push(number);
        }
    }
    compressed(strings.as_bytes()) + columns.iter().map(|column| differences(column.iter().copied())).sum::<usize>()
}

fn metrics_bytes(rows: &[Row<'_>]) -> usize {
    let metric = |metric: Metric| {
        differences(rows.iter().flat_map(|(_, samples)| samples.iter().map(move |(_, raw)| raw[metric.index()])))
    };
    Metric::ALL.into_iter().map(metric).sum()
}

fn differences(numbers: impl Iterator<Item = u64>) -> usize {
    let mut before = 0_u64;
    let mut bytes = Vec::new();
    for number in numbers {
        let difference = number.wrapping_sub(before).cast_signed();
        before = number;
        let mut zigzag = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
        while zigzag >= 128 {
            bytes.push(zigzag.to_le_bytes()[0] | 128);
            zigzag >>= 7;
        }
        bytes.push(zigzag.to_le_bytes()[0]);
    }
    compressed(&bytes)
}

fn compressed(bytes: &[u8]) -> usize {
    zstd::bulk::compress(bytes, LEVEL).expect("zstd").len()
}
