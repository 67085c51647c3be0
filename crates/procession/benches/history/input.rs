//! What is measured on: made machines, and recordings.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use procession::swarm::machine::{Machine, MachineConfig};
use procession_model::{Snapshot, Timestamp};
use procession_server::upload;

/// 2026-01-01T00:00:00Z: made history begins here.
pub(crate) const BEGIN: Timestamp = Timestamp::from_ms(1_767_225_600_000);

/// Snapshots of one host, oldest first.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) snapshots: Vec<Arc<Snapshot>>,
}

impl Input {
    /// A recording; the snapshots of all its hosts as if of one.
    pub(crate) fn recorded(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        let reader: Box<dyn Read> = if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(zstd::Decoder::new(&bytes[..])?)
        } else {
            Box::new(&bytes[..])
        };
        let mut snapshots = Vec::new();
        for (index, line) in BufReader::new(reader).split(b'\n').enumerate() {
            let upload = upload::parse(&line?).with_context(|| format!("{}, line {}", file.display(), index + 1))?;
            snapshots.push(Arc::new(upload.snapshot));
        }
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, snapshots })
    }

    fn of(name: &str, config: MachineConfig, ticks: u32) -> Self {
        let mut machine = Machine::new(config, BEGIN.plus_ms(-86_400_000));
        let step = config.interval_ms.cast_signed();
        let snapshots = (0..i64::from(ticks)).map(|tick| Arc::new(machine.tick(BEGIN.plus_ms(tick * step)))).collect();
        Self { name: name.into(), snapshots }
    }

    /// Its snapshots from a time on.
    pub(crate) fn since(&self, time: Timestamp) -> Self {
        let later = self.snapshots.iter().filter(|snapshot| snapshot.time >= time);
        Self { name: self.name.clone(), snapshots: later.cloned().collect() }
    }

    /// Processes in all snapshots together.
    pub(crate) fn samples(&self) -> u64 {
        self.snapshots.iter().map(|snapshot| snapshot.processes.len() as u64).sum()
    }

    /// Processes of the last snapshot.
    pub(crate) fn processes(&self) -> usize {
        self.snapshots.last().map_or(0, |snapshot| snapshot.processes.len())
    }
}

/// Three made machines: an ordinary one seen rarely and often, and one that does nothing much.
pub(crate) fn made(seed: u64) -> Vec<Input> {
    let ordinary = |interval_ms| MachineConfig::ordinary(seed, 380, interval_ms);
    let busy = MachineConfig { active: 190, ticks_per_turnover: 1, ..ordinary(5_000) };
    let idle = MachineConfig { active: 6, ticks_per_turnover: 60, ..ordinary(5_000) };
    vec![
        Input::of("made, ordinary, 10 min at 5 s", ordinary(5_000), 120),
        Input::of("made, ordinary, 10 min at 1 s", ordinary(1_000), 600),
        Input::of("made, busy, 10 min at 5 s", busy, 120),
        Input::of("made, idle, 1 h at 5 s", idle, 720),
    ]
}
