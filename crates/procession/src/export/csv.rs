//! The history as CSV: one process at one time a row.

use std::borrow::Cow;
use std::io::Write;

use procession_model::{Metric, Process, ProcessState, Sample};
use procession_server::csv_text::harmless;
use procession_store::KeptSnapshot;

use super::Sink;
use crate::moment;

const COLUMNS: [&str; 19] = [
    "timestamp",
    "snapshot_id",
    "hostname",
    "pid",
    "parent_pid",
    "start_time",
    "name",
    "command_line",
    "user",
    "executable",
    "cgroup",
    "state",
    "cpu_percent",
    "memory_bytes",
    "virtual_memory_bytes",
    "threads",
    "read_bytes",
    "write_bytes",
    "memory_percent",
];

/// Rows to a writer.
pub(super) struct Rows<W: Write> {
    out: csv::Writer<W>,
    headed: bool,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out: csv::Writer::from_writer(out), headed: false }
    }

    fn head(&mut self) -> csv::Result<()> {
        if !std::mem::replace(&mut self.headed, true) {
            self.out.write_record(COLUMNS)?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Rows<W> {
    fn write(&mut self, host: &str, kept: &KeptSnapshot) -> std::io::Result<()> {
        self.head()?;
        let time = moment::write(kept.snapshot.time);
        let id = kept.id.number().to_string();
        for process in &kept.snapshot.processes {
            for cell in [&*time, &id, &harmless(host)] {
                self.out.write_field(cell)?;
            }
            for cell in cells(process) {
                self.out.write_field(&*cell)?;
            }
            self.out.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.head()?;
        self.out.flush()
    }
}

fn cells(process: &Process) -> [Cow<'_, str>; 16] {
    let (description, sample) = (&process.description, &process.sample);
    let text = |text: &'_ Option<std::sync::Arc<str>>| {
        text.as_deref().map_or(Cow::Borrowed(""), |text| Cow::Owned(harmless(text).into_owned()))
    };
    let number = |metric| optional(sample.get(metric));
    [
        description.identity.pid.to_string().into(),
        optional(description.parent_pid),
        optional(description.identity.start.map(moment::write)),
        harmless(&description.name),
        text(&description.command_line),
        text(&description.user),
        text(&description.executable),
        text(&description.cgroup),
        state(sample),
        optional(sample.cpu_percent()),
        number(Metric::Memory),
        number(Metric::VirtualMemory),
        number(Metric::Threads),
        number(Metric::ReadBytes),
        number(Metric::WriteBytes),
        optional(sample.memory_percent()),
    ]
}

fn optional(value: Option<impl ToString>) -> Cow<'static, str> {
    value.map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string()))
}

fn state(sample: &Sample) -> Cow<'static, str> {
    let state = sample.get(Metric::State).and_then(ProcessState::from_local_code);
    state.map_or(Cow::Borrowed(""), |state| Cow::Owned(harmless(&state.name()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        for hostile in ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"] {
            assert!(harmless(hostile).starts_with('\''), "{hostile}");
        }
        assert_eq!(harmless("bash"), "bash");
    }
}
