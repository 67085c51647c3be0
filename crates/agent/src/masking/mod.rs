//! Masks secrets in command lines, before anything is written or sent.
//!
//! A pure function over the words of a command line. It knows four things: names under which secrets go
//! ([`names`]), options of programs that take a secret without naming it ([`programs`]), texts that carry secrets in their
//! own grammar, such as URLs, headers, JSON and SQL ([`text`]), and tokens that are known by their shape ([`shapes`]). What is
//! recognised is replaced by [`MASK`]; all else stays as it was. Heuristics miss some and hit some innocents: the corpus in
//! `tests/corpus` says how many.

mod names;
mod options;
mod program_table;
mod programs;
mod shapes;
mod shell;
mod spans;
mod text;
mod urls;
mod values;

use names::Names;
use programs::Programs;
use spans::{Spans, Token};

/// What stands for a secret.
pub const MASK: &str = "***";
/// How deep command lines within command lines are looked at, as in `sh -c "ssh host 'mysql -psecret'"`.
const DEPTH_MAX: u32 = 3;

/// Masks secrets in command lines.
#[derive(Debug)]
pub struct Masker {
    names: Names,
    programs: Programs,
}

impl Default for Masker {
    fn default() -> Self {
        Self::new(std::iter::empty::<&str>())
    }
}

impl Masker {
    /// `words` are names of secrets beside the known ones, such as `kennwort`: what is given under a name with one of them
    /// in it is masked. Case and separators do not count.
    pub fn new(words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { names: Names::new(words), programs: Programs::new() }
    }

    /// Replaces the secrets in the words of a command line, the program's own first. Says whether there was one.
    pub fn mask(&self, words: &mut [String]) -> bool {
        if !words.iter().any(|word| self.is_suspect(word)) {
            return false;
        }
        let mut spans = Spans::default();
        let tokens: Vec<Token<'_>> =
            words.iter().enumerate().map(|(word, text)| Token { word, start: 0, text }).collect();
        self.walk(&tokens, None, 0, &mut spans);
        spans.apply(words)
    }

    /// Whether a word can have anything to do with a secret: cheap, and says no for most.
    fn is_suspect(&self, word: &str) -> bool {
        self.names.is_hinted_in(word) || text::is_suspect(word) || shapes::is_suspect(word) || {
            self.programs.is_known(program_name(word)) || word.contains([' ', '\t', '\n'])
        }
    }

    /// Looks at the words of one command line; `outer` is the program that it is a word of.
    fn walk(&self, tokens: &[Token<'_>], outer: Option<&str>, depth: u32, spans: &mut Spans) {
        let mut program = outer.map(|outer| (outer, 0));
        let first = tokens.first().map_or("", |token| program_name(token.text));
        let searches = tokens.iter().take(3).any(|token| programs::searches(program_name(token.text)));
        let has_access_key = tokens.iter().any(|token| shapes::has_access_key(token.text));
        for (index, token) in tokens.iter().enumerate() {
            if self.programs.begins(tokens, index) {
                program = Some((program_name(token.text), index));
            }
            let is_taken =
                program.is_some_and(|(name, from)| self.programs.look(name, &tokens[from..], index - from, spans));
            let inner_name = program.map_or(first, |(name, _)| name);
            let is_exempt = [first, inner_name].iter().any(|name| programs::is_exempt(name, token.text));
            if !searches && !is_taken && !is_exempt {
                options::look(&self.names, tokens, index, spans);
                text::look(&self.names, *token, spans);
            }
            urls::look(*token, spans);
            shapes::look(*token, has_access_key, spans);
            if depth < DEPTH_MAX && !searches {
                let inner = shell::split(*token);
                if inner.len() > 1 {
                    self.walk(&inner, program.map(|(name, _)| name), depth + 1, spans);
                }
            }
        }
    }
}

/// The name of a program without its folder and `.exe`.
fn program_name(word: &str) -> &str {
    let word = word.trim_matches(['"', '\'', '(']);
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let end = name.len().saturating_sub(4);
    if name.len() > 4 && name.is_char_boundary(end) && name[end..].eq_ignore_ascii_case(".exe") {
        &name[..end]
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(masker: &Masker, words: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        masker.mask(&mut words);
        words
    }

    #[test]
    fn masks_only_the_secret() {
        let masker = Masker::default();
        assert_eq!(masked(&masker, &["mysql", "-uroot", "-phunter2", "shop"]), ["mysql", "-uroot", "-p***", "shop"]);
        assert_eq!(masked(&masker, &["app", "--password", "a b", "-v"]), ["app", "--password", "***", "-v"]);
        assert_eq!(
            masked(&masker, &["curl", "-H", "Authorization: Bearer abc123"]),
            ["curl", "-H", "Authorization: Bearer ***"]
        );
        assert_eq!(masked(&masker, &["psql", "postgres://u:p@h/d"]), ["psql", "postgres://u:***@h/d"]);
        assert_eq!(masked(&masker, &["psql", "-p", "5432"]), ["psql", "-p", "5432"]);
    }

    #[test]
    fn other_names_of_secrets_can_be_given() {
        let words = ["app", "--db-kennwort", "geheim"];
        assert_eq!(masked(&Masker::default(), &words), words);
        assert_eq!(masked(&Masker::new(["Kennwort"]), &words), ["app", "--db-kennwort", "***"]);
    }

    #[test]
    fn hostile_words_do_no_harm() {
        let masker = Masker::default();
        for hostile in [
            "",
            "=",
            "--",
            "-p",
            ":@",
            "://:@",
            "password=",
            "\u{202e}password=\u{1f512}x",
            "'\"",
            "-p'",
            "{\"password\":",
        ] {
            for program in ["mysql", "curl", "sh", "htpasswd", "net", hostile] {
                masked(&masker, &[program, hostile, "-c", hostile, hostile]);
            }
        }
        let long = "password=".repeat(2_000);
        masked(&masker, &["sh", "-c", &long]);
    }

    /// Whatever comes: no panic, no word lost, nothing left of a masked character.
    #[test]
    fn random_words_do_no_harm() {
        const PIECES: [&str; 40] = [
            "password",
            "=",
            ":",
            "@",
            "://",
            "'",
            "\"",
            "\\",
            " ",
            "-",
            "--",
            "/",
            "-p",
            "-u",
            "é",
            "日本",
            "\u{202e}",
            "{",
            "}",
            "token",
            "KEY",
            "Authorization",
            "Bearer ",
            "eyJhbGciOiJI12",
            "mysql",
            "curl",
            "sh",
            "-c",
            "|",
            "echo ",
            "chpasswd",
            "net",
            "user",
            "\n",
            "hooks.slack.com/services/",
            "rtmp://",
            "BEGIN PRIVATE KEY-----",
            ";",
            "&",
            "$",
        ];
        let masker = Masker::new(["é"]);
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..5_000 {
            let mut words: Vec<String> = (0..random.usize(1..6))
                .map(|_| (0..random.usize(0..8)).map(|_| PIECES[random.usize(..PIECES.len())]).collect())
                .collect();
            let (before, count) = (words.clone(), words.len());
            let found = masker.mask(&mut words);
            assert_eq!(words.len(), count);
            assert!(found == words.iter().any(|word| word.contains(MASK)), "{before:?} {words:?}");
        }
    }

    #[test]
    fn a_path_is_not_part_of_a_programs_name() {
        assert_eq!(program_name("/usr/bin/mysql"), "mysql");
        assert_eq!(program_name("C:\\tools\\PLINK.EXE"), "PLINK");
        assert_eq!(program_name("é.exe"), "é");
    }
}
