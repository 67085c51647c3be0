//! What to sample, and how.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use procession_model::Timestamp;

/// Changes the words of a command line before they are joined: replaces secrets.
pub type MaskArguments = Arc<dyn Fn(&mut Vec<String>) + Send + Sync>;

/// Fields that cost more than the others, or need rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionalFields {
    /// Bytes read and written: a second file for every process at every snapshot.
    pub io: bool,
}

/// How processes are found that live shorter than an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collection {
    /// By the best that is to be had: a program in the kernel, the kernel's events, else not at all.
    #[default]
    Auto,
    /// By a program in the kernel (BPF), or it is an error.
    Bpf,
    /// By the kernel's events, or it is an error.
    Events,
    /// Not at all: only what is there at a snapshot is seen.
    Polling,
}

/// What to sample, and how. Start from [`ProbeConfig::default`].
#[derive(Clone)]
pub struct ProbeConfig {
    /// Where the proc file system is; in a container, where the host's is mounted.
    pub proc_root: PathBuf,
    /// Where `etc/passwd`, `etc/os-release` and the like are read from; in a container, the host's root.
    pub system_root: PathBuf,
    /// What else to collect.
    pub fields: OptionalFields,
    /// How processes are found that live shorter than an interval.
    pub events: Collection,
    /// How many descriptors may be kept open; half of what the process may have, if absent.
    pub descriptors_max: Option<usize>,
    /// The boot time to keep for this boot id: start times are counted from it, and processes are known by them.
    pub known_boot: Option<(String, Timestamp)>,
    /// For [`procession_model::HostFacts::agent_version`].
    pub agent_version: Option<Arc<str>>,
    /// Replaces secrets in command lines.
    pub mask: Option<MaskArguments>,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            proc_root: PathBuf::from("/proc"),
            system_root: PathBuf::from("/"),
            fields: OptionalFields::default(),
            events: Collection::Auto,
            descriptors_max: None,
            known_boot: None,
            agent_version: None,
            mask: None,
        }
    }
}

impl fmt::Debug for ProbeConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProbeConfig")
            .field("proc_root", &self.proc_root)
            .field("system_root", &self.system_root)
            .field("fields", &self.fields)
            .field("events", &self.events)
            .field("descriptors_max", &self.descriptors_max)
            .field("known_boot", &self.known_boot)
            .field("agent_version", &self.agent_version)
            .field("mask", &self.mask.is_some())
            .finish()
    }
}
