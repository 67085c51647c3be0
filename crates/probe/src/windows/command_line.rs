//! The words of a command line as programs on Windows see them (`CommandLineToArgvW`).

use crate::MaskArguments;

/// How many words of a command line are looked at; those after stay one.
const WORDS_MAX: usize = 8_192;

/// The line as it is, or where something in it is a secret, its words without, joined by blanks.
pub(super) fn masked(line: &str, mask: Option<&MaskArguments>) -> String {
    let Some(mask) = mask else { return line.to_owned() };
    let before = words(line);
    let mut after = before.clone();
    mask(&mut after);
    if after == before { line.to_owned() } else { after.join(" ") }
}

/// Blanks separate words outside of double quotes; backslashes are literal unless a double quote follows them. The first
/// word, the program, knows quotes only.
fn words(line: &str) -> Vec<String> {
    let line = line.trim_start_matches([' ', '\t']);
    let (program, mut rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => line.split_at(line.find([' ', '\t']).unwrap_or(line.len())),
    };
    let mut words = vec![program.to_owned()];
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return words;
        }
        if words.len() == WORDS_MAX {
            words.push(rest.to_owned());
            return words;
        }
        let (word, after) = next_word(rest);
        words.push(word);
        rest = after;
    }
}

fn next_word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quoted = false;
    let mut backslashes = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            backslashes += 1;
            continue;
        }
        let escaped = letter == '"' && backslashes % 2 == 1;
        let written = if letter == '"' { backslashes / 2 } else { backslashes };
        word.extend(std::iter::repeat_n('\\', written));
        backslashes = 0;
        match letter {
            '"' if !escaped => {
                // Two quotes within quotes are one.
                if quoted && letters.peek().is_some_and(|(_, next)| *next == '"') {
                    word.push('"');
                    letters.next();
                } else {
                    quoted = !quoted;
                }
            }
            ' ' | '\t' if !quoted => return (word, &text[at..]),
            _ => word.push(letter),
        }
    }
    word.extend(std::iter::repeat_n('\\', backslashes));
    (word, "")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn splits_as_windows_does() {
        assert_eq!(words(r#""C:\Program Files\a.exe" /p:x "b c" d"#), [r"C:\Program Files\a.exe", "/p:x", "b c", "d"]);
        assert_eq!(words(r#"a "x\"y" \\s\t "e\\" """#), ["a", "x\"y", r"\\s\t", r"e\", ""]);
        assert_eq!(words(r#"a "q""q" z\"#), ["a", "q\"q", r"z\"]);
        assert_eq!(words(""), [""]);
        assert_eq!(words(r#"""#), [""]);
    }

    #[test]
    fn only_lines_with_secrets_are_rewritten() {
        let mask: MaskArguments = Arc::new(|words| {
            if let Some(word) = words.iter_mut().find(|word| *word == "secret one") {
                "***".clone_into(word);
            }
        });
        assert_eq!(masked(r#"a   "b c""#, Some(&mask)), r#"a   "b c""#);
        assert_eq!(masked(r#"a /p "secret one" x"#, Some(&mask)), "a /p *** x");
    }
}
