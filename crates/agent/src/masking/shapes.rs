//! Tokens that are known by their shape, whatever is around them: those that services mark so that they can be found.

use super::spans::{Spans, Token};

/// A token: how it begins, and how many more bytes at least.
const PREFIXES: [(&str, usize); 58] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("glrt-", 16),
    ("gldt-", 16),
    ("glcbt-", 16),
    ("GR1348941", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xoxe-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("whsec_", 16),
    ("hf_", 24),
    ("npm_", 30),
    ("pypi-AgE", 10),
    ("dop_v1_", 30),
    ("doo_v1_", 30),
    ("dor_v1_", 30),
    ("hvs.", 20),
    ("hvb.", 20),
    ("AIza", 30),
    ("ya29.", 10),
    ("SG.", 30),
    ("shpat_", 20),
    ("shpss_", 20),
    ("tskey-", 16),
    ("SWMTKN-", 30),
    ("sha256~", 30),
    ("AGE-SECRET-KEY-1", 20),
    ("dckr_pat_", 16),
    ("sqp_", 30),
    ("sqa_", 30),
    ("squ_", 30),
    ("pul-", 30),
    ("ATATT3", 30),
    ("lin_api_", 20),
    ("NRAK-", 20),
    ("sntrys_", 20),
    ("rubygems_", 20),
    ("oy2", 43),
    ("eyJ", 12),
    ("LTAI", 16),
    ("nvapi-", 20),
    ("gsk_", 30),
    ("r8_", 30),
    ("pat-na1-", 20),
];

const KEY_BLOCK: &str = "PRIVATE KEY-----";
const SHORTEST: usize = 16;

/// Whether a word may have such a token in it: does not allocate.
pub(super) fn is_suspect(word: &str) -> bool {
    word.len() >= SHORTEST && word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'_')
}

/// Whether there is the public half of an AWS key in a word.
pub(super) fn has_access_key(word: &str) -> bool {
    const REST: usize = 16;
    ["AKIA", "ASIA"].iter().any(|prefix| {
        word.find(prefix).is_some_and(|at| {
            let rest = &word.as_bytes()[at + prefix.len()..];
            rest.len() >= REST && rest[..REST].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        })
    })
}

pub(super) fn look(token: Token<'_>, has_access_key: bool, spans: &mut Spans) {
    if !is_suspect(token.text) {
        return;
    }
    let text = token.text;
    let mut is_inside = false;
    for (at, byte) in text.bytes().enumerate() {
        if !is_inside && byte.is_ascii_alphabetic() {
            marked(token, at, spans);
        }
        is_inside = byte.is_ascii_alphanumeric();
    }
    bots(token, spans);
    key_blocks(token, spans);
    if has_access_key {
        secret_access_keys(token, spans);
    }
}

/// A token that begins here as its service marks them.
fn marked(token: Token<'_>, at: usize, spans: &mut Spans) {
    let text = &token.text[at..];
    for (prefix, more) in PREFIXES {
        if text.starts_with(prefix) {
            let is_part = |byte| is_token(byte) || matches!(byte, b'.' | b'~' | b'=' | b'%' | b'+' | b'/');
            let length = run_length(text, is_part);
            if length >= prefix.len() + more && has_digit(&text[..length]) {
                spans.mask_part(token, at..at + length);
            }
        }
    }
}

/// Tokens of Telegram's bots, `123456789:AAH…`, and of Discord's, three parts with dots of which the first is a number in base64.
fn bots(token: Token<'_>, spans: &mut Spans) {
    const SECRET_BYTES: usize = 30;
    let text = token.text;
    for (at, _) in text.match_indices(":AA") {
        let number = text[..at].bytes().rev().take_while(u8::is_ascii_digit).count();
        let length = run_length(&text[at + 1..], is_token);
        if (6..=12).contains(&number) && length >= SECRET_BYTES {
            spans.mask_part(token, at - number..at + 1 + length);
        }
    }
    for part in text.split(|letter: char| !(letter.is_ascii() && (is_token(letter as u8) || letter == '.'))) {
        let mut pieces = part.split('.');
        let lengths = [pieces.next(), pieces.next(), pieces.next()].map(|piece| piece.map_or(0, str::len));
        let is_number = part.starts_with(['M', 'N', 'O']) && lengths[0] >= 23 && pieces.next().is_none();
        if is_number && (6..=7).contains(&lengths[1]) && lengths[2] >= 27 {
            let at = part.as_ptr() as usize - text.as_ptr() as usize;
            spans.mask_part(token, at..at + part.len());
        }
    }
}

/// Private keys in PEM: all between the lines around them.
fn key_blocks(token: Token<'_>, spans: &mut Spans) {
    let Some(found) = token.text.find(KEY_BLOCK) else { return };
    let begin = found + KEY_BLOCK.len();
    let end = token.text[begin..].find("-----END").map_or(token.text.len(), |end| begin + end);
    spans.mask_part(token, begin..end);
}

/// Forty bytes of base64 beside an access key.
fn secret_access_keys(token: Token<'_>, spans: &mut Spans) {
    const BYTES: usize = 40;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut at = 0;
    while at < token.text.len() {
        let length = run_length(&token.text[at..], is_part);
        if length == BYTES {
            spans.mask_part(token, at..at + length);
        }
        at += length;
        at += token.text[at..].chars().next().map_or(1, char::len_utf8);
    }
}

fn run_length(text: &str, is_part: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is_part(*byte)).count()
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}
