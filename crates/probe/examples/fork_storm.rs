//! Forks tens of thousands of processes that end at once, and says how many of them the next snapshot has and what they
//! cost: `cargo run --release -p procession-probe --example fork_storm [LIVES]`. Needs CAP_NET_ADMIN, and perl to fork.
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use procession_model::{Exit, HostMetric};
use procession_probe::{Collection, Moment, Probe, ProbeConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let lives: usize = std::env::args().nth(1).map_or(Ok(20_000), |lives| lives.parse())?;
    let mut probe = Probe::new(ProbeConfig { events: Collection::Events, ..ProbeConfig::default() })?;
    let origin = Instant::now();
    println!("collector: {}", probe.facts().collector.as_deref().unwrap_or("?"));
    probe.snapshot(Moment::now(origin))?;
    let quiet = probe.snapshot(Moment::now(origin))?;
    let script = format!("for (1..{lives}) {{ if (!fork) {{ exit 5 }} wait }}");
    let began = Instant::now();
    let mut child = Command::new("perl").args(["-e", &script]).spawn()?;
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
