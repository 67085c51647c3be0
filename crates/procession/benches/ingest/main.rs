//! What the server takes in, durably, from simulated agents on the same machine: frames, published uploads beside plain SQLite
//! rows made of the same snapshots, and how soon it starts on a long journal. `cargo xtask bench ingest` runs it and keeps the
//! table.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod journal;
mod rows;
mod serving;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};

use serving::Serving;

/// What to measure.
#[derive(Parser)]
struct Options {
    /// How many hosts send frames, one a second each
    #[arg(long, default_value_t = 10_000)]
    hosts: u32,
    /// How many hosts upload, each the next one as soon as the last is acknowledged
    #[arg(long, default_value_t = 32)]
    uploaders: u32,
    /// How many processes each
    #[arg(long, default_value_t = 300)]
    processes: u32,
    /// For how many seconds frames come while all hosts are connected
    #[arg(long, default_value_t = 90)]
    seconds: u32,
    /// Megabytes of the journal to start with
    #[arg(long, default_value_t = 1_024)]
    journal_mb: u64,
    /// Only one part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// What cargo gives every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Frames,
    Uploads,
    Journal,
}

/// How long uploads are measured, and rows are inserted for comparison, in seconds.
const UPLOAD_SECONDS: u32 = 10;

fn main() -> Result<()> {
    let options = Options::parse();
    let wants = |part| options.only.is_none_or(|only| only == part);
    if wants(Part::Frames) {
        let hosts = options.hosts.to_string();
        println!("{}", swarm(&options, &hosts, options.seconds, &["--format", "frames", "--interval", "1s"])?);
    }
    if wants(Part::Uploads) {
        let uploaders = options.uploaders.to_string();
        let more = ["--format", "json", "--interval", "0s", "--ramp-up", "1s"];
        let mut ours = swarm(&options, &uploaders, UPLOAD_SECONDS, &more)?;
        let rows = rows::per_second(options.processes, UPLOAD_SECONDS)?;
        ours["ratio_to_rows"] = json!(rounded(number(&ours, "per_second")? / rows));
        println!("{ours}");
        let what = format!("plain SQLite rows, {} a transaction", options.processes);
        println!("{}", json!({"what": what, "per_second": rounded(rows)}));
    }
    if wants(Part::Journal) {
        println!("{}", journal::start(options.journal_mb, options.processes)?);
    }
    Ok(())
}

/// A server and a swarm beside it.
fn swarm(options: &Options, hosts: &str, seconds: u32, more: &[&str]) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let key = serving::key(folder.path())?;
    let server = Serving::start(folder.path())?;
    let (processes, duration) = (options.processes.to_string(), format!("{seconds}s"));
    let arguments = [
        &["swarm", "--server", &server.url, "--key", &key, "--hosts", hosts, "--processes", &processes],
        &["--duration", &duration][..],
        more,
    ]
    .concat();
    let printed = serving::output_of(&arguments)?;
    let line: Value = serde_json::from_str(&printed).context("the line of the swarm")?;
    let cost = server.cost()?;
    let whole = number(&line, "ramp_up_s")? + number(&line, "steady_s")?;
    Ok(json!({
        "what": format!("{} of {hosts} hosts", more[1]),
        "per_second": rounded(number(&line, "steady_acknowledged")? / number(&line, "steady_s")?),
        "p50_ms": line["steady_p50_ms"],
        "p99_ms": line["steady_p99_ms"],
        "longest_ms": line["steady_max_ms"],
        "ramp_up_s": line["ramp_up_s"],
        "ramp_up_p99_ms": line["ramp_up_p99_ms"],
        "not_acknowledged": number(&line, "sent")? - number(&line, "acknowledged")?,
        "server_peak_mb": cost.peak_mb,
        "server_cpu": rounded(cost.cpu_s / whole),
    }))
}

fn number(line: &Value, name: &str) -> Result<f64> {
    line[name].as_f64().with_context(|| format!("{name} in {line}"))
}

/// To three digits or so.
fn rounded(number: f64) -> f64 {
    if number < 100.0 { (number * 100.0).round() / 100.0 } else { number.round() }
}
