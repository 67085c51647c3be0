//! The server that a swarm talks to. Plain HTTP only: TLS would measure the cipher, and put the swarm's cost up.

use tokio::net::TcpStream;

/// Where, and with which key.
#[derive(Debug)]
pub(super) struct Target {
    /// `host:port`, as in the `Host` header.
    pub(super) authority: String,
    /// The value of the `Authorization` header.
    pub(super) authorization: String,
}

impl Target {
    /// From what the command line says.
    pub(super) fn new(server: &str, key: &str) -> Result<Self, String> {
        let Some(rest) = server.strip_prefix("http://") else {
            return Err(format!(
                "--server {server:?}: swarm takes http:// addresses only, such as http://127.0.0.1:8000"
            ));
        };
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            return Err(format!("--server {server:?} is not an address such as http://127.0.0.1:8000"));
        }
        let authority = if has_port(authority) { authority.to_owned() } else { format!("{authority}:80") };
        if key.is_empty() || key.contains(|c: char| !c.is_ascii_graphic()) {
            return Err("--key is not a key: take what `procession key create` prints".into());
        }
        Ok(Self { authority, authorization: format!("Api-Key {key}") })
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(&*self.authority).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(Target::new("http://[::1]:8000/", "k").unwrap().authority, "[::1]:8000");
        assert_eq!(Target::new("http://monitor", "k").unwrap().authority, "monitor:80");
        for server in ["https://x", "127.0.0.1:8000", "http://", "http://a/b"] {
            assert!(Target::new(server, "k").is_err(), "{server}");
        }
    }
}
