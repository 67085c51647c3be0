//! Which bytes of which word are secret.

use std::ops::Range;

use super::MASK;

/// A word, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Index of the word.
    pub(super) word: usize,
    /// Where in the word this begins.
    pub(super) start: usize,
    pub(super) text: &'a str,
}

impl<'a> Token<'a> {
    /// A part of it.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        let text = self.text.get(range.clone()).unwrap_or_default();
        Self { word: self.word, start: self.start + range.start, text }
    }

    /// Without the quotes around it.
    pub(super) fn unquoted(self) -> Self {
        let text = self.text;
        for quote in ['"', '\''] {
            if text.len() >= 2 && text.starts_with(quote) && text.ends_with(quote) {
                return self.part(1..text.len() - 1);
            }
        }
        self
    }
}

/// What is to be masked.
#[derive(Debug, Default)]
pub(super) struct Spans {
    found: Vec<(usize, Range<usize>)>,
}

impl Spans {
    pub(super) fn mask(&mut self, token: Token<'_>) {
        let token = token.unquoted();
        if !token.text.is_empty() {
            self.found.push((token.word, token.start..token.start + token.text.len()));
        }
    }

    /// How much was found.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn mask_part(&mut self, token: Token<'_>, range: Range<usize>) {
        self.mask(token.part(range));
    }

    /// Writes [`MASK`] over what was found; says whether there was anything.
    pub(super) fn apply(mut self, words: &mut [String]) -> bool {
        // From the back, so that what is in front keeps its place.
        self.found.sort_unstable_by_key(|(word, range)| (*word, range.start, range.end));
        let mut merged: Vec<(usize, Range<usize>)> = Vec::with_capacity(self.found.len());
        for (word, range) in self.found {
            match merged.last_mut() {
                Some((last_word, last)) if *last_word == word && range.start <= last.end => {
                    last.end = last.end.max(range.end);
                }
                _ => merged.push((word, range)),
            }
        }
        let any = !merged.is_empty();
        for (word, range) in merged.into_iter().rev() {
            let Some(text) = words.get_mut(word) else { continue };
            if text.get(range.clone()).is_some() {
                text.replace_range(range, MASK);
            } else {
                // Never reached; if a rule ever cut a character in two, rather nothing than a secret.
                MASK.clone_into(text);
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_finds_are_one() {
        let mut words = vec!["abcdef".to_owned(), "'x'".to_owned()];
        let mut spans = Spans::default();
        let token = Token { word: 0, start: 0, text: "abcdef" };
        spans.mask_part(token, 3..5);
        spans.mask_part(token, 1..4);
        spans.mask(Token { word: 1, start: 0, text: "'x'" });
        assert!(spans.apply(&mut words));
        assert_eq!(words, ["a***f", "'***'"]);
    }
}
