//! Files of every version of the formats ever released are read as what they were made from.
//!
//! `PROCESSION_GOLDEN=write cargo test -p procession-codec --test golden` writes those of the newest version: only before
//! that version is released, or the promise is broken.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::path::PathBuf;
use std::sync::Arc;

use procession_codec::block::{self, Block, Dictionary, Effort, Head, Wanted, seal};
use procession_codec::frame::{self, decode, encode, encode_version_1};
use procession_codec::{Frame, HostState};
use procession_model::{
    Brief, Description, End, Ended, Exit, FieldError, FieldErrorReason, HostFacts, HostMetric, HostSample, Identity,
    Loss, LossKind, Metric, Process, ProcessState, Sample, Snapshot, Timestamp,
};

const FIRST_MS: i64 = 1_795_219_200_123;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The file, or if asked for its new content.
fn file(name: &str, now: &[u8]) -> Vec<u8> {
    if std::env::var_os("PROCESSION_GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(golden(name), now).unwrap();
    }
    std::fs::read(golden(name)).unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(FIRST_MS + ms)
}

fn described(pid: u32, started_ms: i64, name: &str, command_line: &str) -> Arc<Description> {
    Arc::new(Description {
        identity: Identity { pid, start: Some(at(-started_ms)) },
        parent_pid: (pid > 1).then_some(1),
        name: name.into(),
        command_line: Some(command_line.into()),
        user: Some("root".into()),
        executable: None,
        cgroup: (pid > 1).then(|| "/system.slice/Größe.service".into()),
    })
}

fn sample(cpu: u64, pages: u64) -> Sample {
    Sample::default()
        .with(Metric::Cpu, cpu)
        .with(Metric::Memory, pages << 12)
        .with(Metric::VirtualMemory, pages << 14)
        .with(Metric::Threads, 2)
        .with(Metric::WriteBytes, cpu / 20 * 4_096)
        .with_state(if cpu > 0 { ProcessState::RUNNING } else { ProcessState::from_name("on holiday") })
}

fn process(description: &Arc<Description>, sample: Sample) -> Process {
    Process { description: Arc::clone(description), sample }
}

/// Three snapshots that have everything once.
fn snapshots() -> [Snapshot; 3] {
    let facts = Arc::new(HostFacts {
        cpu_count: Some(16),
        memory_total_bytes: Some(64 << 30),
        boot_time: Some(at(-9_000_000)),
        os: Some("Debian GNU/Linux 12".into()),
        ..HostFacts::default()
    });
    let init = described(1, 9_000_000, "systemd", "/sbin/init");
    let shim = described(77, 60_000, "shim", "/usr/bin/shim -id 0123456789abcdef0123456789abcdef -x fedcba9876543210");
    let renamed = Arc::new(Description {
        name: "shim: idle".into(),
        executable: Some("/usr/bin/shim".into()),
        ..(*shim).clone()
    });
    let bare = Arc::new(Description::new(4_000_000, "\u{202e}evil\0"));
    let denied = FieldError { field: "read_bytes".into(), reason: FieldErrorReason::Denied, processes: 2 };
    let host = |cpu| HostSample::default().with(HostMetric::IntervalMs, 5_000).with(HostMetric::Cpu, cpu);
    let first = Snapshot {
        time: at(0),
        facts: Arc::clone(&facts),
        host: host(120),
        processes: vec![
            process(&init, sample(0, 3_000)),
            process(&shim, sample(120, 500)),
            process(&bare, Sample::default().with(Metric::MemoryPercent, 12.3_f64.to_bits())),
        ],
        field_errors: vec![denied],
        ..Snapshot::default()
    };
    let brief = Brief {
        description: described(90, -4_000, "true", "true"),
        end: End {
            time: Some(at(4_100)),
            exit: Some(Exit::Code(-1)),
            cpu_time_us: Some(1_500),
            peak_memory_bytes: None,
        },
        count: 3,
    };
    let second = Snapshot {
        time: at(5_001),
        facts: Arc::clone(&facts),
        host: host(40),
        processes: vec![process(&init, sample(40, 3_001)), process(&renamed, sample(0, 500))],
        ended: vec![Ended {
            description: bare,
            end: End { time: None, exit: Some(Exit::Signal(9)), cpu_time_us: None, peak_memory_bytes: Some(1 << 40) },
        }],
        brief: vec![brief],
        losses: vec![Loss { kind: LossKind::Events, from: at(1), until: at(2), count: Some(7) }],
        ..Snapshot::default()
    };
    let third = Snapshot {
        time: at(9_999),
        facts,
        processes: vec![process(&init, sample(0, 3_001)), process(&renamed, sample(0, 499))],
        losses: vec![Loss { kind: LossKind::Missed, from: at(1), until: at(2), count: None }],
        ..Snapshot::default()
    };
    [first, second, third]
}

fn frames() -> Vec<(u32, Arc<Frame>)> {
    let mut state = HostState::new();
    (41..)
        .zip(&snapshots())
        .map(|(sequence, snapshot)| (sequence, Arc::new(state.advance(snapshot).unwrap())))
        .collect()
}

fn check_frames(version: u8, encode: fn(&Frame, &mut Vec<u8>)) {
    for (sequence, frame) in frames() {
        let mut now = Vec::new();
        encode(&frame, &mut now);
        assert_eq!(now[0], version);
        let bytes = file(&format!("frame-{version}-{sequence}.bin"), &now);
        assert_eq!(decode(&bytes).unwrap(), *frame);
        assert_eq!(bytes, now, "an uncompressed frame has one encoding");
    }
}

#[test]
fn frames_of_version_1() {
    check_frames(frame::FIRST_VERSION, encode_version_1);
}

#[test]
fn frames_of_version_2() {
    assert_eq!(frame::VERSION, 2);
    check_frames(frame::VERSION, encode);
}

fn check_block(head: &[u8], body: &[u8], segment: &[u8]) {
    let mut dictionary = Dictionary::new(5);
    dictionary.push(segment).unwrap();
    Head::open(head).unwrap().verify(body).unwrap();
    let losses = snapshots().into_iter().flat_map(|snapshot| snapshot.losses).collect::<Vec<_>>();
    assert_eq!(Head::open(head).unwrap().losses(body).unwrap(), losses);
    let block = Block::open(head, body, &dictionary).unwrap();
    for (frame, snapshot) in (0..).zip(snapshots()) {
        assert_eq!(block.snapshot(frame), Some(snapshot));
    }
    assert_eq!(block.timeline().sequences, [41, 42, 43]);
}

#[test]
fn blocks_of_version_1() {
    let file = |part| std::fs::read(golden(&format!("block-1.{part}"))).unwrap();
    assert_eq!(file("head")[0], 1);
    check_block(&file("head"), &file("body"), &file("segment"));
}

#[test]
fn blocks_of_version_2() {
    let file = |name| std::fs::read(golden(name)).unwrap();
    let (head, body) = (file("block-2.head"), file("block-2.body"));
    assert_eq!(head[0], 2);
    for (version, segment) in [(1, "block-2.segment"), (2, "segment-2.bin")] {
        let segment = file(segment);
        assert_eq!(segment[0], version);
        check_block(&head, &body, &segment);
    }
}

#[test]
fn blocks_of_version_3() {
    let now = seal(&HostState::new(), &frames(), &Dictionary::new(5), Effort::Small).unwrap();
    let head = file("block-3.head", &now.head);
    let body = file("block-3.body", &now.body);
    let segment = file("segment-3.bin", &now.segment.unwrap());
    assert_eq!((head[0], block::VERSION, segment[0]), (3, 3, 3));
    check_block(&head, &body, &segment);
}

/// Enough snapshots for columns of every kind.
fn many_snapshots() -> Vec<Snapshot> {
    let processes: Vec<_> =
        (1..40).map(|pid| described(pid, 1_000 * i64::from(pid), "worker", &format!("worker --id={pid}"))).collect();
    let mut random = fastrand::Rng::with_seed(1);
    let mut pages: Vec<u64> = processes.iter().map(|process| u64::from(process.identity.pid) << 8).collect();
    let snapshot = |index: i64| {
        let mut process = |(process, pages): (&Arc<Description>, &mut u64)| {
            *pages += if random.u8(..) < 40 { 1 << random.u8(..20) } else { 0 };
            let cpu = if random.u8(..) < 60 { 20 * random.u64(..30) } else { 0 };
            self::process(process, sample(cpu, *pages))
        };
        Snapshot {
            time: at(5_000 * index + index % 3),
            processes: processes.iter().zip(&mut pages).map(&mut process).collect(),
            ..Snapshot::default()
        }
    };
    (0..60).map(snapshot).collect()
}

#[test]
fn long_blocks_of_version_3() {
    let snapshots = many_snapshots();
    let mut state = HostState::new();
    let frame = |snapshot| Arc::new(state.advance(snapshot).unwrap());
    let frames: Vec<_> = (1..).zip(snapshots.iter().map(frame)).collect();
    let now = seal(&HostState::new(), &frames, &Dictionary::new(0), Effort::Small).unwrap();
    let head = file("block-3-long.head", &now.head);
    let body = file("block-3-long.body", &now.body);
    let segment = file("block-3-long.segment", &now.segment.unwrap());
    let mut dictionary = Dictionary::new(0);
    dictionary.push(&segment).unwrap();
    let block = Block::open(&head, &body, &dictionary).unwrap();
    for ((frame, snapshot), (sequence, _)) in (0..).zip(snapshots).zip(frames) {
        let one = Block::open_for(&head, &body, &dictionary, &Metric::ALL, Wanted::Frame(sequence)).unwrap();
        assert_eq!(one.snapshot(frame).as_ref(), Some(&snapshot));
        assert_eq!(block.snapshot(frame), Some(snapshot));
    }
}
