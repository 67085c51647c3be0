//! One look at every process.

use std::ops::RangeInclusive;
use std::time::Duration;

use procession_model::{End, Ended, FieldError, Metric};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use super::describe::{Describer, is_gone, reason};
use super::listing::Listing;
use super::process_entry::ProcessEntry;
use super::reader::Reader;
use super::stat::Stat;
use crate::field_errors::{Field, FieldErrorCounts};

/// Since the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    /// By the monotonic clock.
    pub(super) length: Duration,
    /// Time since boot at its beginning.
    pub(super) began_uptime_ticks: u64,
    /// Within it the kernel moved memory to or from swap, of whomever.
    pub(super) swapped: bool,
}

/// The figures of all processes at once, from elsewhere than the proc file system.
pub(super) trait TaskSource: std::fmt::Debug + Send {
    /// Hands over pid and figures of every process, pids ascending, each once. CPU time is that of all threads.
    fn look(&mut self, take: &mut dyn FnMut(u32, &Stat<'_>)) -> Result<(), Errno>;
}

/// Looks at every process, and keeps what the next look needs.
#[derive(Debug)]
pub(super) struct Sweeper {
    listing: Listing,
    /// Pids ascend.
    entries: Vec<ProcessEntry>,
    arrivals: Vec<ProcessEntry>,
    /// Gone since the look before.
    departed: Vec<Ended>,
    reader: Reader,
    error_counts: FieldErrorCounts,
}

impl Sweeper {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            listing: Listing::new(),
            entries: Vec::new(),
            arrivals: Vec::new(),
            departed: Vec::new(),
            reader,
            error_counts: FieldErrorCounts::new(),
        }
    }

    /// Looks at every process. Where pids are given, whoever is new has one of them. Without an interval this is the first
    /// look.
    pub(super) fn sweep(
        &mut self,
        proc: BorrowedFd<'_>,
        newcomers: Option<RangeInclusive<u32>>,
        interval: Option<Interval>,
    ) -> Result<(), Errno> {
        let Self { listing, entries, arrivals, departed: _, reader, error_counts } = self;
        reader.begin_look(newcomers.is_some(), interval);
        match newcomers {
            Some(pids) => listing.assume(entries.iter().map(|entry| entry.pid), pids),
            None => listing.read(proc)?,
        }
        error_counts.clear();
        let mut next = 0;
        for pid in listing.pids().iter().copied() {
            let look = match known(entries, &mut next, pid) {
                Some(entry) => reader.look_again(proc, entry, interval),
                None => reader.look_first(proc, pid, interval),
            };
            take(look, arrivals, error_counts);
        }
        entries[next..].iter_mut().for_each(|entry| entry.alive = false);
        self.look_at_orphans(proc, interval);
        self.settle();
        Ok(())
    }

    /// A process gets another parent where its own ends, even in its sleep.
    fn look_at_orphans(&mut self, proc: BorrowedFd<'_>, interval: Option<Interval>) {
        let Self { entries, arrivals, reader, error_counts, .. } = self;
        for index in 0..entries.len() {
            let entry = &entries[index];
            if !entry.alive || !entry.rest.is_on() || has_parent(entries, entry.parent_pid) {
                continue;
            }
            let entry = &mut entries[index];
            entry.rest.forget();
            take(reader.look_again(proc, entry, interval), arrivals, error_counts);
        }
    }

    /// Like [`Sweeper::sweep`], with the figures from elsewhere: only what stays fixed of a process is read in the proc
    /// file system. Where that fails half-way, it is as if nobody had looked.
    pub(super) fn sweep_tasks(
        &mut self,
        proc: BorrowedFd<'_>,
        source: &mut dyn TaskSource,
        interval: Option<Interval>,
    ) -> Result<(), Errno> {
        let Self { listing: _, entries, arrivals, departed: _, reader, error_counts } = self;
        error_counts.clear();
        reader.begin_look(false, interval);
        let mut next = 0;
        let looked = source.look(&mut |pid, stat| {
            match known(entries, &mut next, pid) {
                Some(entry) if entry.start_ticks == stat.start_ticks => {
                    entry.text_hash = None;
                    return reader.refresh(proc, entry, stat, interval);
                }
                Some(entry) => entry.alive = false,
                None => {}
            }
            arrivals.push(reader.first_entry(proc, pid, stat, interval));
        });
        if let Err(error) = looked {
            arrivals.clear();
            entries.iter_mut().for_each(|entry| entry.alive = true);
            return Err(error);
        }
        entries[next..].iter_mut().for_each(|entry| entry.alive = false);
        self.settle();
        Ok(())
    }

    /// The processes of the last look, pids ascending.
    pub(super) fn entries(&self) -> &[ProcessEntry] {
        &self.entries
    }

    /// Of a process of the last look.
    pub(super) fn memory_of(&self, pid: u32) -> Option<u64> {
        let index = self.entries.binary_search_by_key(&pid, |entry| entry.pid).ok()?;
        self.entries[index].sample.get(Metric::Memory)
    }

    /// What happened between the last two looks needs the processes of both, and names of users.
    pub(super) fn parts(&mut self) -> (&[ProcessEntry], &mut Vec<Ended>, &mut Describer) {
        (&self.entries, &mut self.departed, self.reader.describer())
    }

    pub(super) fn write_errors_into(&self, errors: &mut Vec<FieldError>) {
        self.error_counts.write_into(errors);
    }

    /// Takes out who is gone, takes in who arrived.
    fn settle(&mut self) {
        let (reader, departed) = (&mut self.reader, &mut self.departed);
        departed.clear();
        self.entries.retain(|entry| {
            if !entry.alive {
                reader.part_with(entry);
                departed.push(Ended { description: entry.description.clone(), end: End::default() });
            }
            entry.alive
        });
        if !self.arrivals.is_empty() {
            self.entries.append(&mut self.arrivals);
            self.entries.sort_by_key(|entry| entry.pid);
        }
        self.entries.iter().for_each(|entry| self.error_counts.add(entry.errors));
    }
}

/// What came of looking at one process.
fn take(
    look: Result<Option<ProcessEntry>, Errno>,
    arrivals: &mut Vec<ProcessEntry>,
    error_counts: &mut FieldErrorCounts,
) {
    match look {
        Ok(arrival) => arrivals.extend(arrival),
        Err(error) if is_gone(error) => {}
        Err(error) => error_counts.add_one(Field::Process, reason(error)),
    }
}

/// Whether the parent is still there; who has none keeps having none.
fn has_parent(entries: &[ProcessEntry], parent_pid: u32) -> bool {
    let parent = entries.binary_search_by_key(&parent_pid, |entry| entry.pid);
    parent_pid == 0 || parent.is_ok_and(|parent| entries[parent].alive)
}

/// The entry with this pid, from `next` on; those before it are not listed any more.
fn known<'entries>(
    entries: &'entries mut [ProcessEntry],
    next: &mut usize,
    pid: u32,
) -> Option<&'entries mut ProcessEntry> {
    while let Some(entry) = entries.get_mut(*next).filter(|entry| entry.pid < pid) {
        entry.alive = false;
        *next += 1;
    }
    let entry = entries.get_mut(*next).filter(|entry| entry.pid == pid);
    *next += usize::from(entry.is_some());
    entry
}
