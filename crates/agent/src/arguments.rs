//! The agent's command line, the same in both binaries.

use std::path::PathBuf;
use std::time::Duration;

use procession_probe::Collection;

use crate::address::ServerAddress;
use crate::{Key, ServiceAction, interval};

/// Watches this machine and sends its processes to a server.
///
/// What is not given here is taken from the environment, then from `agent_config.json` beside the executable or in the
/// current folder. Started in a terminal with nothing at all, the agent asks for the address and the key and writes that file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AgentArguments {
    /// Address of the server, such as `http://127.0.0.1:8000` or `https://procession.example.org`
    #[arg(long, env = "PROCESSION_SERVER", value_name = "URL")]
    pub server: Option<ServerAddress>,

    /// Key for uploads, made with `procession key create --purpose upload`; other users of this machine can see it in the
    /// list of processes, so prefer --key-file
    #[arg(long, env = "PROCESSION_KEY", hide_env_values = true, value_name = "KEY", value_parser = parse_key)]
    pub key: Option<Key>,

    /// File with the key
    #[arg(long, env = "PROCESSION_KEY_FILE", value_name = "FILE", conflicts_with = "key")]
    pub key_file: Option<PathBuf>,

    /// File of PEM certificates to trust beside the machine's own
    #[arg(long, env = "PROCESSION_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Time between two snapshots, such as 5s or 500ms [default: 5s]
    #[arg(long, env = "PROCESSION_INTERVAL", value_name = "TIME", value_parser = interval::parse)]
    pub interval: Option<Duration>,

    /// The host's name as the server shows it [default: the machine's own]
    #[arg(long, env = "PROCESSION_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// How processes are found that live shorter than an interval [default: auto]
    #[arg(long, env = "PROCESSION_COLLECTOR", value_name = "HOW")]
    pub collector: Option<CollectorChoice>,

    /// Optional fields to collect: io (bytes read and written)
    #[arg(long, env = "PROCESSION_FIELDS", value_name = "FIELD", value_delimiter = ',')]
    pub fields: Vec<String>,

    /// More words: values of options and variables whose names end in one are masked in command lines, as those of
    /// password, token and the like always are
    #[arg(long, env = "PROCESSION_MASK_WORDS", value_name = "WORD", value_delimiter = ',')]
    pub mask_words: Vec<String>,

    /// The proc file system; in a container, where the host's is mounted [default: /proc]
    #[arg(long, env = "PROCESSION_PROC_ROOT", value_name = "FOLDER")]
    pub proc_root: Option<PathBuf>,

    /// Where etc/passwd and etc/os-release are; in a container, where the host's root is mounted [default: /]
    #[arg(long, env = "PROCESSION_SYSTEM_ROOT", value_name = "FOLDER")]
    pub system_root: Option<PathBuf>,

    /// Folder where snapshots wait that the server has not got [default: $STATE_DIRECTORY, /var/lib/procession-agent or the
    /// user's state folder]
    #[arg(long, env = "PROCESSION_SPOOL", value_name = "FOLDER")]
    pub spool: Option<PathBuf>,

    /// The most that may wait there, in MiB; the oldest go first [default: 256]
    #[arg(long, env = "PROCESSION_SPOOL_MIB", value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub spool_mib: Option<u32>,

    /// Let snapshots wait in memory only, at most 8 MiB of them
    #[arg(long, conflicts_with = "spool")]
    pub no_spool: bool,

    /// Settings file to read in place of the ones that are looked for
    #[arg(long, env = "PROCESSION_AGENT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Take one snapshot, see it acknowledged, and end
    #[arg(long)]
    pub once: bool,

    /// Print what would be sent, as JSON, and send nothing: one object a snapshot
    #[arg(long)]
    pub print: bool,

    /// Install, remove or ask about the service, in place of running
    #[command(subcommand)]
    pub service: Option<ServiceAction>,

    /// Say more in the log; twice for everything
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How processes are found that live shorter than an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CollectorChoice {
    /// By the best that is to be had of the others
    #[default]
    Auto,
    /// By a program in the kernel
    Bpf,
    /// By the kernel's events, or not at all
    Events,
    /// Not: only what is there at a snapshot is seen
    Polling,
}

impl From<CollectorChoice> for Collection {
    fn from(choice: CollectorChoice) -> Self {
        match choice {
            CollectorChoice::Auto => Self::Auto,
            CollectorChoice::Bpf => Self::Bpf,
            CollectorChoice::Events => Self::Events,
            CollectorChoice::Polling => Self::Polling,
        }
    }
}

fn parse_key(text: &str) -> Result<Key, String> {
    Key::parse(text).ok_or_else(|| "this is not a key: it has to be one word of letters, digits and signs".to_owned())
}
