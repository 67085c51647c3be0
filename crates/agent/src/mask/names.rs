//! Names of options, variables and headers whose values are secret.

/// Decides by the end of a name: `--db-password`, `PGPASSWORD` and `client.secret` are secret, `--password-file` is not.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretNames {
    more: Vec<String>,
}

const NAME_BYTES_MAX: usize = 128;
const WORDS_MAX: usize = 1_000;

/// Last words of secret names.
const SECRET: [&str; 28] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "creds",
    "jwt",
    "psk",
    "otp",
    "pin",
    "bearer",
    "setcookie",
    "sessionid",
    "phpsessid",
    "secretkey",
    "accesskey",
    "privatekey",
    "requirepass",
    "masterauth",
    "secrets",
];

/// Words that make names like `PGPASSWORD` secret, where nothing separates them from what is before.
const SECRET_ENDINGS: [&str; 26] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "authkey",
    "masterkey",
    "encryptionkey",
    "credentials",
    "accountkey",
    "sharedkey",
    "dbpass",
    "rootpass",
    "adminpass",
    "storepass",
    "keypass",
    "userpass",
    "authpass",
    "proxypass",
    "sshpass",
    "dbpwd",
    "rootpw",
];

/// What before `key` makes it secret: a key by itself is mostly a file, a column or a button.
const SECRET_KEYS: [&str; 26] = [
    "api",
    "access",
    "secret",
    "private",
    "auth",
    "encryption",
    "encrypt",
    "master",
    "account",
    "shared",
    "signing",
    "storage",
    "session",
    "deploy",
    "subscription",
    "hmac",
    "aes",
    "decryption",
    "recovery",
    "unseal",
    "admin",
    "app",
    "license",
    "ingest",
    "license",
    "service",
];

/// Words that a name may have after the telling one.
const NEUTRAL: [&str; 9] = ["value", "string", "text", "plain", "plaintext", "base64", "b64", "hash", "hex"];

/// Words at the beginning after which a name only says whether, or how many.
const QUESTIONS: [&str; 27] = [
    "no", "use", "ask", "enable", "disable", "require", "requires", "skip", "with", "without", "has", "prompt",
    "reset", "change", "show", "allow", "need", "is", "save", "remember", "max", "min", "num", "print", "list",
    "forgot", "per",
];

impl SecretNames {
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let squeezed = words.into_iter().take(WORDS_MAX).map(|word| segments(&word).concat());
        Self { more: squeezed.filter(|word| !word.is_empty()).collect() }
    }

    /// Whether the value of something with this name is a secret.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return false;
        }
        let mut segments = segments(name);
        if segments.first().is_some_and(|first| segments.len() > 1 && QUESTIONS.contains(&first.as_str())) {
            return false;
        }
        while segments.len() > 1 && segments.last().is_some_and(|last| NEUTRAL.contains(&last.as_str())) {
            segments.pop();
        }
        let Some(last) = segments.last() else { return false };
        let squeezed = segments.concat();
        let before = segments.len().checked_sub(2).and_then(|index| segments.get(index)).map_or("", String::as_str);
        SECRET.contains(&last.as_str())
            || SECRET_ENDINGS.iter().any(|ending| last.ends_with(ending))
            || (last == "key" && SECRET_KEYS.contains(&before))
            || self.more.iter().any(|word| squeezed.ends_with(word.as_str()))
    }
}

/// The words of a name, lower-case and without digits at their end: separated by signs, or by a capital letter after a
/// small one.
fn segments(name: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut before_is_small = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before_is_small) {
            segments.push(String::new());
        }
        before_is_small = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(last) = segments.last_mut()
        {
            last.extend(letter.to_lowercase());
        }
    }
    let trimmed = segments.iter().map(|segment| segment.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    trimmed.filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_tells() {
        let names = SecretNames::default();
        for name in [
            "password",
            "PGPASSWORD",
            "db-password",
            "spring.datasource.password",
            "clientSecret",
            "MYSQL_PWD",
            "apiKey",
            "AWS_SECRET_ACCESS_KEY",
            "_authToken",
            "password2",
            "x-api-key",
            "PRIVATE-TOKEN",
            "storepass",
            "AccountKey",
        ] {
            assert!(names.is_secret(name), "{name}");
        }
        for name in [
            "password-file",
            "token-ttl",
            "secret-name",
            "no-password",
            "max-tokens",
            "bypass",
            "compass",
            "key",
            "tokenizer",
            "password-store",
            "ask-pass",
            "AWS_ACCESS_KEY_ID",
            "ssh-key",
            "",
            "monkey",
            "passive",
        ] {
            assert!(!names.is_secret(name), "{name}");
        }
    }
}
