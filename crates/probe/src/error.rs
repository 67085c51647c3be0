//! Why a machine cannot be sampled.

use std::path::PathBuf;

/// Why there is no snapshot. What fails of single processes or fields is no error: it is in the snapshot.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A file or folder that everything else needs.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file without what has to be in it.
    #[error("{path} has no {what}: is it a proc file system?")]
    Missing {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The operating system refused to list its processes.
    #[error("the operating system does not list its processes: {0}")]
    List(String),
    /// Events were asked for and are not to be had.
    #[error(
        "the kernel's events of processes are not to be had: {0}. Leave the collector to the agent (auto) to do without"
    )]
    Events(String),
    /// A program in the kernel was asked for and is not to be had.
    #[error(
        "a program in the kernel (BPF) is not to be had: {0}. Leave the collector to the agent (auto) to do without"
    )]
    Bpf(String),
    /// No collector for this operating system.
    #[error("processes cannot be sampled on this operating system")]
    Unsupported,
}
