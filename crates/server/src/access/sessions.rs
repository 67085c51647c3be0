//! Sessions of people at a browser: a random token in a cookie, of which the store has the hash.

use procession_model::Timestamp;
use procession_store::{Catalog, NewSession, StoreError};

use super::key_text;

const TOKEN_LENGTH: usize = 43;
const PLAIN_NAME: &str = "procession_session";
const SECURE_NAME: &str = "__Host-procession_session";

/// Begins a session and returns its token.
pub(crate) async fn begin(catalog: &dyn Catalog, now: Timestamp, lasts_ms: i64) -> Result<String, StoreError> {
    let token = key_text::random_text::<TOKEN_LENGTH>();
    let session = NewSession { hash: key_text::hash_of(&token), created: now, expires: now.plus_ms(lasts_ms) };
    catalog.create_session(session).await?;
    Ok(token)
}

/// The `Set-Cookie` value for a token. Lax, not Strict: the link is opened from a terminal or a mail, and the redirect
/// after it has to carry the cookie already; what changes anything asks for a header of its own besides.
pub(crate) fn session_cookie(token: &str, secure: bool, lasts_ms: i64) -> String {
    let seconds = lasts_ms / 1_000;
    let (name, more) = if secure { (SECURE_NAME, "; Secure") } else { (PLAIN_NAME, "") };
    format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{more}")
}

/// The `Set-Cookie` value that takes the cookie away.
pub(crate) fn clear_cookie(secure: bool) -> String {
    session_cookie("", secure, 0)
}

/// The hash of the token in the request's cookies.
pub(crate) fn token_hash(cookies: &str, secure: bool) -> Option<[u8; 32]> {
    let wanted = if secure { SECURE_NAME } else { PLAIN_NAME };
    cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, token)| *name == wanted && token.len() == TOKEN_LENGTH)
        .map(|(_, token)| key_text::hash_of(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cookie_of_this_kind_counts() {
        let token = "t".repeat(TOKEN_LENGTH);
        let cookies = format!("a=b; procession_session={token}; other");
        assert_eq!(token_hash(&cookies, false), Some(key_text::hash_of(&token)));
        assert_eq!(token_hash(&cookies, true), None);
        assert_eq!(token_hash("procession_session=short", false), None);
    }
}
