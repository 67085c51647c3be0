//! What the program in the kernel writes, byte by byte: the other end of `kernel/processes.bpf.c`.
//!
//! All numbers are little-endian, which the kernel's own order is wherever this is built.

/// Everything that lives as long as a look: a process as its first thread has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessRecord {
    pub(super) pid: u32,
    pub(super) parent_pid: u32,
    pub(super) threads: u32,
    pub(super) state: u32,
    pub(super) exit_state: u32,
    pub(super) flags: u32,
    /// Another one after every exec.
    pub(super) exec_id: u32,
    /// Since boot.
    pub(super) start_ns: u64,
    /// CPU time of threads that are gone.
    pub(super) ended_cpu_ns: u64,
    /// CPU time of the first thread.
    pub(super) cpu_ns: u64,
    pub(super) virtual_pages: u64,
    pub(super) resident_pages: u64,
    pub(super) name: Name,
}

/// Another thread than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadRecord {
    /// Of its process.
    pub(super) pid: u32,
    /// As in [`ProcessRecord`], at the moment of this record.
    pub(super) ended_cpu_ns: u64,
    pub(super) cpu_ns: u64,
}

/// What the iterator tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskRecord {
    Process(ProcessRecord),
    Thread(ThreadRecord),
}

/// What the ring tells of. Times are the kernel's monotonic ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventRecord<'a> {
    Began { pid: u32, parent_pid: u32, time_ns: u64 },
    Ended(EndedRecord<'a>),
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndedRecord<'a> {
    pub(super) pid: u32,
    /// At the end: whoever lost its parent has another one.
    pub(super) parent_pid: u32,
    /// As wait(2) has it.
    pub(super) status: u32,
    /// Effective.
    pub(super) user: u32,
    pub(super) flags: u32,
    /// That were not gone before.
    pub(super) threads: u32,
    pub(super) began_ns: u64,
    pub(super) time_ns: u64,
    pub(super) cpu_ns: u64,
    /// 0 where it is not known.
    pub(super) peak_pages: u64,
    pub(super) name: Name,
    /// One NUL after each word; the first of them where there are many.
    pub(super) arguments: &'a [u8],
}

/// A task's name with NULs behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) [u8; Self::BYTES]);

impl Name {
    pub(super) const BYTES: usize = 16;

    pub(super) fn bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::BYTES);
        &self.0[..end]
    }
}

const KIND_PROCESS: u32 = 1;
const KIND_THREAD: u32 = 2;
const KIND_BEGAN: u32 = 3;
const KIND_ENDED: u32 = 4;

const PROCESS_BYTES: usize = 88;
const THREAD_BYTES: usize = 24;
const ENDED_BYTES: usize = 80;

impl TaskRecord {
    /// The first record, and what comes after it; nothing where there is no whole one.
    pub(super) fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        match number(bytes, 0)? {
            KIND_PROCESS => {
                let (record, rest) = bytes.split_at_checked(PROCESS_BYTES)?;
                Some((Self::Process(process(record)?), rest))
            }
            KIND_THREAD => {
                let (record, rest) = bytes.split_at_checked(THREAD_BYTES)?;
                let pid = number(record, 4)?;
                let thread = ThreadRecord { pid, ended_cpu_ns: long(record, 8)?, cpu_ns: long(record, 16)? };
                Some((Self::Thread(thread), rest))
            }
            _ => None,
        }
    }
}

fn process(record: &[u8]) -> Option<ProcessRecord> {
    Some(ProcessRecord {
        pid: number(record, 4)?,
        parent_pid: number(record, 8)?,
        threads: number(record, 12)?,
        state: number(record, 16)?,
        exit_state: number(record, 20)?,
        flags: number(record, 24)?,
        exec_id: number(record, 28)?,
        start_ns: long(record, 32)?,
        ended_cpu_ns: long(record, 40)?,
        cpu_ns: long(record, 48)?,
        virtual_pages: long(record, 56)?,
        resident_pages: long(record, 64)?,
        name: name(record, 72)?,
    })
}

impl<'a> EventRecord<'a> {
    /// The record that these bytes are; nothing where they are none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        match number(bytes, 0)? {
            KIND_BEGAN => {
                let (pid, parent_pid) = (number(bytes, 4)?, number(bytes, 8)?);
                Some(Self::Began { pid, parent_pid, time_ns: long(bytes, 16)? })
            }
            KIND_ENDED => Some(Self::Ended(EndedRecord {
                pid: number(bytes, 4)?,
                parent_pid: number(bytes, 8)?,
                status: number(bytes, 12)?,
                user: number(bytes, 16)?,
                flags: number(bytes, 20)?,
                threads: number(bytes, 24)?,
                began_ns: long(bytes, 32)?,
                time_ns: long(bytes, 40)?,
                cpu_ns: long(bytes, 48)?,
                peak_pages: long(bytes, 56)?,
                name: name(bytes, 64)?,
                arguments: bytes.get(ENDED_BYTES..)?.get(..usize::try_from(number(bytes, 28)?).ok()?)?,
            })),
            _ => None,
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn name(bytes: &[u8], at: usize) -> Option<Name> {
    Some(Name(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u32], longs: &[u64], rest: &[u8]) -> Vec<u8> {
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        words.chain(longs.iter().flat_map(|long| long.to_le_bytes())).chain(rest.iter().copied()).collect()
    }

    #[test]
    fn tasks_are_read_and_cut_ones_are_not() {
        let process =
            bytes(&[KIND_PROCESS, 10, 1, 2, 3, 4, 5, 6], &[7, 8, 9, 10, 11], b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let both = [process.clone(), bytes(&[KIND_THREAD, 10], &[20, 21], b"")].concat();
        let (TaskRecord::Process(record), rest) = TaskRecord::take(&both).unwrap() else { panic!("not a process") };
        assert_eq!((record.pid, record.parent_pid, record.threads, record.exec_id), (10, 1, 2, 6));
        assert_eq!((record.start_ns, record.resident_pages, record.name.bytes()), (7, 11, &b"sh"[..]));
        let thread = ThreadRecord { pid: 10, ended_cpu_ns: 20, cpu_ns: 21 };
        assert_eq!(TaskRecord::take(rest), Some((TaskRecord::Thread(thread), &[][..])));
        for length in 0..process.len() {
            assert_eq!(TaskRecord::take(&process[..length]), None, "{length}");
        }
        assert_eq!(TaskRecord::take(&[0xff; 200]), None);
    }

    #[test]
    fn events_are_read_and_cut_ones_are_not() {
        let began = bytes(&[KIND_BEGAN, 10, 1, 0], &[99], b"");
        assert_eq!(EventRecord::parse(&began), Some(EventRecord::Began { pid: 10, parent_pid: 1, time_ns: 99 }));
        let name = *b"sixteen bytes...";
        let rest = [&name[..], b"a\0b\0and what was there before"].concat();
        let ended = bytes(&[KIND_ENDED, 10, 1, 0x0300, 7, 8, 1, 4], &[1, 2, 3, 4], &rest);
        let Some(EventRecord::Ended(record)) = EventRecord::parse(&ended) else { panic!("not an end") };
        assert_eq!((record.status, record.user, record.began_ns, record.peak_pages), (0x0300, 7, 1, 4));
        assert_eq!((record.name.bytes(), record.arguments), (&name[..], &b"a\0b\0"[..]));
        for length in 0..ENDED_BYTES + 4 {
            assert_eq!(EventRecord::parse(&ended[..length]), None, "{length}");
        }
    }
}
