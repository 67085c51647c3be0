//! Whether the kernel's own figures mean what we take them for.

use rustix::fs::{CWD, OFlags};

use crate::platform::file::{ReadBuffer, open};
use crate::platform::stat::Stat;
use crate::platform::sweep::TaskSource;

/// The kernel's first namespace of pids, `PROC_PID_INIT_INO` in its `proc_ns.h`.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Refuses pids that are not the kernel's own: its list has those of its first namespace, and /proc has ours. Processes would be there twice.
pub(super) fn verify_namespace() -> Result<(), String> {
    let ours = std::fs::read_link("/proc/self/ns/pid").map_err(|error| format!("/proc/self/ns/pid: {error}"))?;
    is_first_namespace(&ours.to_string_lossy())
}

fn is_first_namespace(ours: &str) -> Result<(), String> {
    match ours {
        FIRST_PID_NAMESPACE => Ok(()),
        other => {
            Err(format!("pids here are of a namespace of their own ({other}); the kernel lists those of its first one"))
        }
    }
}

/// Compares what the program says of this very process with what /proc says of it. They differ where pids or clocks are of
/// other namespaces than the kernel's first, or where a kernel has other types than it tells.
pub(super) fn verify(tasks: &mut dyn TaskSource) -> Result<(), String> {
    let own_pid = std::process::id();
    let mut seen = None;
    tasks
        .look(&mut |pid, stat| {
            if pid == own_pid {
                seen = Some((pid, Figures::of(stat)));
            }
        })
        .map_err(|error| format!("its list of processes cannot be read: {error}"))?;
    let (_, seen) = seen.ok_or("it does not list this process: are its pids of another namespace?")?;
    let told = own_figures()?;
    if seen.agrees_with(&told) {
        Ok(())
    } else {
        Err(format!("it says {seen:?} of this process, and /proc says {told:?}"))
    }
}

/// What has to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figures {
    name: Vec<u8>,
    parent_pid: u32,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
    cpu_ticks: u64,
}

impl Figures {
    fn of(stat: &Stat<'_>) -> Self {
        Self {
            name: stat.name.to_vec(),
            parent_pid: stat.parent_pid,
            start_ticks: stat.start_ticks,
            virtual_bytes: stat.virtual_bytes,
            resident_pages: stat.resident_pages,
            cpu_ticks: stat.cpu_ticks,
        }
    }

    /// Other threads may work meanwhile, so what grows need only be about the same.
    fn agrees_with(&self, other: &Self) -> bool {
        let about = |one: u64, other: u64| one <= other.saturating_mul(2) && other <= one.saturating_mul(2);
        let same = |of: &Self| (of.name.clone(), of.parent_pid, of.start_ticks);
        same(self) == same(other)
            && about(self.virtual_bytes, other.virtual_bytes)
            && about(self.resident_pages, other.resident_pages)
            && about(self.cpu_ticks + 100, other.cpu_ticks + 100)
    }
}

fn own_figures() -> Result<Figures, String> {
    let mut buffer = ReadBuffer::new();
    let file = open(CWD, "/proc/self/stat", OFlags::empty()).map_err(|error| error.to_string())?;
    let text = buffer.read_once(&file).map_err(|error| error.to_string())?;
    Stat::parse(text).map(|stat| Figures::of(&stat)).ok_or_else(|| "/proc/self/stat is not one".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// Says what it is told to say.
    #[derive(Debug)]
    struct Said(Option<(u32, Figures)>);

    impl TaskSource for Said {
        fn look(&mut self, take: &mut dyn FnMut(u32, &Stat<'_>)) -> Result<(), Errno> {
            let (pid, figures) = self.0.as_ref().ok_or(Errno::IO)?;
            let stat = Stat {
                name: &figures.name,
                state: b'R',
                parent_pid: figures.parent_pid,
                flags: 0,
                cpu_ticks: figures.cpu_ticks,
                threads: 1,
                start_ticks: figures.start_ticks,
                virtual_bytes: figures.virtual_bytes,
                resident_pages: figures.resident_pages,
                start_stack: 0,
            };
            take(*pid, &stat);
            Ok(())
        }
    }

    #[test]
    fn other_namespaces_are_told_by_their_number() {
        assert_eq!(is_first_namespace("pid:[4026531836]"), Ok(()));
        assert!(is_first_namespace("pid:[4026532201]").unwrap_err().contains("4026532201"));
    }

    #[test]
    fn whoever_says_something_else_is_not_believed() {
        let (pid, own) = (std::process::id(), own_figures().unwrap());
        let verify_figures = |pid, figures: Figures| verify(&mut Said(Some((pid, figures))));
        assert_eq!(verify_figures(pid, own.clone()), Ok(()));
        let other_pid = verify_figures(pid + 1, own.clone()).unwrap_err();
        assert!(other_pid.contains("another namespace"), "{other_pid}");
        let other_start = Figures { start_ticks: own.start_ticks + 1, ..own.clone() };
        assert!(verify_figures(pid, other_start).unwrap_err().contains("and /proc says"));
        assert!(verify_figures(pid, Figures { resident_pages: 0, ..own.clone() }).is_err());
        assert!(verify_figures(pid, Figures { virtual_bytes: own.virtual_bytes / 4_096, ..own }).is_err());
        assert!(verify(&mut Said(None)).unwrap_err().contains("cannot be read"));
    }
}
