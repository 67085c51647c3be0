//! `cargo xtask test`: everything that must hold.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::step::{self, Step};
use crate::{api_document, architecture, dependencies, macos, page, rust, tidy, windows};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these steps, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    only: Vec<String>,
    /// All but these steps, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STEP", conflicts_with = "only")]
    skip: Vec<String>,
    /// List the steps and run none.
    #[arg(long)]
    list: bool,
}

/// Cheap ones first: what is quickly wrong is quickly known.
const STEPS: &[Step] = &[
    Step { name: "format", about: "rustfmt finds nothing to change", run: rust::format },
    Step { name: "tidy", about: "rules of the tree: lengths, lints, links, words", run: tidy::run },
    Step { name: "architecture", about: "crates depend only on what they may", run: architecture::run },
    Step { name: "api-document", about: "docs/API.md is what the OpenAPI document says", run: api_document::check },
    Step { name: "page-types", about: "the page's types fit", run: page::types },
    Step { name: "clippy", about: "no lint fires in any target", run: rust::clippy },
    Step { name: "unit", about: "unit and integration tests of every crate", run: rust::tests },
    Step { name: "doc-tests", about: "examples in the documentation run", run: rust::doc_tests },
    Step { name: "docs", about: "documentation builds without a warning", run: rust::documentation },
    Step { name: "fuzz-targets", about: "fuzz targets compile", run: rust::fuzz_targets },
    Step { name: "page", about: "what a user does with the page, in Chromium", run: page::specs },
    Step { name: "macos", about: "the macOS collector compiles", run: macos::check },
    Step { name: "windows", about: "the Windows collector and agent, under Wine", run: windows::tests },
    Step { name: "unused", about: "no crate names a dependency that it does not use", run: dependencies::unused },
    Step { name: "deny", about: "licences, bans and sources of dependencies", run: dependencies::deny },
];

/// Runs what was asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.list {
        for step in STEPS {
            println!("{:<14} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for name in options.only.iter().chain(&options.skip) {
        if !STEPS.iter().any(|step| step.name == name) {
            bail!("there is no step {name:?}; `cargo xtask test --list` shows them");
        }
    }
    let chosen = |step: &&Step| {
        let named = |names: &[String]| names.iter().any(|name| name == step.name);
        if options.only.is_empty() { !named(&options.skip) } else { named(&options.only) }
    };
    Ok(step::run_all(&STEPS.iter().filter(chosen).collect::<Vec<_>>()))
}
