//! What a server can be told, and the limits that hold whoever asks.

use std::net::SocketAddr;
use std::path::PathBuf;

/// What a server is told when it starts.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names under which the server may be called besides loopback and the listening address, such as
    /// `procession.example.org` or `procession.example.org:8443`. Anything else is answered 421.
    pub allowed_hosts: Vec<String>,
    /// Serve the page from this folder instead of from inside the binary, for those who work on it.
    pub page_dir: Option<PathBuf>,
    /// Speak TLS.
    pub tls: Option<TlsFiles>,
    /// A proxy in front speaks TLS: cookies are `Secure` and their names begin with `__Host-`.
    pub behind_tls: bool,
    /// Take uploads at `/api/process-data/` without a key, as that API's published client sends them.
    pub anonymous_process_data: bool,
    /// Limits.
    pub limits: Limits,
}

/// Certificate chain and key as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What one server takes on at a time. Past a limit a request is refused or waits; nothing grows without bound.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request's body, before and after decompression: 413 beyond.
    pub body_bytes_max: usize,
    /// Bodies held in memory at once: others wait.
    pub bodies_max: usize,
    /// Open connections: others wait in the kernel's queue.
    pub connections_max: usize,
    /// Snapshots that wait to be written: 503 beyond, while agents' connections wait.
    pub ingest_queue_max: usize,
    /// Open WebSockets of readers: 503 beyond.
    pub reader_sockets_max: usize,
    /// Open WebSockets of agents: 503 beyond.
    pub agent_sockets_max: usize,
    /// How long a session lasts, in milliseconds.
    pub session_ms: i64,
    /// How long a graceful end may take before what is left is cut off, in milliseconds.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            bodies_max: 64,
            connections_max: 40_000,
            ingest_queue_max: 8_192,
            reader_sockets_max: 15_000,
            agent_sockets_max: 20_000,
            session_ms: 30 * 24 * 3_600 * 1_000,
            drain_ms: 10_000,
        }
    }
}

impl ServerConfig {
    /// A server at this address with everything else as it is by default.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            allowed_hosts: Vec::new(),
            page_dir: None,
            tls: None,
            behind_tls: false,
            anonymous_process_data: false,
            limits: Limits::default(),
        }
    }

    /// Whether browsers reach the server over TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        self.tls.is_some() || self.behind_tls
    }
}
