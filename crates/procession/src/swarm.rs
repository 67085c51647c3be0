//! `procession swarm`: many simulated agents from one process, to see how a server holds.
//!
//! A task a host, all on one runtime. What is sent is made beforehand (see `pattern`), so that most of the CPU is left to
//! the server. The time to acknowledgement counts from when a frame was *due*: a server that makes the swarm wait is not
//! flattered by frames that were never sent. Opening thousands of connections is not what a server does all day, so they are
//! opened over a time of their own, and what was due in it is told apart.

mod figures;
mod frames;
pub mod machine;
mod pattern;
mod post;
mod programs;
mod target;
mod uploads;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use procession_model::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::moment;
use crate::runtime::{block_on, raise_open_files};
use figures::{Figures, Plan};
use machine::MachineConfig;
use pattern::Pattern;
use target::Target;

/// Different machines made; hosts beyond that share them.
const PATTERNS_MAX: u32 = 16;
/// How long a server may take to acknowledge what is still under way at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// New connections a second if nothing is said: a fleet that is rolled out or comes back, no attack.
const CONNECTIONS_PER_SECOND: u32 = 500;
/// Open files that a swarm has besides its connections, and some to spare.
const OTHER_FILES: u64 = 64;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Address of the server
    #[arg(long, env = "PROCESSION_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8000")]
    server: String,
    /// A key for uploads
    #[arg(long, env = "PROCESSION_KEY", value_name = "KEY", hide_env_values = true)]
    key: String,
    /// How many hosts
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    hosts: u32,
    /// How many processes each
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    processes: u32,
    /// Time between two snapshots of a host; 0s: the next one as soon as the last is acknowledged
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = moment::duration)]
    interval: Duration,
    /// How long all hosts are connected
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = moment::duration)]
    duration: Duration,
    /// Over how long connections are opened before that [default: 500 a second]
    #[arg(long, value_name = "TIME", value_parser = moment::duration)]
    ramp_up: Option<Duration>,
    /// What to send
    #[arg(long, value_enum, default_value = "frames")]
    format: Format,
    /// Host names are this and a number
    #[arg(long, value_name = "TEXT", default_value = "swarm-")]
    host_prefix: String,
    /// The same seed makes the same machines
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// As agents do: frames over a WebSocket each
    Frames,
    /// The published uploads
    Json,
}

/// When hosts send.
#[derive(Clone, Copy, Debug)]
struct Pace {
    interval: Duration,
    end: Instant,
    last_answers: Instant,
}

/// One simulated host.
#[derive(Debug)]
struct SimulatedHost {
    name: String,
    number: u32,
    first_due: Instant,
    pattern: Arc<Pattern>,
}

/// Simulates and prints one line of figures.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    check_open_files(options.hosts, raise_open_files())?;
    let target = Target::new(&options.server, &options.key).map_err(Failure::usage)?;
    let figures = block_on(simulate(options, target))?;
    writeln!(std::io::stdout(), "{}", figures.line())?;
    match figures.first_trouble() {
        Some(trouble) if figures.acknowledged() == 0 => {
            Err(Failure::failed(format!("nothing was acknowledged: {trouble}"))
                .hint("is the address right, and the key one for uploads?"))
        }
        _ => Ok(()),
    }
}

fn check_open_files(hosts: u32, limit: Option<u64>) -> Result<(), Failure> {
    match limit {
        Some(limit) if u64::from(hosts) + OTHER_FILES > limit => {
            Err(Failure::usage(format!("{hosts} hosts need a connection each, and only {limit} files may be open"))
                .hint(
                    "raise the hard limit (ulimit -Hn, LimitNOFILE=), or run several swarms with a --host-prefix each",
                ))
        }
        _ => Ok(()),
    }
}

async fn simulate(options: &Options, target: Target) -> Result<Arc<Figures>, Failure> {
    let patterns = patterns(options)?;
    let begin = Instant::now();
    let usual = || Duration::from_secs_f64(f64::from(options.hosts) / f64::from(CONNECTIONS_PER_SECOND));
    // Never all at the same moment of the interval: real agents are not.
    let ramp = options.ramp_up.unwrap_or_else(usual).max(options.interval);
    let end = begin + ramp + options.duration;
    let plan = Plan {
        hosts: options.hosts,
        processes: options.processes,
        ramp_up: ramp,
        steady: options.duration,
        steady_from: begin + ramp,
    };
    let (target, figures) = (Arc::new(target), Arc::new(Figures::new(plan)));
    let pace = Pace { interval: options.interval, end, last_answers: end + LAST_ANSWERS };
    let mut hosts = JoinSet::new();
    for number in 0..options.hosts {
        let spread = ramp.mul_f64(f64::from(number) / f64::from(options.hosts));
        let host = SimulatedHost {
            name: format!("{}{number:05}", options.host_prefix),
            number,
            first_due: begin + spread,
            pattern: Arc::clone(&patterns[number as usize % patterns.len()]),
        };
        let (target, figures) = (Arc::clone(&target), Arc::clone(&figures));
        match options.format {
            Format::Frames => hosts.spawn(frames::host(host, pace, target, figures)),
            Format::Json => hosts.spawn(uploads::host(host, pace, target, figures)),
        };
    }
    while hosts.join_next().await.is_some() {}
    Ok(figures)
}

fn patterns(options: &Options) -> Result<Vec<Arc<Pattern>>, Failure> {
    let boot = Timestamp::from_ms(moment::now().as_ms() - 86_400_000);
    let interval_ms = u64::try_from(options.interval.as_millis()).unwrap_or(u64::MAX).max(1);
    (0..options.hosts.min(PATTERNS_MAX))
        .map(|number| {
            let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number));
            let config = MachineConfig::ordinary(seed, options.processes, interval_ms);
            Pattern::new(config, boot).map(Arc::new).map_err(Failure::failed)
        })
        .collect()
}
