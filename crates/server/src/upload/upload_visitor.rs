//! Reads the outermost object of an upload.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use procession_model::HostFacts;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::draft::Draft;
use super::extras::{self, Extra};
use super::process_visitor::ProcessesSeed;
use super::scalar::{self, Problem, Scalar, ScalarSeed};
use super::{Dialect, HOSTNAME_CHARACTERS_MAX, NAME_CHARACTERS_MAX, UploadError};

/// Reads a body as far as it is JSON; what is wrong with its values is in the draft.
pub(super) fn read(body: &[u8], dialect: Dialect) -> Result<Draft<'_>, UploadError> {
    // To look at all of it once is quicker than at each string. What is ignored need not be text.
    match std::str::from_utf8(body) {
        Ok(text) => read_with(serde_json::Deserializer::from_str(text), dialect),
        Err(_) => read_with(serde_json::Deserializer::from_slice(body), dialect),
    }
}

fn read_with<'b>(
    mut deserializer: serde_json::Deserializer<impl serde_json::de::Read<'b>>,
    dialect: Dialect,
) -> Result<Draft<'b>, UploadError> {
    let mut draft = Draft::default();
    // The visitors bound the depth themselves, and what they ignore is skipped without recursion.
    deserializer.disable_recursion_limit();
    let mut field = "non_field_errors";
    let visitor = UploadVisitor { draft: &mut draft, field: &mut field, dialect };
    let read = (&mut deserializer).deserialize_any(visitor).and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(draft),
        Err(error) if error.is_data() => {
            let expected = || UploadError::field(field, without_position(&error.to_string()));
            Err(draft.error().unwrap_or_else(expected))
        }
        Err(error) => Err(UploadError::Json(error.to_string())),
    }
}

fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text)
}

struct UploadVisitor<'d, 'b> {
    draft: &'d mut Draft<'b>,
    /// The field being read, for problems that end the reading.
    field: &'d mut &'static str,
    dialect: Dialect,
}

impl<'de> Visitor<'de> for UploadVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the fields of an upload")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let Some(field) = known_field(&name, self.dialect) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            *self.field = field;
            if field == "processes" {
                self.draft.has_processes = true;
                let draft = &mut *self.draft;
                map.next_value_seed(ProcessesSeed { draft, dialect: self.dialect, nested_in: None, depth: 0 })?;
            } else if let Some(extra) = Extra::named(field) {
                extras::read(&mut map, extra, self.draft)?;
            } else {
                let draft = &mut *self.draft;
                if let Err(problem) = map.next_value_seed(ScalarSeed(|value: Scalar<'de>| set(draft, field, value)))? {
                    draft.problem(None, field, problem);
                }
            }
        }
        Ok(())
    }
}

const MONITOR_FIELDS: [&str; 16] = [
    "hostname",
    "snapshot_time",
    "processes",
    "cpu_count",
    "memory_total",
    "boot_time",
    "boot_id",
    "os",
    "architecture",
    "agent_version",
    "collector",
    "host",
    "ended",
    "brief",
    "losses",
    "field_errors",
];
const SYSTEM_FIELDS: [&str; 2] = ["system_name", "processes"];

fn known_field(name: &str, dialect: Dialect) -> Option<&'static str> {
    let fields: &[&'static str] = if dialect == Dialect::Monitor { &MONITOR_FIELDS } else { &SYSTEM_FIELDS };
    fields.iter().copied().find(|field| *field == name)
}

fn set<'b>(draft: &mut Draft<'b>, field: &str, value: Scalar<'b>) -> Result<(), Problem> {
    match field {
        "hostname" | "system_name" => hostname(value).map(|name| draft.hostname = Some(name)),
        "snapshot_time" => scalar::time(value).map(|time| draft.time = Some(time)),
        _ => set_fact(&mut draft.facts, field, value),
    }
}

fn hostname(value: Scalar<'_>) -> Result<Cow<'_, str>, Problem> {
    let name = scalar::text(value, HOSTNAME_CHARACTERS_MAX)?;
    if name.trim().is_empty() { Err("This field may not be blank.".into()) } else { Ok(name) }
}

fn set_fact(facts: &mut HostFacts, field: &str, value: Scalar<'_>) -> Result<(), Problem> {
    let text = |value| {
        let text = scalar::optional(value, |value| scalar::text(value, NAME_CHARACTERS_MAX))?;
        Ok::<_, Problem>(text.map(|text| Arc::from(&*text)))
    };
    match field {
        "cpu_count" => facts.cpu_count = scalar::optional(value, scalar::number_u32)?,
        "memory_total" => facts.memory_total_bytes = scalar::optional(value, scalar::memory)?,
        "boot_time" => facts.boot_time = scalar::optional(value, scalar::time_or_seconds)?,
        "boot_id" => facts.boot_id = text(value)?,
        "os" => facts.os = text(value)?,
        "architecture" => facts.architecture = text(value)?,
        "agent_version" => facts.agent_version = text(value)?,
        _ => facts.collector = text(value)?,
    }
    Ok(())
}
