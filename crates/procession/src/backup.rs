//! `procession backup`: a copy of the store while it is used.

use std::path::PathBuf;

use indicatif::HumanBytes;
use procession_store::OpenOptions;

use crate::data_folder;
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: data_folder::Options,
    /// Folder for the copy, which must not hold a store; `--data` with this folder serves it
    #[arg(value_name = "TARGET")]
    target: PathBuf,
}

/// Copies the store as it is at one moment.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let bytes = procession_store::backup(&OpenOptions::new(folder), &options.target)?;
    let text = format!("{} copied to {}\n", HumanBytes(bytes), options.target.display());
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes())?;
    Ok(())
}
