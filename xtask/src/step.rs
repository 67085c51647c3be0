//! Steps of a task: run one after the other, each timed; all run even where one fails, so that one look shows
//! everything that is wrong.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// One check.
pub(crate) struct Step {
    /// Short name, as `--only` takes it.
    pub(crate) name: &'static str,
    /// What it checks, for `--list`.
    pub(crate) about: &'static str,
    /// Does it.
    pub(crate) run: fn() -> Result<()>,
}

struct Outcome {
    name: &'static str,
    took: Duration,
    result: Result<()>,
}

/// Runs the steps and ends with a line `N passed, N failed`.
pub(crate) fn run_all(steps: &[&Step]) -> ExitCode {
    let outcomes: Vec<Outcome> = steps.iter().map(|step| run_one(step)).collect();
    println!("\n{:-<72}", "");
    for Outcome { name, took, result } in &outcomes {
        match result {
            Ok(()) => println!("passed  {name:<14} {:>7.1} s", took.as_secs_f64()),
            Err(error) => println!("FAILED  {name:<14} {:>7.1} s  {error:#}", took.as_secs_f64()),
        }
    }
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_one(step: &Step) -> Outcome {
    println!("\n== {}: {}", step.name, step.about);
    let began = Instant::now();
    let result = (step.run)();
    let took = began.elapsed();
    match &result {
        Ok(()) => println!("== {} passed in {:.1} s", step.name, took.as_secs_f64()),
        Err(error) => println!("== {} FAILED after {:.1} s: {error:#}", step.name, took.as_secs_f64()),
    }
    Outcome { name: step.name, took, result }
}
