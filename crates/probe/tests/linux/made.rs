//! A proc file system made of plain files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use procession_model::{Process, Snapshot, Timestamp};
use procession_probe::{Moment, Probe, ProbeConfig};

/// A made machine that booted at 1,700,000,000 seconds and is up for 1,000.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

/// A made process.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) pid: u32,
    pub(crate) name: &'static [u8],
    pub(crate) parent_pid: u32,
    pub(crate) flags: u64,
    pub(crate) cpu_ticks: u64,
    pub(crate) threads: u32,
    pub(crate) resident_pages: u64,
    pub(crate) start_ticks: u64,
    pub(crate) start_stack: u64,
    pub(crate) command_line: &'static [u8],
    pub(crate) uid: u32,
}

impl Made {
    pub(crate) fn new(pid: u32) -> Self {
        Self {
            pid,
            name: b"made",
            parent_pid: 1,
            flags: 0,
            cpu_ticks: 0,
            threads: 3,
            resident_pages: 2,
            start_ticks: 500,
            start_stack: 7,
            command_line: b"made\0--well\0",
            uid: 1000,
        }
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(machine.proc().join("sys/kernel/random")).unwrap();
        fs::create_dir_all(machine.folder.path().join("etc")).unwrap();
        machine.write("sys/kernel/random/boot_id", b"0f0e0d0c-made\n");
        machine.write("meminfo", b"MemTotal: 1000 kB\nMemAvailable: 400 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
        machine.write("loadavg", b"0.50 0.40 0.30 1/100 4711\n");
        machine.set_time(1_000, 0);
        fs::write(machine.folder.path().join("etc/passwd"), "root:x:0:0::/:\nada:x:1000:1000:::\n").unwrap();
        fs::write(machine.folder.path().join("etc/os-release"), "PRETTY_NAME=\"Made 1\"\n").unwrap();
        machine
    }

    pub(crate) fn proc(&self) -> PathBuf {
        self.folder.path().join("proc")
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.proc().join(path), bytes).unwrap();
    }

    pub(crate) fn set_time(&self, uptime_seconds: u64, busy_ticks: u64) {
        self.set_boot_seconds(1_700_000_000, uptime_seconds, busy_ticks);
    }

    pub(crate) fn set_boot_seconds(&self, boot_seconds: u64, uptime_seconds: u64, busy_ticks: u64) {
        self.write("uptime", format!("{uptime_seconds}.00 0.00\n").as_bytes());
        let stat = format!("cpu  {busy_ticks} 0 0 9 0 0 0 0 0 0\ncpu0 1\ncpu1 1\nbtime {boot_seconds}\nprocesses 9\n");
        self.write("stat", stat.as_bytes());
    }

    pub(crate) fn put(&self, made: &Made) {
        let folder = self.proc().join(made.pid.to_string());
        fs::create_dir_all(&folder).unwrap();
        let mut stat = format!("{} (", made.pid).into_bytes();
        stat.extend_from_slice(made.name);
        stat.extend_from_slice(
            format!(
                ") S {} 1 1 0 -1 {} 0 0 0 0 {} 0 0 0 20 0 {} 0 {} 8192 {} 18446744073709551615 1 1 {} 0 0\n",
                made.parent_pid,
                made.flags,
                made.cpu_ticks,
                made.threads,
                made.start_ticks,
                made.resident_pages,
                made.start_stack
            )
            .as_bytes(),
        );
        fs::write(folder.join("stat"), stat).unwrap();
        fs::write(folder.join("cmdline"), made.command_line).unwrap();
        fs::write(folder.join("status"), format!("Name:\tx\nUid:\t0\t{0}\t0\t0\n", made.uid)).unwrap();
        fs::write(folder.join("cgroup"), "0::/system.slice/made.service\n").unwrap();
        if !folder.join("exe").is_symlink() {
            std::os::unix::fs::symlink("/usr/bin/made", folder.join("exe")).unwrap();
        }
    }

    pub(crate) fn remove(&self, pid: u32) {
        fs::remove_dir_all(self.proc().join(pid.to_string())).unwrap();
    }

    pub(crate) fn config(&self) -> ProbeConfig {
        ProbeConfig { proc_root: self.proc(), system_root: self.folder.path().to_owned(), ..ProbeConfig::default() }
    }

    pub(crate) fn probe(&self) -> Probe {
        Probe::new(self.config()).unwrap()
    }
}

/// A moment this many seconds after the first.
pub(crate) fn at(seconds: u64) -> Moment {
    let ms = i64::try_from(seconds * 1_000).unwrap();
    Moment { wall: Timestamp::from_ms(1_700_001_000_000 + ms), monotonic: Duration::from_secs(seconds) }
}

pub(crate) fn process(snapshot: &Snapshot, pid: u32) -> Option<&Process> {
    snapshot.processes.iter().find(|process| process.description.identity.pid == pid)
}

pub(crate) fn pids(snapshot: &Snapshot) -> Vec<u32> {
    snapshot.processes.iter().map(|process| process.description.identity.pid).collect()
}

/// Whether a path is there, for reasons why a test cannot run.
pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

/// Held by tests that make pids come again and by those that such pids confuse, also across programs of tests: a pid that is
/// used twice within some milliseconds is a life that cannot be told from another.
pub(crate) fn pids_alone() -> fs::File {
    let path = std::env::temp_dir().join("procession-pids.lock");
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    file.lock().unwrap();
    file
}
