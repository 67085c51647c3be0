//! What people type to find processes: words, and conditions such as `name:post*`, `user:www`, `pid:7`, `cpu>5`,
//! `mem>1GB`.

use procession_store::analysis::Search;

use crate::upload::memory_bytes;

/// The most words of one search.
const WORDS_MAX: usize = 32;

/// The search that a text means. What is no condition is a word.
pub(super) fn parse(text: &str) -> Search {
    let mut search = Search::default();
    for word in text.split_whitespace().take(WORDS_MAX) {
        if !take_condition(&mut search, word) {
            search.words.push(word.to_owned());
        }
    }
    search
}

fn take_condition(search: &mut Search, word: &str) -> bool {
    let named = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| word.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name)))
            .map(str::len)
    };
    let rest = |length: usize| Some(&word[length..]).filter(|rest| !rest.is_empty());
    if let Some(name) = named(["name:", "program:"]).and_then(rest) {
        search.name = Some(name.to_owned());
    } else if let Some(user) = named(["user:", "u:"]).and_then(rest) {
        search.user = Some(user.to_owned());
    } else if let Some(pid) = named(["pid:", "pid="]).and_then(rest).and_then(|pid| pid.parse().ok()) {
        search.pid = Some(pid);
    } else if let Some(cpu) = named(["cpu>", "cpu>="]).and_then(rest).and_then(hundredths) {
        search.cpu_over = Some(cpu);
    } else if let Some(memory) = named(["mem>", "memory>"]).and_then(rest).and_then(memory_bytes) {
        search.memory_over = Some(memory);
    } else {
        return false;
    }
    true
}

fn hundredths(percent: &str) -> Option<u64> {
    let percent: f64 = percent.trim_end_matches('%').parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked, and saturates")]
    (percent.is_finite() && percent >= 0.0).then(|| (percent * 100.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_words() {
        let search = parse("  nginx User:www cpu>2.5 mem>1GiB name:post* worker pid:7");
        assert_eq!(search.words, ["nginx", "worker"]);
        assert_eq!((search.user.as_deref(), search.name.as_deref()), (Some("www"), Some("post*")));
        assert_eq!((search.cpu_over, search.memory_over, search.pid), (Some(250), Some(1 << 30), Some(7)));
    }

    #[test]
    fn what_is_not_quite_a_condition_is_a_word() {
        for text in ["cpu>", "cpu>x", "mem>-1", "pid:x", "user:", "é:", "cp", "name"] {
            assert_eq!(parse(text).words, [text]);
        }
    }
}
