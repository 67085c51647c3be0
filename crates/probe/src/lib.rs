//! Samples the processes of this machine.
//!
//! One facade, [`Probe`], over one folder an operating system; all folders have the same functions, and the
//! `unsupported` one is compiled everywhere so that it cannot rot. A probe reads counters and turns them into values of
//! the interval at once, because only here the counters and the monotonic clock are both at hand.
//!
//! This is the only crate that may use unsafe code, and only to call the operating system.

mod config;
mod error;
#[cfg(any(target_os = "linux", windows))]
mod field_errors;
mod moment;
mod rate;

#[cfg(all(test, target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod platform;
#[cfg(all(windows, target_pointer_width = "64"))]
#[path = "windows/mod.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "macos/mod.rs"]
mod platform;
#[cfg(not(any(target_os = "linux", target_os = "macos", all(windows, target_pointer_width = "64"))))]
#[path = "unsupported/mod.rs"]
mod platform;

pub use config::{Collection, MaskArguments, OptionalFields, ProbeConfig};
pub use error::ProbeError;
pub use moment::Moment;

use std::sync::Arc;

use procession_model::{HostFacts, Snapshot};

/// The longest command line in bytes; what comes after is cut off.
pub const COMMAND_LINE_BYTES_MAX: usize = 16 << 10;
/// The longest name, path of an executable or control group in bytes; what comes after is cut off.
pub const NAME_BYTES_MAX: usize = 4 << 10;

/// Samples the processes of this machine, again and again.
#[derive(Debug)]
pub struct Probe {
    collector: platform::Collector,
}

impl Probe {
    /// Opens what is kept open. Fails where this machine cannot be read at all.
    pub fn new(config: ProbeConfig) -> Result<Self, ProbeError> {
        Ok(Self { collector: platform::Collector::new(config)? })
    }

    /// All processes now. Values of an interval are absent in the first snapshot.
    pub fn snapshot(&mut self, moment: Moment) -> Result<Snapshot, ProbeError> {
        let mut snapshot = Snapshot::default();
        self.snapshot_into(moment, &mut snapshot)?;
        Ok(snapshot)
    }

    /// Like [`Probe::snapshot`], into the memory of an earlier one, all of which is replaced: where the same processes
    /// go on, nothing is allocated.
    pub fn snapshot_into(&mut self, moment: Moment, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        self.collector.snapshot_into(moment, snapshot)
    }

    /// Takes what the kernel has told since the last time, so that its buffer does not run over between snapshots.
    /// Returns how full that was, from 0 to 1, or nothing where there are no events to take.
    pub fn drain(&mut self) -> Option<f64> {
        self.collector.drain()
    }

    /// How many processes that begin and end at once the kernel's buffer holds until [`Probe::drain`] comes, roughly;
    /// nothing where there are no events.
    pub fn room(&self) -> Option<usize> {
        self.collector.room()
    }

    /// What this probe cannot do here and why, for people.
    pub fn notes(&self) -> &[String] {
        self.collector.notes()
    }

    /// What is known of the machine; the boot's id and time among it.
    pub fn facts(&self) -> &Arc<HostFacts> {
        self.collector.facts()
    }
}

/// The machine's name, as it calls itself.
pub fn host_name() -> Option<String> {
    platform::host_name()
}

/// What the operating system calls this installation of itself, such as Linux's machine-id. Machines made from one
/// image may share it.
pub fn machine_id() -> Option<String> {
    platform::machine_id()
}
