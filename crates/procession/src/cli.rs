//! The command line as a whole. The options of a command are in its own file.

use clap::{Parser, Subcommand};

use crate::{backup, completion, export, import, key, serve, sign_in, store, swarm};

const AFTER_HELP: &str = "\
Examples:
  procession                                        watch this machine, page at http://127.0.0.1:8000/
  procession serve --listen 0.0.0.0:8000 --allow-host monitor.example.org
  procession key create --purpose upload            a key for agents, alone on standard output
  procession agent --server http://monitor.example.org:8000 --key KEY
  procession export --format csv > history.csv

Settings: a flag, else its PROCESSION_… variable, else procession.toml, else the default.

Exit codes: 0 done · 1 failed · 2 wrong option or setting · 3 the store is in use by another Procession ·
4 the store is damaged (store verify)";

/// Every process on every machine at every moment.
#[derive(Parser)]
#[command(name = "procession", version, about, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
#[command(max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Option<Task>,
    #[command(flatten)]
    pub(crate) serve: serve::Options,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Keep and show the history, and watch this machine (what `procession` alone does)
    Serve(serve::Options),
    /// Watch this machine and send what is seen to a server
    Agent(procession_agent::AgentArguments),
    /// Make, list and revoke keys; works whether or not the server runs
    Key(key::Options),
    /// The same as `key create`
    #[command(name = "create_apikey", hide = true)]
    CreateApikey(key::CreateOptions),
    /// Print a new one-time link that signs a browser in
    SignIn(sign_in::Options),
    /// Take snapshots from a file into the history; the server must not be running on it
    Import(import::Options),
    /// Write the history out as JSON lines or CSV
    Export(export::Options),
    /// Copy the store while it is used
    Backup(backup::Options),
    /// Figures and checks of the store
    Store(store::Options),
    /// Simulate many agents, to see how a server holds
    Swarm(swarm::Options),
    /// Print completions for a shell
    Completion(completion::Options),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
