//! Options and words of known programs that are secrets without being called so.

use std::collections::HashMap;

use super::options::mask_after;
use super::program_name;
use super::program_table::PROGRAMS;
use super::spans::{Spans, Token};
use super::values::{is_harmless, is_option};

/// How a program takes a secret.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// As the word after this one: `-a x`; also `-a=x`.
    Next(&'static str),
    /// In the same word: `-px`.
    Glued(&'static str),
    /// Either way.
    Either(&'static str),
    /// After a name and this separator: `-u name:x`, `-uname:x`, `--user=name:x`; short ones also last in a bundle, `-su`.
    Pair(&'static str, char),
    /// As the n-th word after this one, with no option in between; the program itself is "".
    Nth(&'static str, usize),
    /// As the n-th word after one that begins so, with no option in between.
    AfterPrefix(&'static str, usize),
    /// After the last one of this separator in the word after this one: `-y kind:name:x`.
    AfterLast(&'static str, char),
    /// As the last word, where an option with this letter is among the words: `-nb`.
    LastWith(char),
    /// Between a slash and an at sign, or the end: `name/x@place`.
    Slash,
    /// Everything after the first `=` of the next word or of this: `-b name=x`.
    Setting(&'static str),
    /// After this text within a word.
    Inside(&'static str),
}

/// Programs that take secrets alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// Their names, separated by blanks, in small letters.
    pub(super) names: &'static str,
    /// A word that must be among theirs for the rules to hold; none if empty.
    pub(super) verb: &'static str,
    pub(super) rules: &'static [Rule],
}

/// Programs that look for words: what looks like a setting is what they look for.
const SEARCHERS: [&str; 16] = [
    "grep",
    "egrep",
    "fgrep",
    "zgrep",
    "rg",
    "ag",
    "ack",
    "sed",
    "awk",
    "jq",
    "yq",
    "find",
    "man",
    "codespell",
    "pgrep",
    "pkill",
];

/// How near to its program a verb is.
const VERB_WITHIN: usize = 24;

/// Names of programs that are also words.
const COMMON: [&str; 6] = ["https", "motion", "security", "kitty", "swift", "hydra"];

/// Options that are called like secrets and are none: program, option.
const EXEMPT: [(&str, &str); 16] = [
    ("docker", "--secret"),
    ("podman", "--secret"),
    ("buildah", "--secret"),
    ("gcloud", "--secret"),
    ("aws", "--secret-id"),
    ("aws", "--starting-token"),
    ("gcloud", "--secret-id"),
    ("vault", "secret_id"),
    ("etcd", "--auth-token"),
    ("git", "-m"),
    ("xmrig", "-u"),
    ("ssh", "-o"),
    ("kubectl", "--token-ttl"),
    ("act", "--secret"),
    ("fly", "secrets"),
    ("signal", "--password"),
];

/// What is known of programs, by name.
#[derive(Debug)]
pub(super) struct Programs {
    by_name: HashMap<&'static str, Vec<&'static Program>>,
}

impl Programs {
    pub(super) fn new() -> Self {
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for program in PROGRAMS {
            for name in program.names.split_whitespace() {
                by_name.entry(name).or_default().push(program);
            }
        }
        Self { by_name }
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether a known program begins with the word at `index`. Names that are words of daily use must be in front.
    pub(super) fn begins(&self, tokens: &[Token<'_>], index: usize) -> bool {
        const SHORT: usize = 4;
        const BEFORE: [&str; 14] = [
            "sudo", "exec", "nice", "nohup", "time", "setsid", "env", "--", "doas", "xargs", "watch", "command", "&&",
            "do",
        ];
        let text = tokens[index].text;
        let name = program_name(text);
        if text.starts_with('-') || !self.is_known(name) {
            return false;
        }
        let before = index.checked_sub(1).map(|before| tokens[before].text);
        let is_common = name.len() <= SHORT || COMMON.contains(&name);
        before.is_none_or(|before| !is_common || BEFORE.contains(&before) || before.contains('='))
    }

    /// Looks at the word at `index` of the words of a program, the program itself first. Says whether that found a secret.
    pub(super) fn look(&self, name: &str, tokens: &[Token<'_>], index: usize, spans: &mut Spans) -> bool {
        let before = spans.count();
        for program in self.get(name).into_iter().flatten() {
            if program.verb.is_empty() || tokens.iter().take(VERB_WITHIN).any(|token| token.text == program.verb) {
                for rule in program.rules {
                    follow(*rule, tokens, index, spans);
                }
            }
        }
        spans.count() > before
    }

    fn get(&self, name: &str) -> Option<&Vec<&'static Program>> {
        const NAME_BYTES_MAX: usize = 40;
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        self.by_name.get(name).or_else(|| {
            let has_capitals = name.bytes().any(|byte| byte.is_ascii_uppercase());
            has_capitals.then(|| self.by_name.get(name.to_ascii_lowercase().as_str())).flatten()
        })
    }
}

/// Whether a program looks for words.
pub(super) fn searches(name: &str) -> bool {
    SEARCHERS.contains(&name)
}

/// Whether an option of a program is no secret, whatever it is called.
pub(super) fn is_exempt(name: &str, option: &str) -> bool {
    EXEMPT.iter().any(|(program, exempt)| {
        *program == name && option.strip_prefix(exempt).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

fn follow(rule: Rule, tokens: &[Token<'_>], index: usize, spans: &mut Spans) {
    let token = tokens[index];
    match rule {
        Rule::Next(option) => next(option, tokens, index, spans),
        Rule::Glued(option) => glued(option, token, spans),
        Rule::Either(option) => {
            next(option, tokens, index, spans);
            glued(option, token, spans);
        }
        Rule::Pair(option, separator) => pair(option, separator, tokens, index, spans),
        Rule::Nth(verb, count) => nth(verb, count, tokens, index, spans),
        Rule::AfterPrefix(prefix, count) => {
            if token.text.starts_with(prefix) {
                nth_after(count, tokens, index, spans);
            }
        }
        Rule::AfterLast(option, separator) => {
            if token.text == option
                && let Some(value) = tokens.get(index + 1)
                && let Some(at) = value.text.rfind(separator)
            {
                mask_value(Some(&value.part(at + 1..value.text.len())), spans);
            }
        }
        Rule::LastWith(letter) => {
            let has_letter = |text: &str| text.starts_with('-') && !text.starts_with("--") && text.contains(letter);
            if index + 1 == tokens.len() && tokens.iter().any(|token| has_letter(token.text)) {
                mask_value(Some(&token), spans);
            }
        }
        Rule::Slash => slash(token, index, spans),
        Rule::Setting(option) => {
            if token.text == option
                && let Some(value) = tokens.get(index + 1)
            {
                mask_after(*value, '=', spans);
            }
        }
        Rule::Inside(prefix) => {
            let token = token.unquoted();
            if let Some(at) = token.text.find(prefix) {
                let begin = at + prefix.len();
                let length = token.text[begin..].find([' ', ';', '&', '"', '\'']).unwrap_or(token.text.len() - begin);
                mask_value(Some(&token.part(begin..begin + length)), spans);
            }
        }
    }
}

fn next(option: &str, tokens: &[Token<'_>], index: usize, spans: &mut Spans) {
    let token = tokens[index];
    if token.text == option {
        mask_value(tokens.get(index + 1), spans);
    } else if let Some(rest) = token.text.strip_prefix(option)
        && rest.starts_with(['=', ':'])
    {
        mask_value(Some(&token.part(option.len() + 1..token.text.len())), spans);
    }
}

fn glued(option: &str, token: Token<'_>, spans: &mut Spans) {
    if token.text.len() > option.len() && token.text.starts_with(option) && !token.text.starts_with("--") {
        mask_value(Some(&token.part(option.len()..token.text.len())), spans);
    }
}

fn pair(option: &str, separator: char, tokens: &[Token<'_>], index: usize, spans: &mut Spans) {
    let token = tokens[index];
    let is_short = option.len() == 2 && option.starts_with('-');
    let is_bundle = |text: &str| {
        is_short
            && text.len() <= 8
            && text.starts_with('-')
            && text.ends_with(&option[1..])
            && text[1..].bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    if token.text == option || is_bundle(token.text) {
        if let Some(value) = tokens.get(index + 1) {
            mask_after(*value, separator, spans);
        }
    } else if is_after(token.text, option, is_short) {
        mask_after(token.part(option.len()..token.text.len()), separator, spans);
    } else if is_short
        && token.text.starts_with('-')
        && !token.text.starts_with("--")
        && let Some(at) = token.text.find(&option[1..])
        && token.text[1..at].bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        mask_after(token.part(at + 1..token.text.len()), separator, spans);
    }
}

/// Whether the value follows the option in the same word.
fn is_after(text: &str, option: &str, is_short: bool) -> bool {
    text.strip_prefix(option).is_some_and(|rest| rest.starts_with('=') || (is_short && !rest.is_empty()))
}

fn nth(verb: &str, count: usize, tokens: &[Token<'_>], index: usize, spans: &mut Spans) {
    let token = tokens[index].text;
    let is_verb = if verb.is_empty() { index == 0 } else { token.eq_ignore_ascii_case(verb) };
    if is_verb {
        nth_after(count, tokens, index, spans);
    }
}

fn nth_after(count: usize, tokens: &[Token<'_>], index: usize, spans: &mut Spans) {
    let between = tokens.get(index + 1..index + count).unwrap_or_default();
    if !between.iter().any(|token| token.text.starts_with('-')) {
        mask_value(tokens.get(index + count), spans);
    }
}

fn slash(token: Token<'_>, index: usize, spans: &mut Spans) {
    let token = token.unquoted();
    let begin = token.text.find('=').map_or(0, |at| at + 1);
    let value = token.part(begin..token.text.len());
    let Some(at) = value.text.find('/').filter(|at| *at > 0 && index > 0) else { return };
    let end = value.text[at..].find('@').map_or(value.text.len(), |end| at + end);
    let is_plain = !is_option(token.text) && !value.text[..at].contains(['.', ':', '@', ' ']);
    if is_plain && !value.text[at + 1..end].contains('/') {
        mask_value(Some(&value.part(at + 1..end)), spans);
    }
}

fn mask_value(token: Option<&Token<'_>>, spans: &mut Spans) {
    let Some(token) = token.map(|token| token.unquoted()) else { return };
    let is_windows_option = token.text.starts_with('/') && token.text[1..].contains(':');
    if !is_option(token.text) && !is_windows_option && !is_harmless(token.text) {
        spans.mask(token);
    }
}
