//! Logs go to standard error: text for people, JSON for collectors.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::settings::Settings;

#[derive(Default, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// What to log: error, warn, info, debug, trace, or by part, such as `info,procession_server=debug` [default: info]
    #[arg(long, env = "PROCESSION_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How to log [default: text]
    #[arg(long, env = "PROCESSION_LOG_FORMAT", value_name = "FORMAT", value_enum)]
    log_format: Option<Format>,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Installs the logger of the process.
pub(crate) fn install(options: &Options, settings: &Settings) -> Result<(), Failure> {
    let filter = options.log.as_deref().or(settings.log.as_deref()).unwrap_or("info");
    let filter = EnvFilter::builder().parse(filter).map_err(|error| {
        Failure::usage(format!("log filter {filter:?}: {error}"))
            .hint("for example `--log info` or `--log warn,procession_server=debug`")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match options.log_format.or(settings.log_format).unwrap_or(Format::Text) {
        Format::Json => builder.json().init(),
        Format::Text => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
    }
    Ok(())
}
