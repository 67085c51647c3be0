//! How well secrets in command lines are found: two lists of 500 command lines each, one object a line.
#![expect(clippy::unwrap_used, reason = "tests fail by it")]

use procession_agent::Masker;
use serde::Deserialize;

const SECRETS: &str = include_str!("corpus/secrets.jsonl");
const INNOCENT: &str = include_str!("corpus/innocent.jsonl");

#[derive(Deserialize)]
struct Case {
    argv: Vec<String>,
    /// What must not be left.
    #[serde(default)]
    secret: String,
}

fn cases(corpus: &str) -> Vec<Case> {
    let cases: Vec<Case> = corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 500);
    cases
}

fn masked(argv: &[String]) -> Vec<String> {
    let mut words = argv.to_vec();
    Masker::default().mask(&mut words);
    words
}

#[test]
fn at_least_99_of_100_secrets_are_masked() {
    let missed: Vec<_> = cases(SECRETS)
        .iter()
        .map(|case| (masked(&case.argv).join(" "), case))
        .filter(|(masked, case)| masked.contains(&case.secret))
        .map(|(masked, _)| masked)
        .collect();
    println!("missed {} of 500: {missed:#?}", missed.len());
    assert!(missed.len() <= 5);
}

#[test]
fn at_most_1_of_100_innocent_ones_is_changed() {
    let changed: Vec<_> = cases(INNOCENT)
        .iter()
        .map(|case| (masked(&case.argv), case))
        .filter(|(masked, case)| *masked != case.argv)
        .map(|(masked, case)| (case.argv.join(" "), masked.join(" ")))
        .collect();
    println!("changed {} of 500: {changed:#?}", changed.len());
    assert!(changed.len() <= 5);
}

/// The first word stays, except for what it assigns: one has to see which program it is.
#[test]
fn programs_stay_recognisable() {
    for case in cases(SECRETS) {
        let masked = masked(&case.argv);
        assert_eq!(masked.len(), case.argv.len());
        assert!(masked[0] == case.argv[0] || case.argv[0].contains('='), "{masked:?}");
    }
}

/// Masking twice is masking once.
#[test]
fn a_masked_line_is_masked() {
    for case in cases(SECRETS) {
        let once = masked(&case.argv);
        assert_eq!(masked(&once), once);
    }
}
