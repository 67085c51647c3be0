//! The link that signs its first user in.

use procession_model::Timestamp;
use procession_store::{Catalog, SignInLink, StoreError};

use super::key_text;

/// How long a link is good, in milliseconds.
pub const LINK_MS: i64 = 3_600 * 1_000;
const TOKEN_LENGTH: usize = 43;

/// Makes a link that is good once and for an hour. `base_url` is the server's address, such as
/// `http://127.0.0.1:8000/`.
pub async fn create_link(catalog: &dyn Catalog, base_url: &str, now: Timestamp) -> Result<String, StoreError> {
    let token = key_text::random_text::<TOKEN_LENGTH>();
    let link = SignInLink { hash: key_text::hash_of(&token), expires: now.plus_ms(LINK_MS) };
    catalog.create_sign_in_link(link).await?;
    Ok(format!("{}/sign-in?token={token}", base_url.trim_end_matches('/')))
}

/// Uses a token up: true if it was good.
pub(crate) async fn use_token(catalog: &dyn Catalog, token: &str, now: Timestamp) -> Result<bool, StoreError> {
    if token.len() != TOKEN_LENGTH {
        return Ok(false);
    }
    catalog.use_sign_in_link(&key_text::hash_of(token), now).await
}
