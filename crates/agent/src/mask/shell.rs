//! Takes a text apart into words as a shell does, and puts it together again with other words.

/// Calls `mask` with the words of each simple command in `text`; what is between words stays as it is.
pub(super) fn map_words(text: &str, mut mask: impl FnMut(&mut [String])) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for command in commands(text) {
        let mut words: Vec<String> = command.iter().map(|(start, end)| text[*start..*end].to_owned()).collect();
        mask(&mut words);
        for ((start, end), word) in command.iter().zip(&words) {
            out.push_str(&text[done..*start]);
            out.push_str(word);
            done = *end;
        }
    }
    out.push_str(&text[done..]);
    out
}

/// The places of words, by simple command. A word that is quoted as a whole is without its quotes.
fn commands(text: &str) -> Vec<Vec<(usize, usize)>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<usize> = None;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let end_word = |word: &mut Option<usize>, end: usize, commands: &mut Vec<Vec<(usize, usize)>>| {
        if let (Some(start), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(unquoted(text, start, end));
        }
    };
    for (index, letter) in text.char_indices() {
        let outside = quote.is_none() && !escaped;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quote != Some('\'') => escaped = true,
            '"' | '\'' if quote == Some(letter) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(letter),
            _ => {}
        }
        if outside && letter.is_whitespace() {
            end_word(&mut word, index, &mut commands);
        } else if outside && matches!(letter, ';' | '|' | '&' | '(' | ')' | '`') && ends_command(text, index, letter) {
            end_word(&mut word, index, &mut commands);
            commands.push(Vec::new());
        } else if word.is_none() {
            word = Some(index);
        }
    }
    end_word(&mut word, text.len(), &mut commands);
    commands
}

/// `a=1;b=2` and `?a=1&b=2` are words: a separator stands next to a blank, or next to another one.
fn ends_command(text: &str, index: usize, separator: char) -> bool {
    let before = text[..index].chars().next_back();
    let after = text[index + separator.len_utf8()..].chars().next();
    let apart = |letter: Option<char>| letter.is_none_or(|letter| letter.is_whitespace() || letter == separator);
    apart(before) || apart(after) || before == Some('$')
}

fn unquoted(text: &str, start: usize, end: usize) -> (usize, usize) {
    let word = &text[start..end];
    let quoted = |quote: char| {
        word.len() >= 2 && word.starts_with(quote) && word.ends_with(quote) && !word[1..word.len() - 1].contains(quote)
    };
    if quoted('"') || quoted('\'') { (start + 1, end - 1) } else { (start, end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        let same = map_words(text, |words| all.push(words.to_vec()));
        assert_eq!(same, text);
        all
    }

    #[test]
    fn splits_like_a_shell() {
        assert_eq!(words("a 'b c' \"d\" e='f g'"), [["a", "b c", "d", "e='f g'"]]);
        assert_eq!(words("a -x; b|c && d"), [vec!["a", "-x"], vec!["b|c"], vec![], vec!["d"]]);
        assert_eq!(words("x http://h/?a=1&b=2"), [["x", "http://h/?a=1&b=2"]]);
        assert_eq!(words("a \\'b 'c"), [["a", "\\'b", "'c"]]);
    }

    #[test]
    fn puts_other_words_in_their_place() {
        let out = map_words("a 'b c'  d", |words| words[1] = "***".to_owned());
        assert_eq!(out, "a '***'  d");
    }
}
