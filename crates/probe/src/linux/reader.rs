//! Reads single processes out of the proc file system, and keeps no more files open than it may.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::quality::RandomState;
use procession_model::{FieldErrorReason, Identity, Metric, Timestamp};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::describe::{Describer, is_gone, parent_pid, path_of, reason, start_time};
use super::file::{ReadBuffer, number_after, open};
use super::host::ticks_to_us;
use super::process_entry::{Image, IoCounters, ProcessEntry, momentary_sample};
use super::rest::{Rest, WholeLooks};
use super::stat::Stat;
use super::sweep::Interval;
use crate::OptionalFields;
use crate::field_errors::{Field, FieldErrorSet};
use crate::rate::cpu_hundredths;

/// Reads single processes.
#[derive(Debug)]
pub(super) struct Reader {
    describer: Describer,
    unlisted: bool,
    fields: OptionalFields,
    boot_time: Timestamp,
    ticks_per_second: u64,
    page_bytes: u64,
    buffer: ReadBuffer,
    io_buffer: ReadBuffer,
    path: String,
    hasher: RandomState,
    whole_looks: WholeLooks,
    /// How many are kept open.
    descriptors: usize,
    descriptors_max: usize,
}

impl Reader {
    pub(super) fn new(
        describer: Describer,
        fields: OptionalFields,
        boot_time: Timestamp,
        descriptors_max: usize,
    ) -> Self {
        Self {
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
            whole_looks: WholeLooks::default(),
            descriptors: 0,
            descriptors_max,
        }
    }

    /// Begins a look at all processes. With `unlisted`, pids are assumed to be there: they may be threads'.
    pub(super) fn begin_look(&mut self, unlisted: bool, interval: Option<Interval>) {
        self.unlisted = unlisted;
        self.describer.begin_snapshot();
        let length = interval.map(|interval| interval.length);
        self.whole_looks.begin_look(length, interval.is_none_or(|interval| interval.swapped));
    }

    /// Names of users and more, for those of whom only events tell.
    pub(super) fn describer(&mut self) -> &mut Describer {
        &mut self.describer
    }

    /// Closes the files of a process that is gone.
    pub(super) fn part_with(&mut self, entry: &ProcessEntry) {
        self.descriptors -= entry.descriptors();
    }

    pub(super) fn look_first(
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
    pub(super) fn look_again(
        &mut self,
        proc: BorrowedFd<'_>,
        entry: &mut ProcessEntry,
        interval: Option<Interval>,
    ) -> Result<Option<ProcessEntry>, Errno> {
        if self.rests(entry) && !self.whole_looks.has(entry.pid) {
            self.refresh_resting(entry, interval);
            return Ok(None);
        }
        let mut buffer = std::mem::replace(&mut self.buffer, ReadBuffer::empty());
        let same = self.read_again(proc, &mut buffer, entry).and_then(|text| {
            let text_hash = Some(self.hasher.hash_one(text));
            if entry.text_hash == text_hash {
                self.refresh_idle(proc, entry, interval);
                self.consider_rest(proc, entry, true);
                return Ok(true);
            }
            let stat = Stat::parse(text).ok_or(Errno::ILSEQ)?;
            let same = stat.start_ticks == entry.start_ticks;
            if same {
                entry.text_hash = text_hash;
                self.refresh(proc, entry, &stat, interval);
                self.consider_rest(proc, entry, false);
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
        entry: &mut ProcessEntry,
    ) -> Result<&'buffer [u8], Errno> {
        if let Some(file) = &entry.stat_file {
            return buffer.read_once(file);
        }
        let file = self.open(proc, entry.pid, "stat")?;
        let text = buffer.read_once(&file)?;
        if !entry.rest.is_on() {
            entry.stat_file = self.keep(file);
        }
        Ok(text)
    }

    /// Whether the process has not run since the look before. Where that cannot be told, it may have.
    fn rests(&mut self, entry: &mut ProcessEntry) -> bool {
        let Some(file) = entry.rest.file() else { return false };
        match self.buffer.read_once(file) {
            Ok(text) => entry.rest.take(text, self.hasher.hash_one(text)),
            Err(_) => {
                self.give_back(entry.rest.end());
                false
            }
        }
    }

    /// Asks from now on first whether the process has run, or no longer. The answer of a file opened now counts from the
    /// next look on, when it is read before `stat` is.
    fn consider_rest(&mut self, proc: BorrowedFd<'_>, entry: &mut ProcessEntry, was_idle: bool) {
        if entry.rest.is_in_vain(entry.sample) {
            self.give_back(entry.rest.end());
        } else if entry.rest.is_wanted(was_idle, entry.sample) {
            match self.open(proc, entry.pid, "schedstat").ok().and_then(|file| self.keep(file)) {
                Some(file) => entry.rest.begin(file),
                None => self.give_back(entry.rest.end()),
            }
        }
    }

    pub(super) fn first_entry(
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
            rest: Rest::default(),
            stat_file: None,
            io_file: None,
        };
        // A process that we only now came to see, though it is older than the interval, did an unknown part of its work in it.
        let began_in = interval.filter(|interval| stat.start_ticks >= interval.began_uptime_ticks);
        self.add_cpu(&mut entry, stat.cpu_ticks, began_in);
        self.add_io(proc, &mut entry, began_in, began_in.map(|_| IoCounters::default()));
        entry
    }

    pub(super) fn refresh(
        &mut self,
        proc: BorrowedFd<'_>,
        entry: &mut ProcessEntry,
        stat: &Stat<'_>,
        interval: Option<Interval>,
    ) {
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

    /// The process has not run, so that everything is as it was.
    fn refresh_resting(&mut self, entry: &mut ProcessEntry, interval: Option<Interval>) {
        self.add_cpu(entry, 0, interval);
        if self.fields.io {
            let none = entry.io.zip(interval).map(|_| 0);
            entry.sample = entry.sample.with(Metric::ReadBytes, none).with(Metric::WriteBytes, none);
        }
        if entry.rest.is_long() {
            self.give_back(entry.stat_file.take());
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

    fn give_back(&mut self, file: Option<OwnedFd>) {
        self.descriptors -= usize::from(file.is_some());
    }
}

fn insert_io_errors(errors: &mut FieldErrorSet, reason: FieldErrorReason) {
    errors.insert(Field::ReadBytes, reason);
    errors.insert(Field::WriteBytes, reason);
}
