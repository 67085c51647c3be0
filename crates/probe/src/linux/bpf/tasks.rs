//! A look at all tasks by the iterator in the kernel.

use std::fmt;
use std::io::{self, Read as _};

use aya::Ebpf;
use aya::programs::Iter;
use rustix::io::Errno;

use super::iterator::IteratorLink;
use super::records::{ProcessRecord, TaskRecord, ThreadRecord};
use super::unseen::Unseen;
use crate::platform::stat::Stat;
use crate::platform::sweep::TaskSource;

/// The name of the iterator in the object.
pub(super) const PROGRAM: &str = "tasks";

/// The kernel hands over no more than it has collected, which is 32 KiB where pages have 4.
const READ_BYTES: usize = 32 << 10;
/// As much as four million processes take, which is the most that Linux can have.
const RECORDS_BYTES_MAX: usize = 400 << 20;

/// All processes in one pass over the kernel's own list.
pub(super) struct Tasks {
    /// Has the programs that tell of events too: they end with it.
    _programs: Ebpf,
    iterator: IteratorLink,
    bytes: Vec<u8>,
    processes: Vec<ProcessRecord>,
    threads: Vec<ThreadRecord>,
    unseen: Unseen,
    units: Units,
}

/// What /proc counts in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    pub(super) ticks_per_second: u64,
    pub(super) page_bytes: u64,
}

impl Units {
    pub(super) fn of_this_machine() -> Self {
        Self {
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            page_bytes: rustix::param::page_size() as u64,
        }
    }

    const fn ticks(self, ns: u64) -> u64 {
        ns / (1_000_000_000 / self.ticks_per_second)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tasks").field("units", &self.units).finish_non_exhaustive()
    }
}

impl Tasks {
    pub(super) fn new(programs: Ebpf, units: Units) -> io::Result<Self> {
        let program: &Iter = programs.program(PROGRAM).ok_or(Errno::NOENT)?.try_into().map_err(io::Error::other)?;
        let iterator = IteratorLink::new(program.fd().map_err(io::Error::other)?)?;
        let (bytes, processes, threads) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { _programs: programs, iterator, bytes, processes, threads, unseen: Unseen::new()?, units })
    }

    /// Starts the iterator and reads all that it has, into memory that is used again. Returns how many bytes.
    fn read(&mut self) -> io::Result<usize> {
        let mut file = self.iterator.begin()?;
        let mut length = 0;
        loop {
            if self.bytes.len() < length + READ_BYTES {
                if length > RECORDS_BYTES_MAX {
                    return Err(Errno::TOOBIG.into());
                }
                self.bytes.resize(length + 2 * READ_BYTES, 0);
            }
            match file.read(&mut self.bytes[length..])? {
                0 => return Ok(length),
                more => length += more,
            }
        }
    }

    /// Sorts out what was read.
    fn sort_out(&mut self, length: usize) -> Result<(), Errno> {
        self.processes.clear();
        self.threads.clear();
        let mut rest = self.bytes.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let (record, after) = TaskRecord::take(rest).ok_or(Errno::ILSEQ)?;
            rest = after;
            match record {
                TaskRecord::Process(process) => self.processes.push(process),
                TaskRecord::Thread(thread) => self.threads.push(thread),
            }
        }
        put_in_order(&mut self.processes);
        add_threads(&mut self.processes, &self.threads);
        // There is at least this one.
        if self.processes.is_empty() { Err(Errno::NODATA) } else { Ok(()) }
    }
}

impl TaskSource for Tasks {
    fn look(&mut self, take: &mut dyn FnMut(u32, &Stat<'_>)) -> Result<(), Errno> {
        self.unseen.begin()?;
        let length = self.read().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        self.sort_out(length)?;
        self.unseen.end(&self.processes)?;
        let mut next = 0;
        for process in &self.processes {
            self.unseen.take_until(&mut next, process.pid, take);
            take(process.pid, &stat(process, self.units));
        }
        self.unseen.take_until(&mut next, u32::MAX, take);
        Ok(())
    }
}

/// The kernel goes through pids upwards; but a pid that is given anew meanwhile must not be there twice.
fn put_in_order(processes: &mut Vec<ProcessRecord>) {
    if !processes.is_sorted_by(|earlier, later| earlier.pid < later.pid) {
        processes.sort_by_key(|process| process.pid);
        processes.dedup_by_key(|process| process.pid);
    }
}

/// Adds up the CPU time of all threads of each process.
///
/// A thread that ends during the look goes over into the sum of those that are gone. The lowest such sum of all records of
/// a process is from before any of them, so nothing counts twice; what is missed is there at the next look.
fn add_threads(processes: &mut [ProcessRecord], threads: &[ThreadRecord]) {
    for thread in threads {
        if let Ok(index) = processes.binary_search_by_key(&thread.pid, |process| process.pid) {
            let process = &mut processes[index];
            process.cpu_ns = process.cpu_ns.saturating_add(thread.cpu_ns);
            process.ended_cpu_ns = process.ended_cpu_ns.min(thread.ended_cpu_ns);
        }
    }
}

/// As `/proc/<pid>/stat` would say it. There CPU time is that of the clock's ticks made to agree with what the scheduler
/// measured; this is what it measured.
fn stat(process: &ProcessRecord, units: Units) -> Stat<'_> {
    Stat {
        name: process.name.bytes(),
        state: state_letter(process.state, process.exit_state),
        parent_pid: process.parent_pid,
        flags: process.flags.into(),
        cpu_ticks: units.ticks(process.cpu_ns.saturating_add(process.ended_cpu_ns)),
        threads: process.threads.into(),
        start_ticks: units.ticks(process.start_ns),
        virtual_bytes: process.virtual_pages.saturating_mul(units.page_bytes),
        resident_pages: process.resident_pages,
        start_stack: process.exec_id.into(),
    }
}

/// The kernel's `task_state_index` (`include/linux/sched.h`).
const fn state_letter(state: u32, exit_state: u32) -> u8 {
    const LETTERS: [u8; 9] = *b"RSDTtXZPI";
    const UNINTERRUPTIBLE: u32 = 2;
    const REPORTED: u32 = 0x7f;
    const NO_LOAD: u32 = 0x400;
    const IDLE: u32 = UNINTERRUPTIBLE | NO_LOAD;
    const WAITS_FOR_LOCK: u32 = 0x1000;
    const FROZEN: u32 = 0x8000;
    let mut reported = (state | exit_state) & REPORTED;
    if state & IDLE == IDLE {
        reported = REPORTED + 1;
    }
    if state & (WAITS_FOR_LOCK | FROZEN) != 0 {
        reported = UNINTERRUPTIBLE;
    }
    LETTERS[(u32::BITS - reported.leading_zeros()) as usize]
}

#[cfg(test)]
mod tests {
    use super::super::records::Name;
    use super::*;

    fn process(pid: u32, ended_cpu_ns: u64, cpu_ns: u64) -> ProcessRecord {
        let [parent_pid, threads, state, exit_state, flags, exec_id] = [1, 1, 1, 0, 0, 3];
        let [start_ns, virtual_pages, resident_pages] = [5_123_456_789, 4, 2];
        ProcessRecord {
            pid,
            parent_pid,
            threads,
            state,
            exit_state,
            flags,
            exec_id,
            start_ns,
            ended_cpu_ns,
            cpu_ns,
            virtual_pages,
            resident_pages,
            name: Name(*b"x\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        }
    }

    #[test]
    fn threads_count_once_even_where_one_ends_meanwhile() {
        let mut processes = [process(5, 0, 1), process(9, 1_000, 10), process(12, 0, 3)];
        // A thread with a lower pid than its process was seen first, and was gone into the sum when that one was.
        let threads = [
            ThreadRecord { pid: 9, ended_cpu_ns: 100, cpu_ns: 900 },
            ThreadRecord { pid: 9, ended_cpu_ns: 1_000, cpu_ns: 20 },
            ThreadRecord { pid: 7, ended_cpu_ns: 1, cpu_ns: 1 },
        ];
        add_threads(&mut processes, &threads);
        let sums = processes.map(|process| process.cpu_ns + process.ended_cpu_ns);
        assert_eq!(sums, [1, 1_030, 3]);
    }

    #[test]
    fn pids_ascend_and_are_there_once() {
        let mut processes = vec![process(5, 0, 1), process(3, 0, 2), process(5, 0, 3)];
        put_in_order(&mut processes);
        assert_eq!(processes.iter().map(|process| process.pid).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn figures_are_in_the_units_of_proc() {
        let units = Units { ticks_per_second: 100, page_bytes: 4_096 };
        let process = process(5, 15_000_000, 26_000_000);
        let stat = stat(&process, units);
        assert_eq!((stat.start_ticks, stat.cpu_ticks), (512, 4));
        assert_eq!((stat.virtual_bytes, stat.resident_pages, stat.name), (16_384, 2, &b"x"[..]));
    }

    #[test]
    fn states_have_the_letters_of_proc() {
        let letters =
            [(0, 0), (1, 0), (2, 0), (4, 0), (8, 0), (0, 0x10), (0x80, 0x20), (0x40, 0), (0x402, 0), (0x8000, 0)]
                .map(|(state, exit_state)| state_letter(state, exit_state));
        assert_eq!(letters, *b"RSDTtXZPID");
        assert_eq!(state_letter(u32::MAX, u32::MAX), b'D');
    }
}
