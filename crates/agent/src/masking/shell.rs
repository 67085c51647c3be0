//! Command lines within a word, as after `sh -c`.

use super::spans::Token;

/// How many parts of one word are looked at.
const PARTS_MAX: usize = 4_096;

/// The parts of a text at its blanks and shell operators. Quoted parts stay together, with their quotes.
pub(super) fn split(token: Token<'_>) -> Vec<Token<'_>> {
    let token = token.unquoted();
    let mut parts = Vec::new();
    if !token.text.contains([' ', '\t', '\n']) {
        return parts;
    }
    let mut quote = None;
    let mut begin = None;
    for (at, letter) in token.text.char_indices() {
        let ends = quote.is_none() && (letter.is_whitespace() || matches!(letter, ';' | '|' | '&'));
        match quote {
            Some(open) if letter == open => quote = None,
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            _ => {}
        }
        if !ends {
            begin.get_or_insert(at);
        } else if let Some(from) = begin.take() {
            parts.push(token.part(from..at));
            if parts.len() == PARTS_MAX {
                return parts;
            }
        }
    }
    if let Some(from) = begin {
        parts.push(token.part(from..token.text.len()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_blanks_outside_of_quotes() {
        let text = "mysql -p'a b'  -e \"x y\";ls é";
        let parts = split(Token { word: 3, start: 10, text });
        assert_eq!(
            parts.iter().map(|part| part.text).collect::<Vec<_>>(),
            ["mysql", "-p'a b'", "-e", "\"x y\"", "ls", "é"]
        );
        assert!(parts.iter().all(|part| &text[part.start - 10..][..part.text.len()] == part.text));
        assert!(split(Token { word: 0, start: 0, text: "one" }).is_empty());
    }
}
