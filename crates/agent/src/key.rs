//! The key with which an agent says who it is.

use std::fmt;

/// A key. It is shown nowhere: not in logs, not in error messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The longest key in bytes.
    pub const BYTES_MAX: usize = 512;

    /// A key as it was pasted: blanks around it are dropped. `None` where it is empty, too long, or has what no key has.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty() && text.len() <= Self::BYTES_MAX && printable).then(|| Self(text.to_owned()))
    }

    /// The key itself, to be sent or written to a file only its owner can read.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_and_nonsense_is_refused() {
        assert_eq!(Key::parse(" abc.def\n").map(|key| key.secret().to_owned()).as_deref(), Some("abc.def"));
        for text in ["", "  ", "a b", "schlüssel", &"x".repeat(513)] {
            assert_eq!(Key::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Key::parse("secret")), "Some(Key(***))");
    }
}
