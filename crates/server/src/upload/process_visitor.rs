//! Reads processes, nested or flat, into one flat list. Recursion goes as deep as processes are nested, and is bounded.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::draft::{Draft, ProcessDraft};
use super::process_field::{FieldSeed, ProcessField};
use super::scalar::{Scalar, ScalarSeed};
use super::{Dialect, NESTING_MAX, PROCESSES_MAX};

/// A list of processes within `nested_in`, or the outermost one.
pub(super) struct ProcessesSeed<'d, 'b> {
    pub(super) draft: &'d mut Draft<'b>,
    pub(super) dialect: Dialect,
    pub(super) nested_in: Option<usize>,
    pub(super) depth: usize,
}

impl ProcessesSeed<'_, '_> {
    fn field(&self) -> &'static str {
        if self.nested_in.is_some() { "children" } else { "processes" }
    }

    fn not_a_list(self) {
        let field = self.field();
        self.draft.problem(self.nested_in, field, "Expected a list of items.");
    }
}

impl<'de> DeserializeSeed<'de> for ProcessesSeed<'_, 'de> {
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

impl<'de> Visitor<'de> for ProcessesSeed<'_, 'de> {
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

struct ProcessSeed<'d, 'b> {
    draft: &'d mut Draft<'b>,
    dialect: Dialect,
    nested_in: Option<usize>,
    place: usize,
    depth: usize,
}

impl ProcessSeed<'_, '_> {
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

impl<'de> DeserializeSeed<'de> for ProcessSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ProcessSeed<'_, 'de> {
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
                Some(ProcessField::Children) => map.next_value_seed(ProcessesSeed {
                    draft: &mut *self.draft,
                    dialect: self.dialect,
                    nested_in: Some(index),
                    depth: self.depth,
                })?,
                Some(field) => {
                    let draft = &mut *self.draft;
                    let process = &mut draft.processes[index];
                    let set = |value: Scalar<'de>| field.set(process, value);
                    if let Err(problem) = map.next_value_seed(ScalarSeed(set))? {
                        draft.problem(Some(index), field.name(), problem);
                    }
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
