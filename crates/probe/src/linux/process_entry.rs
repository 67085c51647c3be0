//! What is kept of a process from one snapshot to the next.

use std::sync::Arc;

use procession_model::{Description, Metric, ProcessState, Sample};
use rustix::fd::OwnedFd;

use super::rest::Rest;
use super::stat::Stat;
use crate::field_errors::FieldErrorSet;

/// A process that was there at the last look.
#[derive(Debug)]
pub(super) struct ProcessEntry {
    pub(super) pid: u32,
    pub(super) alive: bool,
    pub(super) start_ticks: u64,
    pub(super) parent_pid: u32,
    pub(super) image: Image,
    pub(super) cpu_ticks: u64,
    pub(super) io: Option<IoCounters>,
    pub(super) description: Arc<Description>,
    pub(super) sample: Sample,
    pub(super) errors: FieldErrorSet,
    /// Seen twice: a process is often looked at for the first time between its fork and its exec.
    pub(super) settled: bool,
    /// The hash of the text that this was read from. Most processes do nothing most of the time, and then the text is the
    /// same to the byte: hashing it is cheaper than reading it, and keeping the hash cheaper than keeping the text.
    pub(super) text_hash: Option<u64>,
    pub(super) rest: Rest,
    pub(super) stat_file: Option<OwnedFd>,
    pub(super) io_file: Option<OwnedFd>,
}

impl ProcessEntry {
    pub(super) fn descriptors(&self) -> usize {
        let rest = usize::from(self.rest.file().is_some());
        usize::from(self.stat_file.is_some()) + usize::from(self.io_file.is_some()) + rest
    }
}

/// What tells that another program runs in the process now: the place of its stack is drawn anew at every exec, and its
/// name mostly changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    start_stack: u64,
    name_length: u8,
    name: [u8; Self::NAME_BYTES],
}

impl Image {
    const NAME_BYTES: usize = 23;

    pub(super) fn of(stat: &Stat<'_>) -> Self {
        let kept = stat.lasting_name();
        let length = kept.len().min(Self::NAME_BYTES);
        let mut name = [0; Self::NAME_BYTES];
        name[..length].copy_from_slice(&kept[..length]);
        Self { start_stack: stat.start_stack, name_length: u8::try_from(kept.len()).unwrap_or(u8::MAX), name }
    }
}

/// Bytes since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IoCounters {
    pub(super) read_bytes: u64,
    pub(super) write_bytes: u64,
}

impl IoCounters {
    /// What was added since `earlier`.
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            write_bytes: self.write_bytes.saturating_sub(earlier.write_bytes),
        }
    }
}

/// The values that do not depend on an interval.
pub(super) fn momentary_sample(stat: &Stat<'_>, page_bytes: u64) -> Sample {
    Sample::ABSENT
        .with(Metric::Memory, stat.resident_pages.saturating_mul(page_bytes).min(Metric::ABSENT - 1))
        .with(Metric::VirtualMemory, stat.virtual_bytes.min(Metric::ABSENT - 1))
        .with(Metric::Threads, stat.threads)
        .with_state(ProcessState::from_linux_letter(stat.state))
}
