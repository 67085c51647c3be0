//! Processes at snapshots as CSV: one table, whoever writes it (`GET /api/history/samples/`, `procession export`).
//!
//! Everything that a sample has is in it. Names, command lines and host names are chosen by strangers, so every text goes
//! through `harmless`.

use std::borrow::Cow;
use std::io::Write;

use procession_model::{Metric, Process, Sample, Timestamp};
use procession_store::KeptSnapshot;

use crate::csv_text::harmless;
use crate::time_text;

/// The head of the table.
pub const COLUMNS: [&str; 19] = [
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

/// Writes the rows of a snapshot, one a process.
pub fn write_rows<W: Write>(out: &mut csv::Writer<W>, hostname: &str, kept: &KeptSnapshot) -> csv::Result<()> {
    let (time, id, hostname) =
        (time_text::format(kept.snapshot.time), kept.id.number().to_string(), harmless(hostname));
    for process in &kept.snapshot.processes {
        for cell in [&*time, &id, &hostname] {
            out.write_field(cell)?;
        }
        for cell in cells(process) {
            out.write_field(&*cell)?;
        }
        out.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

/// The cells from the pid on.
fn cells(process: &Process) -> [Cow<'_, str>; 16] {
    let (description, sample) = (&process.description, &process.sample);
    let number = |metric| optional(sample.get(metric));
    [
        description.identity.pid.to_string().into(),
        optional(description.parent_pid),
        description.identity.start.map_or(Cow::Borrowed(""), time),
        harmless(&description.name),
        text(description.command_line.as_deref()),
        text(description.user.as_deref()),
        text(description.executable.as_deref()),
        text(description.cgroup.as_deref()),
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

fn time(time: Timestamp) -> Cow<'static, str> {
    time_text::format(time).into()
}

fn text(text: Option<&str>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), harmless)
}

fn optional(value: Option<impl ToString>) -> Cow<'static, str> {
    value.map_or(Cow::Borrowed(""), |value| value.to_string().into())
}

fn state(sample: &Sample) -> Cow<'static, str> {
    sample.state().map_or(Cow::Borrowed(""), |state| harmless(&state.name()).into_owned().into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use procession_model::{Description, Snapshot, SnapshotId};

    use super::*;

    #[test]
    fn hostile_texts_are_cells_and_no_formulas() {
        let hostile =
            ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＠1", "a\",\"b\r\n=1", "\u{202e}x"];
        let process = |(pid, name): (u32, &str)| {
            let mut description = Description::new(pid, name);
            for part in [&mut description.command_line, &mut description.user, &mut description.cgroup] {
                *part = Some(name.into());
            }
            Process { description: Arc::new(description), sample: Sample::ABSENT }
        };
        let processes = (1..).zip(hostile).map(process).collect();
        let snapshot = Arc::new(Snapshot { processes, ..Snapshot::default() });
        let kept = KeptSnapshot { id: SnapshotId::new(0, 1).unwrap(), snapshot };
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(COLUMNS).unwrap();
        write_rows(&mut out, "=host", &kept).unwrap();
        let text = out.into_inner().unwrap();
        let mut reader = csv::Reader::from_reader(&text[..]);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), hostile.len());
        for (row, name) in rows.iter().zip(hostile) {
            assert_eq!((row.len(), &row[2]), (COLUMNS.len(), "'=host"));
            for cell in [&row[6], &row[7], &row[8], &row[10]] {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＠']), "{cell:?}");
                assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), name);
            }
        }
    }
}
