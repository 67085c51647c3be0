//! A filter in the kernel: only beginnings, execs and ends of processes wake and fill our socket, not those of threads.

use std::mem::size_of;
use std::os::fd::AsRawFd as _;

use rustix::fd::BorrowedFd;

use super::connector::{DATA, EVENT, EVENT_EXEC, EVENT_EXIT, EVENT_FORK, EVENT_NONE};

/// Puts the filter on a socket of the connector.
pub(super) fn attach(socket: BorrowedFd<'_>) -> std::io::Result<()> {
    let mut program = program();
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(std::io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    #[expect(unsafe_code, reason = "no safe wrapper for SO_ATTACH_FILTER is in a library that we use")]
    // SAFETY: `filter` and the program it points to live until after the call, which copies both.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Classic BPF; see the kernel's `Documentation/networking/filter.rst`. Loads are big-endian, the message is not.
fn program() -> [libc::sock_filter; 16] {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const TO_X: u32 = libc::BPF_MISC | libc::BPF_TAX;
    const EQUALS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const EQUALS_X: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_X;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    const ALL: u32 = u32::MAX;
    let [child_pid, child_tgid, pid, tgid] = [DATA + 8, DATA + 12, DATA, DATA + 4];
    [
        step(LOAD, EVENT, 0, 0),
        step(EQUALS, EVENT_FORK.to_be(), 3, 0),
        step(EQUALS, EVENT_EXIT.to_be(), 6, 0),
        step(EQUALS, EVENT_EXEC.to_be(), 10, 0),
        step(EQUALS, EVENT_NONE.to_be(), 9, 10),
        step(LOAD, child_pid, 0, 0),
        step(TO_X, 0, 0, 0),
        step(LOAD, child_tgid, 0, 0),
        step(EQUALS_X, 0, 5, 6),
        step(LOAD, pid, 0, 0),
        step(TO_X, 0, 0, 0),
        step(LOAD, tgid, 0, 0),
        step(EQUALS_X, 0, 1, 2),
        step(RETURN, 0, 0, 0),
        step(RETURN, ALL, 0, 0),
        step(RETURN, 0, 0, 0),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "operation codes have 16 bits")]
const fn step(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}
