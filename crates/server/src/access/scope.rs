//! Which hosts a key is good for.

use std::sync::Arc;

/// Which hosts someone may write or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostScope {
    /// All of them.
    All,
    /// Those whose name this pattern covers: a name, with `*` for any run of characters.
    Pattern(Arc<str>),
}

impl HostScope {
    /// From a key's pattern.
    pub(crate) fn of(pattern: Option<&str>) -> Self {
        pattern.map_or(Self::All, |pattern| Self::Pattern(pattern.into()))
    }

    /// Whether a host of this name is in it. Names are compared byte by byte, as the store does.
    pub(crate) fn covers(&self, hostname: &str) -> bool {
        match self {
            Self::All => true,
            Self::Pattern(pattern) => pattern_covers(pattern.as_bytes(), hostname.as_bytes()),
        }
    }
}

/// Greedy matching with one step back: linear in practice, never worse than the product of both lengths.
fn pattern_covers(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(byte) if *byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match &mut last_star {
                Some((star, eaten)) => {
                    *eaten += 1;
                    at_pattern = *star + 1;
                    at_text = *eaten;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let covers = |pattern: &str, name| HostScope::of(Some(pattern)).covers(name);
        for (pattern, name) in
            [("web-1", "web-1"), ("web-*", "web-"), ("*", ""), ("a*b*c", "axxbxbc"), ("*.dc1", "x.dc1")]
        {
            assert!(covers(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("web-1", "web-10"), ("web-*", "Web-1"), ("", "x"), ("a*b", "abx"), ("*.dc1", "dc1")] {
            assert!(!covers(pattern, name), "{pattern} {name}");
        }
        assert!(HostScope::of(None).covers("anything"));
    }
}
