//! Starts tens of thousands of processes that end at once, and says how many of them the next snapshot has and what they
//! cost: `cargo run --release -p procession-probe --example fork_storm [LIVES] [events|bpf]`. Needs
//! CAP_NET_ADMIN, or CAP_BPF and CAP_PERFMON. Another process starts
//! them, from as many threads as there are CPUs, so that its work is not counted as ours.
#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "it is a program"))]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    Err("this needs the events of Linux".into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::process::Command;
    use std::time::Instant;

    use procession_model::{Exit, HostMetric};
    use procession_probe::{Collection, Moment, Probe, ProbeConfig};

    /// The first argument of the process that starts the others.
    const STARTING: &str = "start";
    const STACK_BYTES: usize = 64 << 10;

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let first = arguments.next();
        if first.as_deref() == Some(STARTING) {
            return start(arguments.next().ok_or("how many?")?.parse()?);
        }
        let by = match arguments.next().as_deref() {
            Some("bpf") => Collection::Bpf,
            _ => Collection::Events,
        };
        storm(first.map_or(Ok(20_000), |lives| lives.parse())?, by)
    }

    /// Starts and awaits so many processes.
    fn start(lives: usize) -> Result<(), Box<dyn Error>> {
        let threads = std::thread::available_parallelism()?.get();
        let share = |thread: usize| (lives + thread) / threads;
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..threads).map(|thread| scope.spawn(move || one_after_another(share(thread)))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a thread panicked")?)
        })
        .map_err(Box::from)
    }

    fn one_after_another(lives: usize) -> Result<(), &'static str> {
        extern "C" fn end(_: *mut libc::c_void) -> libc::c_int {
            5
        }
        let mut stack = vec![0_u8; STACK_BYTES];
        for _ in 0..lives {
            #[expect(unsafe_code, reason = "fork copies this process, which costs ten times as much")]
            // SAFETY: the child only returns a number, on a stack of its own, which grows downwards from an aligned end; we do
            // not go on before it has ended (CLONE_VFORK).
            let pid = unsafe {
                let top = stack.as_mut_ptr().add(STACK_BYTES);
                let top = top.sub(top.addr() % 16);
                libc::clone(end, top.cast(), libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, std::ptr::null_mut())
            };
            let pid = rustix::process::Pid::from_raw(pid).ok_or("cannot start a process")?;
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
                .map_err(|_| "cannot await it")?;
        }
        Ok(())
    }

    fn storm(lives: usize, events: Collection) -> Result<(), Box<dyn Error>> {
        let mut probe = Probe::new(ProbeConfig { events, ..ProbeConfig::default() })?;
        let origin = Instant::now();
        println!("collector: {}", probe.facts().collector.as_deref().unwrap_or("?"));
        probe.snapshot(Moment::now(origin))?;
        let quiet = probe.snapshot(Moment::now(origin))?;
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe()?).args([STARTING, &lives.to_string()]).spawn()?;
        let parent = child.id();
        child.wait()?;
        let took = began.elapsed();
        let snapshot = probe.snapshot(Moment::now(origin))?;
        let told: Vec<_> = snapshot.brief.iter().filter(|brief| brief.description.parent_pid == Some(parent)).collect();
        let count: u32 = told.iter().map(|brief| brief.count).sum();
        let with_code = told.iter().filter(|brief| brief.end.exit == Some(Exit::Code(5))).count();
        let with_memory = told.iter().filter(|brief| brief.end.peak_memory_bytes.is_some()).count();
        let cpu_us = |snapshot: &procession_model::Snapshot| snapshot.host.get(HostMetric::AgentCpuMicros).unwrap_or(0);
        println!("{lives} lives within {took:.2?}");
        println!(
            "{count} told, {with_code} with their exit code, {with_memory} with their memory; losses {:?}",
            snapshot.losses
        );
        println!("a quiet snapshot before took {} us of CPU time", cpu_us(&quiet));
        let after = probe.snapshot(Moment::now(origin))?;
        #[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
        let each = (cpu_us(&snapshot) + cpu_us(&after)).saturating_sub(2 * cpu_us(&quiet)) as f64 / lives as f64;
        println!("{each:.2} us of our CPU time a life");
        Ok(())
    }
}
