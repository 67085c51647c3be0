//! Why there is no connection, and what to do about it.

use std::io;

/// Why there is no connection. The messages are for the person who runs the agent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers.
    #[error("cannot reach {target}: {source}. Is the server running there, and is nothing between that blocks it?")]
    Unreachable {
        /// Host and port.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("{target} does not answer within {seconds} s. Is the address right?")]
    TimedOut {
        /// Host and port.
        target: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The encrypted connection failed.
    #[error("no encrypted connection to {target}: {reason}. {hint}")]
    Tls {
        /// Host and port.
        target: String,
        /// What the TLS library says.
        reason: String,
        /// What may help.
        hint: &'static str,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot read the certificates to trust from {path}: {reason}. It has to be a file of PEM certificates")]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// 401.
    #[error(
        "the server refuses this agent's key: it is wrong, expired or revoked. Make a new one with `procession key create \
         --purpose upload` on the server and give it to this agent"
    )]
    KeyRefused,
    /// 403.
    #[error(
        "this agent's key may not be used here: {0}. Use a key made with `--purpose upload` and, if it is bound to hosts, one \
         for this host name (or set --hostname)"
    )]
    KeyForbidden(String),
    /// 421.
    #[error(
        "the server does not know itself by the name in its address. Use one of its names, or start it with that name \
         allowed (`procession serve --help`: --host-name)"
    )]
    HostNotAllowed,
    /// 429 or 503.
    #[error("the server is busy or shutting down; it will be asked again")]
    Busy {
        /// How long the server asks us to wait, in seconds.
        retry_after_seconds: Option<u64>,
    },
    /// Any other answer than a WebSocket.
    #[error("{target} answers, but not as a Procession server does ({answer}). Is the address right?")]
    NotProcession {
        /// Host and port.
        target: String,
        /// What it answered.
        answer: String,
    },
    /// The server in this process has ended.
    #[error("the server has ended")]
    Ended,
}
