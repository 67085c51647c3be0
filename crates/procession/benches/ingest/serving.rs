//! The server under measurement: the binary as it is shipped, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Clock ticks a second in `/proc`, which Linux has fixed.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server, killed with this value.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
}

/// What it has cost so far.
pub(crate) struct Cost {
    pub(crate) peak_mb: u64,
    pub(crate) cpu_s: f64,
}

/// What the binary prints with these arguments.
pub(crate) fn output_of(arguments: &[&str]) -> Result<String> {
    let output = binary(arguments).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{arguments:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// A key for uploads.
pub(crate) fn key(folder: &Path) -> Result<String> {
    let folder = folder.to_str().context("a path in UTF-8")?;
    Ok(output_of(&["key", "create", "--data", folder, "--purpose", "upload"])?.trim().to_owned())
}

fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_procession"));
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Serving {
    /// Starts one; returns once it takes connections.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let folder = folder.to_str().context("a path in UTF-8")?;
        let arguments = ["serve", "--data", folder, "--listen", "127.0.0.1:0", "--no-local-agent", "--log", "error"];
        let mut child = binary(&arguments).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("piped")?).lines();
        let mut serving = Self { child, url: String::new() };
        for line in lines {
            let line = line?;
            if let Some(at) = line.find("http://127.0.0.1:") {
                let rest = &line[at + "http://".len()..];
                serving.url = format!("http://{}", rest.split(['/', ' ']).next().unwrap_or(rest));
            }
            // The last line of the greeting.
            if line.contains("Ctrl-C") {
                break;
            }
        }
        ensure!(!serving.url.is_empty(), "the server did not start");
        Ok(serving)
    }

    /// CPU time and the most memory until now.
    pub(crate) fn cost(&self) -> Result<Cost> {
        let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let (status, stat) = (read("status")?, read("stat")?);
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse()?;
        // The name may have blanks; after it come the state and ten more numbers before the times.
        let mut times = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let mut ticks = || times.next().context("a time")?.parse::<f64>().context("a number");
        Ok(Cost { peak_mb: peak_kb >> 10, cpu_s: (ticks()? + ticks()?) / TICKS_PER_SECOND })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Already gone is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
