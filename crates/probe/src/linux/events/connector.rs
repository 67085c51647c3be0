//! The kernel's process events connector: who forked, ran another program, or ended (`linux/cn_proc.h`).

use rustix::io::Errno;
use rustix::net::netlink;

use super::filter;
use super::socket::{Drained, NetlinkSocket, read_u32, read_u64};

const CONNECTOR_HEADER_BYTES: usize = 20;
const GROUP_AND_VALUE: u32 = 1;
const LISTEN: u32 = 1;
const IGNORE: u32 = 2;
const NLMSG_DONE: u16 = 3;

/// Places in a whole message, its netlink header included.
pub(super) const EVENT: u32 = 16 + 20;
/// Where the event's own fields begin.
pub(super) const DATA: u32 = EVENT + 16;
pub(super) const EVENT_NONE: u32 = 0;
pub(super) const EVENT_FORK: u32 = 1;
pub(super) const EVENT_EXEC: u32 = 2;
pub(super) const EVENT_EXIT: u32 = 0x8000_0000;

/// Something that happened to a process, at a time in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessEvent {
    Fork {
        parent_pid: u32,
        pid: u32,
        time_ns: u64,
    },
    Exec {
        pid: u32,
    },
    /// `status` as wait(2) has it.
    Exit {
        pid: u32,
        status: u32,
        time_ns: u64,
    },
}

/// Listens to the events of processes.
#[derive(Debug)]
pub(super) struct Connector {
    socket: NetlinkSocket,
}

impl Connector {
    /// Subscribes. Says why where the kernel does not allow it, or does not answer, which is what it does outside of the
    /// initial namespaces.
    pub(super) fn open() -> Result<Self, String> {
        let socket = NetlinkSocket::open(netlink::CONNECTOR).map_err(|error| refused(error, "no socket"))?;
        filter::attach(socket.as_fd()).map_err(|error| format!("no filter: {error}"))?;
        socket.bind(GROUP_AND_VALUE).map_err(|error| refused(error, "listening is not allowed"))?;
        request(&socket, LISTEN).map_err(|error| refused(error, "subscribing is not allowed"))?;
        let mut connector = Self { socket };
        Self::await_acknowledgement(&mut connector.socket)?;
        Ok(connector)
    }

    fn await_acknowledgement(socket: &mut NetlinkSocket) -> Result<(), String> {
        let mut acknowledged = None;
        while acknowledged.is_none() {
            socket
                .await_answer()
                .map_err(|_| "the kernel does not answer; it does only in the initial namespaces".to_owned())?;
            let drained = socket.drain(|_, body| {
                let event = body.get(CONNECTOR_HEADER_BYTES..).unwrap_or_default();
                if read_u32(event, 0) == Some(EVENT_NONE) {
                    acknowledged = read_u32(event, 16);
                }
            });
            drained.map_err(|error| refused(error, "no answer"))?;
        }
        match acknowledged {
            None | Some(0) => Ok(()),
            Some(error) => Err(format!("the kernel refuses it with error {error}")),
        }
    }

    pub(super) fn drain(&mut self, mut take: impl FnMut(ProcessEvent)) -> Result<Drained, Errno> {
        self.socket.drain(|_, body| {
            if let Some(event) = parse(body) {
                take(event);
            }
        })
    }

    #[cfg(test)]
    pub(super) fn shrink_receive_buffer(&self) {
        self.socket.shrink_receive_buffer();
    }

    pub(super) fn receive_buffer_bytes(&self) -> usize {
        self.socket.receive_buffer_bytes()
    }
}

/// The kernel counts listeners by what they say, and makes events for nobody as long as one has not taken back its wish:
/// closing the socket is not enough.
impl Drop for Connector {
    fn drop(&mut self) {
        match request(&self.socket, IGNORE) {
            // Where that fails there is nobody to tell, and nothing is wrong with what was sampled.
            Ok(()) | Err(_) => {}
        }
    }
}

/// A header of the connector, and one word.
fn request(socket: &NetlinkSocket, wish: u32) -> Result<(), Errno> {
    let mut body = Vec::with_capacity(CONNECTOR_HEADER_BYTES + 4);
    for word in [GROUP_AND_VALUE, GROUP_AND_VALUE, 0, 0] {
        body.extend(word.to_ne_bytes());
    }
    body.extend(4_u16.to_ne_bytes());
    body.extend(0_u16.to_ne_bytes());
    body.extend(wish.to_ne_bytes());
    socket.send(NLMSG_DONE, 0, &body)
}

fn refused(error: Errno, what: &str) -> String {
    match error {
        Errno::PERM | Errno::ACCESS => format!("{what}; it needs the capability CAP_NET_ADMIN"),
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT => "this kernel does not have it".to_owned(),
        error => format!("{what}: {error}"),
    }
}

/// Threads are left out; the filter mostly has done that.
fn parse(body: &[u8]) -> Option<ProcessEvent> {
    let event = body.get(CONNECTOR_HEADER_BYTES..)?;
    let time_ns = read_u64(event, 8)?;
    let data = |index: usize| read_u32(event, 16 + 4 * index);
    match read_u32(event, 0)? {
        EVENT_FORK if data(2)? == data(3)? => Some(ProcessEvent::Fork { parent_pid: data(1)?, pid: data(3)?, time_ns }),
        EVENT_EXEC => Some(ProcessEvent::Exec { pid: data(1)? }),
        EVENT_EXIT if data(0)? == data(1)? => Some(ProcessEvent::Exit { pid: data(1)?, status: data(2)?, time_ns }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: u32, data: &[u32]) -> Vec<u8> {
        let mut body = vec![0; CONNECTOR_HEADER_BYTES];
        body.extend(event.to_ne_bytes());
        body.extend(0_u32.to_ne_bytes());
        body.extend(77_u64.to_ne_bytes());
        body.extend(data.iter().flat_map(|word| word.to_ne_bytes()));
        body
    }

    #[test]
    fn reads_processes_and_leaves_threads() {
        let fork = message(EVENT_FORK, &[1, 1, 9, 9]);
        assert_eq!(parse(&fork), Some(ProcessEvent::Fork { parent_pid: 1, pid: 9, time_ns: 77 }));
        assert_eq!(parse(&message(EVENT_FORK, &[1, 1, 10, 9])), None);
        assert_eq!(parse(&message(EVENT_EXEC, &[9, 9])), Some(ProcessEvent::Exec { pid: 9 }));
        let exit = message(EVENT_EXIT, &[9, 9, 0x0700, 17, 1, 1]);
        assert_eq!(parse(&exit), Some(ProcessEvent::Exit { pid: 9, status: 0x0700, time_ns: 77 }));
        assert_eq!(parse(&message(0x200, &[9, 9])), None);
        for length in 0..fork.len() {
            assert_eq!(parse(&fork[..length]), None);
        }
    }
}
