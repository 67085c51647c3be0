//! Blocks against the states that their frames led to, and against bytes that are no blocks.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod support;

use std::sync::Arc;

use procession_codec::block::{Block, Dictionary, Effort, Head, SealError, Sealed, Wanted, seal};
use procession_codec::{Frame, FrameKind, HostState};
use procession_model::{Description, HostMetric, Identity, Metric, Process, Sample, Snapshot, Timestamp};
use proptest::prelude::*;
use support::{Oracle, Step, by_pid, steps};

/// The frames of some steps with the snapshots they lead to. From time to time a keyframe comes in place of a delta, as
/// from an agent that connects again, with all processes in other slots.
#[derive(Debug)]
struct Run {
    frames: Vec<(u32, Arc<Frame>)>,
    snapshots: Vec<Snapshot>,
    sums: Vec<(u64, u64)>,
}

fn run(steps: &[Step], keys: &[bool]) -> Run {
    let mut run = Run { frames: Vec::new(), snapshots: Vec::new(), sums: Vec::new() };
    let (mut oracle, mut sender, mut state) = (Oracle::default(), HostState::new(), HostState::new());
    for ((sequence, step), key) in (7..).step_by(3).zip(steps).zip(keys) {
        if *key {
            sender = HostState::new();
        }
        let frame = sender.advance(&oracle.step(step)).unwrap();
        state.apply(&frame).unwrap();
        run.frames.push((sequence, Arc::new(frame)));
        run.snapshots.push(by_pid(state.snapshot()));
        run.sums.push((state.cpu_sum(), state.memory_sum()));
    }
    run
}

fn state_before(run: &Run, index: usize) -> HostState {
    let mut state = HostState::new();
    for (_, frame) in &run.frames[..index] {
        state.apply(frame).unwrap();
    }
    state
}

fn same_samples(block: &Block, frame: u32, snapshot: &Snapshot) -> bool {
    block.rows_in(frame).zip(&snapshot.processes).all(|((row, _), process)| {
        let walked = block.samples(row).find(|(at, _)| *at == frame).map(|(_, sample)| sample);
        let series = Metric::ALL.map(|metric| block.row_series(row, metric).at(frame));
        walked == Some(process.sample) && series == *process.sample.raw()
    })
}

/// Opened for one frame a block has the metrics of it.
fn check_frame(snapshot: &Snapshot, sequence: u32, sealed: &Sealed, dictionary: &Dictionary) {
    let wanted = Wanted::Frame(sequence);
    let one = Block::open_for(&sealed.head, &sealed.body, dictionary, &Metric::ALL, wanted).unwrap();
    assert_eq!(one.snapshot(one.index_of(sequence).unwrap()).as_ref(), Some(snapshot));
}

/// Opened for some processes a block has these, and no others.
fn check_few(block: &Block, sealed: &Sealed, dictionary: &Dictionary) {
    let is_wanted = |identity: Identity| identity.pid.is_multiple_of(3);
    let wanted = Wanted::Processes(&is_wanted);
    let few = Block::open_for(&sealed.head, &sealed.body, dictionary, &Metric::ALL, wanted).unwrap();
    let of_all = block.rows().iter().enumerate().filter(|(_, row)| is_wanted(row.description.identity));
    let (indices, rows): (Vec<_>, Vec<_>) = of_all.map(|(index, row)| (index, row.clone())).unzip();
    assert_eq!(few.rows(), rows);
    for (index, of_all) in indices.into_iter().enumerate() {
        for metric in Metric::ALL {
            assert_eq!(few.row_series(index, metric), block.row_series(of_all, metric));
        }
    }
    let brief = block.all_brief().filter(|(_, brief)| is_wanted(brief.description.identity));
    assert!(few.all_brief().eq(brief));
    let interval = |block: &Block| {
        let hosts = block.series().hosts.iter();
        hosts.map(|host| host.get(HostMetric::IntervalMs)).collect::<Vec<_>>()
    };
    assert_eq!(interval(&few), interval(block));
}

fn check(run: &Run, part: std::ops::Range<usize>, sealed: &Sealed, dictionary: &Dictionary) {
    let block = Block::open(&sealed.head, &sealed.body, dictionary).unwrap();
    assert_eq!(*block.summary(), sealed.summary);
    check_few(&block, sealed, dictionary);
    let head = Head::open(&sealed.head).unwrap();
    let skip = head.skip().unwrap();
    assert_eq!(head.summary(), &sealed.summary);
    let losses: Vec<_> = run.snapshots[part.clone()].iter().flat_map(|snapshot| &snapshot.losses).copied().collect();
    assert_eq!(head.losses(&sealed.body).unwrap(), losses);
    let mut samples = 0;
    for (frame, index) in (0..).zip(part.clone()) {
        let snapshot = &run.snapshots[index];
        samples += snapshot.processes.len() as u64;
        assert_eq!(block.snapshot(frame).as_ref(), Some(snapshot));
        assert!(same_samples(&block, frame, snapshot));
        check_frame(snapshot, run.frames[index].0, sealed, dictionary);
        assert_eq!(block.timeline().sequences[frame as usize], run.frames[index].0);
        assert_eq!(block.index_of(run.frames[index].0), Some(frame));
        let series = head.series().unwrap();
        assert_eq!(head.process_counts().unwrap(), series.process_counts);
        let sums = (series.cpu_sums[frame as usize], series.memory_sums[frame as usize]);
        assert_eq!(sums, run.sums[index]);
        assert_eq!(series.process_counts[frame as usize] as usize, snapshot.processes.len());
        for process in &snapshot.processes {
            assert!(skip.may_have_name(&process.description.name));
            assert!(skip.may_have_pid(process.description.identity.pid));
            assert!(process.description.user.as_ref().is_none_or(|user| skip.may_have_user(user)));
        }
    }
    assert_eq!(block.snapshot(part.len() as u32), None);
    assert_eq!(sealed.summary.process_samples, samples);
    let times = || run.snapshots[part.clone()].iter().map(|snapshot| snapshot.time);
    assert_eq!((Some(sealed.summary.time_min), Some(sealed.summary.time_max)), (times().min(), times().max()));
}

fn sealed_run() -> impl Strategy<Value = Run> {
    (steps(1..24), prop::collection::vec(prop::bool::weighted(0.15), 24)).prop_map(|(steps, keys)| run(&steps, &keys))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn blocks_give_back_every_snapshot(run in sealed_run(), cut in any::<prop::sample::Index>(), small in any::<bool>()) {
        let cut = cut.index(run.frames.len() + 1);
        let effort = if small { Effort::Small } else { Effort::Fast };
        let mut dictionary = Dictionary::new(3);
        for part in [0..cut, cut..run.frames.len()].into_iter().filter(|part| !part.is_empty()) {
            let sealed = seal(&state_before(&run, part.start), &run.frames[part.clone()], &dictionary, effort).unwrap();
            if let Some(segment) = &sealed.segment {
                let mut extended = dictionary.to_extend();
                extended.push(segment).unwrap();
                check(&run, part.clone(), &sealed, &extended);
                dictionary.push(segment).unwrap();
            }
            check(&run, part, &sealed, &dictionary);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn damaged_blocks_are_refused(run in sealed_run(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 32)) {
        let mut dictionary = Dictionary::new(0);
        let sealed = seal(&HostState::new(), &run.frames, &dictionary, Effort::Fast).unwrap();
        // A host without processes, facts and file systems has no strings, so no segment to damage.
        prop_assume!(sealed.segment.is_some());
        let segment = sealed.segment.unwrap();
        let strings = |dictionary: &Dictionary| {
            let number = |index: usize| u32::try_from(index).unwrap();
            (0..dictionary.len()).map(|index| dictionary.get(number(index)).cloned()).collect::<Vec<_>>()
        };
        let mut whole = Dictionary::new(0);
        whole.push(&segment).unwrap();
        for (place, bits) in flips {
            for (part, len) in [(0, sealed.head.len()), (1, sealed.body.len()), (2, segment.len())] {
                let (mut head, mut body, mut segment) = (sealed.head.clone(), sealed.body.clone(), segment.clone());
                [&mut head, &mut body, &mut segment][part][place.index(len)] ^= bits.max(1);
                let mut dictionary = Dictionary::new(0);
                let pushed = dictionary.push(&segment);
                // One wrong bit of a segment is put right.
                if part == 2 && bits.max(1).is_power_of_two() {
                    prop_assert_eq!((pushed, dictionary.mended(), strings(&dictionary)), (Ok(()), 1, strings(&whole)));
                    continue;
                }
                let is_refused = pushed.is_err()
                    || Block::open(&head, &body, &dictionary).is_err()
                    || Head::open(&head).is_ok_and(|head| head.skip().is_err());
                let is_damaged = part == 2 || Head::open(&head).and_then(|head| head.verify(&body)).is_err();
                prop_assert!(is_refused && is_damaged);
            }
        }
        dictionary.push(&segment).unwrap();
        for cut in 0..sealed.head.len() {
            prop_assert!(Block::open(&sealed.head[..cut], &sealed.body, &dictionary).is_err());
        }
        for cut in 0..sealed.body.len() {
            prop_assert!(Block::open(&sealed.head, &sealed.body[..cut], &dictionary).is_err());
        }
        for cut in 0..segment.len() {
            prop_assert!(Dictionary::new(0).push(&segment[..cut]).is_err());
        }
    }
}

#[test]
fn what_cannot_be_sealed_says_why() {
    let (base, dictionary) = (HostState::new(), Dictionary::new(0));
    let delta = Arc::new(Frame::new(FrameKind::Delta, Timestamp::from_ms(0)));
    let key = Arc::new(Frame::new(FrameKind::Key, Timestamp::from_ms(0)));
    let seal = |frames: &[(u32, Arc<Frame>)]| seal(&base, frames, &dictionary, Effort::Fast).unwrap_err();
    assert_eq!(seal(&[]), SealError::Empty);
    assert!(matches!(seal(&[(1, delta)]), SealError::Apply(_)));
    assert_eq!(seal(&[(2, Arc::clone(&key)), (2, key)]), SealError::Disordered);
}

#[test]
fn a_dictionary_takes_its_segments_in_order_and_once() {
    let key = Arc::new(Frame {
        facts: Some(Arc::new(procession_model::HostFacts { os: Some("Debian".into()), ..Default::default() })),
        ..Frame::new(FrameKind::Key, Timestamp::from_ms(0))
    });
    let mut dictionary = Dictionary::new(1);
    let sealed = seal(&HostState::new(), &[(1, Arc::clone(&key))], &dictionary, Effort::Fast).unwrap();
    let segment = sealed.segment.unwrap();
    assert!(Dictionary::new(2).push(&segment).is_err());
    dictionary.push(&segment).unwrap();
    assert_eq!(seal(&HostState::new(), &[(2, key)], &dictionary, Effort::Fast).unwrap().segment, None);
    assert!(dictionary.push(&segment).is_err());
    assert!(dictionary.is_empty());
}

/// CPU from ticks over intervals that are never twice the same, as agents send it, and one value that is from no tick.
#[test]
fn ticks_come_back_as_the_values_they_were() {
    let mut state = HostState::new();
    let (mut frames, mut snapshots) = (Vec::new(), Vec::new());
    for second in 0..400_u64 {
        let interval = 1_000.0 + ((second * 7_919) % 31) as f64 / 10.0;
        let processes = (1..40_u32).map(|pid| {
            let ticks = if (second * u64::from(pid)) % 7 == 0 { (second * 13 + u64::from(pid)) % 101 } else { 0 };
            let cpu = (ticks as f64 * 100_000.0 / interval).round() as u64;
            let cpu = if (second, pid) == (200, 7) { Some(123) } else { Some(cpu) };
            let sample = Sample::default().with(Metric::Cpu, cpu.filter(|_| (second, pid) != (210, 9)));
            Process { description: Arc::new(Description::new(pid, "worker")), sample }
        });
        let time = Timestamp::from_ms(second as i64 * 1_000 + second as i64 % 3);
        let snapshot = Snapshot { time, processes: processes.collect(), ..Snapshot::default() };
        frames.push((second as u32, Arc::new(state.advance(&snapshot).unwrap())));
        snapshots.push(snapshot);
    }
    let sealed = seal(&HostState::new(), &frames, &Dictionary::new(0), Effort::Fast).unwrap();
    let mut dictionary = Dictionary::new(0);
    dictionary.push(&sealed.segment.unwrap()).unwrap();
    let block = Block::open(&sealed.head, &sealed.body, &dictionary).unwrap();
    for (frame, snapshot) in (0..).zip(&snapshots) {
        assert_eq!(block.snapshot(frame).as_ref(), Some(snapshot));
    }
    let cpu = Head::open(&sealed.head).unwrap().section_lens().find(|(name, _)| name.ends_with("CPU")).unwrap().1;
    assert!(cpu < 2_700, "{cpu} bytes: the intervals' jitter is among the values");
}
