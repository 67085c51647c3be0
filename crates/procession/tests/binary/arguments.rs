//! What goes wrong at the start: each says what is wrong and what to do, with the exit code of the manual.

use std::net::TcpListener;
use std::process::Output;

use crate::harness::{Data, Server, procession, run, run_ok};

fn refused(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
}

#[test]
fn a_busy_port_is_named() {
    let data = Data::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let output = run(&["serve", "--data", data.str(), "--listen", &address, "--no-local-agent"]);
    refused(&output, 1, &[&address, "in use", "--listen"]);
    // The store was let go in order: the same folder serves at once.
    drop(Server::start(&data));
}

#[test]
fn a_second_server_on_a_store_is_refused() {
    let data = Data::new();
    let first = Server::start(&data);
    let output = run(&["serve", "--data", data.str(), "--listen", "127.0.0.1:0"]);
    refused(&output, 3, &[data.str(), "in use", "--data"]);
    let output = run(&["import", "--data", data.str(), "-"]);
    refused(&output, 3, &["in use"]);
    drop(first);
}

#[test]
fn a_data_folder_that_is_a_file_is_named() {
    let data = Data::new();
    let file = data.file("file");
    std::fs::write(&file, b"").expect("written");
    let shown = file.to_str().expect("UTF-8");
    refused(&run(&["serve", "--data", shown]), 1, &[shown, "--data"]);
}

/// Root may read everything, so this can only be seen as somebody else.
#[cfg(unix)]
#[test]
fn an_unreadable_data_folder_is_named() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let data = Data::new();
    let folder = data.file("closed");
    std::fs::create_dir(&folder).expect("made");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).expect("closed");
    let shown = folder.to_str().expect("UTF-8");
    let mut command = procession(&["serve", "--data", shown, "--listen", "127.0.0.1:0"]);
    if std::fs::metadata("/proc/self").expect("Linux").uid() == 0 {
        // As nobody, who needs a way to the folder and to the binary.
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).expect("opened");
        let copy = data.file("procession");
        std::fs::copy(env!("CARGO_BIN_EXE_procession"), &copy).expect("copied");
        command = std::process::Command::new(copy);
        command.args(["serve", "--data", shown, "--listen", "127.0.0.1:0"]).env_clear().uid(65_534).gid(65_534);
    }
    refused(&command.output().expect("runs"), 1, &[shown, "ermission denied", "--data"]);
}

#[test]
fn bad_settings_are_named_with_their_line() {
    let data = Data::new();
    let file = data.file("procession.toml");
    let shown = file.to_str().expect("UTF-8");
    std::fs::write(&file, "[serve]\nlissten = \"127.0.0.1:0\"\n").expect("written");
    refused(&run(&["serve", "--data", data.str(), "--config", shown]), 2, &[shown, "line 2", "lissten"]);
    std::fs::write(&file, "[serve]\ninterval = \"fast\"\n").expect("written");
    refused(&run(&["serve", "--data", data.str(), "--config", shown]), 2, &["interval", "fast", "5s"]);
    refused(&run(&["serve", "--data", data.str(), "--config", "/nowhere.toml"]), 2, &["/nowhere.toml", "--config"]);
    refused(&run(&["serve", "--data", data.str(), "--listen", "everywhere"]), 2, &["everywhere", "--listen"]);
    refused(&run(&["serve", "--data", data.str(), "--log", "loud=quiet=x"]), 2, &["log filter"]);
}

#[test]
fn settings_come_from_file_and_environment() {
    let data = Data::new();
    let file = data.file("procession.toml");
    std::fs::write(&file, format!("data = {:?}\n", data.str())).expect("written");
    let from_file = procession(&["store", "stats", "--json", "--config", file.to_str().expect("UTF-8")]);
    let from_environment = {
        let mut command = procession(&["store", "stats", "--json"]);
        command.env("PROCESSION_DATA", data.str());
        command
    };
    data.key("read", &[]);
    for mut command in [from_file, from_environment] {
        let output = command.output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_missing_store_is_named() {
    for command in [&["store", "stats"][..], &["store", "verify"], &["export"], &["key", "list"], &["sign-in"]] {
        let output = run(&[command, &["--data", "/nonexistent/history"]].concat());
        refused(&output, 1, &["/nonexistent/history"]);
    }
}

#[test]
fn an_unknown_host_is_named() {
    let data = Data::new();
    data.key("read", &[]);
    refused(&run(&["export", "--data", data.str(), "--host", "nobody"]), 1, &["nobody"]);
}

#[test]
fn keys_are_made_listed_and_revoked_while_the_server_runs() {
    let data = Data::new();
    let server = Server::start(&data);
    let key = run_ok(&["create_apikey", "--data", data.str(), "--purpose", "read", "--label", "for a script"]);
    let client = crate::api::Client::with_keys(&server, key.trim(), key.trim());
    assert_eq!(client.get("/api/hosts/").status, 200);
    let listed = run_ok(&["key", "list", "--data", data.str(), "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((&listed[0]["purpose"], &listed[0]["label"]), (&"read".into(), &"for a script".into()));
    let prefix = listed[0]["prefix"].as_str().expect("a prefix");
    assert!(key.contains(prefix) && key.trim() != prefix);
    run_ok(&["key", "revoke", "--data", data.str(), prefix]);
    assert_eq!(client.get("/api/hosts/").status, 401, "revoked");
    refused(&run(&["key", "revoke", "--data", data.str(), "nothing"]), 1, &["nothing", "key list"]);
}

#[test]
fn the_first_start_prints_a_link_that_works_once() {
    let data = Data::new();
    let server = Server::start(&data);
    let link = server.greeting.lines().find(|line| line.contains("/sign-in")).expect("a link").trim().to_owned();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let first = agent.get(&link).call().expect("an answer");
    assert!(first.status().is_redirection(), "{}", first.status());
    let cookie = first.headers()["set-cookie"].to_str().expect("ASCII").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let signed_in = agent.get(server.at("/api/hosts/")).header("Cookie", &cookie).call().expect("an answer");
    assert_eq!(signed_in.status(), 200);
    let second = agent.get(&link).call().expect("an answer");
    assert!(second.headers().get("set-cookie").is_none(), "a link is good once");
    let again = run_ok(&["sign-in", "--data", data.str()]);
    assert!(agent.get(again.trim()).call().expect("an answer").status().is_redirection());
}

#[test]
fn help_has_examples_and_completions_are_printed() {
    let help = run_ok(&["--help"]);
    for word in ["Examples", "serve", "agent", "Exit codes"] {
        assert!(help.contains(word), "no {word}");
    }
    assert!(run_ok(&["completion", "bash"]).contains("procession"));
}
