//! Processes that have not run since the look before are not read anew: what is told of them is what a first look at them
//! would tell.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::made::{Machine, Made, at, process};
use procession_model::{Metric, Snapshot};
use procession_probe::{Collection, Moment, OptionalFields, Probe, ProbeConfig};

/// Looks after which whoever does nothing is known to rest.
const SETTLING_LOOKS: u64 = 12;
const RESTED: &[u8] = b"73648 12 1\n";

fn resting(machine: &Machine, schedstat: &[u8]) -> Made {
    let made = Made { threads: 1, ..Made::new(42) };
    machine.put(&Made { pid: 1, parent_pid: 0, ..Made::new(1) });
    machine.put(&made);
    machine.write("42/schedstat", schedstat);
    made
}

/// Looks at a made machine once a second until it is known who rests.
fn settle(probe: &mut Probe) {
    for look in 0..SETTLING_LOOKS {
        probe.snapshot(at(look)).unwrap();
    }
}

fn memory(snapshot: &Snapshot) -> Option<u64> {
    process(snapshot, 42).unwrap().sample.get(Metric::Memory)
}

#[test]
fn memory_taken_from_a_sleeper_is_seen_within_two_minutes() {
    let machine = Machine::new();
    let made = resting(&machine, RESTED);
    let mut probe = machine.probe();
    for look in 0..SETTLING_LOOKS {
        probe.snapshot(at(look * 5)).unwrap();
    }
    machine.put(&Made { resident_pages: 1, ..made });
    let seen = |look: &u64| memory(&probe.snapshot(at(look * 5)).unwrap()) == Some(4096);
    let looks = (SETTLING_LOOKS..).take(24).find(seen);
    assert!(looks.is_some_and(|look| look > SETTLING_LOOKS), "read anew at once or never: {looks:?}");
}

#[test]
fn memory_is_read_of_all_where_something_went_to_swap() {
    let machine = Machine::new();
    let made = resting(&machine, RESTED);
    let mut probe = machine.probe();
    settle(&mut probe);
    machine.put(&Made { resident_pages: 1, ..made });
    assert_eq!(memory(&probe.snapshot(at(SETTLING_LOOKS)).unwrap()), Some(8192));
    machine.write("meminfo", b"MemTotal: 1000 kB\nMemAvailable: 400 kB\nSwapTotal: 100 kB\nSwapFree: 60 kB\n");
    assert_eq!(memory(&probe.snapshot(at(SETTLING_LOOKS + 1)).unwrap()), Some(4096));
}

#[test]
fn whoever_ran_is_read_at_once() {
    let machine = Machine::new();
    let made = resting(&machine, RESTED);
    let mut probe = machine.probe();
    for look in 0..SETTLING_LOOKS {
        let snapshot = probe.snapshot(at(look)).unwrap();
        let cpu = process(&snapshot, 42).unwrap().sample.get(Metric::Cpu);
        assert_eq!(cpu, (look > 0).then_some(0));
    }
    machine.put(&Made { cpu_ticks: 50, resident_pages: 5, ..made });
    machine.write("42/schedstat", b"500073648 12 2\n");
    let snapshot = probe.snapshot(at(SETTLING_LOOKS)).unwrap();
    assert_eq!(process(&snapshot, 42).unwrap().sample.get(Metric::Cpu), Some(5_000));
    assert_eq!(memory(&snapshot), Some(5 * 4096));
}

/// Two threads: the file tells of the first one alone. Zeros: the kernel does not count.
#[test]
fn whose_rest_cannot_be_told_is_read_at_every_look() {
    for (threads, schedstat) in [(2, RESTED), (1, b"0 0 0\n")] {
        let machine = Machine::new();
        let made = Made { threads, ..resting(&machine, schedstat) };
        machine.put(&made);
        let mut probe = machine.probe();
        for look in 0..100 {
            machine.put(&Made { resident_pages: 10 + look / 5, ..made.clone() });
            assert_eq!(memory(&probe.snapshot(at(look)).unwrap()), Some((10 + look / 5) * 4096));
        }
    }
}

#[test]
fn a_parent_that_ends_is_seen_by_its_sleeping_child() {
    let machine = Machine::new();
    let made = resting(&machine, RESTED);
    let made = Made { parent_pid: 30, ..made };
    machine.put(&Made::new(30));
    machine.put(&made);
    let mut probe = machine.probe();
    settle(&mut probe);
    machine.remove(30);
    machine.put(&Made { parent_pid: 1, ..made });
    let snapshot = probe.snapshot(at(SETTLING_LOOKS)).unwrap();
    assert_eq!(process(&snapshot, 42).unwrap().description.parent_pid, Some(1));
}

/// A shell that does what it is told, and waits.
struct Told {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Told {
    fn new() -> Self {
        let script = "while read -r line; do eval \"$line\"; echo done; done";
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// Returns when it waits again.
    fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
        while fields(self.child.id())[0] != "S" {
            std::thread::yield_now();
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What follows the name: state, parent and so on.
fn fields(pid: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').map(str::to_owned).collect()
}

/// The files of a process that we hold open.
fn open_files_of(pid: u32) -> Vec<PathBuf> {
    let folder = format!("/proc/{pid}");
    let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|path| path.starts_with(&folder)).collect()
}

fn polling() -> Probe {
    let fields = OptionalFields { io: true };
    Probe::new(ProbeConfig { events: Collection::Polling, fields, ..ProbeConfig::default() }).unwrap()
}

#[test]
fn a_process_of_this_machine_rests_and_wakes() {
    let mut shell = Told::new();
    let pid = shell.child.id();
    let (mut probe, origin) = (polling(), Instant::now());
    let look = |probe: &mut Probe| probe.snapshot(Moment::now(origin)).unwrap();
    for _ in 0..SETTLING_LOOKS {
        look(&mut probe);
    }
    let path = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
    let open = open_files_of(pid);
    assert!(open.contains(&path("schedstat")) && !open.contains(&path("stat")), "{open:?}");
    let lines =
        ["x=$(head -c 300000 /dev/zero | tr '\\0' x)", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done", ":"];
    for line in lines.iter().cycle().take(30) {
        shell.tell(line);
        let (resting, anew) = (look(&mut probe), look(&mut polling()));
        let (resting, anew) = (process(&resting, pid).unwrap(), process(&anew, pid).unwrap());
        assert_eq!(resting.description, anew.description);
        for metric in [Metric::Memory, Metric::VirtualMemory, Metric::Threads, Metric::State] {
            assert_eq!(resting.sample.get(metric), anew.sample.get(metric), "{metric:?} after {line}");
        }
        look(&mut probe);
    }
}

#[test]
fn a_sleeper_of_this_machine_whose_parent_ends_has_another_one() {
    let mut shell = Told::new();
    writeln!(shell.child.stdin.as_mut().unwrap(), "sleep 600 > /dev/null & echo $!").unwrap();
    let mut line = String::new();
    shell.answers.read_line(&mut line).unwrap();
    let sleeper: u32 = line.trim().parse().unwrap();
    let (mut probe, origin) = (polling(), Instant::now());
    let mut parent = || {
        let snapshot = probe.snapshot(Moment::now(origin)).unwrap();
        process(&snapshot, sleeper).unwrap().description.parent_pid
    };
    for _ in 0..SETTLING_LOOKS {
        parent();
    }
    assert_eq!(parent(), Some(shell.child.id()));
    assert!(open_files_of(sleeper).iter().any(|path| path.ends_with("schedstat")));
    drop(shell);
    let now = parent();
    let in_proc = fields(sleeper)[1].parse().unwrap();
    let pid = rustix::process::Pid::from_raw(sleeper.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(now, Some(in_proc));
}
