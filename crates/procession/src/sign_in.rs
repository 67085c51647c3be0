//! `procession sign-in`: a new one-time link. Whoever may read the data folder may read the history, so this needs no
//! password.

use std::io::Write as _;

use procession_server::sign_in;

use crate::data_folder;
use crate::failure::Failure;
use crate::moment;
use crate::runtime::block_on;
use crate::storage;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: data_folder::Options,
    /// Address of the server as the browser sees it
    #[arg(long, env = "PROCESSION_URL", value_name = "URL", default_value = "http://127.0.0.1:8000/")]
    url: String,
}

/// Prints the link.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let link = block_on(async {
        let catalog = storage::catalog(&folder)?;
        Ok(sign_in::create_link(&catalog, &options.url, moment::now()).await?)
    })?;
    writeln!(std::io::stdout(), "{link}")?;
    Ok(())
}
