//! The Linux collector on a made proc file system.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use crate::made::{Machine, Made, at, pids, process};
use procession_model::{FieldErrorReason, HostMetric, Metric, ProcessState, Timestamp};
use procession_probe::{OptionalFields, Probe, ProbeConfig, ProbeError};

#[test]
fn reads_everything_of_a_process() {
    let machine = Machine::new();
    machine.put(&Made::new(42));
    let snapshot = machine.probe().snapshot(at(0)).unwrap();
    let made = process(&snapshot, 42).unwrap();
    let description = &made.description;
    assert_eq!(description.identity.start, Some(Timestamp::from_ms(1_700_000_005_000)));
    assert_eq!((&*description.name, description.parent_pid), ("made", Some(1)));
    assert_eq!(description.command_line.as_deref(), Some("made --well"));
    assert_eq!(description.user.as_deref(), Some("ada"));
    assert_eq!(description.executable.as_deref(), Some("/usr/bin/made"));
    assert_eq!(description.cgroup.as_deref(), Some("/system.slice/made.service"));
    assert_eq!(made.sample.get(Metric::Memory), Some(2 * 4096));
    assert_eq!(made.sample.get(Metric::VirtualMemory), Some(8192));
    assert_eq!(made.sample.get(Metric::Threads), Some(3));
    assert_eq!(made.sample.state(), Some(ProcessState::SLEEPING));
    assert_eq!(made.sample.get(Metric::Cpu), None, "no interval yet");
    assert_eq!(snapshot.facts.cpu_count, Some(2));
    assert_eq!(snapshot.facts.os.as_deref(), Some("Made 1"));
    assert_eq!(snapshot.facts.boot_id.as_deref(), Some("0f0e0d0c-made"));
    assert!(snapshot.field_errors.is_empty());
}

#[test]
fn cpu_is_that_of_the_interval() {
    let machine = Machine::new();
    let old = Made { cpu_ticks: 100_000, ..Made::new(42) };
    machine.put(&old);
    let mut probe = machine.probe();
    probe.snapshot(at(0)).unwrap();
    machine.put(&Made { cpu_ticks: 100_250, ..old.clone() });
    machine.set_time(1_005, 700);
    // One began within the interval, of the other one only the beginning was missed.
    machine.put(&Made { cpu_ticks: 50, start_ticks: 100_200, ..Made::new(43) });
    machine.put(&Made { cpu_ticks: 50, start_ticks: 10, ..Made::new(44) });
    let snapshot = probe.snapshot(at(5)).unwrap();
    let cpu = |pid| process(&snapshot, pid).unwrap().sample.get(Metric::Cpu);
    assert_eq!(cpu(42), Some(5_000));
    assert_eq!(cpu(43), Some(1_000));
    assert_eq!(cpu(44), None);
    assert_eq!(snapshot.host.get(HostMetric::Cpu), Some(14_000));
    assert_eq!(snapshot.host.get(HostMetric::IntervalMs), Some(5_000));
    assert_eq!(snapshot.host.get(HostMetric::MemoryUsed), Some(600 * 1024));
    assert_eq!(snapshot.host.get(HostMetric::Load), Some(50));
}

#[test]
fn processes_come_and_go_in_the_order_of_their_pids() {
    let machine = Machine::new();
    for pid in [30, 10, 20] {
        machine.put(&Made::new(pid));
    }
    let mut probe = machine.probe();
    assert_eq!(pids(&probe.snapshot(at(0)).unwrap()), [10, 20, 30]);
    machine.remove(20);
    for pid in [5, 25, 40] {
        machine.put(&Made::new(pid));
    }
    assert_eq!(pids(&probe.snapshot(at(1)).unwrap()), [5, 10, 25, 30, 40]);
    for pid in [5, 10, 25, 30, 40] {
        machine.remove(pid);
    }
    assert_eq!(pids(&probe.snapshot(at(2)).unwrap()), []);
}

#[test]
fn a_reused_pid_is_another_process() {
    for descriptors_max in [None, Some(0)] {
        let machine = Machine::new();
        machine.put(&Made { cpu_ticks: 900, ..Made::new(42) });
        let mut probe = Probe::new(ProbeConfig { descriptors_max, ..machine.config() }).unwrap();
        let first = probe.snapshot(at(0)).unwrap();
        machine.put(&Made { cpu_ticks: 100, start_ticks: 100_100, name: b"other", ..Made::new(42) });
        let second = probe.snapshot(at(5)).unwrap();
        let (first, second) = (process(&first, 42).unwrap(), process(&second, 42).unwrap());
        assert_ne!(first.description.identity, second.description.identity);
        assert_eq!(&*second.description.name, "other");
        assert_eq!(second.sample.get(Metric::Cpu), Some(2_000), "its own time since its start");
    }
}

#[test]
fn an_exec_makes_a_new_description_of_the_same_process() {
    let machine = Machine::new();
    let shell = Made::new(42);
    machine.put(&shell);
    let mut probe = machine.probe();
    for second in 0..3 {
        probe.snapshot(at(second)).unwrap();
    }
    // The same name: only the place of the stack tells.
    machine.put(&Made { start_stack: 8, command_line: b"made\0--better\0", uid: 0, ..shell.clone() });
    let after = probe.snapshot(at(3)).unwrap();
    let description = &process(&after, 42).unwrap().description;
    assert_eq!(description.command_line.as_deref(), Some("made --better"));
    assert_eq!(description.user.as_deref(), Some("root"));
    machine.put(&Made { name: b"renamed", start_stack: 8, command_line: b"third\0", ..shell.clone() });
    let after = probe.snapshot(at(4)).unwrap();
    assert_eq!(process(&after, 42).unwrap().description.command_line.as_deref(), Some("third"));
    machine.put(&Made { name: b"renamed", start_stack: 8, parent_pid: 7, ..shell });
    let after = probe.snapshot(at(5)).unwrap();
    assert_eq!(process(&after, 42).unwrap().description.parent_pid, Some(7));
}

#[test]
fn a_process_seen_before_its_exec_is_read_again_at_the_next_look() {
    let machine = Machine::new();
    machine.put(&Made { command_line: b"parent\0", ..Made::new(42) });
    let mut probe = machine.probe();
    probe.snapshot(at(0)).unwrap();
    machine.put(&Made { command_line: b"child\0", ..Made::new(42) });
    let after = probe.snapshot(at(1)).unwrap();
    assert_eq!(process(&after, 42).unwrap().description.command_line.as_deref(), Some("child"));
}

#[test]
fn descriptions_are_shared_where_nothing_changes() {
    let machine = Machine::new();
    machine.put(&Made::new(42));
    let mut probe = machine.probe();
    let first = probe.snapshot(at(0)).unwrap();
    probe.snapshot(at(1)).unwrap();
    let third = probe.snapshot(at(2)).unwrap();
    assert!(Arc::ptr_eq(&process(&first, 42).unwrap().description, &process(&third, 42).unwrap().description));
    assert!(Arc::ptr_eq(&first.facts, &third.facts));
}

#[test]
fn kernel_threads_have_no_command_line_and_no_errors() {
    let machine = Machine::new();
    let thread = Made { flags: 0x0020_8040, parent_pid: 0, name: b"kworker/0:1-events", ..Made::new(2) };
    machine.put(&Made { command_line: b"", ..thread });
    let snapshot = machine.probe().snapshot(at(0)).unwrap();
    let description = &process(&snapshot, 2).unwrap().description;
    assert_eq!((&*description.name, description.parent_pid), ("kworker/0:1", None));
    assert_eq!((&description.command_line, &description.executable), (&None, &None));
    assert!(snapshot.field_errors.is_empty());
}

#[test]
fn hostile_names_come_through() {
    let machine = Machine::new();
    let names: [&[u8]; 4] = [b") R 1 (", b"a\nb", b"\xff\xfe", b"<script>"];
    for (pid, name) in (10..).zip(names) {
        machine.put(&Made { name, ..Made::new(pid) });
    }
    let snapshot = machine.probe().snapshot(at(0)).unwrap();
    let read: Vec<_> = snapshot.processes.iter().map(|process| &*process.description.name).collect();
    assert_eq!(read, [") R 1 (", "a\nb", "\u{fffd}\u{fffd}", "<script>"]);
}

#[test]
fn what_cannot_be_read_is_absent_and_counted() {
    let machine = Machine::new();
    for pid in 10..13 {
        machine.put(&Made::new(pid));
    }
    machine.write("11/stat", b"broken");
    // A folder in the place of a file cannot be read, whoever asks.
    fs::remove_file(machine.proc().join("10/cgroup")).unwrap();
    fs::create_dir(machine.proc().join("10/cgroup")).unwrap();
    // A field that is gone is gone with its process: no error.
    fs::remove_file(machine.proc().join("12/cmdline")).unwrap();
    let snapshot = machine.probe().snapshot(at(0)).unwrap();
    assert_eq!(pids(&snapshot), [10, 12]);
    assert_eq!(process(&snapshot, 10).unwrap().description.cgroup, None);
    assert_eq!(process(&snapshot, 12).unwrap().description.command_line, None);
    let errors: Vec<_> =
        snapshot.field_errors.iter().map(|error| (&*error.field, error.reason, error.processes)).collect();
    assert_eq!(errors, [("process", FieldErrorReason::Failed, 1), ("cgroup", FieldErrorReason::Failed, 1)]);
}

#[test]
fn io_is_read_where_it_is_asked_for() {
    let machine = Machine::new();
    let io = |read: u64, written: u64| format!("rchar: 9\nread_bytes: {read}\nwrite_bytes: {written}\n");
    machine.put(&Made::new(42));
    machine.write("42/io", io(4096, 0).as_bytes());
    let fields = OptionalFields { io: true };
    let mut probe = Probe::new(ProbeConfig { fields, ..machine.config() }).unwrap();
    let first = probe.snapshot(at(0)).unwrap();
    assert_eq!(process(&first, 42).unwrap().sample.get(Metric::ReadBytes), None);
    machine.write("42/io", io(8192, 512).as_bytes());
    machine.put(&Made { start_ticks: 100_001, ..Made::new(43) });
    machine.write("43/io", io(100, 7).as_bytes());
    let second = probe.snapshot(at(5)).unwrap();
    let io_of = |pid| {
        let sample = process(&second, pid).unwrap().sample;
        (sample.get(Metric::ReadBytes), sample.get(Metric::WriteBytes))
    };
    assert_eq!(io_of(42), (Some(4096), Some(512)));
    assert_eq!(io_of(43), (Some(100), Some(7)), "all of it, for it began in the interval");
}

#[test]
fn the_boot_time_stays() {
    let machine = Machine::new();
    machine.put(&Made::new(42));
    let mut probe = machine.probe();
    let first = probe.snapshot(at(0)).unwrap();
    machine.set_boot_seconds(1_700_000_001, 1_005, 0);
    let second = probe.snapshot(at(5)).unwrap();
    assert_eq!(first.facts.boot_time, second.facts.boot_time);
    assert_eq!(pids(&second), [42]);
    let known_boot = Some(("0f0e0d0c-made".to_owned(), Timestamp::from_ms(1_700_000_000_123)));
    let again = Probe::new(ProbeConfig { known_boot, ..machine.config() }).unwrap();
    assert_eq!(again.facts().boot_time, Some(Timestamp::from_ms(1_700_000_000_123)));
    let known_boot = Some(("another boot".to_owned(), Timestamp::from_ms(5)));
    let again = Probe::new(ProbeConfig { known_boot, ..machine.config() }).unwrap();
    assert_eq!(again.facts().boot_time, Some(Timestamp::from_ms(1_700_000_001_000)));
}

#[test]
fn a_folder_that_is_no_proc_file_system_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = |root: &str| ProbeConfig { proc_root: folder.path().join(root), ..ProbeConfig::default() };
    let message = Probe::new(config("nowhere")).unwrap_err().to_string();
    assert!(message.contains("nowhere"), "{message}");
    fs::write(folder.path().join("stat"), "hello\n").unwrap();
    for file in ["meminfo", "loadavg", "uptime"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    let error = Probe::new(config("")).unwrap_err();
    assert!(matches!(error, ProbeError::Missing { .. }), "{error}");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}
