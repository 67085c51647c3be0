//! The input as simple columns: for each metric the differences between one snapshot and the next, process by process, as
//! variable-length integers; strings once a block; all of it through zstd. What an afternoon's work comes to.

use std::collections::HashMap;

use anyhow::Result;
use procession_model::{Identity, Metric, Process};

use crate::input::Input;

/// Snapshots in a block.
const BLOCK: usize = 120;

/// Bytes of all blocks at a level of zstd.
pub(crate) fn bytes(input: &Input, level: i32) -> Result<u64> {
    let mut bytes = 0;
    for block in input.snapshots.chunks(BLOCK) {
        let mut columns = Columns::default();
        for (index, snapshot) in block.iter().enumerate() {
            columns.times.extend(varint(zigzag(snapshot.time.as_ms())));
            for process in &snapshot.processes {
                columns.add(index, process);
            }
        }
        bytes += columns.compressed(level)?;
    }
    Ok(bytes)
}

#[derive(Default)]
struct Columns {
    times: Vec<u8>,
    strings: Vec<u8>,
    lives: Vec<Life>,
    by_identity: HashMap<Identity, usize>,
}

struct Life {
    last: [u64; Metric::COUNT],
    metrics: [Vec<u8>; Metric::COUNT],
}

impl Columns {
    fn add(&mut self, index: usize, process: &Process) {
        let identity = process.description.identity;
        let life = *self.by_identity.entry(identity).or_insert_with(|| {
            let description = &process.description;
            let texts = [
                Some(&description.name),
                description.command_line.as_ref(),
                description.user.as_ref(),
                description.executable.as_ref(),
                description.cgroup.as_ref(),
            ];
            for text in texts {
                self.strings.extend(text.map_or(&b""[..], |text| text.as_bytes()));
                self.strings.push(0);
            }
            let start = identity.start.map_or(0, procession_model::Timestamp::as_ms);
            let parent = u64::from(description.parent_pid.unwrap_or(0));
            for number in [u64::from(identity.pid), parent, index as u64, zigzag(start)] {
                self.strings.extend(varint(number));
            }
            self.lives.push(Life { last: [0; Metric::COUNT], metrics: Default::default() });
            self.lives.len() - 1
        });
        let life = &mut self.lives[life];
        for (metric, value) in process.sample.raw().iter().enumerate() {
            life.metrics[metric].extend(varint(zigzag(value.wrapping_sub(life.last[metric]).cast_signed())));
            life.last[metric] = *value;
        }
    }

    fn compressed(&self, level: i32) -> Result<u64> {
        let mut bytes =
            zstd::bulk::compress(&self.times, level)?.len() + zstd::bulk::compress(&self.strings, level)?.len();
        for metric in 0..Metric::COUNT {
            let column: Vec<u8> = self.lives.iter().flat_map(|life| life.metrics[metric].iter().copied()).collect();
            bytes += zstd::bulk::compress(&column, level)?.len();
        }
        Ok(bytes as u64)
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn varint(mut value: u64) -> impl Iterator<Item = u8> {
    let mut more = true;
    std::iter::from_fn(move || {
        more.then(|| {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            more = value > 0;
            byte | u8::from(more) << 7
        })
    })
}
