//! The kernel's iterator: one link for as long as it is wanted, and a file from it for each look.
//!
//! Not aya's: that makes a link anew for each file, which takes memory and another call of the kernel.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;

use rustix::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

// The kernel's `enum bpf_cmd` and `enum bpf_attach_type` (`include/uapi/linux/bpf.h`).
const LINK_CREATE: c_int = 28;
const ITERATOR_CREATE: c_int = 33;
const TRACE_ITERATOR: u32 = 28;

/// A program that is attached as an iterator.
#[derive(Debug)]
pub(super) struct IteratorLink(OwnedFd);

/// What the kernel takes of `union bpf_attr` for [`LINK_CREATE`].
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// And for [`ITERATOR_CREATE`].
#[repr(C)]
struct IteratorCreate {
    link: u32,
    flags: u32,
}

impl IteratorLink {
    pub(super) fn new(program: impl AsFd) -> io::Result<Self> {
        let program = number(&program);
        bpf(LINK_CREATE, &LinkCreate { program, target: 0, attach_type: TRACE_ITERATOR, flags: 0 }).map(Self)
    }

    /// A pass over everything, from its beginning: an iterator cannot be turned back, so each look has a new one.
    pub(super) fn begin(&self) -> io::Result<File> {
        bpf(ITERATOR_CREATE, &IteratorCreate { link: number(&self.0), flags: 0 }).map(File::from)
    }
}

fn number(descriptor: &impl AsFd) -> u32 {
    descriptor.as_fd().as_raw_fd().cast_unsigned()
}

/// The commands above, which give a descriptor.
fn bpf<T>(command: c_int, attributes: &T) -> io::Result<OwnedFd> {
    let attributes_pointer: *const c_void = std::ptr::from_ref(attributes).cast();
    #[expect(unsafe_code, reason = "a call of the kernel that is in no safe wrapper")]
    // SAFETY: the kernel reads as many bytes of the attributes as they have, and takes what is missing as zero.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes_pointer, size_of::<T>()) };
    let descriptor = c_int::try_from(result).ok().filter(|descriptor| *descriptor >= 0);
    let descriptor = descriptor.ok_or_else(io::Error::last_os_error)?;
    #[expect(unsafe_code, reason = "the kernel's answer is a number")]
    // SAFETY: it has just been opened for us, and nobody else knows it.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(owned)
}
