//! Memory that is shared with the kernel.

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A part of a map's memory. Whatever is asked for beyond its end, or at an odd place, is not there.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

#[expect(unsafe_code, reason = "the compiler cannot know whose memory this is")]
// SAFETY: the memory is of nobody's thread; all reads and writes that can meet others are atomic.
unsafe impl Send for Mapping {}

impl Mapping {
    /// For reading, or for writing too.
    pub(super) fn new(map: impl AsFd, protection: ProtFlags, offset: u64, bytes: usize) -> Result<Self, Errno> {
        #[expect(unsafe_code, reason = "mapping memory is unsafe by its nature")]
        // SAFETY: a new mapping at a place that the kernel chooses touches no other memory.
        let start = unsafe { mmap(null_mut(), bytes, protection, MapFlags::SHARED, map, offset) }?;
        Ok(Self { start: NonNull::new(start.cast()).ok_or(Errno::FAULT)?, bytes })
    }

    /// Sees all that was written before what it gives.
    pub(super) fn load_u32(&self, at: usize) -> Option<u32> {
        let place: NonNull<u32> = self.place(at)?;
        #[expect(unsafe_code, reason = "memory that the kernel writes too")]
        // SAFETY: `place` is aligned and within the mapping, which lives as long as `self`; the kernel writes it atomically.
        let value = unsafe { AtomicU32::from_ptr(place.as_ptr()) };
        Some(value.load(Ordering::Acquire))
    }

    /// Sees all that was written before what it gives.
    pub(super) fn load_u64(&self, at: usize) -> Option<u64> {
        let place: NonNull<u64> = self.place(at)?;
        #[expect(unsafe_code, reason = "memory that the kernel writes too")]
        // SAFETY: as in `load_u32`.
        let value = unsafe { AtomicU64::from_ptr(place.as_ptr()) };
        Some(value.load(Ordering::Acquire))
    }

    /// Only for a mapping that may be written. All reads before are done by then.
    pub(super) fn store_u64(&mut self, at: usize, value: u64) {
        if let Some(place) = self.place::<u64>(at) {
            #[expect(unsafe_code, reason = "memory that the kernel reads too")]
            // SAFETY: as in `load_u32`; who calls has mapped it for writing.
            let shared = unsafe { AtomicU64::from_ptr(place.as_ptr()) };
            shared.store(value, Ordering::Release);
        }
    }

    /// Adds a copy of what nobody writes any more.
    pub(super) fn copy_into(&self, at: usize, bytes: usize, to: &mut Vec<u8>) -> Option<()> {
        let end = at.checked_add(bytes)?;
        if end > self.bytes {
            return None;
        }
        let old = to.len();
        to.resize(old + bytes, 0);
        #[expect(unsafe_code, reason = "memory that the kernel has written")]
        // SAFETY: all of it is within the mapping, whose writer is done with it, and `to` has been made long enough; they
        // cannot overlap, since nobody else has this mapping.
        unsafe {
            self.start.as_ptr().add(at).copy_to_nonoverlapping(to.as_mut_ptr().add(old), bytes);
        }
        Some(())
    }

    fn place<T>(&self, at: usize) -> Option<NonNull<T>> {
        let fits = at.checked_add(size_of::<T>()).is_some_and(|end| end <= self.bytes);
        if !fits || !at.is_multiple_of(align_of::<T>()) {
            return None;
        }
        #[expect(unsafe_code, reason = "a place within the mapping")]
        // SAFETY: `at` is within the mapping.
        let place = unsafe { self.start.add(at) };
        Some(place.cast())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the other half of mapping")]
        // SAFETY: exactly what was mapped, and nothing refers to it beyond `self`.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), self.bytes) };
        debug_assert!(unmapped.is_ok());
    }
}
