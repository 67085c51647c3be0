//! Secrets in texts with a grammar of their own: headers, connection strings, JSON, forms, programs and SQL.

use super::names::{Names, Sureness};
use super::spans::{Spans, Token};
use super::values::{is_harmless, looks_random};

/// What may be around names and values; the last may be in front of the others.
const QUOTES: [char; 3] = ['"', '\'', '\\'];

/// Whether a word may be such a text: does not allocate.
pub(super) fn is_suspect(word: &str) -> bool {
    word.contains('@') || (word.contains('"') && word.contains(':'))
}

pub(super) fn look(names: &Names, token: Token<'_>, spans: &mut Spans) {
    header(names, token, spans);
    after_authorization(token, spans);
    statements(token, spans);
    piped(token, spans);
    pairs(names, token, spans);
}

/// `echo x | sudo -S …`, `echo name:x | chpasswd`
fn piped(token: Token<'_>, spans: &mut Spans) {
    const READERS: [&str; 5] = ["sudo -S", "--password-stdin", "passwd --stdin", "chpasswd", "smbpasswd -s"];
    let Some(echo) = token.text.find("echo ") else { return };
    let begin = echo + "echo ".len();
    let Some(length) = token.text[begin..].find('|') else { return };
    let Some(reader) = READERS.iter().find(|reader| token.text[begin + length..].contains(**reader)) else { return };
    let value = token.part(begin..begin + token.text[begin..begin + length].trim_end().len()).unquoted();
    let skip = if reader.ends_with("chpasswd") { value.text.find(':').map_or(0, |at| at + 1) } else { 0 };
    if !is_harmless(&value.text[skip..]) {
        spans.mask_part(value, skip..value.text.len());
    }
}

/// `X-Api-Key: x` as a whole word, also glued to `-H` or after `--header=`.
fn header(names: &Names, token: Token<'_>, spans: &mut Spans) {
    let token = token.unquoted();
    let begin = if token.text.starts_with("--") {
        let Some(at) = token.text.find('=') else { return };
        at + 1
    } else if token.text.starts_with("-H") {
        "-H".len() + usize::from(token.text[2..].starts_with('='))
    } else {
        0
    };
    let header = token.part(begin..token.text.len()).unquoted();
    let Some((name, value)) = header.text.split_once(':') else { return };
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let is_cookie = name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie");
    let is_secret = match names.sureness(name) {
        Sureness::Sure => name.contains('-'),
        Sureness::Likely => looks_random(value.trim()),
        Sureness::No => false,
    };
    let value = value.trim_start();
    if is_name && (is_cookie || (is_secret && !value.contains(char::is_whitespace))) && !is_harmless(value) {
        spans.mask_part(header, header.text.len() - value.len()..header.text.len());
    }
}

/// What follows `Authorization:` or `Bearer`, but for the scheme.
fn after_authorization(token: Token<'_>, spans: &mut Spans) {
    const NAME: &str = "authorization";
    const SCHEMES: [&str; 9] =
        ["basic", "bearer", "token", "digest", "negotiate", "apikey", "api-key", "ntlm", "aws4-hmac-sha256"];
    let mut from = 0;
    while let Some(found) = find_ignoring_case(&token.text[from..], NAME) {
        let after = from + found + NAME.len();
        from = after;
        let rest = token.text[after..].trim_start_matches(['"', '\'', '\\']);
        let Some(rest) = rest.trim_start().strip_prefix([':', '=']) else { continue };
        let mut value = rest.trim_start_matches([' ', '"', '\'', '\\']);
        let scheme = value.split(' ').next().unwrap_or_default();
        if SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) && scheme.len() < value.len() {
            value = value[scheme.len()..].trim_start();
        }
        let length = value.find(['"', '\'']).unwrap_or(value.len());
        let begin = token.text.len() - value.len();
        let is_known = begin + length <= token.text.len() && !is_harmless(&value[..length]);
        if is_known && !value[..length].contains(char::is_whitespace) {
            spans.mask_part(token, begin..begin + length);
        }
    }
}

/// Quoted words after words of SQL, PowerShell and the like.
fn statements(token: Token<'_>, spans: &mut Spans) {
    const BEFORE: [&str; 5] =
        ["password", "identified by", "identified by password", "-asplaintext -string", "convertto-securestring"];
    for before in BEFORE {
        let mut from = 0;
        while let Some(found) = find_ignoring_case(&token.text[from..], before) {
            from += found + before.len();
            let rest = &token.text[from..];
            let value = rest.trim_start_matches([' ', '(', '\t']);
            if value.len() < rest.len() && value.starts_with(['\'', '"']) {
                mask_quoted(token, token.text.len() - value.len(), spans);
            } else if before.starts_with("convert") {
                let length = value.find([' ', ')']).unwrap_or(value.len());
                let begin = token.text.len() - value.len();
                if !value.starts_with(['-', '$']) && !is_harmless(&value[..length]) {
                    spans.mask_part(token, begin..begin + length);
                }
            }
        }
    }
}

/// `name=x`, `"name": "x"`, `name: 'x'`, `name => "x"` anywhere in the text.
fn pairs(names: &Names, token: Token<'_>, spans: &mut Spans) {
    let text = token.text;
    let mut masked_until = 0;
    for (at, separator) in text.match_indices(['=', ':']) {
        let before = text[..at].trim_end_matches(' ');
        let name = name_at_end(before.trim_end_matches(QUOTES));
        if at < masked_until || name.is_empty() {
            continue;
        }
        let has_quoted_name = before.ends_with(QUOTES);
        let after = text[at + 1..].trim_start_matches('>');
        let trimmed = after.trim_start();
        let value = if has_quoted_name || trimmed.starts_with(QUOTES) { trimmed } else { after };
        let is_value =
            separator == "=" || value.starts_with(QUOTES) || (has_quoted_name && !value.starts_with(['{', '[']));
        if !is_value {
            continue;
        }
        let begin = text.len() - value.len();
        let end = quoted_end(text, begin);
        let bare = text[begin..end].trim_matches(QUOTES);
        let is_secret = match names.sureness(name) {
            Sureness::Sure => !is_harmless(bare),
            Sureness::Likely => looks_random(bare) || is_signature(text, at - name.len().min(at)),
            Sureness::No => false,
        };
        if is_secret {
            let from = begin + (value.len() - value.trim_start_matches(QUOTES).len());
            spans.mask_part(token, from..from + bare.len());
            masked_until = end;
        }
    }
}

/// Whether the name is that of a signature in the query of an address: `?sig=`, `&sig=`.
fn is_signature(text: &str, name_at: usize) -> bool {
    text[name_at..].starts_with("sig") && text[..name_at].ends_with(['?', '&'])
}

fn name_at_end(text: &str) -> &str {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let begin =
        text.rfind(|letter| !is_part(letter)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[begin..]
}

/// How long a value without quotes is.
fn bare_length(value: &str) -> usize {
    let ends = |letter: char| letter.is_whitespace() || ";&,\"'|<>(){}[]\\".contains(letter);
    value.find(ends).unwrap_or(value.len())
}

/// Where the quoted value that begins at `begin` ends, its quote included. Quotes may be escaped as a whole (`\"x\"`).
fn quoted_end(text: &str, begin: usize) -> usize {
    let inner = text[begin..].trim_start_matches('\\');
    let Some(quote) = inner.chars().next().filter(|letter| matches!(letter, '"' | '\'')) else {
        return begin + bare_length(&text[begin..]);
    };
    let from = text.len() - inner.len() + 1;
    text[from..].find(quote).map_or(text.len(), |at| from + at + 1)
}

fn mask_quoted(token: Token<'_>, begin: usize, spans: &mut Spans) {
    let end = quoted_end(token.text, begin);
    let value = token.part(begin..end);
    if !is_harmless(value.text) {
        spans.mask(value);
    }
}

/// Where `needle`, in small letters of ASCII, is in `text`.
fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes().windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}
