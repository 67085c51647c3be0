//! Options and settings whose name says that their value is a secret: `--password x`, `-Dapi.key=x`, `/token:x`, `PW=x`.

use super::names::{Names, Sureness};
use super::spans::{Spans, Token};
use super::values::{is_harmless, is_mixed, is_option, is_path, looks_random};

/// Options whose value is `user:secret` or a secret.
const PAIRS: [&str; 12] = [
    "auth",
    "basicauth",
    "authcred",
    "proxyauth",
    "creds",
    "cred",
    "srccreds",
    "destcreds",
    "credentials",
    "credential",
    "jnlpcredentials",
    "proxyuser",
];

/// Looks at the word at `index`, and where it is the name of a secret, at the next.
pub(super) fn look(names: &Names, tokens: &[Token<'_>], index: usize, spans: &mut Spans) {
    let token = tokens[index].unquoted();
    let dashes = token.text.bytes().take_while(|byte| *byte == b'-').count();
    // As on Windows: what has another slash in it is a path.
    let slash = usize::from(dashes == 0 && token.text.starts_with('/') && is_windows_option(&token.text[1..]));
    let body = token.part(dashes + slash..token.text.len());
    if let Some(at) = separator(body.text, dashes > 0 || slash > 0) {
        look_at_value(names, body.part(0..at), body.part(at + 1..body.text.len()), spans);
    } else if dashes > 0 || slash > 0 {
        look_at_next(names, body.text, tokens.get(index + 1).copied(), slash > 0, spans);
    } else if (body.text.ends_with(':') && names.is_password(body.text))
        || (is_setting(tokens, index) && names.sureness(body.text) == Sureness::Sure)
    {
        mask_next(tokens.get(index + 1).copied(), false, spans);
    }
}

fn is_windows_option(body: &str) -> bool {
    body.bytes()
        .take_while(|byte| !matches!(byte, b':' | b'='))
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Where the value begins: after `=`, or for options, a colon.
fn separator(body: &str, is_option: bool) -> Option<usize> {
    let at = body.find(|letter: char| letter == '=' || (is_option && letter == ':'))?;
    let name = &body[..at];
    // A registry's address is a part of the name of npm's settings.
    let at = if name.starts_with("//") || body[..at].ends_with('/') { body.find('=')? } else { at };
    (at > 0 && !body[..at].contains(|letter: char| letter.is_whitespace() || "{}?&,;\"'".contains(letter)))
        .then_some(at)
}

fn look_at_value(names: &Names, name: Token<'_>, value: Token<'_>, spans: &mut Spans) {
    let text = value.text;
    if is_pair(name.text) && text.contains(':') {
        return mask_after(value, ':', spans);
    }
    let is_secret = match names.sureness(name.text) {
        Sureness::Sure => !is_harmless(text) && !is_path(text.split(',').next().unwrap_or(text)),
        Sureness::Likely => looks_random(text),
        Sureness::No => false,
    };
    if is_secret {
        spans.mask_part(value, 0..end_of_value(text));
    }
}

/// A value is all the rest, blanks too, unless another setting follows.
fn end_of_value(text: &str) -> usize {
    if text.starts_with(['"', '\'']) {
        return text.len();
    }
    let mut from = 0;
    while let Some(found) = text[from..].find(char::is_whitespace) {
        let at = from + found;
        let rest = text[at..].trim_start();
        let next = rest.split(char::is_whitespace).next().unwrap_or_default();
        let name = next.split('=').next().unwrap_or_default();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if is_name && name.len() < next.len() {
            return at;
        }
        from = text.len() - rest.len();
        if rest.is_empty() {
            break;
        }
    }
    text.len()
}

fn look_at_next(names: &Names, name: &str, next: Option<Token<'_>>, is_slash: bool, spans: &mut Spans) {
    const SHORT: usize = 2;
    let Some(next) = next.filter(|_| name.len() >= SHORT || is_user(name)) else { return };
    if is_pair(name) && next.text.contains(':') && !next.text.contains("://") {
        return mask_after(next, ':', spans);
    }
    match names.sureness(name) {
        Sureness::No if is_user(name) => mask_after_mixed(next, spans),
        Sureness::Sure => mask_next(Some(next), is_slash, spans),
        Sureness::Likely if looks_random(next.text) => spans.mask(next),
        Sureness::Likely | Sureness::No => {}
    }
}

fn mask_next(next: Option<Token<'_>>, is_slash: bool, spans: &mut Spans) {
    let Some(next) = next.map(Token::unquoted) else { return };
    let is_other_option = is_option(next.text) || (is_slash && next.text.starts_with('/'));
    // `--secret NAME=value`: the value alone is looked at as a setting of its own.
    let is_setting = next.text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
    });
    if !is_other_option && !is_setting && !is_harmless(next.text) {
        spans.mask(next);
    }
}

/// Whether the word is what is set, as in `config set NAME VALUE`.
fn is_setting(tokens: &[Token<'_>], index: usize) -> bool {
    const WORDS_BACK: usize = 3;
    let verbs = ["set", "config", "configure"];
    tokens[index.saturating_sub(WORDS_BACK)..index].iter().any(|token| verbs.contains(&token.text))
}

fn is_pair(name: &str) -> bool {
    let letters = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    PAIRS.contains(&letters(last).as_str())
}

/// Programs that nobody knows may take `user:secret`, or `user:group`: only where it does not look like a group.
fn mask_after_mixed(token: Token<'_>, spans: &mut Spans) {
    if token.text.split_once(':').is_some_and(|(_, value)| is_mixed(value)) && !token.text.contains('/') {
        mask_after(token, ':', spans);
    }
}

fn is_user(name: &str) -> bool {
    matches!(name, "u" | "user")
}

/// Masks what comes after the first `separator`.
pub(super) fn mask_after(token: Token<'_>, separator: char, spans: &mut Spans) {
    let token = token.unquoted();
    if let Some(at) = token.text.find(separator) {
        let begin = at + separator.len_utf8();
        if !is_harmless(&token.text[begin..]) {
            spans.mask_part(token, begin..token.text.len());
        }
    }
}
