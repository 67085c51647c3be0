//! A second agent, under another host name, joins with one command.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::api::Client;
use crate::harness::{Data, Running, Server, procession, run};

/// Tries until the server has a snapshot of this host.
pub(crate) fn wait_for_host(client: &Client, name: &str) -> Value {
    for _ in 0..600 {
        let latest = client.get(&format!("/api/process-snapshots/latest/?hostname={name}"));
        if latest.status == 200 {
            return latest.body;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{name} never came");
}

fn has_process(tree: &Value, pid: u64) -> bool {
    tree.as_array().is_some_and(|processes| {
        processes.iter().any(|process| process["pid"] == pid || has_process(&process["children"], pid))
    })
}

#[test]
fn this_machine_and_a_second_one_are_watched() {
    let data = Data::new();
    let server = Server::start_with(&data, &["--interval", "1s"]);
    let client = Client::new(&server, &data);
    let key = data.key("upload", &["--host", "second-*"]);
    let agent = procession(&[
        "agent",
        "--server",
        &server.url,
        "--key",
        &key,
        "--hostname",
        "second-1",
        "--interval",
        "1s",
        "--no-spool",
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .expect("the agent starts");
    let agent = Running(agent);
    let second = wait_for_host(&client, "second-1");
    assert!(has_process(&second["processes"], u64::from(agent.0.id())), "the agent sees itself");
    let named = server.greeting.split("Watching \"").nth(1).and_then(|rest| rest.split('"').next());
    let own = wait_for_host(&client, named.expect("the name of this machine"));
    assert!(has_process(&own["processes"], u64::from(server.id())), "the server sees itself");
}

/// The first line on the agent's standard error that has the word: an agent goes on trying, as a service should.
pub(crate) fn says(arguments: &[&str], word: &str) -> String {
    let child = procession(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the agent starts");
    let mut agent = Running(child);
    let lines = BufReader::new(agent.0.stderr.take().expect("piped")).lines();
    let mut said = String::new();
    for line in lines.map(|line| line.expect("UTF-8")) {
        assert!(!line.contains("panicked"), "{line}");
        if line.contains(word) {
            return line;
        }
        said.push_str(&line);
    }
    panic!("it ended without {word:?}: {said}");
}

#[test]
fn a_wrong_key_and_a_key_for_another_host_are_named() {
    let data = Data::new();
    let server = Server::start(&data);
    let bound = data.key("upload", &["--host", "web-*"]);
    let reads = data.key("read", &[]);
    for (key, word, advice) in [
        ("wrong", "refuses", "key create"),
        (&*bound, "not for that host", "--hostname"),
        (&*reads, "not for uploads", "--purpose upload"),
    ] {
        let arguments = ["agent", "--server", &server.url, "--key", key, "--hostname", "db-1", "--no-spool"];
        let said = says(&arguments, word);
        assert!(said.contains(advice), "{said}");
    }
}

#[test]
fn a_swarm_is_acknowledged() {
    let data = Data::new();
    let server = Server::start(&data);
    let key = data.key("upload", &[]);
    for (format, prefix) in [("frames", "frames-"), ("json", "json-")] {
        let output = run(&[
            "swarm",
            "--server",
            &server.url,
            "--key",
            &key,
            "--hosts",
            "5",
            "--processes",
            "100",
            "--interval",
            "100ms",
            "--duration",
            "2s",
            "--format",
            format,
            "--host-prefix",
            prefix,
        ]);
        let line: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((line["refused"].as_u64(), &line["sent"]), (Some(0), &line["acknowledged"]), "{line}");
        assert!(line["sent"].as_u64() >= Some(50) && line["p99_ms"].as_f64() >= line["p50_ms"].as_f64(), "{line}");
        assert_eq!(line.get("first_trouble"), None, "{line}");
    }
    // Figures and checks work beside a running server.
    assert_eq!(data.stats()["hosts"], 10);
    data.verify();
    drop(server);
}
