//! Rollups come back from their bytes, and hostile bytes are refused or are some rollup. The file of each version released is read as
//! what it was made from: `PROCESSION_GOLDEN=write cargo test -p procession-store golden` writes that of the newest.

use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use procession_model::{Description, End, Exit, HostMetric, HostSample, Identity, Timestamp};
use proptest::prelude::*;

use super::encode::{decode, decode_of, decode_steps, encode};
use super::model::Fine;
use super::{Cell, Folded, FoldedKey, Rollup, Row, Step};

const BEGIN_MS: i64 = 1_795_219_200_000;
const STEP_MS: u64 = 60_000;

/// A number that is mostly small, sometimes anything.
fn number(random: &mut Rng) -> u64 {
    match random.u8(..8) {
        0..3 => 0,
        3..6 => random.u64(..300),
        6 => random.u64(..1 << 20) * 4_096,
        _ => random.u64(..1 << 62),
    }
}

fn maybe(random: &mut Rng) -> Option<u64> {
    (random.u8(..4) > 0).then(|| number(random))
}

fn step(random: &mut Rng, number_of: i64) -> Step {
    let first = Rollup::start_of(STEP_MS, number_of).plus_ms(random.i64(0..5_000));
    Step {
        number: number_of,
        first,
        last: first.plus_ms(random.i64(0..50_000)),
        last_sequence: random.u32(..),
        snapshots: 12,
        interval_ms: 60_000 + random.u64(..2) * number(random),
        process_samples: number(random),
        processes_max: random.u32(..),
        cpu_sum: number(random).into(),
        cpu_max: number(random),
        memory_sum: number(random).into(),
        memory_max: number(random),
        host_cpu_snapshots: random.u64(..13),
        host_cpu_sum: number(random).into(),
        host_cpu_tenths: number(random),
        host_memory_sum: number(random).into(),
        host_memory_snapshots: random.u64(..13),
        host: HostSample::ABSENT.with(HostMetric::Cpu, maybe(random)).with(HostMetric::MemoryUsed, maybe(random)),
    }
}

/// A cell as it may be, or one of a process that did nothing.
fn cell(random: &mut Rng, step: &Step) -> Cell {
    match random.u8(..3) {
        0 => Cell {
            samples: number(random),
            cpu_ms: number(random),
            cpu_tenths: number(random),
            cpu_max: maybe(random),
            memory_samples: number(random),
            memory_sum: number(random),
            memory_max: maybe(random),
            read: maybe(random),
            write: maybe(random),
        },
        1 => Cell::default(),
        _ => {
            let memory = random.u64(1..9) * 4_096;
            let below = random.u64(..13);
            Cell {
                samples: step.snapshots,
                cpu_ms: step.interval_ms,
                cpu_tenths: random.u64(..2) * 20 * 5_000,
                cpu_max: Some(random.u64(..2) * 20),
                memory_samples: step.snapshots,
                memory_sum: memory * step.snapshots - below * 4_096,
                memory_max: Some(memory),
                read: None,
                write: Some(random.u64(..2) * 4_096),
            }
        }
    }
}

fn end(random: &mut Rng, told: Timestamp) -> End {
    End {
        time: random.bool().then(|| told.plus_ms(-random.i64(0..5_000))),
        exit: [None, Some(Exit::Code(random.i32(..))), Some(Exit::Signal(9))][random.usize(..3)],
        cpu_time_us: maybe(random),
        peak_memory_bytes: maybe(random),
    }
}

fn row(random: &mut Rng, steps: &[Step], rows: &[Row], pid: u32) -> Row {
    let start = random.bool().then(|| Timestamp::from_ms(BEGIN_MS - random.i64(0..1 << 40)));
    let parent = match random.usize(..3) {
        0 => None,
        1 => Some(Identity { pid: pid + 1_000_000, start: None }),
        _ => rows.get(random.usize(..rows.len().max(1))).map(|row| row.description.identity),
    };
    let mut description = Description::new(pid, format!("program{}", random.u8(..5)));
    description.identity.start = start;
    description.parent_pid = parent.map(|parent| parent.pid);
    description.user = random.bool().then(|| Arc::from(format!("user{}", random.u8(..3))));
    let first_step = random.usize(..steps.len());
    let last_step = random.usize(first_step..steps.len());
    let has_cells = random.u8(..6) > 0;
    let first = steps[first_step].first;
    let last = if first_step == last_step { first } else { steps[last_step].last };
    Row {
        description: Arc::new(description),
        parent,
        first,
        last,
        previous: random.bool().then(|| first.plus_ms(-random.i64(0..9_000))),
        is_whole: random.bool(),
        end: random.bool().then(|| (end(random, last.plus_ms(5_000)), last.plus_ms(5_000))),
        first_step: if has_cells { first_step } else { 0 },
        cells: if has_cells {
            steps[first_step..=last_step].iter().map(|step| cell(random, step)).collect()
        } else {
            Vec::new()
        },
    }
}

fn folded(random: &mut Rng, step: usize, steps: &[Step], rows: &[Row]) -> Folded {
    let first = steps[step].first.plus_ms(random.i64(0..9_000));
    Folded {
        step,
        key: FoldedKey {
            name: Arc::from(format!("short{}", random.u8(..5))),
            user: random.bool().then(|| Arc::from("user1")),
            parent: rows.get(random.usize(..=rows.len())).map(|row| row.description.identity),
            began_before: random.bool(),
        },
        count: number(random),
        first,
        last: first.plus_ms(random.i64(0..9_000)),
        alive_ms: number(random),
        cell: cell(random, &steps[step]),
        extra_tenths: number(random),
    }
}

/// Steps with a host that is in finer ones.
fn fine_steps(random: &mut Rng) -> Fine {
    let step_ms = STEP_MS / 4;
    let mut number_of = Rollup::number_of(step_ms, Timestamp::from_ms(BEGIN_MS));
    let mut steps = Vec::new();
    for _ in 0..random.usize(1..40) {
        number_of += random.i64(1..7);
        let first = Rollup::start_of(step_ms, number_of).plus_ms(random.i64(0..1_000));
        steps.push(Step { first, last: first.plus_ms(random.i64(0..10_000)), ..step(random, number_of) });
    }
    Fine { step_ms, steps }
}

fn rollup(seed: u64) -> Rollup {
    let mut random = Rng::with_seed(seed);
    let mut number_of = Rollup::number_of(STEP_MS, Timestamp::from_ms(BEGIN_MS));
    let mut steps = Vec::new();
    for _ in 0..random.usize(1..20) {
        number_of += random.i64(1..3);
        steps.push(step(&mut random, number_of));
    }
    let fine = random.bool().then(|| fine_steps(&mut random));
    if let Some(fine) = &fine {
        steps = fine.in_steps_of(STEP_MS);
    }
    let mut rows = Vec::new();
    for pid in 1..random.u32(1..30) {
        rows.push(row(&mut random, &steps, &rows, pid));
    }
    let mut places: Vec<usize> = (0..random.usize(..20)).map(|_| random.usize(..steps.len())).collect();
    places.sort_unstable();
    let folded = places.into_iter().map(|step| folded(&mut random, step, &steps, &rows)).collect();
    Rollup { step_ms: STEP_MS, steps, rows, folded, fine }
}

/// The bytes with their checksums made right again.
fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = super::encode::HEADER_BYTES;
    for section in 0..super::encode::SECTIONS {
        let field = 1 + section * 8;
        let len = u32::from_le_bytes(bytes[field..field + 4].try_into().unwrap()) as usize;
        if let Some(section) = bytes.get(at..at.saturating_add(len)) {
            let crc = crc32fast::hash(section).to_le_bytes();
            bytes[field + 4..field + 8].copy_from_slice(&crc);
        }
        at = at.saturating_add(len);
    }
    let head = super::encode::HEADER_BYTES - 4;
    let crc = crc32fast::hash(&bytes[..head]).to_le_bytes();
    bytes[head..head + 4].copy_from_slice(&crc);
    bytes
}

proptest! {
    #[test]
    fn rollups_come_back(seed in any::<u64>()) {
        let rollup = rollup(seed);
        let bytes = encode(&rollup);
        let alone = decode_steps(&bytes).unwrap();
        prop_assert_eq!((&alone.steps, &alone.fine), (&rollup.steps, &rollup.fine));
        let host = alone.host_alone();
        let finest = rollup.fine.clone().unwrap_or(Fine { step_ms: STEP_MS, steps: rollup.steps.clone() });
        prop_assert_eq!((host.step_ms, host.steps), (finest.step_ms, finest.steps));
        prop_assert_eq!(decode(&bytes).unwrap(), rollup);
    }

    #[test]
    fn what_is_wanted_is_read_alone(seed in any::<u64>()) {
        let mut rollup = rollup(seed);
        let bytes = encode(&rollup);
        let wanted = |name: &str, user: Option<&str>| name.ends_with(['1', '3']) || user == Some("user2");
        for row in &mut rollup.rows {
            if !wanted(&row.description.name, row.description.user.as_deref()) {
                row.cells.clear();
            }
        }
        rollup.folded.retain(|folded| wanted(&folded.key.name, folded.key.user.as_deref()));
        prop_assert_eq!(decode_of(&bytes, &wanted).unwrap(), rollup);
    }

    #[test]
    fn cut_and_flipped_bytes_are_refused(seed in 0_u64..50, at in any::<usize>(), bit in 0_u8..8) {
        let bytes = encode(&rollup(seed));
        let at = at % bytes.len();
        prop_assert!(decode(&bytes[..at]).is_err());
        let mut flipped = bytes;
        flipped[at] ^= 1 << bit;
        prop_assert!(decode(&flipped).is_err());
    }

    #[test]
    fn hostile_bytes_with_right_checksums_never_panic(
        seed in 0_u64..50,
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encode(&rollup(seed));
        for (at, value) in changes {
            let at = super::encode::HEADER_BYTES + at % (bytes.len() - super::encode::HEADER_BYTES);
            bytes[at] = value;
        }
        if let Ok(rollup) = decode(&mended(bytes)) {
            prop_assert!(rollup.rows.len() < 1 << 20);
        }
    }
}

/// A small rollup that has everything once.
fn everything() -> Rollup {
    let rollup = everything_of_version_2();
    let step = |step: &Step| Step { number: step.number * 2, ..step.clone() };
    let fine = Fine { step_ms: STEP_MS / 2, steps: rollup.steps.iter().map(step).collect() };
    Rollup { fine: Some(fine), ..rollup }
}

/// The same as far as version 2 had it.
fn everything_of_version_2() -> Rollup {
    let at = |ms: i64| Timestamp::from_ms(BEGIN_MS + ms);
    let step = |number_of: i64, busy: u64| Step {
        number: Rollup::number_of(STEP_MS, at(0)) + number_of,
        first: at(number_of * 60_000 + 1_000),
        last: at(number_of * 60_000 + 56_001),
        last_sequence: 12 + u32::try_from(number_of).unwrap() * 12,
        snapshots: 12,
        interval_ms: 60_001,
        process_samples: 36 - busy,
        processes_max: 3,
        cpu_sum: u128::from(busy) * 120,
        cpu_max: busy * 80,
        memory_sum: 300 << 20,
        memory_max: 26 << 20,
        host_cpu_snapshots: 12,
        host_cpu_sum: 4_000,
        host_cpu_tenths: 20_000_333,
        host_memory_sum: 90 << 30,
        host_memory_snapshots: 12,
        host: HostSample::ABSENT.with(HostMetric::Cpu, 333 * busy).with(HostMetric::MemoryUsed, 7 << 30),
    };
    let steps = vec![step(0, 0), step(1, 2), step(4, 1)];
    let idle = Cell {
        samples: 12,
        cpu_ms: 60_001,
        cpu_tenths: 0,
        cpu_max: Some(0),
        memory_samples: 12,
        memory_sum: 12 << 20,
        memory_max: Some(1 << 20),
        read: Some(0),
        write: None,
    };
    let busy = Cell {
        cpu_tenths: 80 * 5_001 + 40 * 5_000,
        cpu_max: Some(80),
        memory_sum: (12 << 20) + 5 * 8_192,
        memory_max: Some((1 << 20) + 8_192),
        read: Some(4_096),
        ..idle
    };
    let kept = |pid: u32, name: &str, cells: Vec<Cell>| Row {
        description: Arc::new(Description {
            identity: Identity { pid, start: Some(at(-500)) },
            user: Some("größe".into()),
            parent_pid: (pid > 1).then_some(1),
            ..Description::new(pid, name)
        }),
        parent: (pid > 1).then_some(Identity { pid: 1, start: Some(at(-500)) }),
        first: steps[0].first,
        last: steps[cells.len().max(1) - 1].last,
        previous: (pid > 1).then(|| at(-4_000)),
        is_whole: pid > 1,
        end: (pid > 1).then(|| (end_of_all(at(61_000)), at(62_000))),
        first_step: 0,
        cells,
    };
    let rows = vec![kept(1, "systemd", vec![idle, busy, busy]), kept(7, "\u{202e}evil", vec![busy, Cell::default()])];
    let folded = Folded {
        step: 1,
        key: FoldedKey { name: "rustc".into(), user: None, parent: rows[0].parent, began_before: true },
        count: 3,
        first: at(61_000),
        last: at(66_000),
        alive_ms: 9_000,
        cell: Cell { samples: 3, cpu_ms: 15_001, memory_samples: 3, memory_sum: 3 << 20, ..busy },
        extra_tenths: 77,
    };
    Rollup { step_ms: STEP_MS, steps, rows, folded: vec![folded], fine: None }
}

fn end_of_all(time: Timestamp) -> End {
    End { time: Some(time), exit: Some(Exit::Signal(9)), cpu_time_us: Some(1_500), peak_memory_bytes: Some(1 << 30) }
}

#[test]
fn golden_rollups_are_read_as_what_they_were_made_from() {
    let path =
        |version: u8| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/rollup-{version}.bin"));
    if std::env::var_os("PROCESSION_GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(path(4), encode(&everything())).unwrap();
    }
    for (version, rollup) in [(2, everything_of_version_2()), (3, everything()), (4, everything())] {
        let bytes = std::fs::read(path(version)).unwrap();
        assert_eq!(bytes[0], version);
        assert_eq!(decode(&bytes).unwrap(), rollup);
    }
    assert_eq!(encode(&everything()), std::fs::read(path(4)).unwrap(), "the same bytes as ever");
}

#[test]
fn newer_versions_are_named() {
    let mut bytes = encode(&rollup(1));
    bytes[0] = 5;
    assert_eq!(decode(&bytes), Err(procession_codec::DecodeError::UnknownVersion(5)));
}
