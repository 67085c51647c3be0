//! A netlink socket, drained without waiting.

use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, socket_recv_buffer_size};
use rustix::net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, bind, send, socket_with};

/// What is asked for; without the right to it the system's own limit is what one gets.
const RECEIVE_BUFFER_BYTES: usize = 64 << 20;
/// The most bytes of a datagram.
const DATAGRAM_BYTES_MAX: usize = 16 << 10;
/// How many are taken by one system call.
const DATAGRAMS: usize = 16;
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
        Ok(Self { socket, buffer: vec![0; DATAGRAMS * DATAGRAM_BYTES_MAX].into_boxed_slice() })
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
            match receive(self.socket.as_fd(), &mut self.buffer) {
                Ok(lengths) if lengths.iter().all(|length| *length == 0) => break,
                Err(Errno::AGAIN) => break,
                Ok(lengths) => {
                    for (datagram, length) in self.buffer.chunks_exact(DATAGRAM_BYTES_MAX).zip(lengths) {
                        let datagram = datagram.get(..length).unwrap_or_default();
                        for (message_type, body) in (Messages { rest: datagram }) {
                            drained.messages += 1;
                            take(message_type, body);
                        }
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

/// Takes the datagrams that are there, as many as fit, each into its own part of the buffer. Returns their lengths; 0 for
/// those that have not come.
fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<[usize; DATAGRAMS], Errno> {
    let mut parts = buffer.chunks_exact_mut(DATAGRAM_BYTES_MAX);
    let mut vectors = [const { libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 } }; DATAGRAMS];
    for (vector, part) in vectors.iter_mut().zip(&mut parts) {
        *vector = libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() };
    }
    #[expect(unsafe_code, reason = "no safe wrapper for recvmmsg is in a library that we use")]
    // SAFETY: a header of zeros is valid: it names no memory. Each is given one vector, and each vector a part of the buffer
    // of its own or nothing; all of them live until after the call.
    let (count, headers) = unsafe {
        let mut headers: [libc::mmsghdr; DATAGRAMS] = std::mem::zeroed();
        for (header, vector) in headers.iter_mut().zip(&mut vectors) {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let many = DATAGRAMS as libc::c_uint;
        (libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), many, 0, ptr::null_mut()), headers)
    };
    let Ok(count) = usize::try_from(count) else {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    };
    let mut lengths = [0; DATAGRAMS];
    for (length, header) in lengths.iter_mut().zip(headers).take(count) {
        *length = header.msg_len as usize;
    }
    Ok(lengths)
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
