//! Starts and ends the binary.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The binary with arguments, away from any settings of this machine.
pub(crate) fn procession(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_procession"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    for kept in ["PATH", "TMPDIR", "SystemRoot"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.env("HOME", "/nonexistent").current_dir(std::env::temp_dir());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    procession(arguments).output().expect("the binary runs")
}

/// Runs the binary, which has to succeed; its standard output.
pub(crate) fn run_ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A data folder of its own.
pub(crate) struct Data(TempDir);

impl Data {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn str(&self) -> &str {
        self.path().to_str().expect("UTF-8")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A new key, as operators make it.
    pub(crate) fn key(&self, purpose: &str, more: &[&str]) -> String {
        let arguments = [&["key", "create", "--data", self.str(), "--purpose", purpose], more].concat();
        let printed = run_ok(&arguments);
        let key = printed.strip_suffix('\n').expect("one line");
        assert!(
            !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic()),
            "only the key on standard output: {printed:?}"
        );
        key.to_owned()
    }

    /// `store stats --json`.
    pub(crate) fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&run_ok(&["store", "stats", "--data", self.str(), "--json"])).expect("JSON")
    }

    /// Every checksum has to fit.
    pub(crate) fn verify(&self) {
        run_ok(&["store", "verify", "--data", self.str()]);
    }
}

/// A running server. Killed when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// What it printed before it was ready.
    pub(crate) greeting: String,
}

impl Server {
    /// A server that does not watch this machine.
    pub(crate) fn start(data: &Data) -> Self {
        Self::start_with(data, &["--no-local-agent"])
    }

    /// A server on a free port.
    pub(crate) fn start_with(data: &Data, more: &[&str]) -> Self {
        let arguments = [&["serve", "--data", data.str(), "--listen", "127.0.0.1:0", "--log", "warn"], more].concat();
        Self::of(&mut procession(&arguments))
    }

    /// A server that a command becomes.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut greeting = String::new();
        // The last line of the greeting; the pipe closes before it where the start fails.
        while !greeting.contains("Ctrl-C") {
            let line = lines.next().unwrap_or_else(|| panic!("the server ended: {greeting}")).expect("UTF-8");
            greeting.push_str(&line);
            greeting.push('\n');
        }
        let scheme = if greeting.contains("https://127.0.0.1:") { "https://" } else { "http://" };
        let place = greeting.find(&format!("{scheme}127.0.0.1:")).expect("an address");
        let url = &greeting[place..];
        let url = url[..url[scheme.len()..].find('/').expect("a path") + scheme.len()].to_owned();
        Self { child, url, greeting }
    }

    /// The address of an API path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/{}", self.url, path.trim_start_matches('/'))
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// SIGTERM, and waits; whether it ended with code 0.
    pub(crate) fn terminate(&mut self) -> bool {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
        self.child.wait().expect("gone").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A child that is killed when it goes out of scope.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is what is wanted.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
