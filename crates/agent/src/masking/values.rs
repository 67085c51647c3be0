//! Values that are not secrets, and values that look like one.

/// Whether a value under the name of a secret is none: a reference, a switch, a file, a mask.
pub(super) fn is_harmless(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let is_number = value.len() <= 3 && value.bytes().all(|byte| byte.is_ascii_digit());
    value.is_empty() || is_number || is_reference(value) || is_word(value) || is_path(value)
}

/// What stands for a value that is elsewhere.
fn is_reference(value: &str) -> bool {
    let variable = value.strip_prefix('$').is_some_and(|rest| {
        let rest = rest.trim_matches(['{', '}', '(', ')']);
        rest.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ' ' | '/' | '.' | '-'))
            && !rest.starts_with(|letter: char| letter.is_ascii_digit())
    });
    variable
        || ["file:", "fileb:", "env:", "fd:", "@", "{{", "%("].iter().any(|prefix| value.starts_with(prefix))
        || (value.starts_with('%') && value.ends_with('%'))
        || (value.starts_with('<') && value.ends_with('>'))
        || value.bytes().all(|byte| byte == b'*')
}

fn is_word(value: &str) -> bool {
    const WORDS: [&str; 17] = [
        "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "prompt", "stdin", "-", "auto", "default",
        "required", "optional", "bearer",
    ];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether this is where a file is.
pub(super) fn is_path(value: &str) -> bool {
    const ENDINGS: [&str; 19] = [
        ".pem",
        ".key",
        ".crt",
        ".cer",
        ".p12",
        ".pfx",
        ".json",
        ".txt",
        ".pub",
        ".yaml",
        ".yml",
        ".jks",
        ".conf",
        ".cfg",
        ".ini",
        ".toml",
        ".env",
        ".keytab",
        ".keystore",
    ];
    let bytes = value.as_bytes();
    let has_drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/');
    let is_rooted = has_drive || ["/", "./", "../", "~/", "\\\\"].iter().any(|root| value.starts_with(root));
    let is_plain = !value.contains(['+', '=', '!', '#', '&', '?', ' ']);
    let has_ending = ENDINGS.iter().any(|ending| value.ends_with(ending));
    is_plain && (has_ending || (is_rooted && value[1..].contains(['/', '\\', '.'])))
}

/// Whether this looks made by a machine so that nobody can guess it.
pub(super) fn looks_random(value: &str) -> bool {
    const BYTES_MIN: usize = 16;
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+/=.~%".contains(&byte);
    value.len() >= BYTES_MIN && digits >= 2 && letters >= 4 && value.bytes().all(is_token) && !is_path(value)
}

/// Whether letters come with other things, as in few names.
pub(super) fn is_mixed(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-' | b'.');
    let others = value.bytes().filter(|byte| !is_plain(*byte)).count();
    others > 0 && others < value.len()
}

/// Whether this is an option rather than a value.
pub(super) fn is_option(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next() == Some(b'-') && bytes.next().is_some_and(|byte| byte == b'-' || byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_switches_and_files_are_harmless() {
        for value in [
            "",
            "$PW",
            "${DB_PW}",
            "$(cat /x)",
            "%PW%",
            "***",
            "true",
            "/etc/pw",
            "k.pem",
            "file:/x",
            "@/x",
            "5",
            "C:\\k.key",
            "<secret>",
        ] {
            assert!(is_harmless(value), "{value}");
        }
        for value in ["hunter2", "1234", "$6$salt$hash", "/Ab+c/d=", "pa$$", "%x", "ünïcode"] {
            assert!(!is_harmless(value), "{value}");
        }
    }

    #[test]
    fn random_values_are_long_and_mixed() {
        assert!(looks_random("AIzaSyD-0123456789abcdef"));
        for value in ["user-id", "deploy", "/var/lib/x/y1/z22", "1234567890123456", "a b c d 1 2 3 4 5 6 7"] {
            assert!(!looks_random(value), "{value}");
        }
    }
}
