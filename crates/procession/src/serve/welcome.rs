//! What `serve` says at the start: where the page is and what to do next. On standard output, which logs are not on.

use std::io::Write as _;
use std::path::Path;

use procession_server::sign_in;
use procession_store::Catalog;

use crate::failure::Failure;
use crate::moment;

/// What there is to say.
pub(super) struct Facts<'a> {
    /// The server's own address.
    pub(super) url: String,
    /// Where the history is kept.
    pub(super) folder: &'a Path,
    /// Whether nobody ever signed in here.
    pub(super) is_new: bool,
    /// The name of this machine, where it is watched.
    pub(super) local_host: Option<&'a str>,
}

/// Prints it; for a new store with a link that signs the first browser in.
pub(super) async fn print(catalog: &dyn Catalog, facts: &Facts<'_>) -> Result<(), Failure> {
    let Facts { url, folder, is_new, local_host } = facts;
    let folder = folder.display();
    let watched =
        local_host.map_or_else(|| "No machine is watched from here".into(), |host| format!("Watching {host:?}"));
    let mut text = format!("Procession {} · {watched} · history in {folder}\n\n", env!("CARGO_PKG_VERSION"));
    if *is_new {
        let link = sign_in::create_link(catalog, url, moment::now()).await?;
        text.push_str(&format!("Open this link once, within the hour, to sign your browser in:\n    {link}\n\n"));
    } else {
        text.push_str(&format!(
            "Page: {url}\nNot signed in? `procession sign-in --data {folder} --url {url}` prints a link.\n\n"
        ));
    }
    text.push_str(&format!(
        "To watch a second machine, make a key here and start an agent there (the server has to listen on an address that\n\
         it can reach: --listen 0.0.0.0:8000 --allow-host NAME):\n    \
         procession key create --data {folder} --purpose upload\n    \
         procession agent --server {} --key KEY\n\n\
         Ctrl-C ends it; nothing that was acknowledged is lost.\n",
        url.trim_end_matches('/')
    ));
    let mut out = std::io::stdout();
    // A closed standard output is no reason not to serve.
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    Ok(())
}
