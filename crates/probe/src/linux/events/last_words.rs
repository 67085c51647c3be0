//! All that is known of a process at its end, where that comes at once.

use super::taskstats::TaskEnd;

/// The end of a process. Times are the kernel's monotonic ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::platform) struct LastWords<'a> {
    pub(in crate::platform) pid: u32,
    /// At the end: whoever lost its parent has another one.
    pub(in crate::platform) parent_pid: u32,
    pub(in crate::platform) began_ns: u64,
    pub(in crate::platform) time_ns: u64,
    /// As wait(2) has it.
    pub(in crate::platform) status: u32,
    /// Ran another program than its parent's.
    pub(in crate::platform) executed: bool,
    pub(in crate::platform) uid: u32,
    /// With NULs behind it.
    pub(in crate::platform) name: [u8; LastWords::NAME_BYTES],
    pub(in crate::platform) cpu_time_us: u64,
    /// 0 where it is not known.
    pub(in crate::platform) peak_memory_bytes: u64,
    /// One NUL after each word; empty where they are not known.
    pub(in crate::platform) arguments: &'a [u8],
}

impl LastWords<'_> {
    pub(in crate::platform) const NAME_BYTES: usize = 32;

    pub(super) const fn stats(&self) -> TaskEnd {
        TaskEnd {
            task: self.pid,
            pid: self.pid,
            uid: self.uid,
            name: self.name,
            cpu_time_us: self.cpu_time_us,
            peak_memory_bytes: self.peak_memory_bytes,
        }
    }
}
