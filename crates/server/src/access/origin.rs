//! Where a request comes from: names under which the server may be called, and pages that may call it.
//!
//! The first keeps a page of another site from reaching the server under a name of its own (DNS rebinding); the second
//! keeps one from using the session of whoever looks at it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, header, request::Parts};

use super::credential::Credential;
use crate::app::App;
use crate::error::ApiError;

/// The header that a page has to send with what changes anything: no other site's page can without being asked first.
const MUTATION_HEADER: &str = "x-procession";

/// The names under which the server may be called.
pub(crate) struct HostAllowList {
    listen: IpAddr,
    names: Vec<String>,
}

impl HostAllowList {
    pub(crate) fn new(listen: SocketAddr, names: &[String]) -> Self {
        Self { listen: listen.ip(), names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Whether a `Host` header (with or without port) is one of ours.
    pub(crate) fn allows(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let name = without_port(&authority);
        if name == "localhost" || self.names.iter().any(|allowed| *allowed == authority || *allowed == name) {
            return true;
        }
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        let Ok(address) = literal.parse::<IpAddr>() else { return false };
        // Someone who listens on every address is called by any of them; a literal cannot be rebound to another one.
        address.is_loopback() || address == self.listen || self.listen.is_unspecified()
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

/// Whether the `Origin` of a request, if it has one, is this server under the name it was called by.
fn origin_is_ours(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), headers.get(header::HOST).map(|host| host.to_str())) else {
        return false;
    };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let plain = |authority: &str| authority.to_ascii_lowercase().trim_end_matches(default_port).to_owned();
    plain(authority) == plain(host)
}

/// A WebSocket that comes from our own page, or from no page at all.
pub(crate) struct SocketOrigin;

impl FromRequestParts<Arc<App>> for SocketOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        if origin_is_ours(&parts.headers) {
            Ok(Self)
        } else {
            Err(ApiError::forbidden("WebSockets are for this server's own page and for programs."))
        }
    }
}

/// Someone at a browser: for what keys must not do.
pub(crate) struct Session;

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        session_of(parts, app).await.map(|_| Self)
    }
}

async fn session_of(parts: &Parts, app: &App) -> Result<[u8; 32], ApiError> {
    match app.access.session(&parts.headers).await? {
        Some(hash) => Ok(hash),
        None if parts.headers.contains_key(header::AUTHORIZATION) => {
            Err(ApiError::forbidden("This needs a signed-in session; a key is not enough."))
        }
        None => Err(ApiError::unauthorized("Sign in first.")),
    }
}

/// A session that changes something: from our own page, and with the header that proves it.
pub(crate) struct MutatingSession(pub(crate) [u8; 32]);

impl FromRequestParts<Arc<App>> for MutatingSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let hash = session_of(parts, app).await?;
        if !parts.headers.contains_key(MUTATION_HEADER) || !origin_is_ours(&parts.headers) {
            return Err(ApiError::forbidden("Send the header X-Procession: 1 from this server's own page."));
        }
        Ok(Self(hash))
    }
}

impl MutatingSession {
    /// The session as a credential.
    pub(crate) const fn credential(&self) -> Credential {
        Credential::Session(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_own_address_and_names() {
        let names = ["Procession.example".to_owned(), "other.example:8443".to_owned()];
        let list = HostAllowList::new(SocketAddr::from(([192, 0, 2, 7], 8000)), &names);
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "192.0.2.7:8000"] {
            assert!(list.allows(host), "{host}");
        }
        assert!(list.allows("procession.example:9") && list.allows("other.example:8443"));
        for host in ["", "evil.example", "192.0.2.8", "localhost.evil.example", "other.example:1", "[::2]", ":80"] {
            assert!(!list.allows(host), "{host}");
        }
    }

    #[test]
    fn origins() {
        let ours = |origin: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            headers.insert(header::HOST, host.parse().unwrap());
            origin_is_ours(&headers)
        };
        assert!(ours("http://localhost:8000", "localhost:8000"));
        assert!(ours("https://procession.example", "procession.example:443"));
        assert!(!ours("http://localhost:9000", "localhost:8000"));
        assert!(!ours("null", "localhost:8000") && !ours("https://evil.example", "localhost"));
        assert!(origin_is_ours(&HeaderMap::new()));
    }
}
