//! A look at the same processes as before allocates nothing.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by it, or say why they cannot run")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use procession_model::{Snapshot, Timestamp};
use procession_probe::{Collection, Moment, OptionalFields, Probe, ProbeConfig};

/// Counts what is asked of the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Of this machine, by each way that is to be had: where no process began, ended or ran another program between two looks,
/// the second one allocates nothing. On a machine where much happens, one quiet moment in many is enough.
fn allocates_nothing_here(events: Collection) {
    let fields = OptionalFields { io: true };
    let mut probe = match Probe::new(ProbeConfig { events, fields, ..ProbeConfig::default() }) {
        Ok(probe) => probe,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let (origin, mut snapshot) = (Instant::now(), Snapshot::default());
    let mut least = usize::MAX;
    for look in 0..2_000 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        probe.snapshot_into(Moment::now(origin), &mut snapshot).unwrap();
        if look > 2 {
            least = least.min(ALLOCATIONS.load(Ordering::Relaxed) - before);
        }
        if least == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{least} allocations at least, {events:?}");
}

// One test: others in this program would be counted too.
#[test]
fn allocates_nothing() {
    on_a_made_machine();
    for events in [Collection::Polling, Collection::Events, Collection::Bpf] {
        allocates_nothing_here(events);
    }
}

fn on_a_made_machine() {
    let folder = tempfile::tempdir().unwrap();
    let proc = folder.path();
    fs::write(proc.join("stat"), "cpu  1 0 0 9 0 0 0 0\ncpu0 1\nbtime 1700000000\nprocesses 9\n").unwrap();
    fs::write(proc.join("meminfo"), "MemTotal: 1000 kB\nMemAvailable: 400 kB\n").unwrap();
    fs::write(proc.join("loadavg"), "0.50 0.40 0.30 1/100 4711\n").unwrap();
    fs::write(proc.join("uptime"), "1000.00 0.00\n").unwrap();
    for pid in 100..300 {
        let folder = proc.join(pid.to_string());
        fs::create_dir(&folder).unwrap();
        let numbers = "S 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 3 0 500 8192 2 9 1 1 7 0 0";
        fs::write(folder.join("stat"), format!("{pid} (made) {numbers}\n")).unwrap();
        fs::write(folder.join("io"), "read_bytes: 1\nwrite_bytes: 2\n").unwrap();
        fs::create_dir(folder.join("cgroup")).unwrap();
    }
    let config = ProbeConfig {
        proc_root: proc.to_owned(),
        fields: OptionalFields { io: true },
        descriptors_max: Some(300),
        ..ProbeConfig::default()
    };
    let mut probe = Probe::new(config).unwrap();
    let mut snapshot = Snapshot::default();
    let mut look = |second: u64| {
        let wall = Timestamp::from_ms(i64::try_from(second).unwrap() * 1_000);
        probe.snapshot_into(Moment { wall, monotonic: Duration::from_secs(second) }, &mut snapshot).unwrap();
        assert_eq!((snapshot.processes.len(), snapshot.field_errors.len()), (200, 1));
    };
    for second in 0..3 {
        look(second);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for second in 3..10 {
        look(second);
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
}
