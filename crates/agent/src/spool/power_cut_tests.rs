//! Row 2 of the table of failures: the power is cut under the spool, anywhere between two steps, and what had not been
//! synced is there in part or not at all. `PROCESSION_TEST_SEEDS` makes it longer (`cargo xtask soak`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use procession_codec::HostState;
use procession_codec::frame::{decode, encode};
use procession_model::{Description, Loss, Metric, Process, Sample, Snapshot, Timestamp};

use crate::outbox::Limits;
use crate::outboxes::Outboxes;

/// What was done to the file system.
#[derive(Clone, Debug)]
pub(super) enum Step {
    CreateFolder(PathBuf),
    Create(PathBuf),
    Append(PathBuf, Vec<u8>),
    Sync(PathBuf),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// From here on the frames of these numbers survive.
    Kept(BTreeSet<u32>),
    /// From here on a server has them.
    Taken(RangeInclusive<u32>),
}

thread_local! {
    static STEPS: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn note(step: Step) {
    STEPS.with_borrow_mut(|steps| steps.push(step));
}

#[derive(Debug)]
enum Node {
    Folder,
    File { bytes: Vec<u8>, synced: usize },
}

/// A change of a folder's entries; nodes by number.
#[derive(Clone, Debug)]
enum Change {
    Add(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Remove(PathBuf),
}

/// A file system that forgets what was not synced: of a folder's changes those after any one of them, of a file's bytes
/// those after any one of them, or they are zeros.
#[derive(Debug, Default)]
struct Disk {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    /// By folder.
    pending: BTreeMap<PathBuf, Vec<Change>>,
}

impl Disk {
    fn take(&mut self, step: Step) {
        match step {
            Step::CreateFolder(path) => self.add(path, Node::Folder),
            Step::Create(path) => self.add(path, Node::File { bytes: Vec::new(), synced: 0 }),
            Step::Append(path, more) => {
                if let Node::File { bytes, .. } = &mut self.nodes[self.names[&path]] {
                    bytes.extend(more);
                }
            }
            Step::Sync(path) => {
                if let Node::File { bytes, synced } = &mut self.nodes[self.names[&path]] {
                    *synced = bytes.len();
                }
            }
            Step::SyncFolder(folder) => {
                for change in self.pending.remove(&folder).unwrap_or_default() {
                    self.make_durable(change);
                }
            }
            Step::Rename(from, to) => {
                let node = self.names.remove(&from).unwrap();
                self.names.insert(to.clone(), node);
                self.change(Change::Move(from, to.clone(), node), &to);
            }
            Step::Remove(path) => {
                self.names.retain(|name, _| !name.starts_with(&path));
                self.change(Change::Remove(path.clone()), &path);
            }
            Step::Kept(_) | Step::Taken(_) => {}
        }
    }

    /// What was there before.
    fn found(root: &Path) -> Self {
        let mut disk = Self::default();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let node = if path.is_dir() {
                    folders.push(path.clone());
                    Node::Folder
                } else {
                    let bytes = fs::read(&path).unwrap();
                    Node::File { synced: bytes.len(), bytes }
                };
                disk.nodes.push(node);
                disk.names.insert(path.clone(), disk.nodes.len() - 1);
                disk.durable.insert(path, disk.nodes.len() - 1);
            }
        }
        disk
    }

    fn add(&mut self, path: PathBuf, node: Node) {
        self.nodes.push(node);
        let node = self.nodes.len() - 1;
        self.names.insert(path.clone(), node);
        self.change(Change::Add(path.clone(), node), &path);
    }

    fn change(&mut self, change: Change, of: &Path) {
        self.pending.entry(of.parent().unwrap().to_owned()).or_default().push(change);
    }

    fn make_durable(&mut self, change: Change) {
        match change {
            Change::Add(path, node) => {
                self.durable.insert(path, node);
            }
            Change::Move(from, to, node) => {
                self.durable.remove(&from);
                self.durable.insert(to, node);
            }
            Change::Remove(path) => self.durable.retain(|name, _| !name.starts_with(&path)),
        }
    }

    /// Writes what is left of `old` into `new`.
    fn cut(mut self, rng: &mut Rng, old: &Path, new: &Path) {
        for changes in std::mem::take(&mut self.pending).into_values() {
            let kept = rng.usize(0..=changes.len());
            changes.into_iter().take(kept).for_each(|change| self.make_durable(change));
        }
        let mut folders: BTreeSet<&Path> = [old].into();
        for (path, node) in &self.durable {
            if !path.parent().is_some_and(|parent| folders.contains(parent)) {
                continue;
            }
            let to = new.join(path.strip_prefix(old).unwrap());
            match &self.nodes[*node] {
                Node::Folder => {
                    fs::create_dir(&to).unwrap();
                    folders.insert(path);
                }
                Node::File { bytes, synced } => {
                    let kept = rng.usize(*synced..=bytes.len());
                    let mut left = bytes[..kept].to_vec();
                    if rng.u8(0..4) == 0 {
                        left.resize(rng.usize(kept..=bytes.len()), 0);
                    }
                    fs::write(&to, left).unwrap();
                }
            }
        }
    }
}

/// Frames of a machine with one process, whose CPU is the number of the frame.
struct Machine {
    state: HostState,
    number: u32,
}

impl Machine {
    fn push_into(&mut self, outboxes: &mut Outboxes, keep: bool) -> Vec<Loss> {
        self.number += 1;
        let sample = Sample::ABSENT.with(Metric::Cpu, u64::from(self.number));
        let process = Process { description: Description::new(1, "made").into(), sample };
        let time = time_of(self.number);
        let frame = self.state.advance(&Snapshot { time, processes: vec![process], ..Snapshot::default() }).unwrap();
        let mut bytes = Vec::new();
        encode(&frame, &mut bytes);
        outboxes.push(time, bytes.into(), &self.state, keep)
    }
}

/// No frame has this number.
const NOBODYS: u32 = 1_000_000;

fn time_of(number: u32) -> Timestamp {
    Timestamp::from_ms(i64::from(number) * 1_000)
}

/// What a server has, and what has to reach it.
#[derive(Debug, Default)]
struct Known {
    /// Numbers of frames that survive whatever comes.
    kept: BTreeSet<u32>,
    taken: BTreeSet<u32>,
    told: Vec<Loss>,
}

/// A life of an agent that ends anywhere; `numbers` are those of its frames.
fn live(root: &Path, rng: &mut Rng, machine: &mut Machine, known: &mut Known) {
    let limits = Limits { bytes_max: if rng.bool() { 1 << 20 } else { 9_000 }, memory_bytes_max: 1 << 20 };
    let first = machine.number;
    let stream = format!("{:032x}", first + 1);
    let (mut outboxes, losses) = Outboxes::on_disk(root, "h", stream.clone(), time_of(first), limits).unwrap();
    known.told.extend(losses);
    machine.state = HostState::new();
    let (mut acknowledged, mut unsynced) = (0, BTreeSet::new());
    for _ in 0..rng.u32(1..260) {
        let keep = rng.bool();
        known.told.extend(machine.push_into(&mut outboxes, keep));
        unsynced.insert(machine.number);
        if keep || rng.u8(0..9) == 0 {
            outboxes.sync();
            note(Step::Kept(std::mem::take(&mut unsynced)));
        }
        // Streams of earlier lives wait for the end.
        if rng.u8(0..20) == 0 && outboxes.sending().stream == stream {
            acknowledged += rng.u64(0..=u64::from(machine.number - first) - acknowledged);
            note(Step::Taken(first + 1..=first + u32::try_from(acknowledged).unwrap()));
            outboxes.sending_mut().begin(acknowledged, true);
        }
    }
}

/// A server takes what is left.
fn take_all(root: &Path, known: &mut Known, what: &str) {
    let limits = Limits { bytes_max: 1 << 20, memory_bytes_max: 1 << 20 };
    let (mut outboxes, losses) = Outboxes::on_disk(root, "h", "f".repeat(32), time_of(NOBODYS), limits).unwrap();
    known.told.extend(losses);
    loop {
        let outbox = outboxes.sending_mut();
        // Streams are named by their first frame.
        let first = u32::from_str_radix(outbox.stream.trim_start_matches('f'), 16).unwrap_or(NOBODYS);
        let had = (first..).take_while(|number| known.taken.contains(number)).count() as u64;
        outbox.begin(had, false);
        let mut state = HostState::new();
        while let Some(message) = outbox.next() {
            let frame = decode(&message.frame).unwrap();
            state.apply(&frame).unwrap();
            let number = u32::try_from(frame.time.as_ms() / 1_000).unwrap();
            let cpu = state.snapshot().processes[0].sample.get(Metric::Cpu);
            assert_eq!((cpu, message.sequence), (Some(number.into()), u64::from(number - first + 1)), "{what}");
            assert!(known.taken.insert(number), "{what}: {number} came twice");
            known.told.extend(frame.losses);
            outbox.acknowledge(message.sequence);
        }
        if !outboxes.go_to_next_stream() {
            return;
        }
    }
}

/// The made disk says what is synced; waiting for a real one would take minutes.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn try_seed(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let what = format!("seed {seed}");
    let mut machine = Machine { state: HostState::new(), number: 0 };
    let mut known = Known::default();
    let (mut disk, mut root) = (Disk::default(), folder_in_memory());
    for _ in 0..rng.u8(1..4) {
        STEPS.take();
        live(root.path(), &mut rng, &mut machine, &mut known);
        let steps = STEPS.take();
        let cut_at = if rng.bool() { steps.len() } else { rng.usize(0..=steps.len()) };
        for step in steps.into_iter().take(cut_at) {
            match &step {
                Step::Kept(numbers) => known.kept.extend(numbers),
                Step::Taken(numbers) => known.taken.extend(numbers.clone()),
                _ => {}
            }
            disk.take(step);
        }
        let next = folder_in_memory();
        disk.cut(&mut rng, root.path(), next.path());
        (disk, root) = (Disk::found(next.path()), next);
    }
    take_all(root.path(), &mut known, &what);
    let told = |number: &u32| known.told.iter().any(|loss| (loss.from..=loss.until).contains(&time_of(*number)));
    let missing: Vec<_> = known.kept.difference(&known.taken).filter(|number| !told(number)).collect();
    assert!(missing.is_empty(), "{what}: {missing:?} were kept and are not there, {:?}", known.told);
}

#[test]
fn a_power_cut_under_the_spool_loses_nothing_that_was_kept() {
    let seeds = std::env::var("PROCESSION_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(150);
    (0..seeds).for_each(try_seed);
}

/// All of an earlier stream is dropped but a segment that was begun and had no frame yet: its gap has nobody else to tell it.
#[test]
fn a_stream_dropped_to_its_empty_segment_is_told() {
    try_seed(1_026);
}
