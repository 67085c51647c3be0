//! Passwords in addresses: `scheme://name:x@host`, `name:x@host`, and services whose paths are secrets.

use super::spans::{Spans, Token};
use super::values::{is_harmless, looks_random};

/// What comes before the secret in addresses whose paths are secrets.
const SECRET_PATHS: [&str; 3] = ["hooks.slack.com/services/", "/api/webhooks/", "webhook.office.com/webhookb2/"];

/// What looks like `name:` before an address and is a kind of address.
const KINDS: [&str; 19] = [
    "sftp",
    "ssh",
    "scp",
    "rsync",
    "ftp",
    "mailto",
    "sip",
    "sips",
    "xmpp",
    "acct",
    "npm",
    "http",
    "https",
    "file",
    "git",
    "workspace",
    "docker",
    "oci",
    "unix",
];

pub(super) fn look(token: Token<'_>, spans: &mut Spans) {
    let text = token.text;
    if text.contains("://") {
        for (at, _) in text.match_indices("://") {
            authority(token, at + "://".len(), spans);
        }
        paths(token, spans);
        streams(token, spans);
    }
    if text.contains('@') {
        bare(token, spans);
        oracle(token, spans);
    }
}

fn authority(token: Token<'_>, begin: usize, spans: &mut Spans) {
    let rest = &token.text[begin..];
    let rest = &rest[..rest.find([' ', '"', '\'', '\t', '\n', '<', '>']).unwrap_or(rest.len())];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@').or_else(|| {
        // A password with a slash in it. A port would be a number.
        let (_, port) = rest[..end].split_once(':')?;
        (!port.bytes().all(|byte| byte.is_ascii_digit())).then(|| rest.rfind('@')).flatten()
    });
    let Some(at) = at else { return };
    match rest[..at].find(':') {
        Some(colon) if !is_harmless(&rest[colon + 1..at]) => spans.mask_part(token, begin + colon + 1..begin + at),
        Some(_) => {}
        // A token in place of the name.
        None if looks_random(&rest[..at]) => spans.mask_part(token, begin..begin + at),
        None => {}
    }
}

fn paths(token: Token<'_>, spans: &mut Spans) {
    for prefix in SECRET_PATHS {
        if let Some(found) = token.text.find(prefix) {
            let begin = found + prefix.len();
            let length = token.text[begin..].find([' ', '"', '\'', '?']).unwrap_or(token.text.len() - begin);
            let number = token.text[begin..].bytes().take_while(u8::is_ascii_digit).count();
            // The number of a webhook is public.
            let skip = if token.text[begin + number..].starts_with('/') { number + 1 } else { 0 };
            spans.mask_part(token, begin + skip..begin + length);
        }
    }
}

/// The key of a stream is the end of its path.
fn streams(token: Token<'_>, spans: &mut Spans) {
    const KEY_BYTES_MIN: usize = 12;
    for scheme in ["rtmp://", "rtmps://"] {
        let Some(at) = token.text.find(scheme) else { continue };
        let rest = &token.text[at + scheme.len()..];
        let rest = &rest[..rest.find([' ', '"', '\'', '?']).unwrap_or(rest.len())];
        if rest.matches('/').count() >= 2
            && let Some(slash) = rest.rfind('/')
            && rest.len() - slash > KEY_BYTES_MIN
        {
            let begin = at + scheme.len();
            spans.mask_part(token, begin + slash + 1..begin + rest.len());
        }
    }
}

/// `name:x@host` without a scheme.
fn bare(token: Token<'_>, spans: &mut Spans) {
    let token = token.unquoted();
    let begin = token.text.find('=').map_or(0, |at| at + 1);
    let rest = &token.text[begin..];
    let rest_at = rest.trim_start_matches(':');
    let skipped = rest.len() - rest_at.len();
    let colon = rest_at.find(':').map(|at| at + skipped);
    let (Some(colon), Some(at)) = (colon, rest.rfind('@')) else { return };
    if rest.contains("://") || rest.contains(char::is_whitespace) || at < colon + 2 {
        return;
    }
    let (name, value, host) = (&rest[..colon], &rest[colon + 1..at], &rest[at + 1..]);
    let name = name.trim_start_matches(':');
    if let Some(cvs) = value.split_once(':').filter(|_| name == "pserver" || name == "ext") {
        let length = cvs.1.len();
        return spans.mask_part(token, begin + at - length..begin + at);
    }
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/\\%+".contains(&byte));
    let is_host =
        host.starts_with(':') || host.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '[');
    let is_digest = host.starts_with("sha256:") || host.starts_with("sha512:");
    let is_version = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && host.split('.').count() != 4;
    let is_address = name.contains('@') || KINDS.contains(&name) || value.contains('@');
    let is_path = value.starts_with(['/', '\\']) || name.starts_with('/');
    if is_name && is_host && !is_digest && !is_version && !is_address && !is_path && !is_harmless(value) {
        spans.mask_part(token, begin + colon + 1..begin + at);
    }
}

/// `jdbc:oracle:thin:name/x@host`
fn oracle(token: Token<'_>, spans: &mut Spans) {
    const PREFIXES: [&str; 2] = ["jdbc:oracle:thin:", "jdbc:oracle:oci:"];
    for prefix in PREFIXES {
        let Some(found) = token.text.find(prefix) else { continue };
        let begin = found + prefix.len();
        let Some(end) = token.text[begin..].find('@').map(|at| begin + at) else { continue };
        if let Some(slash) = token.text[begin..end].find('/') {
            spans.mask_part(token, begin + slash + 1..end);
        } else if let Some(colon) = token.text[begin..end].find(':') {
            spans.mask_part(token, begin + colon + 1..end);
        }
    }
}
