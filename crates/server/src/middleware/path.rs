//! Paths with and without the slash at their end are the same, without a redirect: many clients lose the body of a POST
//! on one.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// The request with a slash at the end of its path, where it is one of the API.
pub(crate) fn with_slash(mut request: Request) -> Request {
    if let Some(uri) = slashed(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn slashed(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let in_api = path.starts_with("/api/") || path.starts_with("/ws/");
    let last = path.rsplit('/').next().unwrap_or_default();
    if !in_api || last.is_empty() || last.contains('.') {
        return None;
    }
    let with_query = match uri.query() {
        Some(query) => format!("{path}/?{query}"),
        None => format!("{path}/"),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(with_query).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_api_gets_a_slash() {
        let slashed = |uri: &str| slashed(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(slashed("/api/hosts?x=1").as_deref(), Some("/api/hosts/?x=1"));
        assert_eq!(slashed("/ws/live").as_deref(), Some("/ws/live/"));
        for path in ["/api/hosts/", "/api/openapi.json", "/hosts/a", "/"] {
            assert_eq!(slashed(path), None, "{path}");
        }
    }
}
