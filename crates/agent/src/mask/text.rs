//! Secrets that show themselves wherever they stand: in URLs, headers, JSON, `name=value` pairs, and tokens of known make.

use super::names::SecretNames;
use super::{MASK, is_reference};

/// Beginnings of tokens that well-known services hand out, and how long such a token is at least.
const TOKENS: [(&str, usize); 24] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xapp-", 20),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("hvs.", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("dop_v1_", 30),
    ("SG.", 30),
    ("ya29.", 20),
    ("AIza", 35),
    ("shpat_", 20),
    ("whsec_", 20),
];

/// Headers that are secret though their names do not end like that.
const HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// Schemes after which the secret comes.
const SCHEMES: [&str; 8] = ["bearer", "basic", "digest", "token", "api-key", "apikey", "negotiate", "aws4-hmac-sha256"];

/// Replaces secrets within one word of a command line.
pub(super) fn mask(word: &str, names: &SecretNames) -> String {
    if word.contains("PRIVATE KEY-----") {
        return MASK.to_owned();
    }
    let word = bare_user(word).unwrap_or_else(|| urls(word));
    tokens(&pairs(&word, names))
}

/// `user:password@host` without a scheme.
fn bare_user(word: &str) -> Option<String> {
    let (before, host) = word.rsplit_once('@')?;
    let (user, secret) = before.split_once(':')?;
    let name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
    };
    let path = secret.starts_with('/') || secret.contains(char::is_whitespace);
    (name(user) && name(host) && !path && !secret.is_empty()).then(|| format!("{user}:{MASK}@{host}"))
}

/// `Name: value` as a whole word.
pub(super) fn header(word: &str, names: &SecretNames) -> Option<String> {
    let (name, value) = word.split_once(':')?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let known = HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name));
    if !plain || value.starts_with("//") || !(known || names.is_secret(name)) {
        return None;
    }
    let secret = value.trim_start();
    // `secret-service:1.2` is an image, `token:443` a host: without a blank only a password may follow.
    let apart = secret.len() < value.len() || known || name.len() <= 8 && names.is_secret(name);
    let numeric = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !apart || secret.is_empty() || is_reference(secret) || (numeric && secret.len() == value.len()) {
        return None;
    }
    let kept = &word[..word.len() - secret.len()];
    let scheme = secret.split_once(' ').map(|(scheme, _)| scheme);
    let scheme = scheme.filter(|scheme| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)));
    Some(scheme.map_or_else(|| format!("{kept}{MASK}"), |scheme| format!("{kept}{scheme} {MASK}")))
}

/// `scheme://user:password@host`.
fn urls(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end =
            after.find(|letter: char| letter.is_whitespace() || "/?#\"'<>".contains(letter)).unwrap_or(after.len());
        // A password may hold what it must not: then the last at sign of the word counts.
        let whole =
            after.find(|letter: char| letter.is_whitespace() || "\"'<>".contains(letter)).unwrap_or(after.len());
        let host = after[..end].rfind('@').or_else(|| {
            let at = after[..whole].rfind('@')?;
            let colon = after[..at].find(':')?;
            (after[..end].contains(':') && !is_port(&after[colon + 1..end])).then_some(at)
        });
        match host.and_then(|at| Some((at, after[..at].find(':')?))) {
            Some((at, colon)) if colon + 1 < at && !is_reference(&after[colon + 1..at]) => {
                out.push_str(&after[..=colon]);
                out.push_str(MASK);
                rest = &after[at..];
            }
            _ => rest = after,
        }
    }
    out.push_str(rest);
    out
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `name=value` and `"name": "value"` anywhere.
fn pairs(word: &str, names: &SecretNames) -> String {
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let mut out = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(is_name) {
        let length = rest[start..].find(|letter| !is_name(letter)).unwrap_or(rest.len() - start);
        let (before, after) = rest.split_at(start + length);
        let name = before[start..].trim_start_matches('-');
        out.push_str(before);
        rest = after;
        let query = name == "sig" && out[..out.len() - name.len()].ends_with(['?', '&']);
        let header = HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name)) && after.starts_with(": ");
        if header {
            let end = after.find(['"', '\'']).unwrap_or(after.len());
            let value = &after[2..end.max(2)];
            let scheme = value.split_once(' ').map(|(scheme, _)| scheme);
            let scheme = scheme.filter(|scheme| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)));
            out.push_str(": ");
            out.extend(scheme.into_iter().flat_map(|scheme| [scheme, " "]));
            out.push_str(MASK);
            rest = &after[end.max(2)..];
        } else if let Some(value_start) = separator(after)
            && (query || names.is_secret(name))
        {
            let (signs, value) = after.split_at(value_start);
            let length = value_length(signs, value);
            out.push_str(signs);
            out.push_str(if length == 0 || is_reference(&value[..length]) { &value[..length] } else { MASK });
            rest = &value[length..];
        }
    }
    out.push_str(rest);
    out
}

/// The length of what is between a name and its value: `=`, `: `, `":"`, `\":\"` and the like. A colon alone joins other
/// things, too.
fn separator(after: &str) -> Option<usize> {
    let signs = after.find(|letter: char| !"\"'\\ =:>".contains(letter)).unwrap_or(after.len());
    let text = &after[..signs];
    let quoted = text.starts_with(['"', '\'', '\\']);
    let telling = text.trim_start_matches(['"', '\'', '\\']);
    let joins =
        telling.starts_with('=') || (telling.starts_with(':') && (quoted || telling.len() > 1 || telling == ": "));
    joins.then_some(signs)
}

fn value_length(signs: &str, value: &str) -> usize {
    let quote = signs.chars().next_back().filter(|letter| matches!(letter, '"' | '\''));
    let end = match quote {
        Some(quote) => value.find([quote, '\\']),
        None => value.find(|letter: char| letter.is_whitespace() || ",;&\"'}])|".contains(letter)),
    };
    end.unwrap_or(value.len())
}

/// `Bearer x`, and tokens that are known by how they begin.
fn tokens(word: &str) -> String {
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "_-.+/=~".contains(letter);
    let mut out = String::new();
    let mut rest = word;
    let mut bearer = false;
    while let Some(start) = rest.find(is_token) {
        let length = rest[start..].find(|letter| !is_token(letter)).unwrap_or(rest.len() - start);
        let (before, token) = (&rest[..start], &rest[start..start + length]);
        out.push_str(before);
        if let Some(kept) = token_start(token) {
            out.push_str(&token[..kept]);
            out.push_str(MASK);
        } else if bearer && before == " " && token.len() >= 6 {
            out.push_str(MASK);
        } else {
            out.push_str(token);
        }
        bearer = token.eq_ignore_ascii_case("bearer");
        rest = &rest[start + length..];
    }
    out.push_str(rest);
    out
}

/// Where in the token a secret begins: at its start, or after the last of `=` and `/`.
fn token_start(token: &str) -> Option<usize> {
    let starts = [0].into_iter().chain(token.match_indices(['=', '/', '.']).map(|(index, _)| index + 1));
    starts.into_iter().find(|start| {
        let token = &token[*start..];
        let known = TOKENS.iter().any(|(prefix, length)| {
            token.len() >= *length && token.starts_with(prefix) && token.bytes().any(|byte| byte.is_ascii_digit())
        });
        known || is_jwt(token)
    })
}

/// Three parts in base64, the first of which is a JSON object.
fn is_jwt(token: &str) -> bool {
    token.starts_with("eyJ") && token.len() >= 40 && token.split('.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_within_words() {
        let names = SecretNames::default();
        for (word, expected) in [
            ("redis://:hunter2@h:6379/0", "redis://:***@h:6379/0"),
            ("http://h/?a=1&token=abc&b=2", "http://h/?a=1&token=***&b=2"),
            ("username=ada,password=x,uid=5", "username=ada,password=***,uid=5"),
            (r#"{"user": "ada", "password": "a b", "n": 1}"#, r#"{"user": "ada", "password": "***", "n": 1}"#),
            ("Server=h;Password=x;Port=5", "Server=h;Password=***;Port=5"),
            ("say Bearer abcdef123", "say Bearer ***"),
            ("postgres://u:p/w@h/d", "postgres://u:***@h/d"),
            ("//registry/:_authToken=abc", "//registry/:_authToken=***"),
        ] {
            assert_eq!(mask(word, &names), expected);
        }
        for word in
            ["http://h:80/a@b", "registry:5000/secret-service:1.2", "token.example.org:443", "a:b", "http://h/?x=1"]
        {
            assert_eq!(mask(word, &names), word);
        }
    }
}
