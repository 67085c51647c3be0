//! Query parameters: read one by one, with everything that is wrong told at once.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use procession_model::{SnapshotId, Timestamp};
use procession_store::Range;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::error::ApiError;
use crate::time_text;

/// The most parameters that are looked at.
const PARAMETERS_MAX: usize = 64;

/// The query of a request.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    problems: Map<String, Value>,
}

impl FromRequestParts<Arc<App>> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

impl Params {
    fn of(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().take(PARAMETERS_MAX).collect();
        Self { pairs, problems: Map::new() }
    }

    /// A text; empty is absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// A parameter as it was given, even if empty.
    fn given(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A text that has to be there.
    pub(crate) fn required(&mut self, name: &str) -> String {
        match self.text(name) {
            Some(value) => value.to_owned(),
            None => {
                self.problem(name, "This query parameter is required.");
                String::new()
            }
        }
    }

    /// A whole number in a range.
    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.given(name)?.parse::<u64>().ok().filter(|value| range.contains(value));
        if value.is_none() {
            self.problem(name, &format!("A whole number from {} to {} is required.", range.start(), range.end()));
        }
        value
    }

    /// A whole number in a range for a count of things.
    pub(crate) fn count(&mut self, name: &str, range: RangeInclusive<u64>, default: usize) -> usize {
        self.integer(name, range).and_then(|count| usize::try_from(count).ok()).unwrap_or(default)
    }

    /// A number from 0.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        let value = self.given(name)?.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        if value.is_none() {
            self.problem(name, "A number from 0 is required.");
        }
        value
    }

    /// A time: RFC 3339, or milliseconds since the Unix epoch.
    pub(crate) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let time = time_text::parse_or_ms(self.given(name)?);
        if time.is_none() {
            self.problem(name, "A time as in RFC 3339 is required, such as 2025-08-22T09:15:00Z.");
        }
        time
    }

    /// `start` and `end`; the end is not in the range.
    pub(crate) fn range(&mut self) -> Range {
        Range { start: self.time("start"), end: self.time("end") }
    }

    /// The number of a snapshot.
    pub(crate) fn snapshot_id(&mut self, name: &str) -> Option<SnapshotId> {
        let id = self.given(name)?.parse::<u64>().ok().and_then(|number| SnapshotId::from_number(number).ok());
        if id.is_none() {
            self.problem(name, "The number of a snapshot is required.");
        }
        id
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.given(name)?;
        let chosen = choices.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.problem(name, &format!("One of these is required: {}.", words.join(", ")));
        }
        chosen
    }

    /// Notes what is wrong with a parameter.
    pub(crate) fn problem(&mut self, name: &str, problem: &str) {
        self.problems.insert(name.to_owned(), json!([problem]));
    }

    /// All parameters but one, as a query.
    pub(crate) fn query_without(&self, name: &str) -> form_urlencoded::Serializer<'_, String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs.iter().filter(|(key, _)| key != name));
        query
    }

    /// 400 if anything is wrong.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::fields(Value::Object(self.problems.clone()))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_told_at_once() {
        let mut params = Params::of("limit=x&start=noon&a=1&a=2&empty=&before=0");
        assert_eq!(params.count("limit", 1..=10, 7), 7);
        assert_eq!((params.range(), params.snapshot_id("before")), (Range::default(), None));
        assert_eq!((params.text("a"), params.text("empty")), (Some("1"), None));
        assert_eq!(params.required("hostname"), "");
        assert_eq!(params.problems.keys().collect::<Vec<_>>(), ["before", "hostname", "limit", "start"]);
        assert!(params.check().is_err());
    }

    #[test]
    fn a_query_without_one() {
        let params = Params::of("page=2&name=a%26b");
        assert_eq!(params.query_without("page").append_pair("page", "3").finish(), "name=a%26b&page=3");
    }
}
