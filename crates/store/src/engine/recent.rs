//! The last CPU values of all processes of a host before a moment, for those who draw a small line beside each.

use std::collections::HashMap;

use procession_codec::HostState;
use procession_codec::block::Block;
use procession_model::{Identity, Metric, Sample};

use super::Engine;
use super::open_host::OpenFrame;
use super::open_run::{apply, base_state, decode};
use super::segments::Segments;
use super::view::{HostView, Part};
use crate::analysis::{RECENT_MAX, RecentCpu};
use crate::{HostNumber, Range, SnapshotEntry, StoreError};

impl<S: Segments> Engine<S> {
    pub(crate) fn recent_cpu(
        &self,
        host: HostNumber,
        range: Range,
        snapshots: usize,
    ) -> Result<Option<RecentCpu>, StoreError> {
        let entries = self.list(Some(host), range, None, snapshots.min(RECENT_MAX))?;
        let (Some(first), Some(view)) = (entries.first(), self.view(host)?) else {
            return Ok(None);
        };
        let mut table = Table { columns: columns_of(&entries), used: HashMap::new() };
        for part in view.parts(Range { start: Some(first.time), end: range.end })? {
            view.read_cpu(&part, &mut table)?;
        }
        let times = entries.iter().map(|entry| entry.time).collect();
        let mut processes: Vec<_> = table.used.into_iter().collect();
        processes.sort_unstable_by_key(|(identity, _)| *identity);
        Ok(Some(RecentCpu { times, processes }))
    }
}

/// Which snapshot stands where.
fn columns_of(entries: &[SnapshotEntry]) -> HashMap<u32, usize> {
    entries.iter().enumerate().map(|(column, entry)| (entry.id.sequence(), column)).collect()
}

/// What is known so far.
struct Table {
    /// The column of each snapshot that is asked for, by its sequence.
    columns: HashMap<u32, usize>,
    used: HashMap<Identity, Vec<u64>>,
}

impl Table {
    fn put(&mut self, identity: Identity, column: usize, cpu: u64) {
        if cpu == 0 || cpu == Metric::ABSENT {
            return;
        }
        let count = self.columns.len();
        let values = self.used.entry(identity).or_insert_with(|| vec![0; count]);
        values[column] = cpu;
    }

    fn put_state(&mut self, column: usize, state: &HostState) {
        for (_, description, sample) in state.occupied() {
            self.put(description.identity, column, cpu_of(sample));
        }
    }

    fn put_block(&mut self, block: &Block) {
        let sequences = &block.timeline().sequences;
        let wanted: Vec<(u32, usize)> =
            (0..).zip(sequences).filter_map(|(frame, sequence)| Some((frame, *self.columns.get(sequence)?))).collect();
        for (index, row) in block.rows().iter().enumerate() {
            let cpu = block.row_series(index, Metric::Cpu);
            for (frame, column) in wanted.iter().filter(|(frame, _)| row.is_in(*frame)) {
                self.put(row.description.identity, *column, cpu.at(*frame));
            }
        }
    }
}

fn cpu_of(sample: &Sample) -> u64 {
    sample.raw()[Metric::Cpu.index()]
}

impl<S: Segments> HostView<'_, S> {
    fn read_cpu(&self, part: &Part<'_, S>, table: &mut Table) -> Result<(), StoreError> {
        match part.open_frames() {
            Some(frames) if part.late => {
                for open in frames {
                    if let Some(column) = table.columns.get(&open.sequence).copied() {
                        let mut state = HostState::new();
                        apply(&mut state, &decode(&open.bytes)?)?;
                        table.put_state(column, &state);
                    }
                }
                Ok(())
            }
            Some(frames) => self.read_open_cpu(frames, table),
            None => {
                if let Some(block) = part.block_with(&[Metric::Cpu], None)? {
                    table.put_block(&block);
                }
                Ok(())
            }
        }
    }

    /// Goes through the open frames once, up to the last that is asked for.
    fn read_open_cpu(&self, frames: &[OpenFrame], table: &mut Table) -> Result<(), StoreError> {
        let wanted = |open: &OpenFrame| table.columns.contains_key(&open.sequence);
        let Some(last) = frames.iter().rposition(wanted) else {
            return Ok(());
        };
        let mut state = base_state(&self.base)?;
        for open in &frames[..=last] {
            apply(&mut state, &decode(&open.bytes)?)?;
            if let Some(column) = table.columns.get(&open.sequence).copied() {
                table.put_state(column, &state);
            }
        }
        Ok(())
    }
}
