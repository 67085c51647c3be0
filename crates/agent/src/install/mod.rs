//! `install`, `status` and `uninstall`: the agent as a service of systemd.
//!
//! The service runs as a user that exists only while it does, without any capability unless one is asked for. The key is
//! in a file that only root can read; systemd hands it over.

mod unit;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::settings::Settings;
use unit::{Unit, render};

const SERVICE: &str = "procession-agent.service";
const UNIT_FILE: &str = "etc/systemd/system/procession-agent.service";
const CONFIG_FOLDER: &str = "etc/procession";
const CONFIG_FILE: &str = "etc/procession/agent_config.json";
const KEY_FILE: &str = "etc/procession/agent.key";
const BINARY_FOLDER: &str = "usr/local/bin";

/// What to do about the service.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ServiceAction {
    /// Install the agent as a service of systemd and start it; needs root. Server, key and the like are taken from the
    /// options before `install`
    Install(InstallArguments),
    /// Say whether the service is installed and runs
    Status(RootArguments),
    /// Stop the service and remove it
    Uninstall(UninstallArguments),
}

/// How to install.
#[derive(Clone, Debug, clap::Args)]
pub struct InstallArguments {
    /// Rights that the service gets beyond those of any user. events: CAP_NET_ADMIN, to hear of processes that live
    /// shorter than an interval, and how processes end. bpf: CAP_BPF and CAP_PERFMON, the same and at a lower cost, by a
    /// program in the kernel. details: CAP_SYS_PTRACE, to read the path of every executable and the bytes that every
    /// process reads and writes
    #[arg(long, value_name = "RIGHT", value_delimiter = ',')]
    pub allow: Vec<Right>,

    /// Where to.
    #[command(flatten)]
    pub root: RootArguments,
}

/// How to remove.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArguments {
    /// Remove settings, key and waiting snapshots, too
    #[arg(long)]
    pub purge: bool,

    /// Where from.
    #[command(flatten)]
    pub root: RootArguments,
}

/// Where.
#[derive(Clone, Debug, clap::Args)]
pub struct RootArguments {
    /// Treat this folder as the root of the machine, and ask nothing of its systemd: for images and packages
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    pub root: PathBuf,
}

/// A right that the service may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Right {
    /// CAP_NET_ADMIN
    Events,
    /// CAP_BPF and CAP_PERFMON
    Bpf,
    /// CAP_SYS_PTRACE
    Details,
}

/// Why the service could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("services are made for systemd on Linux; here, start the agent by the means of this system")]
    Unsupported,
    #[error("cannot write {path}: {source}. Run it as root, for instance with sudo")]
    Write { path: PathBuf, source: io::Error },
    #[error("`systemctl {arguments}` failed: {reason}")]
    Systemctl { arguments: String, reason: String },
    #[error("cannot find this executable: {0}")]
    Executable(io::Error),
    #[error("{0}")]
    Output(#[from] io::Error),
}

/// Installs with these settings, which have a server and a key.
pub(crate) fn install(arguments: &InstallArguments, settings: &Settings) -> Result<(), InstallError> {
    supported()?;
    let root = Root::new(&arguments.root.root);
    let binary = root.install_binary()?;
    root.write(CONFIG_FILE, config_json(settings).as_bytes(), 0o644)?;
    let key = settings.key.as_ref().map_or("", crate::Key::secret);
    root.write(KEY_FILE, format!("{key}\n").as_bytes(), 0o600)?;
    let unit = render(&Unit {
        command: binary,
        config_file: format!("/{CONFIG_FILE}"),
        key_file: format!("/{KEY_FILE}"),
        ca: settings.ca.clone(),
        rights: arguments.allow.clone(),
    });
    root.write(UNIT_FILE, unit.as_bytes(), 0o644)?;
    root.systemctl(&["daemon-reload"])?;
    root.systemctl(&["enable", "--now", SERVICE])?;
    // A service that was there before runs with the new settings only after this.
    root.systemctl(&["restart", SERVICE])?;
    tell(&format!("Installed /{UNIT_FILE}, /{CONFIG_FILE} and /{KEY_FILE}."))?;
    tell("See what it does: journalctl -u procession-agent")
}

/// Says how the service is.
pub(crate) fn status(arguments: &RootArguments) -> Result<(), InstallError> {
    supported()?;
    let root = Root::new(&arguments.root);
    if !root.path(UNIT_FILE).exists() {
        return tell("The service is not installed. Install it: procession-agent --server URL --key-file FILE install");
    }
    tell(&format!("The service is installed: /{UNIT_FILE}"))?;
    if let Some(active) = root.ask_systemctl(&["is-active", SERVICE]) {
        tell(&format!("It is {active}."))?;
    }
    tell("See what it does: journalctl -u procession-agent")
}

/// Stops and removes the service.
pub(crate) fn uninstall(arguments: &UninstallArguments) -> Result<(), InstallError> {
    supported()?;
    let root = Root::new(&arguments.root.root);
    if root.path(UNIT_FILE).exists() {
        root.systemctl(&["disable", "--now", SERVICE])?;
        root.remove(UNIT_FILE)?;
        root.systemctl(&["daemon-reload"])?;
    }
    if arguments.purge {
        root.remove(CONFIG_FILE)?;
        root.remove(KEY_FILE)?;
        root.remove("var/lib/private/procession-agent")?;
        root.remove("var/lib/procession-agent")?;
        return tell("Removed, with settings, key and waiting snapshots.");
    }
    tell(&format!("Removed. Settings and key are still in /{CONFIG_FOLDER}; remove them with --purge."))
}

fn supported() -> Result<(), InstallError> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err(InstallError::Unsupported) }
}

fn tell(text: &str) -> Result<(), InstallError> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// What the service reads; the key is not in it.
fn config_json(settings: &Settings) -> String {
    let agent = &settings.agent;
    let mut fields = serde_json::Map::new();
    let mut put = |name: &str, value: serde_json::Value| fields.insert(name.to_owned(), value);
    put("server", settings.server.as_ref().map(ToString::to_string).into());
    put("interval", format!("{}ms", agent.interval.as_millis()).into());
    if let Some(hostname) = &agent.hostname {
        put("hostname", hostname.as_str().into());
    }
    if agent.probe.fields.io {
        put("fields", vec!["io"].into());
    }
    if !agent.mask_words.is_empty() {
        put("mask_words", agent.mask_words.clone().into());
    }
    format!("{:#}\n", serde_json::Value::Object(fields))
}

/// The root of a machine: this one, or the image of one.
struct Root {
    folder: PathBuf,
}

impl Root {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn is_this_machine(&self) -> bool {
        self.folder == Path::new("/")
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    fn write(&self, below: &str, bytes: &[u8], mode: u32) -> Result<(), InstallError> {
        let path = self.path(below);
        write_with_mode(&path, bytes, mode).map_err(|source| InstallError::Write { path, source })
    }

    fn remove(&self, below: &str) -> Result<(), InstallError> {
        let path = self.path(below);
        let removed =
            if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(InstallError::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// Copies this executable to where services find it, and returns how it is started there.
    fn install_binary(&self) -> Result<String, InstallError> {
        let executable = std::env::current_exe().map_err(InstallError::Executable)?;
        let name = executable.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = self.path(BINARY_FOLDER).join(&name);
        if executable != target {
            let bytes = fs::read(&executable).map_err(InstallError::Executable)?;
            self.write(&format!("{BINARY_FOLDER}/{name}"), &bytes, 0o755)?;
        }
        // `procession` is more than the agent.
        let command = if name == "procession" { " agent" } else { "" };
        Ok(format!("/{BINARY_FOLDER}/{name}{command}"))
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<(), InstallError> {
        if !self.is_this_machine() {
            return Ok(());
        }
        let error = |reason: String| InstallError::Systemctl { arguments: arguments.join(" "), reason };
        let output = Command::new("systemctl").args(arguments).output().map_err(|reason| error(reason.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(error(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }

    fn ask_systemctl(&self, arguments: &[&str]) -> Option<String> {
        if !self.is_this_machine() {
            return None;
        }
        let output = Command::new("systemctl").args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// By way of a new file, so that a running executable or a file that is being read is never half of one.
fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _unused_here = mode;
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    #[cfg(unix)]
    fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    fs::rename(&new, path)
}
