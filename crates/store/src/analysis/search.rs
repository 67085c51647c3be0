//! Searching the newest snapshots of all hosts, while someone types.
//!
//! Everything is looked at: a million live processes are some hundred megabytes of text, and an index of them would have to
//! follow every frame. Letters count alike in either case, ASCII ones only, so nothing has to be copied.

use procession_codec::HostState;
use procession_model::{Description, Metric, Sample, SnapshotId};

use super::{FoundProcess, ProcessAt, ROWS_MAX, Search, SearchAnswer};
use crate::HostNumber;

/// Collects what is found.
pub(crate) struct Finder<'a> {
    search: &'a Search,
    pids: Vec<Option<u32>>,
    limit: usize,
    answer: SearchAnswer,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(search: &'a Search, limit: usize) -> Self {
        let pids = search.words.iter().map(|word| word.parse().ok()).collect();
        Self { search, pids, limit: limit.min(ROWS_MAX), answer: SearchAnswer::default() }
    }

    /// Whether a host is asked for.
    pub(crate) fn wants(&self, host: HostNumber) -> bool {
        self.search.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host))
    }

    /// Searches a host.
    pub(crate) fn look_at(&mut self, id: SnapshotId, state: &HostState) {
        let before = self.answer.count;
        for (_, description, sample) in state.occupied() {
            if !self.fits(description, sample) {
                continue;
            }
            self.answer.count += 1;
            let process = ProcessAt { description: description.clone(), sample: *sample };
            self.answer.found.push(FoundProcess { host: id.host(), id, time: state.time(), process });
        }
        self.answer.hosts += u64::from(self.answer.count > before);
        if self.answer.found.len() >= self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> SearchAnswer {
        self.cut();
        self.answer
    }

    fn cut(&mut self) {
        self.answer.found.sort_by_key(|found| {
            let cpu = found.process.sample.get(Metric::Cpu).unwrap_or(0);
            (std::cmp::Reverse(cpu), found.host, found.process.description.identity.pid)
        });
        self.answer.found.truncate(self.limit);
    }

    fn fits(&self, description: &Description, sample: &Sample) -> bool {
        let search = self.search;
        let over = |metric, least: Option<u64>| {
            least.is_none_or(|least| sample.get(metric).is_some_and(|value| value > least))
        };
        search.pid.is_none_or(|pid| pid == description.identity.pid)
            && over(Metric::Cpu, search.cpu_over)
            && over(Metric::Memory, search.memory_over)
            && search.name.as_ref().is_none_or(|pattern| matches(pattern, &description.name))
            && search
                .user
                .as_ref()
                .is_none_or(|pattern| description.user.as_ref().is_some_and(|user| matches(pattern, user)))
            && search.words.iter().zip(&self.pids).all(|(word, pid)| {
                *pid == Some(description.identity.pid)
                    || contains(&description.name, word)
                    || description.command_line.as_ref().is_some_and(|line| contains(line, word))
                    || description.user.as_ref().is_some_and(|user| contains(user, word))
            })
    }
}

/// Whether a text has a part, in any case of its ASCII letters.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else { return true };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let mut from = 0;
    while let Some(rest) = text.get(from..).filter(|rest| rest.len() >= part.len()) {
        let Some(at) = memchr::memchr2(lower, upper, rest) else { return false };
        match rest.get(at..at + part.len()) {
            Some(candidate) if candidate.eq_ignore_ascii_case(part) => return true,
            Some(_) => from += at + 1,
            None => return false,
        }
    }
    false
}

/// Whether a text fits a pattern: has it as a part, or with `*` in it, is as a whole made like it.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let (Some(first), Some(last)) = (pieces.next(), pieces.next_back()) else { return contains(text, pattern) };
    let (text, first, last) = (text.as_bytes(), first.as_bytes(), last.as_bytes());
    let is_at =
        |at: usize, part: &[u8]| text.get(at..at + part.len()).is_some_and(|found| found.eq_ignore_ascii_case(part));
    let Some(end) = text.len().checked_sub(last.len()).filter(|end| *end >= first.len()) else { return false };
    if !is_at(0, first) || !is_at(end, last) {
        return false;
    }
    let mut at = first.len();
    for piece in pieces {
        let piece = piece.as_bytes();
        let Some(found) =
            (at..=end.saturating_sub(piece.len())).find(|at| at + piece.len() <= end && is_at(*at, piece))
        else {
            return false;
        };
        at = found + piece.len();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_in_any_case() {
        assert!(contains("PostgreSQL: writer", "gresql"));
        assert!(contains("aab", "AB"));
        assert!(contains("x", ""));
        assert!(!contains("aab", "abb"));
        assert!(!contains("", "a"));
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, fits) in [
            ("post*", "Postgres", true),
            ("post*", "a postgres", false),
            ("*gres", "postgres", true),
            ("p*g*s", "postgres", true),
            ("p*s*s", "postgres", true),
            ("p*s*s*s", "postgres", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("gre", "postgres", true),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
