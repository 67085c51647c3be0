//! Processes that live shorter than an interval, and how processes end.

use std::process::{Command, Stdio};
use std::time::Instant;

use procession_model::{Brief, Exit, Snapshot};
use procession_probe::{Collection, Moment, Probe, ProbeConfig, ProbeError};

use crate::made::{exists, process};

/// A probe that hears the kernel's events, or the reason why there is none here.
fn probe() -> Option<Probe> {
    match Probe::new(ProbeConfig { events: Collection::Events, ..ProbeConfig::default() }) {
        Ok(probe) => Some(probe),
        Err(ProbeError::Events(reason)) => {
            eprintln!("skipped: the kernel's events are not to be had here: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
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
    let Some(mut probe) = probe() else { return };
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
    if second.facts.collector.as_deref() == Some("proc+events+taskstats") {
        assert_eq!(&*told.description.name, "sh");
        assert!(told.end.peak_memory_bytes.unwrap() > 0 && told.end.cpu_time_us.is_some());
    }
    let third = probe.snapshot(Moment::now(origin)).unwrap();
    assert!(third.brief.iter().all(|brief| brief.description.identity.pid != exited), "told twice");
}

#[test]
fn how_a_seen_process_ended_is_told() {
    let Some(mut probe) = probe() else { return };
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
    const LIVES: usize = 3_000;
    let _alone = crate::made::pids_alone();
    let Some(mut probe) = probe() else { return };
    let origin = Instant::now();
    probe.snapshot(Moment::now(origin)).unwrap();
    let (parent, _) = run(&format!("i=0; while [ $i -lt {LIVES} ]; do (exit 5); i=$((i+1)); done"));
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    let told = snapshot.brief.iter().filter(|brief| brief.description.parent_pid == Some(parent));
    let ends: Vec<_> = told.map(|brief| brief.end.exit).collect();
    assert_eq!(ends.len(), LIVES);
    assert!(ends.iter().all(|end| *end == Some(Exit::Code(5))));
    assert!(snapshot.losses.is_empty());
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
