//! Tasks of the project: `cargo xtask test` is what must pass before anything is published; the rest measures, packs
//! and draws. Plain Rust, so that a fresh machine needs nothing but cargo to run them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to the person at the terminal")]

mod api_document;
mod architecture;
mod bench;
mod bench_agent;
mod command;
mod cross;
mod debian;
mod dependencies;
mod dist;
mod macos;
mod page;
mod rust;
mod soak;
mod step;
mod test;
mod tidy;
mod windows;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the project", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check: formats, lints, rules of the tree, dependencies, tests, documentation, the page in a browser.
    Test(test::Options),
    /// Run the long forms of tests: hours of kills, floods and made-up requests.
    Soak(soak::Options),
    /// Measure, and keep the tables in docs/BENCHMARKS.md.
    Bench(bench::Options),
    /// Make docs/API.md from the OpenAPI document.
    ApiDocument,
    /// Draw every view of the page into docs/screenshots.
    Screenshots,
    /// Build binaries for Linux and Windows, with checksums.
    Dist(dist::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Soak(options) => soak::soak(&options),
        Task::Bench(options) => bench::bench(&options),
        Task::ApiDocument => api_document::write(),
        Task::Screenshots => page::screenshots().map(|()| ExitCode::SUCCESS),
        Task::Dist(options) => dist::dist(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
