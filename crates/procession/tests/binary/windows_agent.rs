//! The agent for Windows, under Wine, sends to a server of this machine over HTTPS.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Data, Running};
use crate::second_machine::wait_for_host;
use crate::tls::{Pair, client, serve};

fn find<'a>(tree: &'a Value, name: &str) -> Option<&'a Value> {
    let processes = tree.as_array()?;
    processes.iter().find_map(
        |process| {
            if process["name"] == name { Some(process) } else { find(&process["children"], name) }
        },
    )
}

#[test]
#[ignore = "needs Wine and an agent built for Windows: cargo xtask test --only windows"]
fn a_windows_agent_uploads_over_https() {
    let program = std::env::var_os("PROCESSION_WINDOWS_AGENT").expect("the agent's path in PROCESSION_WINDOWS_AGENT");
    let data = Data::new();
    let pair = Pair::make(&data, "own");
    let server = serve(&data, &pair);
    let client = client(&server, &data, &pair);
    // Wine shows the root of this machine as drive Z.
    let certificate = format!("Z:{}", pair.certificate());
    let key = data.key("upload", &["--host", "windows-*"]);
    let agent = Command::new("wine")
        .arg(program)
        .args(["--server", &server.url, "--key", &key, "--ca", &certificate, "--hostname", "windows-1"])
        .args(["--interval", "1s", "--no-spool"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Wine's own services would keep it open.
        .stderr(Stdio::null())
        .spawn()
        .expect("wine starts");
    let _agent = Running(agent);
    let latest = wait_for_host(&client, "windows-1");
    let own = find(&latest["processes"], "procession-agent.exe").expect("the agent sees itself");
    assert!(own["memory_bytes"].as_u64().is_some_and(|memory| memory > 100_000), "{own}");
    assert!(find(&latest["processes"], "services.exe").is_some(), "and what runs beside it: {latest}");
    let hosts = client.get("/api/hosts/").body;
    assert!(hosts[0]["os"].as_str().is_some_and(|os| os.contains("Windows")), "{hosts}");
    assert_eq!(hosts[0]["connected"], true, "{hosts}");
}
