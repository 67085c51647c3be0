//! Names under which secrets go: of options, variables, settings, headers and fields.

/// Whether what goes under a name is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sureness {
    /// It is not.
    No,
    /// It is if it looks like one.
    Likely,
    /// It is.
    Sure,
}

/// A name with one of these in it is one of a secret, wherever it stands.
const ANYWHERE: [&str; 4] = ["password", "passwd", "passphrase", "passwort"];

/// A name that ends so, its separators taken out, is one of a secret.
const ENDINGS: [&str; 35] = [
    "pwd",
    "secret",
    "token",
    "apikey",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "accountkey",
    "sharedaccesskey",
    "authkey",
    "setupkey",
    "licensekey",
    "licencekey",
    "presharedkey",
    "certificatekey",
    "secretkeybase",
    "secretid",
    "roottokenid",
    "psk",
    "credential",
    "credentials",
    "jwt",
    "passcode",
    "requirepass",
    "masterauth",
    "secretstring",
    "otp",
    "community",
    "sharedkey",
    "masterkey",
    "hmackey",
    "bearer",
    "rediscliauth",
];

/// Names that end like `pass` and are none.
const NOT_PASS: [&str; 9] =
    ["bypass", "compass", "encompass", "surpass", "trespass", "overpass", "underpass", "multipass", "twopass"];

/// Last parts of names that are secrets.
const LAST: [&str; 6] = ["pw", "upw", "opw", "rootpw", "bindpw", "userpw"];

/// Last parts of names of which only the value tells.
const LIKELY: [&str; 9] = ["login", "key", "auth", "sig", "signature", "cookie", "session", "pin", "code"];

/// A name whose last part ends so tells where a secret is, or of what kind, not the secret.
const ABOUT: [&str; 68] = [
    "file",
    "path",
    "dir",
    "directory",
    "count",
    "limit",
    "length",
    "len",
    "size",
    "type",
    "policy",
    "prompt",
    "stdin",
    "command",
    "cmd",
    "url",
    "uri",
    "endpoint",
    "name",
    "mode",
    "timeout",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "age",
    "provider",
    "backend",
    "store",
    "ref",
    "env",
    "required",
    "enabled",
    "min",
    "max",
    "format",
    "field",
    "header",
    "issuer",
    "audience",
    "algorithm",
    "alg",
    "version",
    "rotation",
    "manager",
    "reset",
    "hint",
    "regex",
    "pattern",
    "cache",
    "encryption",
    "fd",
    "location",
    "plugin",
    "source",
    "helper",
    "separator",
    "identity",
    "method",
    "authentication",
    "through",
    "index",
    "service",
    "slot",
    "column",
    "bits",
    "class",
    "days",
];

/// First parts of names of switches: whether, not what.
const SWITCHES: [&str; 12] =
    ["ask", "no", "prompt", "show", "enable", "disable", "verify", "force", "change", "existing", "use", "set"];

/// The bit that makes letters of ASCII small.
const SMALL: u8 = 0x20;

/// Names of secrets.
#[derive(Debug)]
pub(super) struct Names {
    /// Beside the known ones; small letters and digits only.
    words: Vec<String>,
}

impl Names {
    pub(super) fn new(words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let words = words.into_iter().map(|word| squeezed(word.as_ref()));
        Self { words: words.filter(|word| !word.is_empty()).collect() }
    }

    /// Whether a word may hold a name of a secret: does not allocate, and is often wrong in saying yes.
    pub(super) fn is_hinted_in(&self, word: &str) -> bool {
        !self.words.is_empty()
            || word.as_bytes().windows(2).enumerate().any(|(at, pair)| {
                let hint = match [pair[0] | SMALL, pair[1] | SMALL] {
                    [b'p', b'a'] => "pass",
                    [b's', b'e'] => "se",
                    [b't', b'o'] => "token",
                    [b'k', b'e'] => "key",
                    [b'a', b'u'] => "auth",
                    [b'c', b'r'] => "cred",
                    [b'c', b'o'] => "co",
                    [b'b', b'e'] => "bearer",
                    [b'l', b'o'] => "login",
                    [b'p', b'w' | b's' | b'i'] | [b's', b'i'] | [b'o', b't'] | [b'j', b'w'] => return true,
                    _ => return false,
                };
                word.as_bytes()[at..].get(..hint.len()).is_some_and(|part| part.eq_ignore_ascii_case(hint.as_bytes()))
            })
    }

    /// Whether this is a name of passwords, certainly.
    pub(super) fn is_password(&self, name: &str) -> bool {
        self.sureness(name) == Sureness::Sure && ANYWHERE.contains(&squeezed(name).as_str())
    }

    /// Whether what goes under `name` is a secret.
    pub(super) fn sureness(&self, name: &str) -> Sureness {
        if !self.is_hinted_in(name) {
            return Sureness::No;
        }
        let squeezed = squeezed(name);
        let squeezed = squeezed.trim_end_matches(|letter: char| letter.is_ascii_digit());
        if squeezed.is_empty() {
            return Sureness::No;
        }
        let last = last_part(name);
        let last = last.trim_end_matches(|letter: char| letter.is_ascii_digit());
        if is_switch(name) {
            return Sureness::No;
        }
        if is_about(last) && !ENDINGS.iter().any(|ending| squeezed.ends_with(ending)) {
            return Sureness::No;
        }
        let is_pass = last.ends_with("pass") && !NOT_PASS.contains(&last);
        let sure = ANYWHERE.iter().any(|word| squeezed.contains(word))
            || ENDINGS.iter().any(|ending| squeezed.ends_with(ending))
            || self.words.iter().any(|word| squeezed.contains(word.as_str()))
            || LAST.contains(&last)
            || is_pass;
        if sure {
            Sureness::Sure
        } else if LIKELY.contains(&last) || last.ends_with("key") {
            Sureness::Likely
        } else {
            Sureness::No
        }
    }
}

/// Whether the last part with what belongs to it begins as a switch does.
fn is_switch(name: &str) -> bool {
    let name = name.rsplit(['.', ':', '/']).find(|part| !part.is_empty()).unwrap_or(name);
    let first_end = name
        .char_indices()
        .find(|(at, letter)| *at > 0 && (!letter.is_alphanumeric() || letter.is_uppercase()))
        .map_or(name.len(), |(at, _)| at);
    SWITCHES.iter().any(|switch| name[..first_end].eq_ignore_ascii_case(switch)) && first_end < name.len()
}

fn is_about(last: &str) -> bool {
    // `message` ends like `age`, and is not about a secret either.
    ABOUT.iter().any(|about| last.ends_with(about))
}

/// Small letters and digits only.
fn squeezed(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What comes after the last separator or change from small to capital letters.
fn last_part(name: &str) -> String {
    let name = name.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    let mut begin = 0;
    let mut earlier_is_small = false;
    for (at, letter) in name.char_indices() {
        if !letter.is_alphanumeric() {
            begin = at + letter.len_utf8();
        } else if letter.is_uppercase() && earlier_is_small {
            begin = at;
        }
        earlier_is_small = letter.is_lowercase() || letter.is_numeric();
    }
    name[begin..].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_of_secrets() {
        let names = Names::new(["kenn-wort"]);
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "password1",
            "client-secret",
            "clientSecret",
            "api.key",
            "APIKEY",
            "X-Auth-Token",
            "smtp-pass",
            "storepass",
            "SECRET_KEY_BASE",
            "_authToken",
            "PASSWORD_PROD",
            "kennWORT",
        ] {
            assert_eq!(names.sureness(name), Sureness::Sure, "{name}");
        }
    }

    #[test]
    fn knows_names_about_secrets() {
        let names = Names::new([""]);
        for name in [
            "password-file",
            "passwordFile",
            "token_count",
            "tokenizer",
            "keyboard",
            "bypass",
            "secret-name",
            "",
            "tokens",
            "passlogfile",
            "monkey-patch",
            "password-store",
            "DATABASE",
            "SharedAccessKeyName",
        ] {
            assert_eq!(names.sureness(name), Sureness::No, "{name}");
        }
        assert_eq!(names.sureness("sort-key"), Sureness::Likely);
    }
}
