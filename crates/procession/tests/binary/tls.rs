//! HTTPS by the server itself: clients and agents that trust its certificate get through, others say what to do.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio_rustls::rustls::crypto::ring::default_provider;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::api::Client;
use crate::harness::{Data, Running, Server, procession, run};
use crate::second_machine::{says, wait_for_host};

/// A self-signed certificate for 127.0.0.1, as files in the data folder.
pub(crate) struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    pub(crate) fn make(data: &Data, name: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let pair = Self { certificate: data.file(&format!("{name}.crt")), key: data.file(&format!("{name}.key")) };
        std::fs::write(&pair.certificate, cert.pem()).expect("written");
        std::fs::write(&pair.key, signing_key.serialize_pem()).expect("written");
        pair
    }

    pub(crate) fn certificate(&self) -> &str {
        self.certificate.to_str().expect("UTF-8")
    }

    pub(crate) fn key(&self) -> &str {
        self.key.to_str().expect("UTF-8")
    }
}

pub(crate) fn serve(data: &Data, pair: &Pair) -> Server {
    Server::start_with(data, &["--no-local-agent", "--tls-certificate", pair.certificate(), "--tls-key", pair.key()])
}

/// A client that trusts this certificate and no other.
pub(crate) fn client(server: &Server, data: &Data, pair: &Pair) -> Client {
    let pem = std::fs::read(&pair.certificate).expect("readable");
    let trusted = Certificate::from_pem(&pem).expect("a certificate");
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[trusted]))
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .build();
    let agent: Agent = Agent::config_builder().http_status_as_error(false).tls_config(tls).build().into();
    Client::over(agent, server, &data.key("upload", &[]), &data.key("read", &[]))
}

#[test]
fn uploads_answers_and_agents_go_over_https() {
    let data = Data::new();
    let pair = Pair::make(&data, "own");
    let server = serve(&data, &pair);
    assert!(server.url.starts_with("https://"), "{}", server.greeting);
    let client = client(&server, &data, &pair);
    let stored = client.upload(&json!({
        "hostname": "over-https",
        "snapshot_time": "2026-01-02T03:04:05Z",
        "processes": [{"pid": 1, "parent_pid": null, "name": "init", "cpu": 0.5, "memory": 4096}],
    }));
    assert_eq!(stored.status, 201, "{stored:?}");
    let key = data.key("upload", &[]);
    let arguments =
        ["agent", "--server", &server.url, "--key", &key, "--hostname", "agent-1", "--interval", "1s", "--no-spool"];
    let trusting = [&arguments[..], &["--ca", pair.certificate()]].concat();
    let agent = procession(&trusting).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the agent starts");
    let _agent = Running(agent);
    wait_for_host(&client, "agent-1");
}

#[test]
fn an_agent_that_does_not_know_the_certificate_sends_nothing_and_says_what_to_do() {
    let data = Data::new();
    let server = serve(&data, &Pair::make(&data, "own"));
    let key = data.key("upload", &[]);
    let stranger = Pair::make(&data, "stranger");
    let arguments = ["agent", "--server", &server.url, "--key", &key, "--hostname", "agent-1", "--no-spool"];
    let other = [&arguments[..], &["--ca", stranger.certificate()]].concat();
    for arguments in [&arguments[..], &other] {
        let said = says(arguments, "certificate");
        assert!(said.contains("--ca"), "{said}");
    }
    assert_eq!(data.stats()["hosts"], 0);
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_at_the_start() {
    let data = Data::new();
    let pair = Pair::make(&data, "own");
    let other = Pair::make(&data, "other");
    let empty = data.file("empty.pem");
    std::fs::write(&empty, "").expect("written");
    let empty = empty.to_str().expect("UTF-8");
    let absent = data.file("absent.pem");
    let absent = absent.to_str().expect("UTF-8");
    for (certificate, key, named) in [
        (pair.certificate(), other.key(), pair.certificate()),
        (empty, pair.key(), empty),
        (pair.certificate(), empty, empty),
        (absent, pair.key(), absent),
    ] {
        let output = run(&[
            "serve",
            "--data",
            data.str(),
            "--listen",
            "127.0.0.1:0",
            "--no-local-agent",
            "--tls-certificate",
            certificate,
            "--tls-key",
            key,
        ]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(named), "{said}");
    }
}
