//! Recordings: one upload body a line, as `procession export --format jsonl` writes them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use procession_model::{Description, Identity, Metric, Process, ProcessState, Sample, Snapshot, Timestamp};
use serde_json::Value;

/// The snapshots of a recording.
pub(crate) fn read(path: &Path) -> Vec<Snapshot> {
    let file = BufReader::new(File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let mut known = HashMap::new();
    let lines = file.lines().map(|line| line.expect("a line of text"));
    lines.map(|line| snapshot(&serde_json::from_str(&line).expect("an upload"), &mut known)).collect()
}

fn snapshot(upload: &Value, known: &mut HashMap<Description, Arc<Description>>) -> Snapshot {
    let processes = upload["processes"].as_array().expect("processes");
    Snapshot {
        time: time(&upload["snapshot_time"]).expect("a time"),
        processes: processes.iter().map(|process| self::process(process, known)).collect(),
        ..Snapshot::default()
    }
}

fn process(upload: &Value, known: &mut HashMap<Description, Arc<Description>>) -> Process {
    let text = |field: &str| upload[field].as_str().map(Arc::from);
    let number = |field: &str| upload[field].as_u64();
    let pid = |field: &str| number(field).and_then(|pid| u32::try_from(pid).ok());
    let description = Description {
        identity: Identity { pid: pid("pid").expect("a pid"), start: time(&upload["start_time"]) },
        parent_pid: pid("parent_pid"),
        name: text("name").expect("a name"),
        command_line: text("command_line"),
        user: text("user"),
        executable: text("executable"),
        cgroup: text("cgroup"),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "percentages are small and positive")]
    let cpu = upload["cpu"].as_f64().map(|percent| (percent * 100.0).round() as u64);
    let sample = Sample::default()
        .with(Metric::Cpu, cpu)
        .with(Metric::Memory, number("memory"))
        .with(Metric::VirtualMemory, number("virtual_memory"))
        .with(Metric::Threads, number("threads"))
        .with(Metric::ReadBytes, number("read_bytes"))
        .with(Metric::WriteBytes, number("write_bytes"))
        .with(Metric::MemoryPercent, upload["memory_percent"].as_f64().map(f64::to_bits));
    let state = upload["state"].as_str().map(ProcessState::from_name);
    let sample = state.map_or(sample, |state| sample.with_state(state));
    let description = known.entry(description).or_insert_with_key(|description| Arc::new(description.clone()));
    Process { description: Arc::clone(description), sample }
}

/// `2026-11-21T21:01:39.374Z`, with or without the fraction.
fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    let ms = number(20..23).unwrap_or(0);
    // Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(Timestamp::from_ms((days * 86_400 + seconds) * 1_000 + ms))
}
