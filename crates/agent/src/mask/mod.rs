//! Replaces secrets in command lines, before anything is written or sent.
//!
//! Works on argv word by word, for only there it is certain where a value ends. A word with blanks in it (a script after
//! `-c`, a title that a program gave itself, a header) is taken apart like a shell does and gets the same treatment. The
//! rules know names of options (`names`), programs with secrets in short options (`programs`), and texts that show what
//! they are (`text`). Too much masked costs a reader a word; too little costs a password, so doubt is masked.

mod names;
mod programs;
mod shell;
mod text;

use names::SecretNames;
use programs::{Program, Secret};

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// Scripts within scripts are followed this deep.
const DEPTH_MAX: usize = 4;

/// Finds and replaces secrets.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    names: SecretNames,
}

impl Masker {
    /// With these words beside the known ones: options and variables whose names end in one of them are secret.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self { names: SecretNames::new(words) }
    }

    /// Replaces the secrets in the words of a command line.
    pub fn mask(&self, words: &mut [String]) {
        self.mask_words(words, 0);
    }

    fn mask_words(&self, words: &mut [String], depth: usize) {
        let mut program: Option<&'static Program> = None;
        let mut next: Option<Secret> = None;
        let mut login = false;
        for index in 0..words.len() {
            let (before, rest) = words.split_at_mut(index);
            let Some(word) = rest.first_mut() else { return };
            if let Some(secret) = next.take()
                && !looks_like_an_option(word)
                && secret.mask(word)
            {
                continue;
            }
            if let Some(found) = Program::named(word) {
                (program, login) = (Some(found), false);
            }
            login |= word == "login";
            let active = program.filter(|program| login || !program.only_with_login);
            if active.and_then(|program| program.positional(before, word)).is_some_and(|secret| secret.mask(word)) {
                continue;
            }
            let user_is_no_password = program.is_some_and(|program| program.user_is_no_password);
            next = self.mask_word(word, active, depth).filter(|secret| {
                !(user_is_no_password
                    && *secret == Secret::AfterColon
                    && active.is_none_or(|it| it.option(word).is_none()))
            });
            if next.is_none() && self.is_setting(before, word) {
                next = Some(Secret::Whole);
            }
        }
    }

    /// Masks one word; says whether the next one is a secret.
    fn mask_word(&self, word: &mut String, program: Option<&Program>, depth: usize) -> Option<Secret> {
        if let Some((secret, option_bytes)) = program.and_then(|program| program.option(word)) {
            if option_bytes == word.len() {
                return Some(secret);
            }
            let mut value = word.split_off(option_bytes);
            secret.mask(&mut value);
            word.push_str(&value);
            return None;
        }
        if let Some(masked) = self.assignment(word) {
            *word = masked;
            return None;
        }
        let option = word.strip_prefix("--").or_else(|| word.strip_prefix(['-', '/']));
        if let Some(name) = option
            && !word.contains([' ', '=', ':'])
        {
            if self.names.is_secret(name) {
                return Some(Secret::Option { counts: name.eq_ignore_ascii_case("pass") });
            }
            if programs::USER_AND_PASSWORD.contains(&word.as_str()) {
                return Some(Secret::AfterColon);
            }
        }
        if let Some(masked) = text::header(word, &self.names) {
            *word = masked;
            return None;
        }
        *word = text::mask(word, &self.names);
        if depth < DEPTH_MAX && word.contains(char::is_whitespace) {
            *word = shell::map_words(word, |words| self.mask_words(words, depth + 1));
        }
        None
    }

    /// `--name=value`, `NAME=value`, `/name:value` whose name is secret: everything after it is the value.
    fn assignment(&self, word: &str) -> Option<String> {
        let separator = match word.strip_prefix('/') {
            Some(_) => word.find([':', '='])?,
            None => word.find('=')?,
        };
        let (name, value) = (&word[..separator], &word[separator + 1..]);
        let windows = word.starts_with('/') && ["/p", "/rp", "/gp"].contains(&name) && !value.contains('=');
        let plain = !name.contains(|letter: char| letter.is_whitespace() || "\"'/\\:?&,;{".contains(letter))
            || (word.starts_with('/') && !name[1..].contains('/'));
        let bare = name.trim_start_matches(['-', '/']);
        // `-Dname=value`, `-Pname=value`, `-eNAME=value`
        let defined = name.strip_prefix('-').and_then(|name| name.strip_prefix(['D', 'P', 'e', 'E']));
        let secret = windows
            || (plain && (self.names.is_secret(bare) || defined.is_some_and(|name| self.names.is_secret(name))));
        (secret && !is_reference(value)).then(|| format!("{}{MASK}", &word[..=separator]))
    }

    /// `set aws_secret_access_key VALUE`
    fn is_setting(&self, before: &[String], word: &str) -> bool {
        before.last().is_some_and(|before| matches!(before.as_str(), "set" | "config" | "put" | "add"))
            && word.contains(['_', '.', '-', ':'])
            && !word.contains('=')
            && self.names.is_secret(word)
    }
}

/// Not a secret but where to find one, or that there is none.
fn is_reference(value: &str) -> bool {
    const WORDS: [&str; 13] =
        ["", "-", "true", "false", "yes", "no", "none", "null", "on", "off", "stdin", "prompt", "***"];
    const PREFIXES: [&str; 6] = ["$", "env:", "file:", "fd:", "@/", "%("];
    const FOLDERS: [&str; 12] =
        ["/etc/", "/run/", "/var/", "/home/", "/usr/", "/opt/", "/root/", "/srv/", "/tmp/", "/mnt/", "/proc/", "/dev/"];
    let value = value.trim_matches(['"', '\'']);
    FOLDERS.iter().any(|folder| value.starts_with(folder))
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || PREFIXES.iter().any(|prefix| value.starts_with(prefix))
}

/// `-x`, `--long`, `--long=…`: another option stands where the value would be.
fn looks_like_an_option(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or("");
    let long = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    long || (word.len() == 2 && word.starts_with('-') && word.as_bytes()[1].is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(words: &[&str]) -> String {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Masker::new(["geheimnis".to_owned()]).mask(&mut words);
        words.join(" ")
    }

    #[test]
    fn the_forms_that_are_promised() {
        for (words, expected) in [
            (&["x", "--password=hunter2"][..], "x --password=***"),
            (&["mysql", "-phunter2", "db"], "mysql -p*** db"),
            (&["curl", "-u", "ada:hunter2", "h"], "curl -u ada:*** h"),
            (&["curl", "-H", "Authorization: Bearer hunter2"], "curl -H Authorization: Bearer ***"),
            (&["curl", "-H", "X-Api-Key: hunter2"], "curl -H X-Api-Key: ***"),
            (&["x", "postgres://ada:hunter2@db/x"], "x postgres://ada:***@db/x"),
            (&["env", "DB_PASSWORD=hunter2", "x"], "env DB_PASSWORD=*** x"),
            (&["x", "--token", "hunter2", "--port", "5"], "x --token *** --port 5"),
            (&["x", "--password=correct horse"], "x --password=***"),
            (&["x", "--password", "correct horse"], "x --password ***"),
            (&["xfreerdp", "/u:ada", "/p:hunter2"], "xfreerdp /u:ada /p:***"),
            (&["sh", "-c", "PGPASSWORD='a b' psql -h db; mysql -phunter2"], "sh -c PGPASSWORD=***"),
            (&["sh", "-c", "cd /x && mysql -phunter2 -h db"], "sh -c cd /x && mysql -p*** -h db"),
            (&["x", "--geheimnis", "hunter2"], "x --geheimnis ***"),
        ] {
            assert_eq!(masked(words), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for words in [
            &["mkdir", "-p", "a/b"][..],
            &["docker", "run", "-p", "80:80", "-u", "1000:1000", "nginx"],
            &["mysql", "-p", "db"],
            &["x", "--password-file=/run/secrets/x", "--no-password", "--token=$TOKEN"],
            &["ffmpeg", "-pass", "1", "--max-tokens", "512"],
            &["msbuild", "/p:Configuration=Release"],
        ] {
            assert_eq!(masked(words), words.join(" "));
        }
    }

    #[test]
    fn any_text_is_survived() {
        for text in
            ["", "=", "--", "-", "--=", "'", "\"a", "://", "://@", "a\\", "日本=語", "--password", ": ", "\u{0}"]
        {
            for other in ["", "x", "--token", "日本 語", "'"] {
                let _length = masked(&[text, other, text]).len();
                let _length = masked(&["mysql", &format!("{text}{other}"), &format!("{other} {text}")]).len();
            }
        }
    }
}
