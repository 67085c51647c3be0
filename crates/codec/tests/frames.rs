//! Frames against a simple model of what a snapshot is, and against bytes that are no frames.

mod support;

use std::sync::Arc;

use procession_codec::frame::{FIRST_VERSION, VERSION, decode, encode, encode_version_1};
use procession_codec::{ApplyError, DecodeError, Frame, FrameKind, HostState};
use procession_model::{
    Brief, Description, End, Exit, HostMetric, Identity, Metric, Process, Sample, Snapshot, Timestamp,
};
use proptest::prelude::*;
use support::{Oracle, by_pid, steps};

fn bytes(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes);
    bytes
}

fn sum(snapshot: &Snapshot, metric: Metric) -> u64 {
    let values = snapshot.processes.iter().filter_map(|process| process.sample.get(metric));
    u64::try_from(values.map(u128::from).sum::<u128>()).unwrap_or(u64::MAX)
}

/// As an agent has it: a description that is as before is the very same.
fn keep_descriptions(snapshot: &mut Snapshot, before: &Snapshot) {
    for process in &mut snapshot.processes {
        if let Some(known) = before.processes.iter().find(|known| known.description == process.description) {
            process.description = Arc::clone(&known.description);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn an_agents_state_makes_the_same_frames(steps in steps(1..12)) {
        let mut oracle = Oracle::default();
        let (mut alone, mut shared, mut before) = (HostState::of_this_machine(), HostState::new(), Snapshot::default());
        for step in &steps {
            let mut snapshot = oracle.step(step);
            keep_descriptions(&mut snapshot, &before);
            prop_assert_eq!(alone.advance(&snapshot).unwrap(), shared.advance(&snapshot).unwrap());
            prop_assert_eq!(&alone, &shared);
            for process in &snapshot.processes {
                let slot = alone.slot_of_pid(process.description.identity.pid).unwrap();
                let (kept, _) = alone.process(slot).unwrap();
                prop_assert!(Arc::ptr_eq(kept, &process.description));
            }
            before = snapshot;
        }
    }

    #[test]
    fn frames_lead_from_snapshot_to_snapshot(steps in steps(1..12)) {
        let mut oracle = Oracle::default();
        let mut sender = HostState::new();
        let mut receiver = HostState::new();
        for (index, step) in steps.iter().enumerate() {
            let snapshot = oracle.step(step);
            let frame = sender.advance(&snapshot).unwrap();
            prop_assert_eq!(frame.kind == FrameKind::Key, index == 0);
            let decoded = decode(&bytes(&frame)).unwrap();
            prop_assert_eq!(&decoded, &frame);
            let mut first_version = Vec::new();
            encode_version_1(&frame, &mut first_version);
            prop_assert_eq!(&decode(&first_version).unwrap(), &frame);
            receiver.apply(&decoded).unwrap();
            prop_assert_eq!(&receiver, &sender);
            prop_assert_eq!(receiver.cpu_sum(), sum(&snapshot, Metric::Cpu));
            prop_assert_eq!(receiver.memory_sum(), sum(&snapshot, Metric::Memory));
            prop_assert_eq!(receiver.process_count(), snapshot.processes.len());
            prop_assert_eq!(by_pid(receiver.snapshot()), by_pid(snapshot));
        }
        let key = sender.keyframe();
        let mut late = HostState::new();
        late.apply(&decode(&bytes(&key)).unwrap()).unwrap();
        let mut expected = sender.snapshot();
        expected.ended.clear();
        prop_assert_eq!(late.snapshot(), expected);
    }

    #[test]
    fn a_keyframe_in_the_middle_changes_nothing(steps in steps(2..8), at in 0_usize..8) {
        let mut oracle = Oracle::default();
        let (mut sender, mut receiver) = (HostState::new(), HostState::new());
        for (index, step) in steps.iter().enumerate() {
            let frame = sender.advance(&oracle.step(step)).unwrap();
            receiver.apply(&frame).unwrap();
            if index == at {
                receiver.apply(&sender.keyframe()).unwrap();
            }
        }
        prop_assert_eq!(receiver.snapshot().processes, sender.snapshot().processes);
        prop_assert_eq!(receiver.cpu_sum(), sender.cpu_sum());
    }

    #[test]
    fn cut_frames_are_refused(steps in steps(1..3)) {
        let (mut oracle, mut state) = (Oracle::default(), HostState::new());
        for step in &steps {
            let bytes = bytes(&state.advance(&oracle.step(step)).unwrap());
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn flipped_frames_never_panic_and_apply_wholly_or_not(steps in steps(2..4), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..64)) {
        let (mut oracle, mut state) = (Oracle::default(), HostState::new());
        state.advance(&oracle.step(&steps[0])).unwrap();
        let before = state.clone();
        let good = bytes(&state.advance(&oracle.step(&steps[1])).unwrap());
        for (place, bits) in flips {
            let mut bad = good.clone();
            bad[place.index(good.len())] ^= bits.max(1);
            if let Ok(frame) = decode(&bad) {
                let mut state = before.clone();
                if state.apply(&frame).is_err() {
                    prop_assert_eq!(&state, &before);
                } else {
                    prop_assert_eq!(decode(&bytes(&state.keyframe())).unwrap(), state.keyframe());
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(
        noise in prop::collection::vec(any::<u8>(), 0..200), version in FIRST_VERSION..=VERSION, flags in 0_u8..128,
    ) {
        let mut bytes = vec![version, flags];
        bytes.extend(noise);
        if let Ok(frame) = decode(&bytes) {
            prop_assert_eq!(decode(&self::bytes(&frame)).unwrap(), frame);
        }
    }
}

#[test]
fn newer_versions_are_named() {
    assert_eq!(decode(&[3, 0]), Err(DecodeError::UnknownVersion(3)));
}

#[test]
fn a_delta_needs_a_keyframe_first() {
    let frame = Frame::new(FrameKind::Delta, Default::default());
    assert_eq!(HostState::new().apply(&frame), Err(ApplyError::KeyframeNeeded));
}

/// What an ordinary second costs on the wire: 300 processes of which thirty did something, and the host's own counters.
#[test]
fn an_ordinary_frame_is_short() {
    let process = |pid: u32, sample| Process { description: Arc::new(Description::new(pid, "worker")), sample };
    let idle = Sample::default().with(Metric::Cpu, 0).with(Metric::Memory, 80 << 20).with(Metric::WriteBytes, 0);
    let mut snapshot = Snapshot { processes: (1..=300).map(|pid| process(pid, idle)).collect(), ..Snapshot::default() };
    let mut state = HostState::new();
    state.advance(&snapshot).unwrap();
    for (index, busy) in snapshot.processes.iter_mut().step_by(10).enumerate() {
        let index = index as u64;
        busy.sample = idle.with(Metric::Cpu, 40 + 97 * index);
        if index.is_multiple_of(2) {
            busy.sample = busy.sample.with(Metric::Memory, (80 << 20) + index * 17 * 4_096);
        }
        if index.is_multiple_of(3) {
            busy.sample = busy.sample.with(Metric::WriteBytes, index * 12_288);
        }
    }
    for metric in HostMetric::ALL {
        snapshot.host = snapshot.host.with(metric, 1_000 * (1 + metric.index() as u64));
    }
    let bytes = bytes(&state.advance(&snapshot).unwrap());
    assert!(bytes.len() <= 200, "{} bytes", bytes.len());
    assert_eq!(bytes[1] & 2, 0, "not compressed");
}

/// Short lives of a few programs differ in some numbers only.
#[test]
fn short_lives_take_few_bytes() {
    let frame = |lives: u32| {
        let mut frame = Frame::new(FrameKind::Delta, Timestamp::from_ms(1_795_219_200_000));
        frame.brief = (0..lives).map(|number| short_life(number, number % 3)).collect();
        frame
    };
    let (none, some) = (bytes(&frame(0)).len(), bytes(&frame(40)).len());
    assert!(some - none <= 40 * 5 + 100, "{} bytes", some - none);
    // More programs and parents than are remembered.
    let mut many = frame(0);
    many.brief = (0..1_000).map(|number| short_life(number, number * number % 97)).collect();
    assert_eq!(decode(&bytes(&many)).unwrap(), many);
}

fn short_life(number: u32, program: u32) -> Brief {
    let noise = number.wrapping_mul(2_654_435_761) >> 20;
    let began_ms = 1_795_219_195_000 + i64::from(number) * 100;
    let name = format!("program-{program}");
    Brief {
        description: Arc::new(Description {
            identity: Identity { pid: 7_000 + 2 * number, start: Some(Timestamp::from_ms(began_ms)) },
            parent_pid: Some(700 + program),
            command_line: Some(name.as_str().into()),
            user: Some("root".into()),
            ..Description::new(0, &*name)
        }),
        end: End {
            time: Some(Timestamp::from_ms(began_ms + 2)),
            exit: Some(Exit::Code(0)),
            cpu_time_us: Some(500 + u64::from(noise % 256)),
            peak_memory_bytes: Some((400 + u64::from(noise % 16)) << 12),
        },
        count: 1,
    }
}
