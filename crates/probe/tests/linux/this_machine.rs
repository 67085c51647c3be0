//! The collector on the machine that runs the tests.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::made::{exists, pids, process};
use procession_model::{Metric, Snapshot};
use procession_probe::{Collection, Moment, OptionalFields, Probe, ProbeConfig};

/// A child that is ended when the test is.
struct Running(Child);

impl Running {
    fn shell(script: &str) -> Self {
        let child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn probe() -> Probe {
    Probe::new(ProbeConfig::default()).unwrap()
}

#[test]
fn sees_itself() {
    let snapshot = probe().snapshot(Moment::now(Instant::now())).unwrap();
    let own = process(&snapshot, std::process::id()).unwrap();
    let executable = std::env::current_exe().unwrap();
    assert_eq!(own.description.executable.as_deref(), executable.to_str());
    let words: Vec<String> = std::env::args().collect();
    assert_eq!(own.description.command_line.as_deref(), Some(words.join(" ").as_str()));
    assert!(own.sample.get(Metric::Memory).unwrap() > 0);
    assert!(pids(&snapshot).is_sorted());
    assert!(snapshot.facts.memory_total_bytes.unwrap() > 0);
}

/// The percentage times the interval lies between what the process' own counter says just inside and just outside of it.
#[test]
fn cpu_of_a_burning_child_agrees_with_its_own_counter() {
    // A program in the kernel sees what the scheduler has added up by its last tick, at most 10 ms ago; /proc adds the rest.
    for (events, off_by_max) in [(Collection::Polling, 1), (Collection::Auto, 2)] {
        let config = ProbeConfig { events, ..ProbeConfig::default() };
        burn_and_compare(&mut Probe::new(config).unwrap(), off_by_max);
    }
}

fn burn_and_compare(probe: &mut Probe, off_by_max: u128) {
    let child = Running::shell("while :; do :; done");
    let origin = Instant::now();
    let (before, first) = (child.cpu_ticks(), Moment::now(origin));
    probe.snapshot(first).unwrap();
    let after_first = child.cpu_ticks();
    while child.cpu_ticks() < after_first + 40 {
        std::thread::yield_now();
    }
    let (before_second, second) = (child.cpu_ticks(), Moment::now(origin));
    let snapshot = probe.snapshot(second).unwrap();
    let after = child.cpu_ticks();
    let hundredths = process(&snapshot, child.pid()).unwrap().sample.get(Metric::Cpu).unwrap();
    let interval = second.monotonic - first.monotonic;
    let ticks = u128::from(hundredths) * interval.as_millis() / 100_000;
    let (least, most) = (u128::from(before_second - after_first), u128::from(after - before));
    let allowed = least.saturating_sub(off_by_max)..=most + off_by_max;
    assert!(allowed.contains(&ticks), "{ticks} is not within {least} and {most}");
}

#[test]
fn an_ended_child_is_gone_and_its_parent_is_known() {
    let mut child = Running::shell("read line");
    let mut probe = probe();
    let origin = Instant::now();
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    let seen = process(&snapshot, child.pid()).unwrap();
    assert_eq!(seen.description.parent_pid, Some(std::process::id()));
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
    assert!(process(&snapshot, child.pid()).is_none());
    assert!(snapshot.field_errors.iter().all(|error| &*error.field != "process"));
}

/// Whether or not the whole folder is listed at a look.
#[test]
fn whoever_begins_between_looks_is_seen_and_threads_are_not() {
    let mut probe = Probe::new(ProbeConfig { events: Collection::Polling, ..ProbeConfig::default() }).unwrap();
    let origin = Instant::now();
    let mut children: Vec<Running> = Vec::new();
    for _ in 0..30 {
        children.push(Running::shell("read line"));
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (told, tells) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            told.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()).unwrap();
            ended.recv()
        });
        let thread_id = tells.recv().unwrap();
        let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
        assert!(children.iter().all(|child| process(&snapshot, child.pid()).is_some()));
        assert!(process(&snapshot, thread_id).is_none(), "a thread is not a process");
        assert!(
            snapshot
                .processes
                .is_sorted_by(|one, next| { one.description.identity.pid < next.description.identity.pid })
        );
        drop(end);
        assert!(thread.join().unwrap().is_err());
    }
}

#[test]
fn few_descriptors_are_enough() {
    let children: Vec<_> = (0..8).map(|_| Running::shell("read line")).collect();
    let fields = OptionalFields { io: true };
    let config = |descriptors_max| ProbeConfig { descriptors_max, fields, ..ProbeConfig::default() };
    let origin = Instant::now();
    for descriptors_max in [Some(0), Some(3), None] {
        let mut probe = Probe::new(config(descriptors_max)).unwrap();
        for _ in 0..3 {
            let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
            for child in &children {
                let seen = process(&snapshot, child.pid()).unwrap();
                assert_eq!(&*seen.description.name, "sh");
                assert!(seen.sample.get(Metric::Memory).unwrap() > 0);
            }
        }
    }
}

/// The kernel gives the next process the pid after `ns_last_pid`.
#[test]
fn a_thousand_lives_of_one_pid_are_a_thousand_processes() {
    const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
    const LIVES: usize = 1_000;
    if !exists(LAST_PID) || fs::OpenOptions::new().write(true).open(LAST_PID).is_err() {
        eprintln!("skipped: {LAST_PID} cannot be written, so no pid can be had twice; needs root");
        return;
    }
    let _alone = crate::made::pids_alone();
    let mut probe = probe();
    let origin = Instant::now();
    let mut last: Option<Snapshot> = None;
    let first = Running::shell("read line");
    let mut pid = first.pid();
    drop(first);
    let mut seen = 0;
    for _ in 0..LIVES {
        fs::write(LAST_PID, (pid - 1).to_string()).unwrap();
        let life = Running::shell("read line");
        if life.pid() != pid {
            // Another process of this machine has taken it and may keep it: go on with the one that came instead.
            pid = life.pid();
            continue;
        }
        // Start times are in clock ticks: lives that began in the same tick cannot be told apart by anyone.
        let started = process_start(pid);
        let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
        let identity = process(&snapshot, pid).unwrap().description.identity;
        if let Some(earlier) = last.as_ref().and_then(|last| process(last, pid)) {
            assert!(earlier.description.identity.start < identity.start, "two lives are one");
        }
        last = Some(snapshot);
        seen += 1;
        drop(life);
        wait_for_the_next_tick(started);
    }
    assert!(seen > LIVES / 2, "the pid was got again only {seen} times");
}

fn process_start(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap()
}

fn wait_for_the_next_tick(tick: u64) {
    let uptime_ticks = || {
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        uptime.split(' ').next().unwrap().replace('.', "").parse::<u64>().unwrap()
    };
    while uptime_ticks() <= tick {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
