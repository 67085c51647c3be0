//! The agent as a program: settings, messages, signals. `procession agent` and `procession-agent` both are this.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use procession_model::Snapshot;
use tracing::level_filters::LevelFilter;

use crate::address::ServerAddress;
use crate::install::{self, InstallError};
use crate::sampler::{ProbeSampler, Sampler as _};
use crate::settings::{Settings, SettingsError};
use crate::{AgentArguments, AgentError, Key, ServiceAction, WebSocket, print, run as run_agent, settings_file};

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Probe(#[from] procession_probe::ProbeError),
    #[error(transparent)]
    Service(#[from] InstallError),
    #[error("{0}")]
    Terminal(#[from] io::Error),
    #[error("nothing was answered: the agent needs the server's address and a key")]
    NoAnswer,
}

/// Runs the agent until it is told to end. Messages go to standard error.
pub fn run(arguments: AgentArguments) -> ExitCode {
    log_to_standard_error(arguments.verbose);
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads `--print` may stop reading.
        Err(CommandError::Terminal(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error closed there is nobody to tell.
            drop(writeln!(io::stderr(), "procession-agent: {error}"));
            ExitCode::from(if matches!(error, CommandError::Settings(_)) { 2 } else { 1 })
        }
    }
}

fn start(arguments: AgentArguments) -> Result<(), CommandError> {
    let (once, printing) = (arguments.once, arguments.print);
    match arguments.service.clone() {
        Some(ServiceAction::Install(install)) => {
            let settings = Settings::gather(arguments)?;
            settings.endpoint()?;
            return Ok(install::install(&install, &settings)?);
        }
        Some(ServiceAction::Status(root)) => return Ok(install::status(&root)?),
        Some(ServiceAction::Uninstall(uninstall)) => return Ok(install::uninstall(&uninstall)?),
        None => {}
    }
    let mut settings = Settings::gather(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if printing {
        return runtime.block_on(print_snapshots(&settings, once));
    }
    if settings.server.is_none() && settings.key.is_none() && io::stdin().is_terminal() {
        let (server, key) = ask()?;
        (settings.server, settings.key) = (Some(server), Some(key));
    }
    let (server, key) = settings.endpoint()?;
    if !server.tls && !server.is_loopback() {
        tracing::warn!(%server, "the connection is not encrypted: key and data can be read on the way; prefer https");
    }
    let connect = WebSocket::new(server, key, settings.ca);
    runtime.block_on(async { run_agent(settings.agent, connect, told_to_end()?).await.map_err(CommandError::from) })
}

/// One snapshot an interval, the first after one interval: it has CPU then.
async fn print_snapshots(settings: &Settings, once: bool) -> Result<(), CommandError> {
    let agent = &settings.agent;
    let hostname = agent.hostname.clone().or_else(procession_probe::host_name).ok_or(AgentError::NoHostname)?;
    let mut sampler = ProbeSampler::new(agent.clone())?;
    let mut snapshot = Snapshot::default();
    sampler.snapshot_into(&mut snapshot)?;
    let mut end = std::pin::pin!(told_to_end()?);
    loop {
        tokio::select! {
            () = tokio::time::sleep(agent.interval) => {}
            () = &mut end => return Ok(()),
        }
        sampler.snapshot_into(&mut snapshot)?;
        writeln!(io::stdout().lock(), "{:#}", print::to_json(&hostname, &snapshot))?;
        if once {
            return Ok(());
        }
    }
}

/// Asks for the address and the key, and writes them down.
fn ask() -> Result<(ServerAddress, Key), CommandError> {
    say(
        "Procession's agent is not set up yet.\nThe server makes a key with: procession key create --purpose upload\n",
    )?;
    let server: ServerAddress = loop {
        let answer = question("Server [http://127.0.0.1:8000]: ")?;
        let answer = if answer.is_empty() { "http://127.0.0.1:8000".to_owned() } else { answer };
        match answer.parse() {
            Ok(server) => break server,
            Err(error) => say(&format!("{error}\n"))?,
        }
    };
    let key = loop {
        match Key::parse(&question("Key: ")?) {
            Some(key) => break key,
            None => say("This is not a key: it has to be one word.\n")?,
        }
    };
    write_down(&server, &key)?;
    Ok((server, key))
}

/// In the first place that can be written to; the agent runs without it, too.
fn write_down(server: &ServerAddress, key: &Key) -> io::Result<()> {
    let mut failures = Vec::new();
    for path in settings_file::places() {
        match settings_file::write(&path, &server.to_string(), key) {
            Ok(()) => {
                let path: PathBuf = std::path::absolute(&path).unwrap_or(path);
                return say(&format!("Written to {}. Only you can read it.\n", path.display()));
            }
            Err(error) => failures.push(format!("{}: {error}", path.display())),
        }
    }
    say(&format!("These settings could not be written down and will be asked again: {}\n", failures.join("; ")))
}

fn question(text: &str) -> Result<String, CommandError> {
    say(text)?;
    let mut answer = String::new();
    if io::stdin().read_line(&mut answer)? == 0 {
        return Err(CommandError::NoAnswer);
    }
    Ok(answer.trim().to_owned())
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn log_to_standard_error(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    if log.with_ansi(io::stderr().is_terminal()).try_init().is_err() {
        tracing::debug!("the log is set up already");
    }
}

/// Ready at the first interrupt or request to end.
#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready when Ctrl-C is pressed.
#[cfg(not(unix))]
fn told_to_end() -> io::Result<impl Future<Output = ()> + Send> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
