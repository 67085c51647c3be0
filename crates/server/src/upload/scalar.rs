//! One value of an upload, whatever its JSON type: turned into what the field wants, or into a sentence about it.

use std::borrow::Cow;
use std::fmt;

use procession_model::{ProcessState, Timestamp};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{COUNT_MAX, CPU_PERCENT_MAX, memory_text};
use crate::time_text;

/// What is wrong with a value.
pub(super) type Problem = Cow<'static, str>;

/// A JSON value as far as a field can want it. Text lies in the body where nothing in it is escaped.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'b> {
    Null,
    Bool,
    Unsigned(u64),
    Negative,
    Float(f64),
    Text(Cow<'b, str>),
    Compound,
}

/// Reads one value and hands it to a function.
pub(super) struct ScalarSeed<F>(pub(super) F);

impl<'de, T, F: FnOnce(Scalar<'de>) -> T> DeserializeSeed<'de> for ScalarSeed<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(Scalar<'de>) -> T> Visitor<'de> for ScalarSeed<F> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(self.0(Scalar::Null))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(self.0(Scalar::Bool))
    }

    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(self.0(Scalar::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<T, E> {
        Ok(self.0(u64::try_from(value).map_or(Scalar::Negative, Scalar::Unsigned)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<T, E> {
        Ok(self.0(Scalar::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(self.0(Scalar::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<T, E> {
        Ok(self.0(Scalar::Text(Cow::Borrowed(value))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.0(Scalar::Compound))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.0(Scalar::Compound))
    }
}

/// A field that may be absent or null.
pub(super) fn optional<'b, T>(
    value: Scalar<'b>,
    read: impl FnOnce(Scalar<'b>) -> Result<T, Problem>,
) -> Result<Option<T>, Problem> {
    if value == Scalar::Null { Ok(None) } else { read(value).map(Some) }
}

/// A whole number of 32 bits.
pub(super) fn number_u32(value: Scalar<'_>) -> Result<u32, Problem> {
    u32::try_from(count(value)?).map_err(|_| format!("Ensure this value is less than or equal to {}.", u32::MAX).into())
}

/// A whole number of anything.
pub(super) fn count(value: Scalar<'_>) -> Result<u64, Problem> {
    match value {
        Scalar::Unsigned(count) if count <= COUNT_MAX => Ok(count),
        Scalar::Unsigned(_) => Err(format!("Ensure this value is less than or equal to {COUNT_MAX}.").into()),
        // Some writers give every number a fraction.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within the maximum")]
        Scalar::Float(whole) if whole.fract() == 0.0 && (0.0..=COUNT_MAX_F64).contains(&whole) => Ok(whole as u64),
        Scalar::Float(whole) if whole < 0.0 => Err("Ensure this value is greater than or equal to 0.".into()),
        Scalar::Negative => Err("Ensure this value is greater than or equal to 0.".into()),
        Scalar::Null => Err(NULL.into()),
        _ => Err("A valid integer is required.".into()),
    }
}

/// CPU in percent of one core, as hundredths of a percent.
pub(super) fn cpu(value: Scalar<'_>) -> Result<u64, Problem> {
    let percent = percent(value)?;
    if percent > CPU_PERCENT_MAX {
        return Err(format!("Ensure this value is less than or equal to {CPU_PERCENT_MAX}.").into());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the maximum")]
    Ok((percent * 100.0).round() as u64)
}

/// A number from 0.
pub(super) fn percent(value: Scalar<'_>) -> Result<f64, Problem> {
    #[expect(clippy::cast_precision_loss, reason = "percentages are far below 2^53")]
    let percent = match value {
        Scalar::Unsigned(whole) => whole as f64,
        Scalar::Float(number) => number,
        Scalar::Negative => -1.0,
        Scalar::Null => return Err(NULL.into()),
        _ => return Err("A valid number is required.".into()),
    };
    // A negative zero would be another number than zero in the history.
    if percent.is_sign_negative() && percent != 0.0 {
        return Err("Ensure this value is greater than or equal to 0.".into());
    }
    Ok(percent.abs())
}

/// Memory: a number of bytes, or text with a unit.
pub(super) fn memory(value: Scalar<'_>) -> Result<u64, Problem> {
    let bytes = match value {
        Scalar::Text(text) => memory_text::bytes(&text),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, then is checked")]
        Scalar::Float(number) if number >= 0.0 => Some(number.round() as u64),
        Scalar::Unsigned(bytes) => Some(bytes),
        _ => None,
    };
    match bytes {
        Some(bytes) if bytes <= COUNT_MAX => Ok(bytes),
        Some(_) => Err(format!("Ensure this value is less than or equal to {COUNT_MAX} bytes.").into()),
        None => Err("A number of bytes or a text such as \"150MB\" or \"1.5 GiB\" is required.".into()),
    }
}

/// A time: RFC 3339.
pub(super) fn time(value: Scalar<'_>) -> Result<Timestamp, Problem> {
    match value {
        Scalar::Text(text) => time_text::parse(&text).ok_or(NOT_A_TIME.into()),
        Scalar::Null => Err(NULL.into()),
        _ => Err(NOT_A_TIME.into()),
    }
}

/// A time: RFC 3339, or seconds since the Unix epoch as psutil gives them.
pub(super) fn time_or_seconds(value: Scalar<'_>) -> Result<Timestamp, Problem> {
    #[expect(clippy::cast_precision_loss, reason = "whole seconds are far below 2^53, others are refused")]
    let seconds = match value {
        Scalar::Unsigned(seconds) => seconds as f64,
        Scalar::Float(seconds) => seconds,
        other => return time(other),
    };
    time_text::from_seconds(seconds).ok_or(NOT_A_TIME.into())
}

/// Text of at most so many characters.
pub(super) fn text(value: Scalar<'_>, characters_max: usize) -> Result<Cow<'_, str>, Problem> {
    let fits = |text: &str| text.len() <= characters_max || text.chars().count() <= characters_max;
    match value {
        Scalar::Text(text) if fits(&text) => Ok(text),
        Scalar::Text(_) => Err(format!("Ensure this field has no more than {characters_max} characters.").into()),
        Scalar::Null => Err(NULL.into()),
        _ => Err("Not a valid string.".into()),
    }
}

/// The name of a state.
pub(super) fn state(value: Scalar<'_>) -> Result<ProcessState, Problem> {
    text(value, ProcessState::NAME_BYTES_MAX).map(|name| ProcessState::from_name(&name))
}

#[expect(clippy::cast_precision_loss, reason = "it is the largest whole number that is exact")]
const COUNT_MAX_F64: f64 = COUNT_MAX as f64;
const NULL: &str = "This field may not be null.";
const NOT_A_TIME: &str = "A time as in RFC 3339 is required, such as 2025-08-22T09:15:00Z.";
