//! Keys and tokens as text.
//!
//! A key is `<prefix>.<secret><checksum>`: the prefix is public and names the key in lists and logs; the secret carries
//! 256 bits; the checksum tells a mistyped key from a wrong one without a look into the store.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX_LENGTH: usize = 8;
/// 43 letters of 62 are 256 bits.
const SECRET_LENGTH: usize = 43;
/// 62^6 is more than 2^32.
const CHECKSUM_LENGTH: usize = 6;
const KEY_LENGTH: usize = PREFIX_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

/// Random letters and digits.
pub(crate) fn random_text<const LENGTH: usize>() -> String {
    let mut text = String::with_capacity(LENGTH);
    let mut bytes = [0; 64];
    while text.len() < LENGTH {
        // Without random numbers no key is safe: better no server than a guessable one.
        #[expect(clippy::expect_used, reason = "an operating system without random numbers cannot run a server")]
        getrandom::fill(&mut bytes).expect("random numbers of the operating system");
        // 248 is the largest multiple of 62 in a byte: what is above would favour some letters.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let wanted = LENGTH - text.len();
        text.extend(fair.take(wanted).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    text
}

/// A new key.
pub(crate) fn new_key() -> String {
    let body = format!("{}.{}", random_text::<PREFIX_LENGTH>(), random_text::<SECRET_LENGTH>());
    let checksum = checksum_of(&body);
    body + &checksum
}

/// The public prefix of a text that is a key by its form and checksum.
pub(crate) fn prefix_of(key: &str) -> Option<&str> {
    if key.len() != KEY_LENGTH || !key.is_ascii() {
        return None;
    }
    let (body, checksum) = key.split_at(KEY_LENGTH - CHECKSUM_LENGTH);
    let (prefix, secret) = body.split_once('.')?;
    let good = prefix.len() == PREFIX_LENGTH && secret.len() == SECRET_LENGTH && checksum_of(body) == checksum;
    good.then_some(prefix)
}

/// SHA-256, which is what the store keeps of keys and tokens. They are random and long, so that no slow hash is needed.
pub(crate) fn hash_of(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn checksum_of(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut letters = [b'0'; CHECKSUM_LENGTH];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    letters.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_prefix() {
        let key = new_key();
        assert_eq!(prefix_of(&key), Some(&key[..8]));
        assert_ne!(key, new_key());
    }

    #[test]
    fn every_typing_error_of_one_letter_is_noticed() {
        let key = new_key();
        for at in 0..key.len() {
            let other = if key.as_bytes()[at] == b'x' { "y" } else { "x" };
            let mut typed = key.clone();
            typed.replace_range(at..=at, other);
            assert_eq!(prefix_of(&typed), None, "{at}");
        }
        for wrong in ["", "x", &key[1..], &format!("{key}x"), &"é".repeat(29)] {
            assert_eq!(prefix_of(wrong), None);
        }
    }
}
