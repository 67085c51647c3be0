//! The document itself.

use std::sync::OnceLock;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::errors::{Detail, Problems};
use crate::{history, page, published, system};

#[derive(OpenApi)]
#[openapi(
    info(title = "Procession", description = "Every process on every machine, at every moment. Paths are served with \
        and without the slash at their end. Times are RFC 3339 in UTC. Live: the WebSockets `/ws/process-snapshots/` \
        (each stored snapshot as one message in the shape of an upload, `?hostname=` narrows it) and `/ws/live/` (a \
        keyframe of columns, then changes; without `?hostname=` the list of hosts)."),
    paths(
        published::upload::upload,
        published::hosts::hosts,
        published::latest::latest,
        published::list::list,
        published::detail::detail,
        published::series::series,
        system::data::data,
        system::filter::filter,
        system::duration::duration,
        history::series::process_series,
        history::series::program_series,
        history::series::user_series,
        history::top::top,
        history::changes::changes,
        history::runs::runs,
        history::hosts_with::hosts_with,
        history::search::search,
        history::export::samples,
        page::columns::columns,
        page::charts::host_chart,
        page::recent::recent,
        page::session::session,
        page::session::sign_out,
        page::keys::list,
        page::keys::create,
        page::keys::revoke,
    ),
    components(schemas(Detail, Problems)),
    modifiers(&Security),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let key = |text: &str| {
            let description = format!("`Api-Key <key>`, a key for {text}");
            let value = ApiKeyValue::with_description("Authorization".to_owned(), description);
            SecurityScheme::ApiKey(ApiKey::Header(value))
        };
        components.add_security_scheme("upload_key", key("uploads"));
        components.add_security_scheme("read_key", key("reading"));
        let cookie = ApiKeyValue::with_description("procession_session", "The cookie of the one-time sign-in link");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// The document as a value.
pub(super) fn document() -> &'static utoipa::openapi::OpenApi {
    static DOCUMENT: OnceLock<utoipa::openapi::OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(Document::openapi)
}

/// The document as JSON.
pub(crate) fn document_json() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    // The document has string keys only, so this cannot fail.
    TEXT.get_or_init(|| document().to_pretty_json().unwrap_or_default())
}
