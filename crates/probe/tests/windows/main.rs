//! The Windows collector on the machine that runs the tests, or under Wine.
#![cfg(windows)]
#![expect(clippy::unwrap_used, reason = "tests fail by it")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use procession_model::{Metric, Process, Snapshot};
use procession_probe::{Moment, Probe, ProbeConfig};

/// Says to this program that it is a child, and what it is to do.
const ROLE: &str = "PROCESSION_TEST_ROLE";
const SECRET: &str = "--password=hunter2";

/// A child that is ended when the test is.
struct Running(Child);

impl Running {
    /// This program again, as a child that does nothing but run the test of this name.
    fn role(role: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["a_child_works", "--exact", "--nocapture", "--skip", SECRET])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Not a test of its own: what the children do.
#[test]
fn a_child_works() {
    match std::env::var(ROLE).as_deref() {
        Ok("burn") => loop {
            std::hint::spin_loop();
        },
        Ok("wait") => {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
        }
        _ => {}
    }
}

fn find(snapshot: &Snapshot, pid: u32) -> Option<&Process> {
    snapshot.processes.iter().find(|process| process.description.identity.pid == pid)
}

#[test]
fn sees_itself() {
    let mut probe = Probe::new(ProbeConfig::default()).unwrap();
    let snapshot = probe.snapshot(Moment::now(Instant::now())).unwrap();
    let own = find(&snapshot, std::process::id()).unwrap();
    assert!(own.description.executable.as_deref().unwrap().ends_with(".exe"), "{:?}", own.description);
    assert!(own.description.name.ends_with(".exe"));
    assert!(own.description.user.is_some() && own.description.command_line.is_some(), "{:?}", own.description);
    assert!(own.description.identity.start.unwrap() <= snapshot.time);
    assert!(own.sample.get(Metric::Memory).unwrap() > 0 && own.sample.get(Metric::Threads).unwrap() > 0);
    assert!(snapshot.processes.is_sorted_by(|left, right| left.description.identity < right.description.identity));
    assert!(snapshot.facts.cpu_count.unwrap() > 0 && snapshot.facts.memory_total_bytes.unwrap() > 0);
    assert!(procession_probe::host_name().is_some());
}

/// A child that burns has at most the CPU of one core, and not much less than what it could get in the interval.
#[test]
fn a_burning_child_burns_and_a_waiting_one_does_not() {
    let (burning, waiting) = (Running::role("burn"), Running::role("wait"));
    let mut probe = Probe::new(ProbeConfig::default()).unwrap();
    let origin = Instant::now();
    std::thread::sleep(Duration::from_millis(500));
    probe.snapshot(Moment::now(origin)).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    let cpu = |child: &Running| find(&snapshot, child.0.id()).unwrap().sample.get(Metric::Cpu).unwrap();
    println!("burning {} waiting {} hundredths of a percent", cpu(&burning), cpu(&waiting));
    assert!((500..=10_500).contains(&cpu(&burning)), "{}", cpu(&burning));
    assert!(cpu(&waiting) * 5 < cpu(&burning), "{}", cpu(&waiting));
}

#[test]
fn children_know_their_parent_and_hide_their_secrets() {
    let child = Running::role("wait");
    let config = ProbeConfig {
        mask: Some(std::sync::Arc::new(|words: &mut Vec<String>| {
            words.iter_mut().filter(|word| *word == SECRET).for_each(|word| *word = "--password=***".to_owned());
        })),
        ..ProbeConfig::default()
    };
    let mut probe = Probe::new(config).unwrap();
    let snapshot = probe.snapshot(Moment::now(Instant::now())).unwrap();
    let seen = find(&snapshot, child.0.id()).unwrap();
    assert_eq!(seen.description.parent_pid, Some(std::process::id()));
    let line = seen.description.command_line.as_deref().unwrap();
    assert!(line.contains("--password=***") && !line.contains("hunter2"), "{line}");
}

#[test]
fn an_ended_child_is_gone() {
    let child = Running::role("wait");
    let pid = child.0.id();
    let mut probe = Probe::new(ProbeConfig::default()).unwrap();
    let origin = Instant::now();
    assert!(find(&probe.snapshot(Moment::now(origin)).unwrap(), pid).is_some());
    drop(child);
    assert!(find(&probe.snapshot(Moment::now(origin)).unwrap(), pid).is_none());
}
