//! Where the server is, from whatever form of its address someone has at hand.

use std::fmt;
use std::str::FromStr;

use tokio_tungstenite::tungstenite::http::Uri;

/// The port of a server whose address names neither a port nor a scheme.
const PORT_DEFAULT: u16 = 8_000;
const ADDRESS_BYTES_MAX: usize = 2_048;

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Name or IP address; an IPv6 one without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What a proxy puts before the server's paths, without a slash at its end; mostly empty.
    pub prefix: String,
}

/// Not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a server's address: use for instance http://127.0.0.1:8000 or https://procession.example.org")]
pub struct AddressError(String);

impl ServerAddress {
    /// The URL of the WebSocket for agents.
    pub fn agent_url(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}{}", self.authority(), self.prefix, procession_protocol::PATH)
    }

    /// Whether the server is on this machine, where nobody can listen in.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}/", self.authority(), self.prefix)
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    /// Takes the server's own address, that of its API, of one endpoint, or only a host.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let error = || AddressError(text.chars().take(200).collect());
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(error());
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (tls, port_default) = match scheme.to_ascii_lowercase().as_str() {
            "" => (false, PORT_DEFAULT),
            "http" | "ws" => (false, 80),
            "https" | "wss" => (true, 443),
            _ => return Err(error()),
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| error())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(error)?;
        let port_given = authority.as_str().rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = match authority.port_u16() {
            Some(port) if port > 0 => port,
            None if !port_given => port_default,
            _ => return Err(error()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(error());
        }
        Ok(Self { tls, host: host.to_owned(), port, prefix: prefix(uri.path()) })
    }
}

/// What is left of a path when the server's own part of it is cut off.
fn prefix(path: &str) -> String {
    let with_slash = format!("{}/", path.trim_end_matches('/'));
    let own = ["/api/", "/ws/"].iter().filter_map(|own| with_slash.find(own)).min();
    with_slash[..own.unwrap_or(with_slash.len() - 1)].trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        text.parse::<ServerAddress>().map_or_else(|error| error.to_string(), |address| address.agent_url())
    }

    #[test]
    fn all_forms_lead_to_the_agents_path() {
        for text in [
            "http://127.0.0.1:8000/api/process-snapshots/",
            "127.0.0.1:8000/api/",
            "http://127.0.0.1:8000/api",
            "http://127.0.0.1:8000",
            "ws://127.0.0.1:8000/ws/agent/",
            " 127.0.0.1 ",
            "HTTP://127.0.0.1:8000/",
        ] {
            assert_eq!(url(text), "ws://127.0.0.1:8000/ws/agent/", "{text}");
        }
        assert_eq!(url("https://example.org"), "wss://example.org/ws/agent/");
        assert_eq!(url("https://example.org:8443/watch/api/hosts/"), "wss://example.org:8443/watch/ws/agent/");
        assert_eq!(url("https://example.org/watch/"), "wss://example.org/watch/ws/agent/");
        assert_eq!(url("http://example.org"), "ws://example.org/ws/agent/");
        assert_eq!(url("[::1]:8000"), "ws://[::1]:8000/ws/agent/");
        assert_eq!(url("http://[::1]"), "ws://[::1]/ws/agent/");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "ftp://example.org", "http://", "http://a b", "http://user:pass@host", "host:99999", "host:0"]
        {
            assert!(text.parse::<ServerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn shown_as_a_web_address() {
        let shown = |text: &str| text.parse::<ServerAddress>().unwrap().to_string();
        assert_eq!(shown("host"), "http://host:8000/");
        assert_eq!(shown("https://host/x"), "https://host/x/");
        assert!("localhost".parse::<ServerAddress>().unwrap().is_loopback());
        assert!("[::1]:1".parse::<ServerAddress>().unwrap().is_loopback());
        assert!(!"example.org".parse::<ServerAddress>().unwrap().is_loopback());
    }
}
