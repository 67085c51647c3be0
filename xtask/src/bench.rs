//! `cargo xtask bench`: measures, and keeps the tables in `docs/BENCHMARKS.md` with the machine they were made on.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use crate::command::{cargo, command, output_of, run, run_watching};
use crate::{bench_agent, workspace};

const DOCUMENT: &str = "docs/BENCHMARKS.md";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(value_enum)]
    what: What,
    /// Only print; leave the document as it is.
    #[arg(long)]
    print: bool,
    /// More for the bench itself, after `--`.
    #[arg(last = true)]
    more: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Bytes a sample, speed of storing, time to answer; beside plain SQLite rows.
    History,
    /// What the server takes in, durably, from simulated agents; beside plain SQLite rows.
    Ingest,
    /// What watching costs a machine; beside other ways to read processes.
    Agent,
    /// What the page costs the browser.
    Page,
}

impl What {
    fn heading(self) -> &'static str {
        match self {
            Self::History => "## History",
            Self::Ingest => "## Ingest",
            Self::Agent => "## Agent",
            Self::Page => "## Page",
        }
    }

    fn cargo(self) -> Option<&'static [&'static str]> {
        match self {
            Self::History => Some(&["bench", "--locked", "--package", "procession", "--bench", "history"]),
            Self::Ingest => Some(&["bench", "--locked", "--package", "procession", "--bench", "ingest"]),
            Self::Agent | Self::Page => None,
        }
    }
}

/// Measures and writes down.
pub(crate) fn bench(options: &Options) -> Result<ExitCode> {
    let what = options.what;
    let printed = match what.cargo() {
        Some(arguments) => {
            let mut bench = cargo(arguments);
            bench.arg("--").args(&options.more);
            let mut printed = String::new();
            run_watching(bench, |line| printed.extend([line, "\n"]))?;
            printed
        }
        None if matches!(what, What::Agent) => bench_agent::measure(&options.more)?,
        None => page(&options.more)?,
    };
    let tables = table_of_json_lines(&printed).unwrap_or(printed);
    println!("{tables}");
    if !options.print {
        write(what, &tables, &options.more)?;
        println!("written to {DOCUMENT}");
    }
    Ok(ExitCode::SUCCESS)
}

fn page(more: &[String]) -> Result<String> {
    let mut build = cargo(&["build", "--release", "--locked", "--bin", "procession"]);
    build.env_remove("RUSTFLAGS");
    run(build)?;
    let mut install = command("npm", &["ci", "--no-audit", "--no-fund"]);
    install.current_dir(workspace::root().join("e2e"));
    run(install)?;
    let mut bench = command("npm", &["run", "--silent", "bench", "--"]);
    bench.args(more).current_dir(workspace::root().join("e2e"));
    bench.env("PROCESSION_BINARY", workspace::target().join("release/procession"));
    output_of(bench)
}

/// Puts the section in the place of the one that was there.
fn write(what: What, tables: &str, more: &[String]) -> Result<()> {
    let path = workspace::root().join(DOCUMENT);
    let document = std::fs::read_to_string(&path).unwrap_or_else(|_| HEAD.to_owned());
    let more = more.iter().map(|word| format!(" {}", without_folder(word))).collect::<String>();
    let called = format!("cargo xtask bench {}{}{more}", what.name(), if more.is_empty() { "" } else { " --" });
    let section = format!("{}\n\n`{called}` on {}.\n\n{}\n", what.heading(), machine(), tables.trim());
    std::fs::write(&path, replaced(&document, what.heading(), &section)).with_context(|| path.display().to_string())
}

/// A file by its name alone: where it lay is of no use to those who read the document.
fn without_folder(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Ingest => "ingest",
            Self::Agent => "agent",
            Self::Page => "page",
        }
    }
}

const HEAD: &str = "# Benchmarks

Every table is made by the command above it, in one run with what it is compared with. Compare ratios, not absolute
times: those belong to the machine. `cargo xtask bench history`, `ingest`, `agent` and `page` put their tables below.
";

/// The document with the section under this heading replaced, or added at the end.
fn replaced(document: &str, heading: &str, section: &str) -> String {
    let Some(begin) = document.find(&format!("{heading}\n")) else {
        return format!("{}\n\n{section}", document.trim_end());
    };
    let rest = &document[begin + heading.len()..];
    let after = rest.find("\n## ").map_or("", |end| &rest[end + 1..]);
    let after = if after.is_empty() { String::new() } else { format!("\n{after}") };
    format!("{}{section}{after}", &document[..begin])
}

/// A table of what a bench printed as JSON objects, one a line; `None` where it printed something else.
pub(crate) fn table_of_json_lines(printed: &str) -> Option<String> {
    let rows: Vec<Map<String, Value>> = printed
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|rows: &Vec<_>| !rows.is_empty())?;
    let mut head: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !head.contains(&name) {
            head.push(name);
        }
    }
    let cell = |value: Option<&Value>| match value {
        None => String::new(),
        Some(Value::String(text)) => text.replace('|', "\\|"),
        Some(value) => value.to_string(),
    };
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(head.iter().map(|name| name.replace('_', " ")).collect());
    table.push_str(&line(vec!["---".into(); head.len()]));
    table.extend(rows.iter().map(|row| line(head.iter().map(|name| cell(row.get(*name))).collect())));
    Some(table)
}

/// This machine and its tools, in a line.
fn machine() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?.to_owned();
        Some(line.split(':').nth(1)?.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let kib: u64 = text.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
        Some(format!(", {} GiB of memory", kib >> 20))
    });
    let system = std::fs::read_to_string("/etc/os-release").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?.to_owned();
        Some(format!(", {}", line.trim_matches('"')))
    });
    let compiler = output_of(command("rustc", &["--version"])).unwrap_or_default();
    let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let disk = if Path::new("/dev/vda").exists() { ", virtual disk" } else { "" };
    format!(
        "{cores} cores of {model}{}{}{disk}, {}",
        memory.unwrap_or_default(),
        system.unwrap_or_default(),
        compiler.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_become_a_table() {
        let table =
            table_of_json_lines("{\"way\": \"pread\", \"ns\": 1.5}\n{\"way\": \"psutil\", \"skipped\": \"no\"}")
                .unwrap();
        assert_eq!(table.lines().count(), 4, "{table}");
        assert!(table.lines().all(|line| line.matches('|').count() == 4), "{table}");
        assert_eq!(table_of_json_lines("### Size\n"), None);
    }

    #[test]
    fn a_section_replaces_its_predecessor_only() {
        let first = replaced(HEAD, "## History", "## History\n\nold\n");
        let both = replaced(&first, "## Agent", "## Agent\n\nstays\n");
        let again = replaced(&both, "## History", "## History\n\nnew\n");
        assert!(again.contains("new") && again.contains("stays") && !again.contains("old"), "{again}");
        assert_eq!(replaced(&again, "## History", "## History\n\nnew\n"), again);
    }
}
