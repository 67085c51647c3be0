//! Reads processes, nested or flat, into one flat list. Recursion goes as deep as processes are nested, and is bounded.

use std::fmt;

use procession_model::Metric;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::draft::{Draft, ProcessDraft};
use super::scalar::{self, Problem, Scalar, ScalarSeed};
use super::{COMMAND_LINE_CHARACTERS_MAX, Dialect, NAME_CHARACTERS_MAX, NESTING_MAX, PROCESSES_MAX};

/// A list of processes within `nested_in`, or the outermost one.
pub(super) struct ProcessesSeed<'d> {
    pub(super) draft: &'d mut Draft,
    pub(super) dialect: Dialect,
    pub(super) nested_in: Option<usize>,
    pub(super) depth: usize,
}

impl ProcessesSeed<'_> {
    fn field(&self) -> &'static str {
        if self.nested_in.is_some() { "children" } else { "processes" }
    }

    fn not_a_list(self) {
        let field = self.field();
        self.draft.problem(self.nested_in, field, "Expected a list of items.");
    }
}

impl<'de> DeserializeSeed<'de> for ProcessesSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What a visitor does with values of the wrong type: all alike.
macro_rules! refuse_scalars {
    ($refuse:ident) => {
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            self.$refuse();
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            self.$refuse();
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            self.$refuse();
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            self.$refuse();
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            self.$refuse();
            Ok(())
        }
    };
}

impl<'de> Visitor<'de> for ProcessesSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of processes")
    }

    refuse_scalars!(not_a_list);

    fn visit_unit<E>(self) -> Result<(), E> {
        if self.nested_in.is_none() {
            self.not_a_list();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.not_a_list();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.depth >= NESTING_MAX {
            let problem = format!("Processes are nested more than {NESTING_MAX} deep.");
            self.draft.problem(None, "processes", problem);
            return Err(A::Error::custom("nested too deep"));
        }
        let (nested_in, dialect, depth) = (self.nested_in, self.dialect, self.depth + 1);
        let mut place = 0;
        while list.next_element_seed(ProcessSeed { draft: self.draft, dialect, nested_in, place, depth })?.is_some() {
            place += 1;
        }
        Ok(())
    }
}

struct ProcessSeed<'d> {
    draft: &'d mut Draft,
    dialect: Dialect,
    nested_in: Option<usize>,
    place: usize,
    depth: usize,
}

impl ProcessSeed<'_> {
    fn push(&mut self) -> usize {
        let process = ProcessDraft { nested_in: self.nested_in, place: self.place, ..ProcessDraft::default() };
        self.draft.processes.push(process);
        self.draft.processes.len() - 1
    }

    fn not_an_object(mut self) {
        let index = self.push();
        self.draft.problem(Some(index), "non_field_errors", "Invalid data. Expected a dictionary.");
    }
}

impl<'de> DeserializeSeed<'de> for ProcessSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ProcessSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a process")
    }

    refuse_scalars!(not_an_object);

    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_object();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.not_an_object();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        if self.draft.processes.len() >= PROCESSES_MAX {
            let problem = format!("Ensure this field has no more than {PROCESSES_MAX} processes.");
            self.draft.problem(None, "processes", problem);
            return Err(A::Error::custom("too many processes"));
        }
        let index = self.push();
        while let Some(field) = map.next_key_seed(FieldSeed(self.dialect))? {
            match field {
                Some("children") => map.next_value_seed(ProcessesSeed {
                    draft: &mut *self.draft,
                    dialect: self.dialect,
                    nested_in: Some(index),
                    depth: self.depth,
                })?,
                Some(field) => {
                    let draft = &mut *self.draft;
                    let process = &mut draft.processes[index];
                    if let Err(problem) =
                        map.next_value_seed(ScalarSeed(|value: Scalar<'_>| set(process, field, value)))?
                    {
                        draft.problem(Some(index), field, problem);
                    }
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Sets a field of a process by its name in our own API.
fn set(process: &mut ProcessDraft, field: &str, value: Scalar<'_>) -> Result<(), Problem> {
    let text = |characters_max| scalar::optional(value, |value| scalar::text(value, characters_max));
    let metric = match field {
        "pid" => return scalar::number_u32(value).map(|pid| process.pid = Some(pid)),
        "name" => return scalar::text(value, NAME_CHARACTERS_MAX).map(|name| process.name = Some(name)),
        "parent_pid" => {
            return scalar::optional(value, scalar::number_u32).map(|pid| process.parent_pid = pid);
        }
        "start_time" => return scalar::optional(value, scalar::time_or_seconds).map(|start| process.start = start),
        "command_line" => return text(COMMAND_LINE_CHARACTERS_MAX).map(|text| process.command_line = text),
        "user" => return text(NAME_CHARACTERS_MAX).map(|text| process.user = text),
        "executable" => return text(COMMAND_LINE_CHARACTERS_MAX).map(|text| process.executable = text),
        "cgroup" => return text(COMMAND_LINE_CHARACTERS_MAX).map(|text| process.cgroup = text),
        "cpu" | "cpu_percent" => (Metric::Cpu, scalar::optional(value, scalar::cpu)?),
        "memory" => (Metric::Memory, scalar::optional(value, scalar::memory)?),
        "memory_percent" => (Metric::MemoryPercent, scalar::optional(value, scalar::percent)?.map(f64::to_bits)),
        "virtual_memory" => (Metric::VirtualMemory, scalar::optional(value, scalar::memory)?),
        "threads" => (Metric::Threads, scalar::optional(value, scalar::count)?),
        "read_bytes" => (Metric::ReadBytes, scalar::optional(value, scalar::count)?),
        "write_bytes" => (Metric::WriteBytes, scalar::optional(value, scalar::count)?),
        _ => (Metric::State, scalar::optional(value, scalar::state)?.map(|state| u64::from(state.code()))),
    };
    process.sample = process.sample.with(metric.0, metric.1);
    Ok(())
}

/// The name of a field if it is one that is kept, without a copy.
struct FieldSeed(Dialect);

const MONITOR_FIELDS: [&str; 17] = [
    "pid",
    "name",
    "cpu",
    "memory",
    "parent_pid",
    "children",
    "start_time",
    "command_line",
    "user",
    "state",
    "threads",
    "virtual_memory",
    "read_bytes",
    "write_bytes",
    "memory_percent",
    "executable",
    "cgroup",
];
const SYSTEM_FIELDS: [&str; 5] = ["pid", "name", "cpu_percent", "memory_percent", "user"];

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldSeed {
    type Value = Option<&'static str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let fields: &[&'static str] = if self.0 == Dialect::Monitor { &MONITOR_FIELDS } else { &SYSTEM_FIELDS };
        Ok(fields.iter().copied().find(|field| *field == name))
    }
}
