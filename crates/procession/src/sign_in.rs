//! `procession sign-in`: a new one-time link. Whoever may read the data folder may read the history, so this needs no
//! password.

use std::io::Write as _;

use procession_server::sign_in;
use procession_store::Catalog as _;

use crate::data_folder;
use crate::failure::Failure;
use crate::moment;
use crate::runtime::block_on;
use crate::storage;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: data_folder::Options,
    /// Address of the server as the browser sees it; where it last listened if this is not given
    #[arg(long, env = "PROCESSION_URL", value_name = "URL")]
    url: Option<String>,
}

/// The setting of the store in which `serve` leaves its address.
pub(crate) const URL_SETTING: &str = "server_url";
/// Where a server listens unless told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8000/";

/// Prints the link.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let link = block_on(async {
        let catalog = storage::catalog(&folder)?;
        let url = match &options.url {
            Some(url) => Some(url.clone()),
            None => catalog.setting(URL_SETTING).await?,
        };
        Ok(sign_in::create_link(&catalog, url.as_deref().unwrap_or(DEFAULT_URL), moment::now()).await?)
    })?;
    writeln!(std::io::stdout(), "{link}")?;
    Ok(())
}
