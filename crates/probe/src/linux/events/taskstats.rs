//! What the kernel says of every task at its end: name, user, CPU time, most memory (`linux/taskstats.h`).

use rustix::io::Errno;
use rustix::net::netlink;

use super::socket::{Drained, NetlinkSocket, read_u32, read_u64};

const CONTROL_FAMILY: u16 = 16;
const CONTROL_GET_FAMILY: u8 = 3;
const CONTROL_FAMILY_NAME: u16 = 2;
const CONTROL_FAMILY_ID: u16 = 1;
const COMMAND_GET: u8 = 1;
const BY_PID: u16 = 1;
const REGISTER_CPU_MASK: u16 = 3;
const TYPE_PID: u16 = 1;
const TYPE_STATS: u16 = 3;
const TYPE_PID_AND_STATS: u16 = 4;
const FLAG_REQUEST: u16 = 1;
const FLAG_ACKNOWLEDGE: u16 = 4;
const ERROR: u16 = 2;
const GENERIC_HEADER_BYTES: usize = 4;

/// The first version that says which process a task belongs to.
const VERSION_WITH_PROCESS: u32 = 12;
const NAME: usize = 80;
pub(super) const NAME_BYTES: usize = 32;
const UID: usize = 120;
const PID: usize = 128;
const USER_TIME_US: usize = 152;
const SYSTEM_TIME_US: usize = 160;
const PEAK_RESIDENT_KIB: usize = 200;
const PROCESS: usize = 368;

/// What was known of a task at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskEnd {
    pub(super) task: u32,
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) name: [u8; NAME_BYTES],
    pub(super) cpu_time_us: u64,
    pub(super) peak_memory_bytes: u64,
}

impl TaskEnd {
    pub(super) fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
        &self.name[..end]
    }
}

/// Listens to the ends of tasks.
#[derive(Debug)]
pub(super) struct TaskStats {
    socket: NetlinkSocket,
    family: u16,
}

impl TaskStats {
    pub(super) fn open(cpu_count: u32) -> Result<Self, String> {
        let mut socket = NetlinkSocket::open(netlink::GENERIC).map_err(|error| error.to_string())?;
        socket.bind(0).map_err(|error| error.to_string())?;
        let family = family(&mut socket)?;
        check_layout(&mut socket, family)?;
        // The kernel refuses a mask with CPUs that it could never have, and takes one with CPUs that are off.
        let mask = format!("0-{}\0", cpu_count.saturating_sub(1));
        let body = generic_message(COMMAND_GET, REGISTER_CPU_MASK, mask.as_bytes());
        socket.send(family, FLAG_REQUEST | FLAG_ACKNOWLEDGE, &body).map_err(|error| error.to_string())?;
        let mut answer = None;
        while answer.is_none() {
            socket.await_answer().map_err(|_| "the kernel does not answer".to_owned())?;
            let drained = socket.drain(|message_type, body| {
                if message_type == ERROR {
                    answer = read_u32(body, 0);
                }
            });
            drained.map_err(|error| error.to_string())?;
        }
        match answer {
            None | Some(0) => Ok(Self { socket, family }),
            Some(code) => Err(std::io::Error::from_raw_os_error(code.cast_signed().wrapping_neg()).to_string()),
        }
    }

    pub(super) fn drain(&mut self, mut take: impl FnMut(TaskEnd)) -> Result<Drained, Errno> {
        let family = self.family;
        self.socket.drain(|message_type, body| {
            if message_type == family
                && let Some(end) = body.get(GENERIC_HEADER_BYTES..).and_then(parse)
            {
                take(end);
            }
        })
    }
}

/// Families of generic netlink have numbers of this boot only.
fn family(socket: &mut NetlinkSocket) -> Result<u16, String> {
    let body = generic_message(CONTROL_GET_FAMILY, CONTROL_FAMILY_NAME, b"TASKSTATS\0");
    socket.send(CONTROL_FAMILY, FLAG_REQUEST, &body).map_err(|error| error.to_string())?;
    socket.await_answer().map_err(|_| "the kernel does not answer".to_owned())?;
    let mut found = None;
    let drained = socket.drain(|_, body| {
        let attributes = body.get(GENERIC_HEADER_BYTES..).unwrap_or_default();
        let id = attribute(attributes, CONTROL_FAMILY_ID).and_then(|id| id.first_chunk());
        found = id.map(|id| u16::from_ne_bytes(*id)).or(found);
    });
    drained.map_err(|error| error.to_string())?;
    found.ok_or_else(|| "this kernel does not have it".to_owned())
}

/// Asks about ourselves. Version 15 of the records moved fields, and 16 moved them back: where the kernel's are not laid out
/// as we read them, none of them can be used.
fn check_layout(socket: &mut NetlinkSocket, family: u16) -> Result<(), String> {
    let own_pid = std::process::id();
    let body = generic_message(COMMAND_GET, BY_PID, &own_pid.to_ne_bytes());
    socket.send(family, FLAG_REQUEST, &body).map_err(|error| error.to_string())?;
    let mut read = None;
    while read.is_none() {
        socket.await_answer().map_err(|_| "the kernel does not answer".to_owned())?;
        let drained = socket.drain(|message_type, body| {
            if message_type == family {
                read = Some(body.get(GENERIC_HEADER_BYTES..).and_then(parse));
            } else if message_type == ERROR {
                read = Some(None);
            }
        });
        drained.map_err(|error| error.to_string())?;
    }
    match read.flatten() {
        Some(end) if end.pid == own_pid => Ok(()),
        _ => Err("this kernel's records are not allowed, or laid out in another way".to_owned()),
    }
}

fn generic_message(command: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut body = vec![command, 1, 0, 0];
    body.extend(length.to_ne_bytes());
    body.extend(attribute.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

/// The value of the first attribute of this type: `[length: u16][type: u16]` and a value, aligned to 4.
fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let found = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
        let value = bytes.get(4..length)?;
        if found == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn parse(attributes: &[u8]) -> Option<TaskEnd> {
    let both = attribute(attributes, TYPE_PID_AND_STATS)?;
    let stats = attribute(both, TYPE_STATS)?;
    let version = u32::from(u16::from_ne_bytes(*stats.first_chunk()?));
    // Said twice: where the two differ, the record is not laid out as we read it.
    let task = read_u32(attribute(both, TYPE_PID)?, 0).filter(|pid| read_u32(stats, PID) == Some(*pid))?;
    let pid = if version >= VERSION_WITH_PROCESS { read_u32(stats, PROCESS)? } else { task };
    Some(TaskEnd {
        task,
        pid,
        uid: read_u32(stats, UID)?,
        name: *stats.get(NAME..)?.first_chunk()?,
        cpu_time_us: read_u64(stats, USER_TIME_US)?.saturating_add(read_u64(stats, SYSTEM_TIME_US)?),
        peak_memory_bytes: read_u64(stats, PEAK_RESIDENT_KIB)?.saturating_mul(1_024),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nested_attributes_and_survives_broken_ones() {
        let mut stats = vec![0; 416];
        stats[..2].copy_from_slice(&13_u16.to_ne_bytes());
        stats[NAME..NAME + 4].copy_from_slice(b"true");
        stats[PID..PID + 4].copy_from_slice(&9_u32.to_ne_bytes());
        stats[PROCESS..PROCESS + 4].copy_from_slice(&8_u32.to_ne_bytes());
        stats[USER_TIME_US..USER_TIME_US + 8].copy_from_slice(&5_u64.to_ne_bytes());
        stats[PEAK_RESIDENT_KIB..PEAK_RESIDENT_KIB + 8].copy_from_slice(&3_u64.to_ne_bytes());
        let attribute = |number: u16, value: &[u8]| generic_message(0, number, value)[4..].to_vec();
        let inner = [attribute(1, &9_u32.to_ne_bytes()), attribute(TYPE_STATS, &stats)].concat();
        let message = attribute(TYPE_PID_AND_STATS, &inner);
        let end = parse(&message).unwrap();
        assert_eq!((end.task, end.pid, end.name()), (9, 8, &b"true"[..]));
        assert_eq!((end.cpu_time_us, end.peak_memory_bytes), (5, 3_072));
        for length in 0..message.len() {
            assert_eq!(parse(&message[..length]), None);
        }
        let of_another = [attribute(1, &10_u32.to_ne_bytes()), attribute(TYPE_STATS, &stats)].concat();
        assert_eq!(parse(&attribute(TYPE_PID_AND_STATS, &of_another)), None, "fields are elsewhere");
    }
}
