//! Who a request is from.
//!
//! Keys and sessions are looked up in the store for each request, so that what another process revoked is not good any
//! more from then on: a look costs microseconds. One task looks after the credentials of all open WebSockets, however
//! many share one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, header, request::Parts};
use procession_model::Timestamp;
use procession_store::{Catalog, Key, KeyChange, KeyId, KeyPurpose, StoreError};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::{HostScope, key_text, sessions};
use crate::app::App;
use crate::error::ApiError;
use crate::time_text;

/// How often the credentials of open WebSockets are looked at: they end within 5 s.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Of how many keys is remembered in which minute their use was noted; past it all are noted again.
const NOTED_MAX: usize = 10_000;
/// Failed attempts a minute, over all clients, past which the next ones are told to wait.
const FAILURES_A_MINUTE_MAX: u32 = 6_000;

/// What someone showed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// A session, by the hash of its token.
    Session([u8; 32]),
    /// A key, by its prefix.
    Key(Arc<str>),
}

/// Someone who may read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Which hosts.
    pub(crate) scope: HostScope,
    /// By what.
    pub(crate) credential: Credential,
}

/// Someone who may upload.
#[derive(Clone, Debug)]
pub(crate) struct Uploader {
    /// Which hosts.
    pub(crate) scope: HostScope,
    /// By what.
    pub(crate) credential: Credential,
}

/// Held by a WebSocket: `ended` fires when its credential is no longer good.
#[derive(Clone, Debug)]
pub(crate) struct CredentialWatch(Arc<CancellationToken>);

impl CredentialWatch {
    /// Completes when the credential is no longer good.
    pub(crate) async fn ended(&self) {
        self.0.cancelled().await;
    }

    /// One that never ends, for the agent within this process.
    pub(crate) fn endless() -> Self {
        Self(Arc::new(CancellationToken::new()))
    }
}

/// Looks keys and sessions up.
pub(crate) struct Access {
    catalog: Arc<dyn Catalog>,
    secure: bool,
    /// The minute in which the use of a key was last noted.
    noted: Mutex<HashMap<KeyId, Timestamp>>,
    watched: Mutex<HashMap<Credential, Weak<CancellationToken>>>,
    failures: Mutex<(Instant, u32)>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Access {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, secure: bool) -> Self {
        Self {
            catalog,
            secure,
            noted: Mutex::default(),
            watched: Mutex::default(),
            failures: Mutex::new((Instant::now(), 0)),
        }
    }

    /// The key that a request shows; 401 if it is not good, 403 if it is for something else.
    pub(crate) async fn key(&self, headers: &HeaderMap, purpose: KeyPurpose) -> Result<Key, ApiError> {
        let text = key_in(headers)?;
        let Some(prefix) = key_text::prefix_of(text) else {
            return Err(self.failed("Invalid key: it is mistyped or incomplete."));
        };
        let key = self.catalog.key_by_prefix(prefix).await?;
        let Some(key) = key.filter(|key| key.key.hash.ct_eq(&key_text::hash_of(text)).into()) else {
            return Err(self.failed("Invalid key."));
        };
        if let Some(problem) = why_not_good(&key) {
            return Err(self.failed(problem));
        }
        if key.key.purpose != purpose {
            let wanted = if purpose == KeyPurpose::Read { "reading" } else { "uploads" };
            return Err(ApiError::forbidden(format!("This key is not for {wanted}.")));
        }
        self.note_use(&key);
        Ok(key)
    }

    /// The hash of the session that a request shows, if it is good.
    pub(crate) async fn session(&self, headers: &HeaderMap) -> Result<Option<[u8; 32]>, ApiError> {
        for cookies in headers.get_all(header::COOKIE) {
            let hash = cookies.to_str().ok().and_then(|cookies| sessions::token_hash(cookies, self.secure));
            if let Some(hash) = hash {
                return Ok(self.session_is_good(&hash).await?.then_some(hash));
            }
        }
        Ok(None)
    }

    /// Watches a credential for a WebSocket.
    pub(crate) fn watch(&self, credential: &Credential) -> CredentialWatch {
        let mut watched = lock(&self.watched);
        if let Some(token) = watched.get(credential).and_then(Weak::upgrade) {
            return CredentialWatch(token);
        }
        let token = Arc::new(CancellationToken::new());
        watched.insert(credential.clone(), Arc::downgrade(&token));
        CredentialWatch(token)
    }

    /// Ends the watches of credentials that are no longer good. A store that cannot be asked ends none.
    pub(crate) async fn check_watched(&self) {
        let credentials: Vec<Credential> = {
            let mut watched = lock(&self.watched);
            watched.retain(|_, token| token.strong_count() > 0);
            watched.keys().cloned().collect()
        };
        for credential in credentials {
            let good = match &credential {
                Credential::Session(hash) => self.session_is_good(hash).await,
                Credential::Key(prefix) => {
                    self.catalog.key_by_prefix(prefix).await.map(|key| key.is_some_and(|key| is_good(&key)))
                }
            };
            if matches!(good, Ok(false)) {
                self.end_watch(&credential);
            }
        }
    }

    /// Counts a failed attempt and says what to answer.
    pub(crate) fn failed(&self, detail: &str) -> ApiError {
        let mut failures = lock(&self.failures);
        if failures.0.elapsed() > Duration::from_secs(60) {
            *failures = (Instant::now(), 0);
        }
        failures.1 = failures.1.saturating_add(1);
        if failures.1 > FAILURES_A_MINUTE_MAX {
            return ApiError::too_many_requests(60);
        }
        ApiError::unauthorized(detail)
    }

    /// Ends the WebSockets of a key or session that has just ended.
    pub(crate) fn end_watch(&self, credential: &Credential) {
        if let Some(token) = lock(&self.watched).remove(credential).and_then(|token| token.upgrade()) {
            token.cancel();
        }
    }

    async fn session_is_good(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.catalog.session(hash, time_text::now()).await?.is_some())
    }

    /// Notes that a key was used, once a minute, without making the request wait for it.
    fn note_use(&self, key: &Key) {
        let minute = time_text::minute_of(time_text::now());
        if key.last_used.is_some_and(|last| last >= minute) {
            return;
        }
        let mut noted = lock(&self.noted);
        if noted.len() >= NOTED_MAX {
            noted.clear();
        }
        if noted.insert(key.id, minute) == Some(minute) {
            return;
        }
        drop(noted);
        let (catalog, id) = (Arc::clone(&self.catalog), key.id);
        tokio::spawn(async move {
            if let Err(error) = catalog.change_key(id, KeyChange::Used(minute)).await {
                tracing::warn!(%error, "cannot note the use of a key");
            }
        });
    }
}

fn key_in(headers: &HeaderMap) -> Result<&str, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(ApiError::unauthorized("Authentication credentials were not provided."));
    };
    let text = value.to_str().unwrap_or_default().trim();
    match text.split_once(char::is_whitespace) {
        Some((keyword, key)) if keyword.eq_ignore_ascii_case("Api-Key") => Ok(key.trim()),
        _ => Err(ApiError::unauthorized("Send the key as: Authorization: Api-Key <key>")),
    }
}

fn why_not_good(key: &Key) -> Option<&'static str> {
    if key.revoked.is_some() {
        return Some("This key has been revoked.");
    }
    key.key.expires.is_some_and(|expires| expires <= time_text::now()).then_some("This key has expired.")
}

fn is_good(key: &Key) -> bool {
    why_not_good(key).is_none()
}

fn scope_and_credential(key: &Key) -> (HostScope, Credential) {
    (HostScope::of(key.key.host_pattern.as_deref()), Credential::Key(key.key.prefix.as_str().into()))
}

impl Reader {
    /// Whether there is no host that may not be read.
    pub(crate) fn sees_all(&self) -> bool {
        self.scope == HostScope::All
    }

    /// 403 unless this host may be read.
    pub(crate) fn may_read(&self, hostname: &str) -> Result<(), ApiError> {
        if self.scope.covers(hostname) { Ok(()) } else { Err(ApiError::forbidden("This key is not for that host.")) }
    }
}

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if !parts.headers.contains_key(header::AUTHORIZATION)
            && let Some(hash) = app.access.session(&parts.headers).await?
        {
            return Ok(Self { scope: HostScope::All, credential: Credential::Session(hash) });
        }
        let key = app.access.key(&parts.headers, KeyPurpose::Read).await?;
        let (scope, credential) = scope_and_credential(&key);
        Ok(Self { scope, credential })
    }
}

impl FromRequestParts<Arc<App>> for Uploader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let key = app.access.key(&parts.headers, KeyPurpose::Upload).await?;
        let (scope, credential) = scope_and_credential(&key);
        Ok(Self { scope, credential })
    }
}
