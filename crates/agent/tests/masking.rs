//! The corpus: at least 99 % of the secrets masked, at most 1 % of the innocent command lines changed.
//!
//! A line is a kind, a tab, and a command line as a shell would take it. `«` and `»` are around what is secret, `⏎` is a
//! line's end. `cargo test -p procession-agent --test masking -- --nocapture` prints the figures and what was missed.
#![expect(clippy::expect_used, reason = "tests fail by it")]

use procession_agent::{MASK, Masker};

/// A command line and the secrets in it.
struct Line {
    words: Vec<String>,
    secrets: Vec<String>,
}

fn corpus(text: &str) -> Vec<Line> {
    text.lines().map(|line| Line::parse(line.split_once('\t').expect("a kind, a tab, a command line").1)).collect()
}

impl Line {
    fn parse(text: &str) -> Self {
        let secrets = text.split('«').skip(1).map(|rest| {
            let secret = rest.split_once('»').expect("every « has its »").0;
            words(secret).join(" ")
        });
        Self { secrets: secrets.collect(), words: words(&text.replace(['«', '»'], "")) }
    }
}

/// As a shell splits words: blanks outside of quotes; within double quotes `\"` is a quote.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (Some('"'), '\\') if letters.peek() == Some(&'"') => {
                word.get_or_insert_default().extend(letters.next());
            }
            (_, '⏎') => word.get_or_insert_default().push('\n'),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn masked(masker: &Masker, line: &Line) -> Vec<String> {
    let mut words = line.words.clone();
    masker.mask(&mut words);
    words
}

#[test]
fn at_least_99_percent_of_the_secrets_are_masked() {
    let lines = corpus(include_str!("corpus/secrets.tsv"));
    assert!(lines.len() >= 500 && lines.iter().all(|line| !line.secrets.is_empty()));
    let masker = Masker::default();
    let mut missed = 0;
    let (mut innocent_words, mut hit) = (0, 0);
    for line in &lines {
        let after = masked(&masker, line);
        let text = after.join(" ");
        if line.secrets.iter().any(|secret| text.contains(secret.as_str())) {
            missed += 1;
            println!("missed: {text}");
        }
        for (before, after) in line.words.iter().zip(&after) {
            let is_innocent = !line.secrets.iter().any(|secret| before.contains(secret.as_str()));
            innocent_words += usize::from(is_innocent);
            if is_innocent && before != after {
                hit += 1;
                println!("too much: {before} in {text}");
            }
        }
    }
    println!("{} of {} lines with secrets masked", lines.len() - missed, lines.len());
    println!("{hit} of {innocent_words} innocent words beside secrets masked too");
    assert!(missed * 100 <= lines.len(), "{missed} of {} are missed", lines.len());
    assert!(hit * 100 <= innocent_words, "{hit} of {innocent_words} innocent words are masked");
}

#[test]
fn at_most_1_percent_of_the_innocent_are_changed() {
    let lines = corpus(include_str!("corpus/innocent.tsv"));
    assert!(lines.len() >= 500);
    let masker = Masker::default();
    let mut changed = 0;
    for line in &lines {
        let after = masked(&masker, line);
        if after != line.words {
            changed += 1;
            println!("changed: {}", after.join(" "));
        }
    }
    println!("{changed} of {} innocent lines changed", lines.len());
    assert!(changed * 100 <= lines.len(), "{changed} of {} are changed", lines.len());
}

#[test]
fn masking_twice_changes_nothing_more() {
    let masker = Masker::default();
    for line in corpus(include_str!("corpus/secrets.tsv")) {
        let once = masked(&masker, &line);
        let mut twice = once.clone();
        masker.mask(&mut twice);
        assert!(
            twice.join(" ").matches(MASK).count() <= once.join(" ").matches(MASK).count() + 1,
            "{once:?} {twice:?}"
        );
    }
}
