//! `procession key`: makes, lists and revokes keys. Works on the store itself, so it needs no server and no key, only
//! access to the data folder; a running server sees the change at once.

use std::io::Write as _;

use procession_model::Timestamp;
use procession_server::keys::{self, KeyRequest};
use procession_store::{Catalog, Key, KeyPurpose};

use crate::data_folder;
use crate::failure::Failure;
use crate::moment;
use crate::runtime::block_on;
use crate::storage;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Make a key and print it, alone, on standard output; it cannot be shown again
    Create(CreateOptions),
    /// List the keys: what they are for and when they were last used
    List(ListOptions),
    /// Make a key useless, from the next request on
    Revoke(RevokeOptions),
}

#[derive(clap::Args)]
pub(crate) struct CreateOptions {
    #[command(flatten)]
    data: data_folder::Options,
    /// What it is for
    #[arg(long, value_enum, default_value = "upload")]
    purpose: Purpose,
    /// The host names it is good for: a name, or a pattern such as `web-*` [default: all]
    #[arg(long, value_name = "PATTERN")]
    host: Option<String>,
    /// A note for people
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// How long it is good, such as `90d` [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = moment::duration)]
    expires_in: Option<std::time::Duration>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Purpose {
    /// Agents and uploads
    Upload,
    /// Reading the API
    Read,
}

#[derive(clap::Args)]
struct ListOptions {
    #[command(flatten)]
    data: data_folder::Options,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct RevokeOptions {
    #[command(flatten)]
    data: data_folder::Options,
    /// The first part of the key, as `key list` shows it
    prefix: String,
}

/// Does what is asked with keys.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    match options.task {
        Task::Create(options) => create(&options),
        Task::List(options) => list(&options),
        Task::Revoke(options) => revoke(&options),
    }
}

/// Makes a key and prints it.
pub(crate) fn create(options: &CreateOptions) -> Result<(), Failure> {
    let folder = options.data.made(&options.data.settings()?)?;
    let now = moment::now();
    let expires = options.expires_in.map(|time| i64::try_from(time.as_millis()).map_or(now, |ms| now.plus_ms(ms)));
    let request = KeyRequest {
        purpose: match options.purpose {
            Purpose::Upload => KeyPurpose::Upload,
            Purpose::Read => KeyPurpose::Read,
        },
        host_pattern: options.host.clone(),
        label: options.label.clone(),
        expires,
    };
    let created = block_on(async {
        let catalog = storage::catalog(&folder)?;
        keys::create(&catalog, request, now).await.map_err(Failure::failed)
    })?;
    writeln!(std::io::stdout(), "{}", created.plain)?;
    Ok(())
}

fn list(options: &ListOptions) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let keys = block_on(async { Ok(storage::catalog(&folder)?.keys().await?) })?;
    let text = if options.json { as_json(&keys) } else { as_table(&keys) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn revoke(options: &RevokeOptions) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let revoked = block_on(async {
        let catalog = storage::catalog(&folder)?;
        keys::revoke(&catalog, &options.prefix, moment::now()).await.map_err(Failure::failed)
    })?;
    if revoked {
        return Ok(());
    }
    Err(Failure::failed(format!("no key begins with {:?}", options.prefix)).hint("`procession key list` shows them"))
}

fn as_table(keys: &[Key]) -> String {
    let mut text =
        format!("{:<12} {:<8} {:<20} {:<10} {:<24} {}\n", "PREFIX", "PURPOSE", "HOSTS", "STATE", "LAST USED", "LABEL");
    let now = moment::now();
    for Key { key, revoked, last_used, .. } in keys {
        let hosts = key.host_pattern.as_deref().unwrap_or("all").escape_debug().to_string();
        let used = last_used.map_or_else(|| "never".into(), moment::write);
        let label = key.label.as_deref().unwrap_or_default().escape_debug();
        let state = state(*revoked, key.expires, now);
        text.push_str(&format!(
            "{:<12} {:<8} {hosts:<20} {state:<10} {used:<24} {label}\n",
            key.prefix,
            purpose(key.purpose)
        ));
    }
    text
}

fn as_json(keys: &[Key]) -> String {
    let now = moment::now();
    let objects: Vec<_> = keys
        .iter()
        .map(|Key { key, revoked, last_used, .. }| {
            serde_json::json!({
                "prefix": key.prefix,
                "purpose": purpose(key.purpose),
                "host": key.host_pattern,
                "label": key.label,
                "state": state(*revoked, key.expires, now),
                "created": moment::write(key.created),
                "expires": key.expires.map(moment::write),
                "revoked": revoked.map(moment::write),
                "last_used": last_used.map(moment::write),
            })
        })
        .collect();
    format!("{}\n", serde_json::Value::Array(objects))
}

fn purpose(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Upload => "upload",
        KeyPurpose::Read => "read",
    }
}

fn state(revoked: Option<Timestamp>, expires: Option<Timestamp>, now: Timestamp) -> &'static str {
    if revoked.is_some() {
        "revoked"
    } else if expires.is_some_and(|expires| expires <= now) {
        "expired"
    } else {
        "good"
    }
}
