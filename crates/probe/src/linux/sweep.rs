//! One look at every process.

use std::hash::BuildHasher as _;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use procession_model::{End, Ended, FieldError, FieldErrorReason, Identity, Metric, Timestamp};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::describe::{Describer, is_gone, parent_pid, path_of, reason, start_time};
use super::file::{ReadBuffer, number_after, open};
use super::host::ticks_to_us;
use super::listing::Listing;
use super::process_entry::{Image, IoCounters, ProcessEntry, momentary_sample};
use super::stat::Stat;
use crate::OptionalFields;
use crate::field_errors::{Field, FieldErrorCounts, FieldErrorSet};
use crate::rate::cpu_hundredths;

/// Since the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    /// By the monotonic clock.
    pub(super) length: Duration,
    /// Time since boot at its beginning.
    pub(super) began_uptime_ticks: u64,
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
    pub(super) fn new(
        describer: Describer,
        fields: OptionalFields,
        boot_time: Timestamp,
        descriptors_max: usize,
    ) -> Self {
        let reader = Reader {
            describer,
            unlisted: false,
            fields,
            boot_time,
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            page_bytes: rustix::param::page_size() as u64,
            buffer: ReadBuffer::new(),
            io_buffer: ReadBuffer::new(),
            path: String::new(),
            hasher: RandomState::default(),
            descriptors: 0,
            descriptors_max,
        };
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
        reader.unlisted = newcomers.is_some();
        match newcomers {
            Some(pids) => listing.assume(entries.iter().map(|entry| entry.pid), pids),
            None => listing.read(proc)?,
        }
        error_counts.clear();
        reader.describer.begin_snapshot();
        let mut next = 0;
        for pid in listing.pids().iter().copied() {
            let look = match known(entries, &mut next, pid) {
                Some(entry) => reader.look_again(proc, entry, interval),
                None => reader.look_first(proc, pid, interval),
            };
            match look {
                Ok(Some(arrival)) => arrivals.push(arrival),
                Ok(None) => {}
                Err(error) if is_gone(error) => {}
                Err(error) => error_counts.add_one(Field::Process, reason(error)),
            }
        }
        entries[next..].iter_mut().for_each(|entry| entry.alive = false);
        self.settle();
        Ok(())
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
        reader.describer.begin_snapshot();
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
        (&self.entries, &mut self.departed, &mut self.reader.describer)
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
                reader.descriptors -= entry.descriptors();
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

/// Reads single processes.
#[derive(Debug)]
struct Reader {
    describer: Describer,
    /// Pids are assumed to be there: they may be threads'.
    unlisted: bool,
    fields: OptionalFields,
    boot_time: Timestamp,
    ticks_per_second: u64,
    page_bytes: u64,
    buffer: ReadBuffer,
    io_buffer: ReadBuffer,
    path: String,
    hasher: RandomState,
    /// How many are kept open.
    descriptors: usize,
    descriptors_max: usize,
}

impl Reader {
    fn look_first(
        &mut self,
        proc: BorrowedFd<'_>,
        pid: u32,
        interval: Option<Interval>,
    ) -> Result<Option<ProcessEntry>, Errno> {
        let file = self.open(proc, pid, "stat")?;
        if self.unlisted && self.describer.is_thread(proc, pid) {
            return Ok(None);
        }
        let mut buffer = std::mem::replace(&mut self.buffer, ReadBuffer::empty());
        let entry = buffer
            .read_once(&file)
            .and_then(|text| Stat::parse(text).ok_or(Errno::ILSEQ))
            .map(|stat| self.first_entry(proc, pid, &stat, interval));
        self.buffer = buffer;
        let mut entry = entry?;
        entry.stat_file = self.keep(file);
        Ok(Some(entry))
    }

    /// Looks at a process that was there before. Marks it as gone where it is, and returns the one that has its pid now.
    fn look_again(
        &mut self,
        proc: BorrowedFd<'_>,
        entry: &mut ProcessEntry,
        interval: Option<Interval>,
    ) -> Result<Option<ProcessEntry>, Errno> {
        let mut buffer = std::mem::replace(&mut self.buffer, ReadBuffer::empty());
        let same = self.read_again(proc, &mut buffer, entry).and_then(|text| {
            let text_hash = Some(self.hasher.hash_one(text));
            if entry.text_hash == text_hash {
                self.refresh_idle(proc, entry, interval);
                return Ok(true);
            }
            let stat = Stat::parse(text).ok_or(Errno::ILSEQ)?;
            let same = stat.start_ticks == entry.start_ticks;
            if same {
                entry.text_hash = text_hash;
                self.refresh(proc, entry, &stat, interval);
            }
            Ok(same)
        });
        self.buffer = buffer;
        match same {
            Ok(true) => Ok(None),
            Ok(false) => {
                entry.alive = false;
                self.look_first(proc, entry.pid, interval)
            }
            // A kept-open file belongs to the process it was opened for; its pid may have another one by now.
            Err(error) if is_gone(error) && entry.stat_file.is_some() => {
                entry.alive = false;
                self.look_first(proc, entry.pid, interval)
            }
            Err(error) => {
                entry.alive = false;
                Err(error)
            }
        }
    }

    fn read_again<'buffer>(
        &mut self,
        proc: BorrowedFd<'_>,
        buffer: &'buffer mut ReadBuffer,
        entry: &ProcessEntry,
    ) -> Result<&'buffer [u8], Errno> {
        match &entry.stat_file {
            Some(file) => buffer.read_once(file),
            None => {
                let file = self.open(proc, entry.pid, "stat")?;
                buffer.read_once(file)
            }
        }
    }

    fn first_entry(
        &mut self,
        proc: BorrowedFd<'_>,
        pid: u32,
        stat: &Stat<'_>,
        interval: Option<Interval>,
    ) -> ProcessEntry {
        let start = start_time(self.boot_time, stat.start_ticks, self.ticks_per_second);
        let identity = Identity { pid, start: Some(start) };
        let (description, errors) = self.describer.describe(proc, identity, stat);
        let mut entry = ProcessEntry {
            pid,
            alive: true,
            start_ticks: stat.start_ticks,
            parent_pid: stat.parent_pid,
            image: Image::of(stat),
            cpu_ticks: stat.cpu_ticks,
            io: None,
            description: Arc::new(description),
            sample: momentary_sample(stat, self.page_bytes),
            errors,
            settled: false,
            text_hash: None,
            stat_file: None,
            io_file: None,
        };
        // A process that we only now came to see, though it is older than the interval, did an unknown part of its work in it.
        let began_in = interval.filter(|interval| stat.start_ticks >= interval.began_uptime_ticks);
        self.add_cpu(&mut entry, stat.cpu_ticks, began_in);
        self.add_io(proc, &mut entry, began_in, began_in.map(|_| IoCounters::default()));
        entry
    }

    fn refresh(&mut self, proc: BorrowedFd<'_>, entry: &mut ProcessEntry, stat: &Stat<'_>, interval: Option<Interval>) {
        let image = Image::of(stat);
        if image != entry.image || !entry.settled {
            entry.settled = true;
            entry.image = image;
            let (description, errors) = self.describer.describe(proc, entry.description.identity, stat);
            entry.parent_pid = stat.parent_pid;
            entry.errors = errors;
            if description != *entry.description {
                entry.description = Arc::new(description);
            }
        } else if stat.parent_pid != entry.parent_pid {
            entry.parent_pid = stat.parent_pid;
            Arc::make_mut(&mut entry.description).parent_pid = parent_pid(stat);
        }
        entry.sample = momentary_sample(stat, self.page_bytes);
        let ticks = stat.cpu_ticks.saturating_sub(entry.cpu_ticks);
        // A source that adds up threads may miss one that ends just then; what goes back would go up twice.
        entry.cpu_ticks = entry.cpu_ticks.max(stat.cpu_ticks);
        self.add_cpu(entry, ticks, interval);
        let earlier = entry.io;
        self.add_io(proc, entry, interval, earlier);
    }

    /// Nothing has changed since the look before.
    fn refresh_idle(&mut self, proc: BorrowedFd<'_>, entry: &mut ProcessEntry, interval: Option<Interval>) {
        self.add_cpu(entry, 0, interval);
        if self.fields.io {
            entry.sample = entry.sample.with(Metric::ReadBytes, None).with(Metric::WriteBytes, None);
            let earlier = entry.io;
            self.add_io(proc, entry, interval, earlier);
        }
    }

    fn add_cpu(&self, entry: &mut ProcessEntry, ticks: u64, interval: Option<Interval>) {
        let cpu =
            interval.and_then(|interval| cpu_hundredths(ticks_to_us(ticks, self.ticks_per_second), interval.length));
        entry.sample = entry.sample.with(Metric::Cpu, cpu);
    }

    fn add_io(
        &mut self,
        proc: BorrowedFd<'_>,
        entry: &mut ProcessEntry,
        interval: Option<Interval>,
        earlier: Option<IoCounters>,
    ) {
        if !self.fields.io {
            return;
        }
        entry.errors.remove(Field::ReadBytes);
        entry.errors.remove(Field::WriteBytes);
        match self.read_io(proc, entry) {
            Ok(counters) => {
                entry.io = Some(counters);
                if let (Some(earlier), Some(_)) = (earlier, interval) {
                    let added = counters.since(earlier);
                    entry.sample = entry
                        .sample
                        .with(Metric::ReadBytes, added.read_bytes)
                        .with(Metric::WriteBytes, added.write_bytes);
                }
            }
            Err(error) => {
                entry.io = None;
                if !is_gone(error) {
                    insert_io_errors(&mut entry.errors, reason(error));
                }
            }
        }
    }

    fn read_io(&mut self, proc: BorrowedFd<'_>, entry: &mut ProcessEntry) -> Result<IoCounters, Errno> {
        let opened = match entry.io_file {
            Some(_) => None,
            None => Some(self.open(proc, entry.pid, "io")?),
        };
        let file = opened.as_ref().or(entry.io_file.as_ref()).ok_or(Errno::BADF)?;
        let text = self.io_buffer.read_once(file.as_fd())?;
        let counters = IoCounters {
            read_bytes: number_after(text, b"read_bytes:").ok_or(Errno::ILSEQ)?,
            write_bytes: number_after(text, b"write_bytes:").ok_or(Errno::ILSEQ)?,
        };
        if let Some(opened) = opened {
            entry.io_file = self.keep(opened);
        }
        Ok(counters)
    }

    fn open(&mut self, proc: BorrowedFd<'_>, pid: u32, name: &str) -> Result<OwnedFd, Errno> {
        path_of(&mut self.path, pid, name);
        open(proc, &self.path, OFlags::empty())
    }

    /// The file, if there is room for one more descriptor; closed otherwise.
    fn keep(&mut self, file: OwnedFd) -> Option<OwnedFd> {
        (self.descriptors < self.descriptors_max).then(|| {
            self.descriptors += 1;
            file
        })
    }
}

fn insert_io_errors(errors: &mut FieldErrorSet, reason: FieldErrorReason) {
    errors.insert(Field::ReadBytes, reason);
    errors.insert(Field::WriteBytes, reason);
}
