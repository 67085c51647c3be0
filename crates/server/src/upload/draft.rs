//! An upload while it is being read.

use std::borrow::Cow;

use procession_model::{Brief, Ended, FieldError, HostFacts, HostSample, Loss, Sample, Timestamp};
use serde_json::{Map, Value};

use super::scalar::Problem;
use super::{PROBLEMS_MAX, UploadError};

/// What was read so far. Strings lie in the body: most of them are known from the host's last upload, and are not copied.
#[derive(Debug, Default)]
pub(super) struct Draft<'b> {
    pub(super) hostname: Option<Cow<'b, str>>,
    pub(super) time: Option<Timestamp>,
    pub(super) facts: HostFacts,
    pub(super) host: HostSample,
    pub(super) has_processes: bool,
    pub(super) processes: Vec<ProcessDraft<'b>>,
    pub(super) ended: Vec<Ended>,
    pub(super) brief: Vec<Brief>,
    pub(super) losses: Vec<Loss>,
    pub(super) field_errors: Vec<FieldError>,
    problems: Vec<PlacedProblem>,
}

/// A process while it is being read.
#[derive(Debug, Default)]
pub(super) struct ProcessDraft<'b> {
    /// The process within whose `children` it stands.
    pub(super) nested_in: Option<usize>,
    /// Its place in that list.
    pub(super) place: usize,
    pub(super) pid: Option<u32>,
    pub(super) parent_pid: Option<u32>,
    pub(super) start: Option<Timestamp>,
    pub(super) name: Option<Cow<'b, str>>,
    pub(super) command_line: Option<Cow<'b, str>>,
    pub(super) user: Option<Cow<'b, str>>,
    pub(super) executable: Option<Cow<'b, str>>,
    pub(super) cgroup: Option<Cow<'b, str>>,
    pub(super) sample: Sample,
}

#[derive(Debug)]
struct PlacedProblem {
    process: Option<usize>,
    field: &'static str,
    problem: Problem,
}

impl Draft<'_> {
    /// Notes what is wrong with a field of the upload, or of one of its processes.
    pub(super) fn problem(&mut self, process: Option<usize>, field: &'static str, problem: impl Into<Problem>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(PlacedProblem { process, field, problem: problem.into() });
        }
    }

    /// Whether a problem was noted for this field.
    pub(super) fn has_problem(&self, process: Option<usize>, field: &str) -> bool {
        self.problems.iter().any(|noted| noted.process == process && noted.field == field)
    }

    /// The problems as the answer has them, if there are any.
    pub(super) fn error(&self) -> Option<UploadError> {
        if self.problems.is_empty() {
            return None;
        }
        let mut fields = Map::new();
        for noted in &self.problems {
            let mut place = &mut fields;
            for (list, index) in self.path_of(noted.process) {
                place = object_in(object_in(place, list), &index.to_string());
            }
            let texts = place.entry(noted.field).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(texts) = texts {
                texts.push(Value::from(noted.problem.as_ref()));
            }
        }
        Some(UploadError::Fields(Value::Object(fields)))
    }

    /// The lists and indexes that lead to a process, outermost first.
    fn path_of(&self, process: Option<usize>) -> Vec<(&'static str, usize)> {
        let mut path = Vec::new();
        let mut at = process;
        while let Some(process) = at.and_then(|index| self.processes.get(index)) {
            at = process.nested_in;
            path.push((if at.is_some() { "children" } else { "processes" }, process.place));
        }
        path.reverse();
        path
    }
}

/// The object under a key, made if there is none. A list of texts gives way to it: the deeper problem says more.
fn object_in<'m>(map: &'m mut Map<String, Value>, key: &str) -> &'m mut Map<String, Value> {
    let value = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("made an object just above"),
    }
}
