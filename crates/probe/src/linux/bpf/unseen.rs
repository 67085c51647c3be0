//! Processes that a kernel keeps from its programs: they are read in /proc.
//!
//! Ordinary kernels hand over every process; hardened ones may keep some back. So the list is compared with that of /proc at
//! the first look and now and then, which costs a fraction of a look.

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;

use super::records::ProcessRecord;
use crate::platform::describe::path_of;
use crate::platform::file::{ReadBuffer, open};
use crate::platform::listing::Listing;
use crate::platform::stat::Stat;

/// From one comparison to the next.
const LOOKS: u32 = 100;
/// So many are read one by one; a kernel that keeps more to itself is not worth asking.
const UNSEEN_MAX: usize = 64;

/// Whoever is in /proc and not in the kernel's own list.
#[derive(Debug)]
pub(super) struct Unseen {
    proc: OwnedFd,
    before: Listing,
    after: Listing,
    /// Until the next comparison.
    looks: u32,
    /// Pids ascend.
    files: Vec<(u32, OwnedFd)>,
    buffer: ReadBuffer,
    path: String,
}

impl Unseen {
    pub(super) fn new() -> Result<Self, Errno> {
        let proc = open(CWD, "/proc", OFlags::DIRECTORY)?;
        let (before, after) = (Listing::new(), Listing::new());
        Ok(Self { proc, before, after, looks: 0, files: Vec::new(), buffer: ReadBuffer::new(), path: String::new() })
    }

    /// To be called before the kernel is asked.
    pub(super) fn begin(&mut self) -> Result<(), Errno> {
        if self.looks == 0 { self.before.read(self.proc.as_fd()) } else { Ok(()) }
    }

    /// To be called with what the kernel said, pids ascending. Whoever was there before and is there after it was asked,
    /// and was not told, is kept from us.
    pub(super) fn end(&mut self, seen: &[ProcessRecord]) -> Result<(), Errno> {
        if self.looks > 0 {
            self.looks -= 1;
            return Ok(());
        }
        self.looks = LOOKS;
        self.after.read(self.proc.as_fd())?;
        self.files.clear();
        let is_seen = |pid: u32| seen.binary_search_by_key(&pid, |process| process.pid).is_ok();
        for pid in self.before.pids().iter().copied().filter(|pid| !is_seen(*pid)) {
            if self.after.pids().binary_search(&pid).is_err() {
                continue;
            }
            if self.files.len() == UNSEEN_MAX {
                return Err(Errno::ACCESS);
            }
            path_of(&mut self.path, pid, "stat");
            // Whoever is gone by now need not be read.
            if let Ok(file) = open(&self.proc, &self.path, OFlags::empty()) {
                self.files.push((pid, file));
            }
        }
        Ok(())
    }

    /// Hands over those with pids before `until`, from place `next` on.
    pub(super) fn take_until(&mut self, next: &mut usize, until: u32, take: &mut dyn FnMut(u32, &Stat<'_>)) {
        while let Some((pid, file)) = self.files.get(*next).filter(|(pid, _)| *pid < until) {
            *next += 1;
            let text = self.buffer.read_once(file).unwrap_or_default();
            if let Some(stat) = Stat::parse(text) {
                take(*pid, &stat);
            }
        }
        // Told after all.
        *next += usize::from(self.files.get(*next).is_some_and(|(pid, _)| *pid == until));
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Name;
    use super::*;

    fn seen(pids: &[u32]) -> Vec<ProcessRecord> {
        let name = Name([0; Name::BYTES]);
        let record = |pid| ProcessRecord {
            pid,
            parent_pid: 0,
            threads: 1,
            state: 0,
            exit_state: 0,
            flags: 0,
            exec_id: 0,
            start_ns: 0,
            ended_cpu_ns: 0,
            cpu_ns: 0,
            virtual_pages: 0,
            resident_pages: 0,
            name,
        };
        pids.iter().map(|pid| record(*pid)).collect()
    }

    #[test]
    fn whoever_is_not_told_is_read() {
        let mut unseen = Unseen::new().unwrap();
        let own = std::process::id();
        unseen.begin().unwrap();
        let others: Vec<u32> = unseen.before.pids().iter().copied().filter(|pid| *pid != own && *pid != 1).collect();
        unseen.end(&seen(&others)).unwrap();
        let mut told = Vec::new();
        let (mut next, take) = (0, &mut |pid, stat: &Stat<'_>| told.push((pid, stat.threads > 0)));
        unseen.take_until(&mut next, own, take);
        let beside = next;
        unseen.take_until(&mut next, u32::MAX, take);
        assert_eq!((told, beside, next), (vec![(1, true)], 2, 2), "1 is read, the own pid was told after all");
        let (mut next, mut all) = (0, Vec::new());
        unseen.take_until(&mut next, u32::MAX, &mut |pid, _| all.push(pid));
        assert_eq!(all, [1, own]);
    }

    #[test]
    fn a_kernel_that_tells_little_is_refused() {
        let mut unseen = Unseen::new().unwrap();
        unseen.begin().unwrap();
        if unseen.before.pids().len() > 2 * UNSEEN_MAX {
            assert_eq!(unseen.end(&seen(&[1])), Err(Errno::ACCESS));
        }
    }
}
