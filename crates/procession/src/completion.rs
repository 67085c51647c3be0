//! `procession completion`: completions for shells.

use clap::CommandFactory as _;

use crate::cli::Arguments;
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints them.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    clap_complete::generate(options.shell, &mut Arguments::command(), "procession", &mut std::io::stdout());
    Ok(())
}
