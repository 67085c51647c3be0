//! The program in the kernel of the machine that runs the tests, against /proc. Where it may not be loaded, for want of
//! rights or of a kernel that tells its types, these tests say so and look only at that; anywhere else they fail.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command, Stdio};

use procession_model::{LossKind, Snapshot, Timestamp};

use super::Sources;
use crate::platform::describe::Describer;
use crate::platform::events::{BootClock, Events, Looked};
use crate::platform::stat::Stat;
use crate::platform::users::Users;

/// The smallest that the kernel takes everywhere.
const TINY_RING_BYTES: u32 = 64 << 10;

/// Loaded, or nothing where nobody could. With the rights, in the kernel's own namespaces, and with its types it has to go.
fn loaded(ring_bytes: u32) -> Option<Sources> {
    match super::open_with_ring(ring_bytes) {
        Ok(sources) => Some(sources),
        Err(reason) => {
            eprintln!("skipped: no program can be loaded into the kernel here: {reason}");
            let known = ["CAP_BPF", "does not tell its types", "another namespace"];
            assert!(known.iter().any(|known| reason.contains(known)), "{reason}");
            let types = std::path::Path::new("/sys/kernel/btf/vmlinux").exists();
            assert!(!(types && reason.contains("types")), "{reason}");
            None
        }
    }
}

/// What is compared of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figures {
    name: Vec<u8>,
    state: u8,
    parent_pid: u32,
    kernel_thread: bool,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

fn figures(stat: &Stat<'_>) -> (Figures, u64) {
    let figures = Figures {
        // Threads of the kernel have longer names in /proc.
        name: stat.lasting_name().iter().copied().take(15).collect(),
        state: stat.state,
        parent_pid: stat.parent_pid,
        kernel_thread: stat.is_kernel_thread(),
        threads: stat.threads,
        start_ticks: stat.start_ticks,
        virtual_bytes: stat.virtual_bytes,
        resident_pages: stat.resident_pages,
    };
    (figures, stat.cpu_ticks)
}

fn by_proc() -> HashMap<u32, (Figures, u64)> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, figures(&Stat::parse(&text)?)))
    })
    .collect()
}

fn by_kernel(sources: &mut Sources) -> Vec<(u32, Figures, u64)> {
    let mut seen = Vec::new();
    let take = &mut |pid, stat: &Stat<'_>| {
        let (figures, cpu_ticks) = figures(stat);
        seen.push((pid, figures, cpu_ticks));
    };
    sources.tasks.look(take).unwrap();
    seen
}

/// Children that wait, ended with the test.
struct Waiting(Vec<Child>);

impl Waiting {
    fn new(count: usize) -> Self {
        let wait = || Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Self((0..count).map(|_| wait()).collect())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Every process that says the same in /proc just before and just after says it here too.
#[test]
fn figures_are_those_of_proc() {
    let Some(mut sources) = loaded(super::exits::RING_BYTES) else { return };
    let waiting = Waiting::new(20);
    // They are there when they wait, which is when they have read what they need.
    let asleep = |child: &Child| fs::read_to_string(format!("/proc/{}/wchan", child.id())).is_ok_and(|at| at != "0");
    while !waiting.0.iter().all(asleep) {
        std::thread::yield_now();
    }
    let mut wrong = compared(&mut sources, &waiting);
    for _ in 0..COMPARISONS {
        let again = compared(&mut sources, &waiting);
        wrong.retain(|pid, _| again.contains_key(pid));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// How often whoever differed is looked at again: a process that runs may have taken memory and given it back in between.
const COMPARISONS: usize = 5;

/// Who differs, and how.
fn compared(sources: &mut Sources, waiting: &Waiting) -> HashMap<u32, String> {
    let (before, seen, after) = (by_proc(), by_kernel(sources), by_proc());
    assert!(seen.is_sorted_by(|one, next| one.0 < next.0));
    let steady = |pid: &u32| before.get(pid).zip(after.get(pid)).filter(|(before, after)| before.0 == after.0);
    let (mut count, mut wrong) = (0, HashMap::new());
    for (pid, figures, cpu_ticks) in &seen {
        let Some((before, after)) = steady(pid) else { continue };
        // What runs just now is a tick of the scheduler behind; in /proc user and system time are each rounded down.
        let allowed = before.1.saturating_sub(1 + 2 * figures.threads)..=after.1 + 1;
        if figures != &before.0 || !allowed.contains(cpu_ticks) {
            wrong.insert(*pid, format!("{figures:?}, {cpu_ticks}, not {:?}, {allowed:?}", before.0));
        }
        count += 1;
    }
    let is_seen = |pid: u32| seen.iter().any(|seen| seen.0 == pid);
    let missed: Vec<_> = before.iter().filter(|(pid, _)| after.contains_key(pid) && !is_seen(**pid)).collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(waiting.0.iter().all(|child| steady(&child.id()).is_some()));
    assert!(count > 20);
    wrong
}

/// Time of threads counts once, whether they run or are gone.
#[test]
fn threads_are_summed_as_in_proc() {
    let Some(mut sources) = loaded(super::exits::RING_BYTES) else { return };
    let pid = std::process::id();
    let burn = || {
        let began = std::time::Instant::now();
        while began.elapsed().as_millis() < 60 {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(burn);
        }
    });
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let living = std::thread::spawn(move || {
        burn();
        ended.recv()
    });
    burn();
    let before = by_proc()[&pid].1;
    let seen = by_kernel(&mut sources).into_iter().find(|seen| seen.0 == pid).unwrap();
    let after = by_proc()[&pid].1;
    drop(end);
    assert!(living.join().unwrap().is_err());
    assert!(seen.2 >= 10, "four threads and this one worked");
    let slack = 1 + 2 * seen.1.threads;
    assert!((before.saturating_sub(slack)..=after + 1).contains(&seen.2), "{before} {} {after}", seen.2);
}

#[test]
fn an_overflow_is_a_loss_and_the_next_snapshot_has_none() {
    let Some(sources) = loaded(TINY_RING_BYTES) else { return };
    let mut events = Events::new(sources.events);
    let run = || assert!(Command::new("true").status().unwrap().success());
    (0..1_000).for_each(|_| run());
    assert_eq!(events.drain().total_cmp(&1.0), std::cmp::Ordering::Equal);
    let mut describer = Describer::new(Users::new(std::path::Path::new("/")), None);
    let clock = BootClock { boot_time: Timestamp::from_ms(0), ticks_per_second: 100 };
    let mut snapshot_after = |earlier| {
        let mut snapshot = Snapshot { time: Timestamp::from_ms(9), ..Snapshot::default() };
        let nobody = Looked { began_ns: 0, entries: &[], departed: &mut [] };
        events.write_into(&mut snapshot, Some(Timestamp::from_ms(earlier)), nobody, &mut describer, clock);
        snapshot
    };
    let first = snapshot_after(5);
    let losses: Vec<_> = first.losses.iter().map(|loss| (loss.kind, loss.from, loss.until)).collect();
    assert_eq!(losses, [(LossKind::Events, Timestamp::from_ms(5), Timestamp::from_ms(9))]);
    assert!((1..1_000).contains(&first.brief.len()), "what had room is there: {}", first.brief.len());
    // A beginning and an end of each that is not there, or an end only.
    let missing = 1_000 - first.brief.len() as u64;
    let count = first.losses[0].count.unwrap();
    assert!(count >= missing, "{count} events of {missing} lives");
    run();
    let next = snapshot_after(9);
    assert!(next.losses.is_empty());
    assert!(next.brief.iter().any(|brief| &*brief.description.name == "true"));
}

/// Who ends while the kernel goes through its list is no error, and whoever stays is there every time.
#[test]
fn processes_that_vanish_meanwhile_are_no_error() {
    let Some(mut sources) = loaded(super::exits::RING_BYTES) else { return };
    let staying = Waiting::new(3);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let coming_and_going = std::thread::spawn(move || {
        let mut lives = 0;
        while ended.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            assert!(Command::new("true").status().unwrap().success());
            lives += 1;
        }
        lives
    });
    for _ in 0..300 {
        let seen = by_kernel(&mut sources);
        assert!(seen.is_sorted_by(|one, next| one.0 < next.0), "each pid once");
        assert!(staying.0.iter().all(|child| seen.iter().any(|seen| seen.0 == child.id())));
    }
    drop(end);
    assert!(coming_and_going.join().unwrap() > 0);
}

/// Row 10 of the table of failures, by the kernel's own list.
#[test]
fn a_pid_that_is_used_again_is_another_process() {
    const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
    let Some(mut sources) = loaded(super::exits::RING_BYTES) else { return };
    if fs::OpenOptions::new().write(true).open(LAST_PID).is_err() {
        eprintln!("skipped: {LAST_PID} cannot be written");
        return;
    }
    // As the tests in `tests/linux` do that take pids again.
    let alone = std::env::temp_dir().join("procession-pids.lock");
    let alone = fs::OpenOptions::new().create(true).truncate(false).write(true).open(alone).unwrap();
    alone.lock().unwrap();
    let mut lives = Vec::new();
    let mut pid = Waiting::new(1).0[0].id();
    for _ in 0..200 {
        fs::write(LAST_PID, (pid - 1).to_string()).unwrap();
        let life = Waiting::new(1);
        // Another process of this machine may have taken it.
        pid = life.0[0].id();
        let seen = by_kernel(&mut sources).into_iter().find(|seen| seen.0 == pid).unwrap();
        lives.push((pid, seen.1.start_ticks));
        // Starts are told in ticks of ten milliseconds: lives within one cannot be told apart by anyone.
        std::thread::sleep(std::time::Duration::from_millis(11));
    }
    let again = lives.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    assert!(again.clone().all(|pair| pair[0].1 < pair[1].1), "{lives:?}");
    assert!(again.count() > 50, "{lives:?}");
}

/// No right beside the two that it needs.
#[test]
fn two_capabilities_are_enough() {
    if loaded(super::exits::RING_BYTES).is_none() {
        return;
    }
    let two = "-all,+bpf,+perfmon";
    let test = format!("{}::figures_are_those_of_proc", module_path!().split_once("::").unwrap().1);
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"])
        .args(["--inh-caps", two, "--ambient-caps", two, "--bounding-set", two])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no setpriv");
        return;
    };
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
    assert!(!errors.contains("skipped"), "{errors}");
}

/// Twice around a small ring. Everyone's ends are in it: where another program of this machine starts many processes just then,
/// it overflows, which is told, and the next try says more.
#[test]
fn records_over_the_end_of_the_ring_are_whole() {
    for _ in 0..20 {
        let Some(sources) = loaded(TINY_RING_BYTES) else { return };
        let (whole, is_lost) = whole_lives(Events::new(sources.events));
        assert!(whole == 1_000 || is_lost, "{whole}, and none is told to be lost");
        if !is_lost {
            return;
        }
    }
    panic!("the ring overflowed each time");
}

/// How many of a thousand lives are told with all that is known, and whether some are told to be lost.
fn whole_lives(mut events: Events) -> (usize, bool) {
    for _ in 0..100 {
        (0..10).for_each(|_| assert!(Command::new("true").status().unwrap().success()));
        events.drain();
    }
    let mut describer = Describer::new(Users::new(std::path::Path::new("/")), None);
    let clock = BootClock { boot_time: Timestamp::from_ms(0), ticks_per_second: 100 };
    let mut snapshot = Snapshot::default();
    let nobody = Looked { began_ns: 0, entries: &[], departed: &mut [] };
    events.write_into(&mut snapshot, None, nobody, &mut describer, clock);
    let own = Some(std::process::id());
    let ours = snapshot.brief.iter().filter(|brief| brief.description.parent_pid == own);
    let whole = ours.filter(|brief| &*brief.description.name == "true" && brief.end.cpu_time_us.is_some());
    let count = whole.filter(|brief| brief.description.command_line.as_deref() == Some("true")).count();
    (count, !snapshot.losses.is_empty())
}

/// `kernel/build.sh` writes beside the object what it was made of.
#[test]
fn the_object_is_what_the_source_gives() {
    let mut hash = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let sources = [&include_bytes!("kernel/kernel_types.h")[..], include_bytes!("kernel/processes.bpf.c")].concat();
    std::io::Write::write_all(&mut hash.stdin.take().unwrap(), &sources).unwrap();
    let output = String::from_utf8(hash.wait_with_output().unwrap().stdout).unwrap();
    let made_of = include_str!("kernel/processes.bpf.o.from");
    assert_eq!(output.split(' ').next(), made_of.lines().next(), "run kernel/build.sh");
    let compiler = made_of.lines().nth(1).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/linux/bpf/kernel");
    let Some(clang) = ["clang", "clang-14"].into_iter().find(|clang| version(clang).as_deref() == Some(compiler))
    else {
        eprintln!("not compiled again: this machine has no {compiler}");
        return;
    };
    let new = tempfile::tempdir().unwrap();
    let object = new.path().join("object");
    let strip = clang.replace("clang", "llvm-strip");
    let mut build = Command::new("sh");
    build.args(["build.sh".as_ref(), object.as_os_str()]).current_dir(folder);
    assert!(build.env("CLANG", clang).env("LLVM_STRIP", strip).status().unwrap().success());
    assert!(fs::read(object).unwrap() == include_bytes!("kernel/processes.bpf.o"), "run kernel/build.sh");
}

fn version(clang: &str) -> Option<String> {
    let output = Command::new(clang).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.to_owned())
}
