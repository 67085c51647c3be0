//! A process: what stays fixed of it, what was measured, and how it ended.

use std::sync::Arc;

use crate::{Sample, Timestamp};

/// Which process this is within one boot of one host. A reused pid has another start, so it is another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// When it started, where that is known.
    pub start: Option<Timestamp>,
}

/// Everything that stays fixed while a process lives. When one of these changes (an exec, a new parent, a rewritten
/// title), the process goes on under a new description with the same identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Description {
    /// Which process this is.
    pub identity: Identity,
    /// The parent's pid as it was reported, even if no such process is in the snapshot.
    pub parent_pid: Option<u32>,
    /// Short name, such as `postgres`.
    pub name: Arc<str>,
    /// The command line, its words joined by a space; secrets are masked before it gets here.
    pub command_line: Option<Arc<str>>,
    /// Name of the user, or the uid in digits where there is no name.
    pub user: Option<Arc<str>>,
    /// Path of the executable.
    pub executable: Option<Arc<str>>,
    /// Path of the control group, from which unit and container are read.
    pub cgroup: Option<Arc<str>>,
}

impl Description {
    /// A process of which only pid and name are known.
    pub fn new(pid: u32, name: impl Into<Arc<str>>) -> Self {
        Self {
            identity: Identity { pid, start: None },
            parent_pid: None,
            name: name.into(),
            command_line: None,
            user: None,
            executable: None,
            cgroup: None,
        }
    }
}

/// A process in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What stays fixed.
    pub description: Arc<Description>,
    /// What was measured.
    pub sample: Sample,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal(u8),
}

/// What is known of the end of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct End {
    /// When it ended; unknown where it was only found to be gone.
    pub time: Option<Timestamp>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// CPU time over its whole life in microseconds, user and system.
    pub cpu_time_us: Option<u64>,
    /// The most resident memory it had, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// A process that began and ended between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// What stays fixed.
    pub description: Arc<Description>,
    /// How it ended.
    pub end: End,
    /// How many processes this stands for: 1, or more where an agent had to sum them up by program.
    pub count: u32,
}
