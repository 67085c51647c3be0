//! The answer of `NtQuerySystemInformation(SystemProcessInformation)`: all processes and their threads in one run of bytes.
//!
//! Read from the bytes by place, without a pointer followed: names lie in the same bytes, and what points elsewhere is left
//! out. The layout is that of 64-bit Windows; it is not documented in full but has not changed since Windows XP, and the
//! part before the threads is in `winternl.h`.

use procession_model::ProcessState;

const NEXT: usize = 0;
const THREAD_COUNT: usize = 4;
const CREATE_TIME: usize = 32;
const USER_TIME: usize = 40;
const KERNEL_TIME: usize = 48;
const NAME_BYTES: usize = 56;
const NAME_POINTER: usize = 64;
const PID: usize = 80;
const PARENT_PID: usize = 88;
const SESSION: usize = 100;
const VIRTUAL_BYTES: usize = 120;
const WORKING_SET_BYTES: usize = 144;
const READ_BYTES: usize = 232;
const WRITE_BYTES: usize = 240;
/// Of one process, without its threads.
pub(super) const ENTRY_BYTES: usize = 256;

const THREAD_BYTES: usize = 80;
const THREAD_STATE: usize = 68;
const THREAD_WAIT_REASON: usize = 72;
const WAITING: u32 = 5;
const WAITS_AS_SUSPENDED: u32 = 5;

/// A process as the kernel counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed<'a> {
    pub(super) pid: u32,
    /// 0 for none.
    pub(super) parent_pid: u32,
    /// In units of 100 ns since 1601.
    pub(super) create_time: u64,
    /// User and kernel, in units of 100 ns.
    pub(super) cpu_time: u64,
    pub(super) threads: u32,
    pub(super) session: u32,
    pub(super) virtual_bytes: u64,
    pub(super) working_set_bytes: u64,
    /// All reads since the process began, not only those from disks.
    pub(super) read_bytes: u64,
    pub(super) write_bytes: u64,
    pub(super) state: ProcessState,
    /// UTF-16, little-endian; empty for the idle process.
    pub(super) name: &'a [u8],
}

/// The processes in `bytes`, which begin at the address `base`. Ends at whatever is not well-formed.
pub(super) fn processes(bytes: &[u8], base: u64) -> impl Iterator<Item = Listed<'_>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let at = next?;
        let entry = bytes.get(at..)?;
        let offset = word(entry, NEXT)? as usize;
        next = (offset > 0).then(|| at.saturating_add(offset));
        parse(entry, bytes, base)
    })
}

fn parse<'a>(entry: &[u8], bytes: &'a [u8], base: u64) -> Option<Listed<'a>> {
    let threads = word(entry, THREAD_COUNT)?;
    Some(Listed {
        pid: u32::try_from(long(entry, PID)?).ok()?,
        parent_pid: u32::try_from(long(entry, PARENT_PID)?).unwrap_or(0),
        create_time: long(entry, CREATE_TIME)?,
        cpu_time: long(entry, USER_TIME)?.saturating_add(long(entry, KERNEL_TIME)?),
        threads,
        session: word(entry, SESSION)?,
        virtual_bytes: long(entry, VIRTUAL_BYTES)?,
        working_set_bytes: long(entry, WORKING_SET_BYTES)?,
        read_bytes: long(entry, READ_BYTES)?,
        write_bytes: long(entry, WRITE_BYTES)?,
        state: state(entry, threads),
        name: name(entry, bytes, base).unwrap_or_default(),
    })
}

fn name<'a>(entry: &[u8], bytes: &'a [u8], base: u64) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_le_bytes(*entry.get(NAME_BYTES..)?.first_chunk()?));
    let at = usize::try_from(long(entry, NAME_POINTER)?.checked_sub(base)?).ok()?;
    bytes.get(at..at.checked_add(length)?)
}

/// Windows has states of threads only: one that runs or could makes the process running; all suspended, suspended.
fn state(entry: &[u8], threads: u32) -> ProcessState {
    let threads = (0..threads as usize).map_while(|index| entry.get(ENTRY_BYTES + index * THREAD_BYTES..));
    let mut seen = false;
    let mut suspended = true;
    for thread in threads {
        let (Some(state), Some(reason)) = (word(thread, THREAD_STATE), word(thread, THREAD_WAIT_REASON)) else { break };
        if state != WAITING {
            return ProcessState::RUNNING;
        }
        seen = true;
        suspended &= reason == WAITS_AS_SUSPENDED;
    }
    match (seen, suspended) {
        (false, _) => ProcessState::UNKNOWN,
        (true, true) => ProcessState::SUSPENDED,
        (true, false) => ProcessState::SLEEPING,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1000;

    /// Two processes, the first with a thread of this state and reason.
    fn list(state: u32, reason: u32) -> Vec<u8> {
        let first_bytes = ENTRY_BYTES + THREAD_BYTES + 16;
        let mut bytes = vec![0; first_bytes + ENTRY_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(NEXT, &(first_bytes as u32).to_le_bytes());
        put(THREAD_COUNT, &1_u32.to_le_bytes());
        put(CREATE_TIME, &7_u64.to_le_bytes());
        put(USER_TIME, &30_u64.to_le_bytes());
        put(KERNEL_TIME, &12_u64.to_le_bytes());
        put(NAME_BYTES, &6_u16.to_le_bytes());
        put(NAME_POINTER, &(BASE + (ENTRY_BYTES + THREAD_BYTES) as u64).to_le_bytes());
        put(PID, &4_u64.to_le_bytes());
        put(PARENT_PID, &1_u64.to_le_bytes());
        put(ENTRY_BYTES + THREAD_STATE, &state.to_le_bytes());
        put(ENTRY_BYTES + THREAD_WAIT_REASON, &reason.to_le_bytes());
        put(ENTRY_BYTES + THREAD_BYTES, b"a\0b\0c\0");
        put(first_bytes + PID, &8_u64.to_le_bytes());
        put(first_bytes + NAME_BYTES, &8_u16.to_le_bytes());
        put(first_bytes + NAME_POINTER, &u64::MAX.to_le_bytes());
        bytes
    }

    #[test]
    fn reads_processes_their_names_and_states() {
        let bytes = list(WAITING, 3);
        let listed: Vec<_> = processes(&bytes, BASE).collect();
        assert_eq!(listed.len(), 2);
        assert_eq!((listed[0].pid, listed[0].parent_pid, listed[0].create_time, listed[0].cpu_time), (4, 1, 7, 42));
        assert_eq!((listed[0].name, listed[0].state), (&b"a\0b\0c\0"[..], ProcessState::SLEEPING));
        assert_eq!((listed[1].pid, listed[1].name, listed[1].state), (8, &b""[..], ProcessState::UNKNOWN));
        let state = |bytes: &[u8]| processes(bytes, BASE).next().unwrap().state;
        assert_eq!(state(&list(WAITING, WAITS_AS_SUSPENDED)), ProcessState::SUSPENDED);
        assert_eq!(state(&list(2, 0)), ProcessState::RUNNING);
    }

    #[test]
    fn broken_bytes_end_the_list() {
        let bytes = list(WAITING, 3);
        for length in 0..bytes.len() {
            assert!(processes(&bytes[..length], BASE).count() <= 2);
        }
        assert_eq!(processes(&[0xff; 600], BASE).count(), 0);
    }
}
