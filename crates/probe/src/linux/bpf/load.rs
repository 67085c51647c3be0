//! Brings the program into the kernel, or says in one line why that does not go.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use aya::maps::{Array, Map, MapData};
use aya::programs::{BtfTracePoint, Iter};
use aya::{Btf, Ebpf, EbpfLoader, VerifierLogLevel};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::ring::Ring;
use super::tasks;

/// Compiled from `kernel/processes.bpf.c` by `kernel/build.sh`, so that nobody needs a compiler.
static OBJECT: &[u8] = aya::include_bytes_aligned!("kernel/processes.bpf.o");

const RING: &str = "ring";
const LOST: &str = "lost";
/// Program and tracepoint.
const EVENTS: [(&str, &str); 2] = [("began", "sched_process_fork"), ("ended", "sched_process_exit")];

/// What runs in the kernel now, until it is dropped.
pub(super) struct Loaded {
    pub(super) program: Ebpf,
    pub(super) ring: Ring,
    /// How many events found no room in the ring.
    pub(super) lost: Array<MapData, u64>,
}

/// Loads and attaches everything, with a ring of so many bytes: a power of two, and whole pages.
pub(super) fn load(ring_bytes: u32) -> Result<Loaded, String> {
    check_capabilities()?;
    let loaded = load_with_types(ring_bytes);
    give_back_memory();
    loaded.map_err(|error| in_one_line(&*error))
}

fn load_with_types(ring_bytes: u32) -> Result<Loaded, Box<dyn Error>> {
    // Where the kernel's own memory for programs counts against this limit (before 5.11), the default is too low. It may
    // not be ours to set: then loading says so.
    let unlimited = Rlimit { current: None, maximum: None };
    setrlimit(Resource::Memlock, unlimited).unwrap_or_default();
    let types = Btf::from_sys_fs()
        .map_err(|error| format!("this kernel does not tell its types (/sys/kernel/btf/vmlinux): {error}"))?;
    let mut program = EbpfLoader::new()
        .btf(Some(&types))
        // Not none: aya tries again where the kernel was interrupted, and asks for words then.
        .verifier_log_level(VerifierLogLevel::STATS)
        .map_max_entries(RING, ring_bytes)
        .load(OBJECT)?;
    let iterator: &mut Iter = program.program_mut(tasks::PROGRAM).ok_or("no iterator in the object")?.try_into()?;
    iterator.load("task", &types)?;
    for (name, tracepoint) in EVENTS {
        let events: &mut BtfTracePoint =
            program.program_mut(name).ok_or("no such program in the object")?.try_into()?;
        events.load(tracepoint, &types)?;
        events.attach()?;
    }
    let Some(Map::RingBuf(ring)) = program.take_map(RING) else { return Err("no ring in the object".into()) };
    let ring = Ring::new(ring, ring_bytes)?;
    let lost = Array::try_from(program.take_map(LOST).ok_or("no counter in the object")?)?;
    Ok(Loaded { program, ring, lost })
}

/// Asked first, because the kernel's types are megabytes to read.
fn check_capabilities() -> Result<(), String> {
    let own = capabilities(None).map_err(|error| error.to_string())?.effective;
    let enough = own.contains(CapabilitySet::SYS_ADMIN) || own.contains(CapabilitySet::BPF | CapabilitySet::PERFMON);
    if enough { Ok(()) } else { Err("it needs the capabilities CAP_BPF and CAP_PERFMON".to_owned()) }
}

/// The kernel's types took tens of megabytes, in pieces that the allocator would keep.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "the C library's own, in no safe wrapper")]
        // SAFETY: takes no pointer, may be called at any time by any thread.
        let _gave_back: i32 = unsafe { libc::malloc_trim(0) };
    }
}

/// An error and its causes; where an operating system's refusal is among them, that last.
fn in_one_line(error: &dyn Error) -> String {
    const LENGTH_MAX: usize = 300;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) && write!(text, ": {inner_text}").is_err() {
            break;
        }
        if inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            text.push_str(" (not allowed, or locked down)");
        }
        cause = inner.source();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line[..line.floor_char_boundary(LENGTH_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the kernel said\nmuch")]
    struct Refused(#[source] io::Error);

    #[test]
    fn causes_are_told_in_one_line() {
        let error = Refused(io::Error::from_raw_os_error(1));
        assert_eq!(
            in_one_line(&error),
            "the kernel said much: Operation not permitted (os error 1) (not allowed, or locked down)"
        );
    }
}
