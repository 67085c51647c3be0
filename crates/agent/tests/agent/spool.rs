//! Frames that outlive the agent.

use std::collections::BTreeMap;
use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use procession_agent::{AgentConfig, AgentError, InProcess, run_with};
use procession_codec::HostState;
use procession_codec::frame::decode;
use procession_model::{LossKind, Timestamp};
use procession_protocol::{AgentMessage, FrameReader, FromAgent, FromServer, Link, ServerMessage};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::made::{Kept, MadeMachine, config, frame, hello, time_of, welcome};

type ServerLink = Link<ServerMessage, AgentMessage>;
type Agent = JoinHandle<Result<(), AgentError>>;

fn spooling(folder: &Path) -> AgentConfig {
    AgentConfig { spool: vec![folder.to_owned()], ..config() }
}

fn start(machine: &MadeMachine, config: AgentConfig) -> (mpsc::Receiver<ServerLink>, Agent) {
    let (server, links) = mpsc::channel(1);
    (links, tokio::spawn(run_with(Box::new(machine.clone()), config, InProcess { server }, pending())))
}

/// Lets the agent take snapshots nobody wants, up to this number, and kills it.
async fn live_alone_until(number: u32, machine: &MadeMachine, config: AgentConfig) {
    let (links, agent) = start(machine, config);
    drop(links);
    while machine.taken.load(Ordering::SeqCst) < number {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    agent.abort();
    assert!(agent.await.unwrap_err().is_cancelled());
}

/// Takes streams as a server does until the snapshot of this number has come; acknowledges everything.
async fn take_until(number: u32, links: &mut mpsc::Receiver<ServerLink>) -> BTreeMap<String, Kept> {
    let mut streams: BTreeMap<String, Kept> = BTreeMap::new();
    loop {
        let mut link = links.recv().await.unwrap();
        let hello = hello(&mut link).await;
        let kept = streams.entry(hello.stream).or_default();
        link.send(welcome(kept.last_sequence, false)).await.unwrap();
        while let Some(message) = link.receive().await {
            let AgentMessage::Frame(frame) = message else { continue };
            kept.take(&frame);
            let done = kept.taken.last().is_some_and(|(_, taken)| *taken >= number);
            let sequence = frame.sequence;
            if link.send(ServerMessage::Acknowledged { sequence }).await.is_err() || done {
                break;
            }
        }
        if streams.values().any(|kept| kept.taken.last().is_some_and(|(_, taken)| *taken >= number)) {
            return streams;
        }
    }
}

fn numbers(streams: &BTreeMap<String, Kept>) -> Vec<u32> {
    let mut numbers: Vec<_> = streams.values().flat_map(|kept| kept.taken.iter().map(|(_, number)| *number)).collect();
    numbers.sort_unstable();
    numbers
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "segment") {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test(start_paused = true)]
async fn what_earlier_lives_left_is_sent_first_and_then_gone() {
    let folder = tempfile::tempdir().unwrap();
    let machine = MadeMachine::default();
    live_alone_until(150, &machine, spooling(folder.path())).await;
    live_alone_until(160, &machine, spooling(folder.path())).await;
    let (mut links, agent) = start(&machine, spooling(folder.path()));
    let streams = take_until(165, &mut links).await;
    assert_eq!(streams.len(), 3);
    let taken = numbers(&streams);
    assert_eq!(taken, (1..=*taken.last().unwrap()).collect::<Vec<_>>(), "all, none twice");
    assert!(streams.values().all(|kept| kept.losses.is_empty()));
    agent.abort();
    assert!(agent.await.unwrap_err().is_cancelled());
    assert_eq!(segments(folder.path()).len(), 1, "only what is being written");
}

#[tokio::test(start_paused = true)]
async fn the_spool_stays_under_its_limit_and_the_gap_is_exact() {
    const LIMIT: usize = 40_000;
    let folder = tempfile::tempdir().unwrap();
    let machine = MadeMachine { command_line_bytes: 1_000, ..MadeMachine::default() };
    let config = || AgentConfig { spool_bytes_max: LIMIT, ..spooling(folder.path()) };
    live_alone_until(1_000, &machine, config()).await;
    let size: u64 = segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(size <= LIMIT as u64, "{size} bytes");
    let (mut links, agent) = start(&machine, config());
    let streams = take_until(1_003, &mut links).await;
    let taken = numbers(&streams);
    let first = taken[0];
    assert!(first > 1);
    assert_eq!(taken, (first..=*taken.last().unwrap()).collect::<Vec<_>>());
    let losses: Vec<_> = streams.values().flat_map(|kept| &kept.losses).collect();
    let [loss] = losses[..] else { panic!("{losses:?}") };
    assert_eq!((loss.kind, loss.count), (LossKind::Snapshots, Some(u64::from(first) - 1)));
    assert_eq!((loss.from, loss.until), (time_of(1), time_of(first - 1)));
    agent.abort();
}

/// Wherever a crash cuts the file that was being written, all before it is sent, and the cut is told.
#[tokio::test(start_paused = true)]
async fn a_cut_file_keeps_what_was_whole() {
    let folder = tempfile::tempdir().unwrap();
    let machine = MadeMachine::default();
    live_alone_until(20, &machine, spooling(folder.path())).await;
    let [segment] = &segments(folder.path())[..] else { panic!("one segment") };
    let bytes = fs::read(segment).unwrap();
    for cut in (bytes.len() - 150..bytes.len()).step_by(7) {
        fs::create_dir_all(segment.parent().unwrap()).unwrap();
        fs::write(segment, &bytes[..cut]).unwrap();
        machine.taken.store(20, Ordering::SeqCst);
        let (mut links, agent) = start(&machine, spooling(folder.path()));
        let streams = take_until(21, &mut links).await;
        let taken = numbers(&streams);
        assert!(taken.starts_with(&(1..=15).collect::<Vec<_>>()), "{taken:?}");
        let lost: u64 = streams.values().flat_map(|kept| &kept.losses).filter_map(|loss| loss.count).sum();
        assert!(lost >= 1, "cut at {cut} of {}", bytes.len());
        agent.abort();
        assert!(agent.await.unwrap_err().is_cancelled());
        for segment in segments(folder.path()) {
            fs::remove_dir_all(segment.parent().unwrap()).unwrap();
        }
    }
}

/// Row 8: 1,000 flipped bits in what waits on disk. No panic, and nothing is lost: a single wrong bit is put right.
#[tokio::test(start_paused = true)]
async fn a_thousand_bit_flips_in_the_spool_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let machine = MadeMachine::default();
    live_alone_until(150, &machine, spooling(folder.path())).await;
    let last = machine.taken.load(Ordering::SeqCst);
    let intact: Vec<(PathBuf, Vec<u8>)> =
        segments(folder.path()).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(intact.len() >= 3, "several segments");
    let mut random = fastrand::Rng::with_seed(8);
    for flip in 0..1_000 {
        for segment in segments(folder.path()) {
            fs::remove_file(segment).unwrap();
        }
        let flipped = random.usize(0..intact.len());
        for (index, (path, bytes)) in intact.iter().enumerate() {
            let mut bytes = bytes.clone();
            if index == flipped {
                let bit = random.usize(0..bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        machine.taken.store(last, Ordering::SeqCst);
        let (mut links, agent) = start(&machine, spooling(folder.path()));
        let streams = take_until(last + 1, &mut links).await;
        assert_eq!(numbers(&streams), (1..=last + 1).collect::<Vec<_>>(), "flip {flip}");
        assert!(streams.values().all(|kept| kept.losses.is_empty()), "flip {flip}");
        agent.abort();
        assert!(agent.await.unwrap_err().is_cancelled());
    }
}

/// Row 8, where more is wrong than a bit: what cannot be read any more is told.
#[tokio::test(start_paused = true)]
async fn what_damage_takes_from_the_spool_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let machine = MadeMachine::default();
    live_alone_until(200, &machine, spooling(folder.path())).await;
    let damaged = &segments(folder.path())[1];
    let mut bytes = fs::read(damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20].fill(0xa5);
    fs::write(damaged, bytes).unwrap();
    let last = machine.taken.load(Ordering::SeqCst);
    let (mut links, agent) = start(&machine, spooling(folder.path()));
    let streams = take_until(last + 1, &mut links).await;
    let taken = numbers(&streams);
    let missing = (1..=last).filter(|number| !taken.contains(number)).count() as u64;
    let told: u64 = streams.values().flat_map(|kept| &kept.losses).filter_map(|loss| loss.count).sum();
    assert!((1..64).contains(&missing), "{missing}");
    assert_eq!(told, missing, "exactly what is missing");
    agent.abort();
}

/// The folder cannot be used: the agent goes on in memory.
#[tokio::test(start_paused = true)]
async fn a_spool_that_cannot_be_used_is_no_reason_to_stop() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let machine = MadeMachine::default();
    let (mut links, agent) = start(&machine, spooling(file.path()));
    let mut link = links.recv().await.unwrap();
    hello(&mut link).await;
    link.send(welcome(0, false)).await.unwrap();
    assert_eq!(frame(&mut link).await.sequence, 1);
    agent.abort();
}

/// Row 5, where the disk ends before the limit does: frames wait in memory, which is smaller, the gap is exact, and with room
/// again they wait on disk.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_full_disk_is_lived_through_and_told() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: nothing can be mounted here");
        return;
    };
    let machine = MadeMachine { command_line_bytes: 1_000, ..MadeMachine::default() };
    let config = || AgentConfig { queue_bytes_max: 10_000, ..spooling(disk.0.path()) };
    let (links, agent) = start(&machine, config());
    let mut links = links;
    while machine.taken.load(Ordering::SeqCst) < 400 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(links.try_recv());
    }
    assert!(segments(disk.0.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>() <= 32 << 10);
    let streams = take_until(403, &mut links).await;
    let taken = numbers(&streams);
    let losses: Vec<_> = streams.values().flat_map(|kept| &kept.losses).collect();
    let missing = u64::from(*taken.last().unwrap()) - taken.len() as u64;
    assert!(missing > 0, "32 KiB cannot hold that much");
    assert_eq!(losses.iter().filter_map(|loss| loss.count).sum::<u64>(), missing, "{losses:?}");
    agent.abort();
    assert!(agent.await.unwrap_err().is_cancelled());
    // What was acknowledged is off the disk: there is room again.
    live_alone_until(450, &machine, config()).await;
    let kept: usize = segments(disk.0.path()).iter().map(|path| count_frames(&fs::read(path).unwrap())).sum();
    assert!(kept >= 20, "{kept} on disk");
}

/// A file system of 32 KiB.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=32k", "none"]).arg(folder.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0.path()).status().unwrap();
    }
}

/// The real program, killed again and again while it writes; then a server that takes everything.
#[tokio::test]
async fn kill_9_loses_nothing_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let program = |server: &str| -> Child {
        Command::new(env!("CARGO_BIN_EXE_procession-agent"))
            .args(["--server", server, "--key", "k", "--interval", "200ms", "--hostname", "h", "--spool"])
            .arg(folder.path())
            .env_clear()
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let frames_on_disk = || -> usize {
        segments(folder.path()).iter().map(|path| count_frames(&fs::read(path).unwrap_or_default())).sum()
    };
    for life in 1..=5 {
        let mut child = program("http://127.0.0.1:1");
        while frames_on_disk() < 4 * life {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let frames_on_disk = frames_on_disk();
    let mut child = program(&format!("http://{address}"));
    let mut times: Vec<Timestamp> = Vec::new();
    for _ in 0..5 {
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = tokio_tungstenite::accept_async(stream).await.unwrap();
        let Message::Text(text) = server.next().await.unwrap().unwrap() else { panic!("no greeting") };
        let FromAgent::Hello(_) = FromAgent::from_json(&text).unwrap() else { panic!("{text}") };
        server.send(Message::text(welcome(0, false).to_json())).await.unwrap();
        let (mut state, mut frames) = (HostState::new(), FrameReader::default());
        while let Some(Ok(message)) = server.next().await {
            let Message::Binary(bytes) = message else { continue };
            let message = frames.read(bytes).unwrap();
            let frame = decode(&message.frame).unwrap();
            state.apply(&frame).unwrap();
            times.push(frame.time);
            let answer = FromServer::Acknowledged { sequence: message.sequence };
            server.send(Message::text(answer.to_json())).await.unwrap();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(times.len(), frames_on_disk);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
}

/// Whole records but the anchor, by their lengths.
fn count_frames(bytes: &[u8]) -> usize {
    let (mut at, mut records) = (8, 0_usize);
    while let Some(length) = bytes.get(at..at + 4) {
        at += 25 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        records += usize::from(at <= bytes.len());
    }
    records.saturating_sub(1)
}
