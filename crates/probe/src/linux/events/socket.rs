//! A netlink socket, drained without waiting.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, socket_recv_buffer_size};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

/// What is asked for; without the right to it the system's own limit is what one gets.
const RECEIVE_BUFFER_BYTES: usize = 64 << 20;
const MESSAGE_BYTES_MAX: usize = 16 << 10;
/// The most messages taken at once, so that a flood cannot hold the agent for ever.
const MESSAGES_MAX: usize = 1_000_000;
const ANSWER_TIMEOUT: Duration = Duration::from_millis(300);
const HEADER_BYTES: usize = 16;

/// How far a drain got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drained {
    pub(super) messages: usize,
    /// The kernel had to throw messages away.
    pub(super) overflowed: bool,
}

/// A netlink socket with a large receive buffer.
#[derive(Debug)]
pub(super) struct NetlinkSocket {
    socket: OwnedFd,
    buffer: Box<[u8]>,
}

impl NetlinkSocket {
    pub(super) fn open(protocol: Protocol) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(protocol))?;
        set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES)
            .or_else(|_| set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES))?;
        Ok(Self { socket, buffer: vec![0; MESSAGE_BYTES_MAX].into_boxed_slice() })
    }

    pub(super) fn bind(&self, groups: u32) -> Result<(), Errno> {
        bind(&self.socket, &SocketAddrNetlink::new(0, groups))
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// To the least that the kernel has.
    #[cfg(test)]
    pub(super) fn shrink_receive_buffer(&self) {
        set_socket_recv_buffer_size(&self.socket, 1).unwrap();
    }

    /// How many bytes the kernel keeps for us.
    pub(super) fn receive_buffer_bytes(&self) -> usize {
        socket_recv_buffer_size(&self.socket).unwrap_or(0)
    }

    /// Sends one message of this type; the netlink header is put before it.
    pub(super) fn send(&self, message_type: u16, flags: u16, body: &[u8]) -> Result<(), Errno> {
        let length = u32::try_from(HEADER_BYTES + body.len()).map_err(|_| Errno::MSGSIZE)?;
        let mut message = Vec::with_capacity(HEADER_BYTES + body.len());
        message.extend(length.to_ne_bytes());
        message.extend(message_type.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        send(&self.socket, &message, SendFlags::empty()).map(|_| ())
    }

    /// Waits a little for an answer, which has to come at once or never.
    pub(super) fn await_answer(&self) -> Result<(), Errno> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: ANSWER_TIMEOUT.subsec_nanos().into() };
        let mut waiting = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut waiting, Some(&timeout))? {
            0 => Err(Errno::TIMEDOUT),
            _ => Ok(()),
        }
    }

    /// Hands over everything that has come: type and body of every message.
    pub(super) fn drain(&mut self, mut take: impl FnMut(u16, &[u8])) -> Result<Drained, Errno> {
        let mut drained = Drained::default();
        while drained.messages < MESSAGES_MAX {
            match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((0, _)) | Err(Errno::AGAIN) => break,
                Ok((length, _)) => {
                    let datagram = self.buffer.get(..length).unwrap_or_default();
                    for (message_type, body) in (Messages { rest: datagram }) {
                        drained.messages += 1;
                        take(message_type, body);
                    }
                }
                Err(Errno::NOBUFS) => drained.overflowed = true,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(drained)
    }
}

/// The messages in a datagram: `[length: u32][type: u16][flags: u16][sequence: u32][port: u32]` and a body, aligned to 4.
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = read_u32(self.rest, 0)? as usize;
        let message_type = u16::from_ne_bytes(*self.rest.get(4..)?.first_chunk()?);
        let body = self.rest.get(HEADER_BYTES..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((message_type, body))
    }
}

pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_datagrams_end_the_messages() {
        let mut two = Vec::new();
        for body in [&b"abcde"[..], b"xy"] {
            two.extend(u32::try_from(HEADER_BYTES + body.len()).unwrap().to_ne_bytes());
            two.extend(7_u16.to_ne_bytes());
            two.extend([0; 10]);
            two.extend(body);
            two.resize(two.len().next_multiple_of(4), 0);
        }
        let read = |bytes| Messages { rest: bytes }.map(|(_, body)| body.to_vec()).collect::<Vec<_>>();
        assert_eq!(read(&two), [b"abcde".to_vec(), b"xy".to_vec()]);
        for length in 0..two.len() {
            assert!(read(&two[..length]).len() <= 2);
        }
        assert!(read(&[0xff; 64]).is_empty());
        assert!(read(&[0; 64]).is_empty(), "a length of 0 must not go on for ever");
    }
}
