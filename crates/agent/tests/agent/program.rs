//! The binary as a user runs it.

use std::fs;
use std::process::{Command, Output};

fn agent(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_procession-agent"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap()
}

fn error_of(arguments: &[&str]) -> String {
    let output = agent(arguments);
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn prints_what_it_would_send() {
    let output = agent(&["--once", "--print", "--interval", "200ms", "--hostname", "box"]);
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["hostname"], "box");
    let processes = json["processes"].as_array().unwrap();
    let own = processes.iter().find(|process| process["pid"] == std::process::id()).unwrap();
    assert!(own["memory"].as_u64().unwrap() > 0 && own["cpu"].is_number(), "{own}");
}

#[cfg(target_os = "linux")]
#[test]
fn secrets_in_command_lines_are_masked_before_anything_is_printed() {
    let mut child = Command::new("sh")
        .args(["-c", "read line", "--password=hunter2", "--geheimnis", "swordfish"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = agent(&["--once", "--print", "--interval", "200ms", "--mask-words", "geheimnis"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("sh -c read line --password=*** --geheimnis ***"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("swordfish"));
}

#[test]
fn without_settings_it_says_what_is_missing() {
    let error = error_of(&[]);
    assert!(error.contains("--server") && error.contains("agent_config.json"), "{error}");
    let error = error_of(&["--server", "http://127.0.0.1:1"]);
    assert!(error.contains("--key-file"), "{error}");
}

#[test]
fn bad_settings_are_named() {
    assert!(error_of(&["--server", "ftp://x", "--key", "k"]).contains("ftp://x"));
    assert!(error_of(&["--server", "x", "--key-file", "/nowhere/key"]).contains("/nowhere/key"));
    assert!(error_of(&["--print", "--proc-root", "/nowhere"]).contains("/nowhere"));
    assert!(error_of(&["--print", "--interval", "1h"]).contains("unit"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "{ nonsense").unwrap();
    let path = file.path().to_str().unwrap();
    assert!(error_of(&["--config", path]).contains(path));
}

#[test]
fn a_key_on_the_command_line_is_not_in_the_help_or_the_errors() {
    let output = Command::new(env!("CARGO_BIN_EXE_procession-agent"))
        .arg("--help")
        .env("PROCESSION_KEY", "very-secret")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("very-secret"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_is_not_there_is_said_to_be_so() {
    use std::io::{BufRead as _, BufReader};
    let mut child = Command::new(env!("CARGO_BIN_EXE_procession-agent"))
        .args(["--server", "http://127.0.0.1:1", "--key", "k", "--no-spool"])
        .env_clear()
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = lines.map(Result::unwrap).find(|line| line.contains("cannot reach 127.0.0.1:1"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.is_some());
}

/// Into a folder that stands for a machine: the key is only for root, and not in the settings.
#[cfg(target_os = "linux")]
#[test]
fn installs_and_removes_the_service() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_str().unwrap();
    let settings = ["--server", "https://p.example.org", "--key", "top.secret", "--interval", "2s"];
    let output = agent(&[&settings[..], &["install", "--allow", "events", "--root", folder]].concat());
    assert!(output.status.success(), "{output:?}");
    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    let unit = read("etc/systemd/system/procession-agent.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/procession-agent --config"), "{unit}");
    assert!(unit.contains("AmbientCapabilities=CAP_NET_ADMIN\n"), "{unit}");
    let config = read("etc/procession/agent_config.json");
    assert!(config.contains("https://p.example.org/") && !config.contains("secret"), "{config}");
    let key = fs::metadata(root.path().join("etc/procession/agent.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let installed = root.path().join("usr/local/bin/procession-agent");
    let version = Command::new(installed).arg("--version").output().unwrap();
    assert!(version.status.success());

    let status = agent(&["status", "--root", folder]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("is installed"));
    assert!(agent(&["uninstall", "--purge", "--root", folder]).status.success());
    assert!(!root.path().join("etc/procession/agent.key").exists());
    let status = agent(&["status", "--root", folder]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("not installed"));
    let error = error_of(&["install", "--root", folder]);
    assert!(error.contains("--server"), "{error}");
}
