//! The page: files from inside the binary, or from a folder for those who work on it.
//!
//! `index.html` names everything under `/page/`; it is sent with `/page/<hash>/` in its place, where the hash is of all
//! files together. So whatever lies under a hash never changes and may be kept for ever, modules find one another by
//! relative paths, and `index.html` itself is asked for anew each time. Files are compressed when first asked for.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::ApiError;
use crate::middleware::ContentPolicy;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/page_files.rs"));
}

const INDEX: &str = "index.html";
const PREFIX: &str = "/page/";
/// How many hexadecimal digits of the hash stand in addresses.
const HASH_LENGTH: usize = 16;
/// Below this compression costs more than it saves.
const COMPRESSED_FROM_BYTES: usize = 512;
/// As small as zstd gets without asking for a large window: done once a file.
const ZSTD_LEVEL: i32 = 19;
/// The largest file that is served from disk.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Where the page comes from.
pub(crate) enum Assets {
    /// From inside the binary.
    Embedded { hash: String, files: HashMap<&'static str, Arc<Asset>> },
    /// From a folder, read anew each time.
    Folder(PathBuf),
}

/// A file, and how it looks compressed.
pub(crate) struct Asset {
    content: Bytes,
    gzip: OnceLock<Bytes>,
    zstd: OnceLock<Bytes>,
}

impl Asset {
    fn new(content: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self { content: content.into(), gzip: OnceLock::new(), zstd: OnceLock::new() })
    }
}

impl Assets {
    /// The files from a folder, or those inside the binary.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        match folder {
            Some(folder) => Self::Folder(folder.to_owned()),
            None => Self::of_files(embedded::FILES),
        }
    }

    fn of_files(files: &'static [(&'static str, &'static [u8])]) -> Self {
        let mut hasher = Sha256::new();
        for (name, content) in files {
            hasher.update(name.as_bytes());
            hasher.update((content.len() as u64).to_le_bytes());
            hasher.update(content);
        }
        let hash: String =
            hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..HASH_LENGTH].to_owned();
        let hashed = format!("{PREFIX}{hash}/");
        let content = |name: &str, content: &'static [u8]| match (name, std::str::from_utf8(content)) {
            (INDEX, Ok(text)) => Asset::new(text.replace(PREFIX, &hashed)),
            _ => Asset::new(content),
        };
        let files = files.iter().map(|(name, bytes)| (*name, content(name, bytes))).collect();
        Self::Embedded { hash, files }
    }

    /// A file by its name, and whether it may be kept for ever.
    async fn file(&self, name: &str) -> Option<(Arc<Asset>, bool)> {
        match self {
            Self::Embedded { hash, files } => {
                let unhashed = name.strip_prefix(hash.as_str()).and_then(|rest| rest.strip_prefix('/'));
                let asset = files.get(unhashed.unwrap_or(name))?;
                Some((Arc::clone(asset), unhashed.is_some()))
            }
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                let read = tokio::task::spawn_blocking(move || read_file(&folder, &name)).await;
                read.ok().flatten().map(|content| (Asset::new(content), false))
            }
        }
    }
}

/// Reads a file below a folder; names that lead out of it are not found.
fn read_file(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let name = Path::new(name);
    let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    let path = folder.join(name);
    let small = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= FILE_BYTES_MAX);
    if inside && small { std::fs::read(path).ok() } else { None }
}

/// `/page/…`: a file of the page.
pub(crate) async fn file(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let name = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (asset, immutable) = app.assets.file(name).await.ok_or_else(ApiError::not_found)?;
    let caching = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(answer(asset, content_type(name), caching, &headers).await)
}

/// Everything else: the page, whose router knows the address; names of files and of the API are not found.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = uri.path();
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("/api/") || path.starts_with("/ws/") || (last.contains('.') && path != "/index.html") {
        return Err(ApiError::not_found());
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::method_not_allowed(method.as_str()));
    }
    let (index, _) = app.assets.file(INDEX).await.ok_or_else(ApiError::not_found)?;
    let policy = policy_of(&index.content);
    let mut response = answer(index, "text/html; charset=utf-8", "no-cache", &headers).await;
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.extensions_mut().insert(ContentPolicy(policy));
    }
    Ok(response)
}

async fn answer(asset: Arc<Asset>, content_type: &'static str, caching: &'static str, headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let takes = |name: &str| accepted.split(',').any(|part| part.split(';').next().unwrap_or_default().trim() == name);
    let worth_it = asset.content.len() >= COMPRESSED_FROM_BYTES && !content_type.starts_with("font/");
    let encoding = match (worth_it && takes("zstd"), worth_it && takes("gzip")) {
        (true, _) => Some("zstd"),
        (false, true) => Some("gzip"),
        _ => None,
    };
    let plain = asset.content.clone();
    let compressed = match encoding {
        Some(encoding) => tokio::task::spawn_blocking(move || compressed(&asset, encoding)).await.ok(),
        None => None,
    };
    let fixed =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, caching), (header::VARY, "accept-encoding")];
    let mut response = (StatusCode::OK, fixed, compressed.clone().unwrap_or(plain)).into_response();
    if let (Some(encoding), Some(_)) = (encoding, compressed) {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn compressed(asset: &Asset, encoding: &str) -> Bytes {
    let content = &asset.content;
    // Writing into memory does not fail; if it did, the plain bytes under this encoding would be refused by the browser.
    if encoding == "zstd" {
        // All at once: a stream, which does not know how much will come, makes its tables for megabytes each time.
        let bytes = || zstd::bulk::compress(content, ZSTD_LEVEL).unwrap_or_default();
        return asset.zstd.get_or_init(|| bytes().into()).clone();
    }
    let bytes = || {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).and_then(|()| encoder.finish()).unwrap_or_default()
    };
    asset.gzip.get_or_init(|| bytes().into()).clone()
}

/// What the page may do: load its own files, talk to its own server. Its import map stands in the document itself, so it
/// is allowed by its hash.
fn policy_of(index: &[u8]) -> String {
    let scripts: String = inline_scripts(&String::from_utf8_lossy(index))
        .map(|script| format!(" 'sha256-{}'", base64(&Sha256::digest(script.as_bytes()))))
        .collect();
    format!(
        "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    html.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (content, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=") && !content.is_empty()).then_some(content)
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_under_the_hash_are_for_ever() {
        let files: &[(&str, &[u8])] = &[("index.html", b"<script src=\"/page/a.js\">"), ("a.js", b"1")];
        let assets = Assets::of_files(files);
        let Assets::Embedded { hash, .. } = &assets else { panic!("not embedded") };
        let (index, immutable) = assets.file(INDEX).await.unwrap();
        assert_eq!(index.content, format!("<script src=\"/page/{hash}/a.js\">"));
        assert!(!immutable);
        assert!(assets.file(&format!("{hash}/a.js")).await.unwrap().1);
        assert!(assets.file("0123/a.js").await.is_none() && assets.file("b.js").await.is_none());
    }

    #[test]
    fn names_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("web")).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::fs::write(folder.path().join("web/a.js"), "1").unwrap();
        let web = folder.path().join("web");
        assert_eq!(read_file(&web, "a.js").as_deref(), Some(&b"1"[..]));
        for name in ["../secret", "/etc/passwd", "a/../../secret", "", ".", "./../secret"] {
            assert_eq!(read_file(&web, name), None, "{name}");
        }
    }

    #[test]
    fn inline_scripts_are_allowed_by_hash() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!((base64(b"Ma").as_str(), base64(b"M").as_str(), base64(b"").as_str()), ("TWE=", "TQ==", ""));
        let policy = policy_of(b"<script type=\"importmap\">{}</script><script src=\"/x\"></script>");
        let hash = base64(&Sha256::digest(b"{}"));
        assert!(policy.contains(&format!("script-src 'self' 'sha256-{hash}';")), "{policy}");
    }
}
