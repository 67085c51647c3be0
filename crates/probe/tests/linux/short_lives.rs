//! Processes that live shorter than an interval, and how processes end.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use procession_model::{Brief, Exit, Snapshot};
use procession_probe::{Collection, MaskArguments, Moment, Probe, ProbeConfig, ProbeError};

use crate::made::{exists, process};

/// Probes that hear of lives between two looks, by each way that is to be had here; why others are not is printed.
fn probes() -> Vec<Probe> {
    [Collection::Events, Collection::Bpf].into_iter().filter_map(probe).collect()
}

fn probe(events: Collection) -> Option<Probe> {
    let mask: MaskArguments = Arc::new(|words| {
        words.iter_mut().filter(|word| word.starts_with("secret")).for_each(|word| "***".clone_into(word));
    });
    match Probe::new(ProbeConfig { events, mask: Some(mask), ..ProbeConfig::default() }) {
        Ok(probe) => Some(probe),
        Err(ProbeError::Events(reason) | ProbeError::Bpf(reason)) => {
            eprintln!("skipped: {events:?} are not to be had here: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn is_bpf(snapshot: &Snapshot) -> bool {
    snapshot.facts.collector.as_deref() == Some("bpf")
}

fn run(script: &str) -> (u32, Option<i32>) {
    let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
    let pid = child.id();
    (pid, child.wait().unwrap().code())
}

fn brief(snapshot: &Snapshot, pid: u32) -> &Brief {
    snapshot.brief.iter().find(|brief| brief.description.identity.pid == pid).unwrap()
}

#[test]
fn who_began_and_ended_between_two_looks_is_told() {
    probes().into_iter().for_each(tells_who_began_and_ended);
}

fn tells_who_began_and_ended(mut probe: Probe) {
    let origin = Instant::now();
    let first = probe.snapshot(Moment::now(origin)).unwrap();
    assert!(first.brief.is_empty());
    let (exited, _) = run("exit 7");
    let (killed, _) = run("kill -9 $$");
    let second = probe.snapshot(Moment::now(origin)).unwrap();
    let told = brief(&second, exited);
    assert_eq!(told.end.exit, Some(Exit::Code(7)));
    assert_eq!(told.description.parent_pid, Some(std::process::id()));
    assert_eq!(told.count, 1);
    let (start, end) = (told.description.identity.start.unwrap(), told.end.time.unwrap());
    assert!(first.time.since_ms(start) <= 1_010 && end <= second.time, "{start:?} {end:?}");
    assert_eq!(brief(&second, killed).end.exit, Some(Exit::Signal(9)));
    if second.facts.collector.as_deref() != Some("proc+events") {
        assert_eq!(&*told.description.name, "sh");
        assert!(told.end.peak_memory_bytes.unwrap() > 0 && told.end.cpu_time_us.is_some());
    }
    let third = probe.snapshot(Moment::now(origin)).unwrap();
    assert!(third.brief.iter().all(|brief| brief.description.identity.pid != exited), "told twice");
}

#[test]
fn how_a_seen_process_ended_is_told() {
    probes().into_iter().for_each(tells_how_a_seen_process_ended);
}

fn tells_how_a_seen_process_ended(mut probe: Probe) {
    let origin = Instant::now();
    let mut child = Command::new("sh").args(["-c", "read line; exit 3"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    let identity = process(&snapshot, pid).unwrap().description.identity;
    drop(child.stdin.take());
    // A zombie is still there; its end is told when it is gone.
    while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    let zombie = probe.snapshot(Moment::now(origin)).unwrap();
    assert!(process(&zombie, pid).is_some() && zombie.ended.iter().all(|it| it.description.identity.pid != pid));
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let after = probe.snapshot(Moment::now(origin)).unwrap();
    let ended = after.ended.iter().find(|ended| ended.description.identity == identity).unwrap();
    assert_eq!(ended.end.exit, Some(Exit::Code(3)));
    assert!(ended.end.time.unwrap() <= zombie.time);
    assert!(after.brief.iter().all(|brief| brief.description.identity.pid != pid));
}

#[test]
fn none_of_thousands_is_missed() {
    let _alone = crate::made::pids_alone();
    for mut probe in probes() {
        let origin = Instant::now();
        let first = probe.snapshot(Moment::now(origin)).unwrap();
        let thousands = if is_bpf(&first) { 20 } else { 3 };
        let thousand = "i=0; while [ $i -lt 1000 ]; do (exit 5); i=$((i+1)); done; echo";
        let script = format!("j=0; while [ $j -lt {thousands} ]; do {thousand}; j=$((j+1)); done");
        let mut child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        // Now and then, as an agent does.
        let mut fullest = 0.0_f64;
        for _ in BufReader::new(child.stdout.take().unwrap()).lines() {
            fullest = fullest.max(probe.drain().unwrap());
        }
        assert!(child.wait().unwrap().success() && fullest > 0.0 && fullest < 1.0, "{fullest}");
        let (parent, lives) = (child.id(), 1_000 * thousands);
        let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
        let told = snapshot.brief.iter().filter(|brief| brief.description.parent_pid == Some(parent));
        let ends: Vec<_> = told.map(|brief| brief.end.exit).collect();
        assert_eq!(ends.len(), lives);
        assert!(ends.iter().all(|end| *end == Some(Exit::Code(5))));
        assert!(snapshot.losses.is_empty());
    }
}

/// Not so by the connector: it tells that a program was run, not which words it was given.
#[test]
fn words_of_short_lives_are_told_masked() {
    let Some(mut probe) = probe(Collection::Bpf) else { return };
    let origin = Instant::now();
    probe.snapshot(Moment::now(origin)).unwrap();
    let told = |probe: &mut Probe, words: &[&str]| {
        let mut child = Command::new("true").args(words).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
        brief(&snapshot, child.id()).description.command_line.clone().unwrap()
    };
    assert_eq!(&*told(&mut probe, &["a b", "", "secret=1", "é"]), "true a b  *** é");
    let long = "x".repeat(100_000);
    let cut = told(&mut probe, &[&long]);
    assert!(cut.starts_with("true xxx") && cut.len() == 1_024 && long.contains(&cut[5..]));
    // Whoever only forked has the words of its parent.
    let (parent, _) = run("(exit 3); exit 4");
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    let forked = snapshot.brief.iter().find(|brief| brief.description.parent_pid == Some(parent)).unwrap();
    assert_eq!((forked.end.exit, &*forked.description.name), (Some(Exit::Code(3)), "sh"));
}

/// The shell that counts what its children took says the same of them as we do.
#[test]
fn what_an_ended_process_took_is_told() {
    const MIB: u64 = 1 << 20;
    let Some(mut probe) = probe(Collection::Bpf) else { return };
    let origin = Instant::now();
    let first = probe.snapshot(Moment::now(origin)).unwrap();
    let burn = "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 6); times";
    let output = Command::new("sh").args(["-c", burn]).output().unwrap();
    let times = String::from_utf8(output.stdout).unwrap();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let of_children: f64 = times.lines().nth(1).unwrap().split(' ').map(seconds).sum();
    let dd = ["if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    let mut child = Command::new("dd").args(dd).stderr(Stdio::null()).spawn().unwrap();
    child.wait().unwrap();
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    assert!(is_bpf(&first) && is_bpf(&snapshot));
    let burnt = snapshot.brief.iter().find(|brief| brief.end.exit == Some(Exit::Code(6))).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a few digits are compared")]
    let told = burnt.end.cpu_time_us.unwrap() as f64 / 1e6;
    // The shell counts in hundredths of a second, user and system each; the last slice of a process is not counted here.
    assert!((told - of_children).abs() < 0.035 && told > 0.02, "{told} {of_children}");
    match brief(&snapshot, child.id()).end.peak_memory_bytes {
        Some(peak) => assert!((64 * MIB..80 * MIB).contains(&peak), "{peak}"),
        None => eprintln!("not compared: this kernel has given the memory back when it tells of the end (before 6.16)"),
    }
}

/// Threads that end with their process are in its time, and its end is told once.
#[test]
fn a_process_with_threads_ends_once_with_the_time_of_all() {
    let Some(mut probe) = probe(Collection::Bpf) else { return };
    let origin = Instant::now();
    probe.snapshot(Moment::now(origin)).unwrap();
    for _ in 0..5 {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["short_lives::works_in_threads", "--exact", "--ignored", "--nocapture"]);
        let child = program.stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let ticks: u64 = said.lines().find_map(|line| line.strip_prefix("ticks: ")).unwrap().parse().unwrap();
        let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
        let told: Vec<_> = snapshot.brief.iter().filter(|brief| brief.description.identity.pid == pid).collect();
        assert_eq!(told.len(), 1);
        let told_ticks = told[0].end.cpu_time_us.unwrap() / 10_000;
        assert!(ticks >= 12 && (ticks - 2..ticks + 20).contains(&told_ticks), "{ticks} {told_ticks}");
    }
}

#[test]
#[ignore = "the program that another test runs"]
fn works_in_threads() {
    let own_ticks = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let work_until = move |ticks| while own_ticks() < ticks {};
    std::thread::spawn(move || work_until(6)).join().unwrap();
    for _ in 0..3 {
        std::thread::spawn(move || work_until(u64::MAX));
    }
    work_until(12);
    println!("\nticks: {}", own_ticks());
}

/// In namespaces of its own the kernel does not tell an agent anything: it has to notice, and to go on.
#[test]
fn without_events_the_probe_polls_and_says_so() {
    let config = ProbeConfig { events: Collection::Polling, ..ProbeConfig::default() };
    let mut polling = Probe::new(config).unwrap();
    assert_eq!(polling.drain(), None);
    assert_eq!(polling.facts().collector.as_deref(), Some("proc"));
    let machine = crate::made::Machine::new();
    let elsewhere = machine.probe();
    assert!(elsewhere.notes().iter().any(|note| note.contains("not seen")), "{:?}", elsewhere.notes());
    assert!(exists("/proc/self"));
}
