//! What a look at every process costs, beside other ways to look: CPU time for a process and sweep, all in the same run.
//!
//! `cargo run --release -p procession-agent --example cost -- [PROCESSES] [ROUNDS] [WAY]` makes that many idle processes, looks at
//! all processes of the machine by each way in turn, and prints one JSON object a way: the median of the rounds in
//! nanoseconds, and its ratio to loops that do nothing but `pread`: one reads the very descriptors that a look reads, those
//! of the host among them; the other only those of the processes. psutil is measured where `python3` (or the program
//! in `PROCESSION_PYTHON`) has it.
#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "its output is what it is for"))]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    Err("this bench reads the proc file system of Linux".into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::fs::{self, File};
    use std::hint::black_box;
    use std::os::unix::fs::FileExt as _;
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use procession_codec::HostState;
    use procession_codec::frame::encode;
    use procession_model::Snapshot;
    use procession_probe::{Collection, Moment, OptionalFields, Probe, ProbeConfig};
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

    const SWEEPS: usize = 20;
    /// What a look reads beside the processes' own.
    const HOST_FILES: [&str; 3] = ["/proc/stat", "/proc/meminfo", "/proc/loadavg"];
    /// Those come first.
    const BARE_WAYS: usize = 2;
    const PSUTIL: &str = "
import sys, time, psutil
sweeps = int(sys.argv[1])
fields = ['pid', 'ppid', 'name', 'cpu_times', 'memory_info', 'num_threads', 'status']
def sweep():
    return sum(1 for _ in psutil.process_iter(fields))
sweep()
began = time.process_time()
seen = sum(sweep() for _ in range(sweeps))
print((time.process_time() - began) / seen * 1e9)
";

    /// One way to look at all processes; returns how many it saw.
    type Look = Box<dyn FnMut() -> usize>;

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let processes: usize = arguments.next().as_deref().unwrap_or("1000").parse()?;
        let rounds: usize = arguments.next().as_deref().unwrap_or("7").parse()?;
        let population = Population::new(processes)?;
        let only = arguments.next();
        let mut ways = ways()?;
        ways.retain(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
        let mut figures: Vec<(&str, Vec<f64>)> = ways.iter().map(|(name, _)| (*name, Vec::new())).collect();
        for round in 0..=rounds {
            for ((_, look), (_, figures)) in ways.iter_mut().zip(&mut figures) {
                let cost = cost_ns(look);
                // The first round warms up.
                if round > 0 {
                    figures.push(cost);
                }
            }
        }
        if only.is_none() {
            figures.push(("psutil", (0..rounds.min(3)).map_while(|_| psutil_ns()).collect()));
        }
        print(processes, &mut figures);
        drop(population);
        Ok(())
    }

    fn print(processes: usize, figures: &mut [(&str, Vec<f64>)]) {
        let mut bare = Vec::new();
        for (way, figures) in figures {
            figures.sort_by(f64::total_cmp);
            let Some(median) = figures.get(figures.len() / 2) else {
                println!("{}", serde_json::json!({ "way": way, "skipped": "not to be had on this machine" }));
                continue;
            };
            if bare.len() < BARE_WAYS {
                bare.push(*median);
            }
            let ratio = |to: usize| bare.get(to).map(|bare| (median / bare * 100.0).round() / 100.0);
            println!(
                "{}",
                serde_json::json!({
                    "way": way,
                    "processes_made": processes,
                    "ns_per_process": median.round(),
                    "ratio_to_bare_pread": ratio(0),
                    "ratio_to_bare_pread_without_host_files": ratio(1),
                })
            );
        }
    }

    fn ways() -> Result<Vec<(&'static str, Look)>, Box<dyn Error>> {
        Ok(vec![
            ("bare pread", bare_pread(&HOST_FILES)?),
            ("bare pread without host files", bare_pread(&[])?),
            ("procession", probe(ProbeConfig::default())?),
            (
                "procession, no descriptors kept",
                probe(ProbeConfig { descriptors_max: Some(0), ..ProbeConfig::default() })?,
            ),
            (
                "procession, with io",
                probe(ProbeConfig { fields: OptionalFields { io: true }, ..ProbeConfig::default() })?,
            ),
            ("procession, by a program in the kernel", in_kernel()),
            ("procession, whole tick to an encoded frame", whole_tick()?),
            ("sysinfo", sysinfo()?),
            ("procfs crate", Box::new(procfs_crate)),
        ])
    }

    /// The least that anyone can do who reads `stat`, and these files of the host: open descriptors, one buffer.
    fn bare_pread(host_files: &[&str]) -> Result<Look, Box<dyn Error>> {
        let host_files = host_files.iter().map(File::open).collect::<Result<Vec<_>, _>>()?;
        let files: Vec<File> = fs::read_dir("/proc")?
            .filter_map(|entry| Some(entry.ok()?.path().join("stat")))
            .filter(|path| {
                path.components().nth(2).is_some_and(|pid| pid.as_os_str().as_encoded_bytes()[0].is_ascii_digit())
            })
            .filter_map(|path| File::open(path).ok())
            .collect();
        let mut buffer = [0; 4096];
        Ok(Box::new(move || {
            for file in &host_files {
                black_box(file.read_at(&mut buffer, 0).is_ok());
            }
            files.iter().filter(|file| file.read_at(&mut buffer, 0).is_ok_and(|length| length > 0)).count()
        }))
    }

    /// Sees nothing where that may not be loaded.
    fn in_kernel() -> Look {
        let loaded = probe_by(ProbeConfig { events: Collection::Bpf, ..ProbeConfig::default() });
        loaded.unwrap_or_else(|_| Box::new(|| 0))
    }

    fn probe(config: ProbeConfig) -> Result<Look, Box<dyn Error>> {
        probe_by(ProbeConfig { events: Collection::Polling, ..config })
    }

    fn probe_by(config: ProbeConfig) -> Result<Look, Box<dyn Error>> {
        let mut probe = Probe::new(config)?;
        let (origin, mut snapshot) = (Instant::now(), Snapshot::default());
        Ok(Box::new(move || match probe.snapshot_into(Moment::now(origin), &mut snapshot) {
            Ok(()) => snapshot.processes.len(),
            Err(_) => 0,
        }))
    }

    fn whole_tick() -> Result<Look, Box<dyn Error>> {
        let mut probe = Probe::new(ProbeConfig { events: Collection::Polling, ..ProbeConfig::default() })?;
        let (origin, mut snapshot, mut state) = (Instant::now(), Snapshot::default(), HostState::of_this_machine());
        let mut bytes = Vec::new();
        Ok(Box::new(move || {
            let taken = probe.snapshot_into(Moment::now(origin), &mut snapshot).is_ok();
            let Some(frame) = taken.then(|| state.advance(&snapshot).ok()).flatten() else { return 0 };
            bytes.clear();
            encode(&frame, &mut bytes);
            black_box(&bytes);
            snapshot.processes.len()
        }))
    }

    fn sysinfo() -> Result<Look, Box<dyn Error>> {
        let mut system = System::new()?;
        let what = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_cmd(UpdateKind::OnlyIfNotSet)
            .with_user(UpdateKind::OnlyIfNotSet)
            .without_tasks();
        Ok(Box::new(move || system.refresh_processes_specifics(ProcessesToUpdate::All, true, what)))
    }

    fn procfs_crate() -> usize {
        let Ok(all) = procfs::process::all_processes() else { return 0 };
        all.filter_map(|process| process.ok()?.stat().ok()).map(black_box).count()
    }

    /// CPU time of this process for a process and sweep.
    fn cost_ns(look: &mut Look) -> f64 {
        look();
        let began = cpu_time_ns();
        let seen: usize = (0..SWEEPS).map(|_| look()).sum();
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let cost = (cpu_time_ns() - began) as f64 / seen.max(1) as f64;
        cost
    }

    fn cpu_time_ns() -> i64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    fn psutil_ns() -> Option<f64> {
        let python = std::env::var("PROCESSION_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new(python).args(["-c", PSUTIL, &SWEEPS.to_string()]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }

    /// Idle processes, ended with the bench.
    struct Population(Vec<Child>);

    impl Population {
        fn new(processes: usize) -> Result<Self, Box<dyn Error>> {
            let mut population = Self(Vec::with_capacity(processes));
            for _ in 0..processes {
                // They wait for an input that ends when the bench does, however it ends.
                let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
                population.0.push(child);
            }
            Ok(population)
        }
    }

    impl Drop for Population {
        fn drop(&mut self) {
            for child in &mut self.0 {
                // Whoever has ended by itself need not be ended.
                if child.kill().is_ok() {
                    drop(child.wait());
                }
            }
        }
    }
}
