//! Moments on the command line: RFC 3339, or a time ago such as `2h`.

use procession_model::Timestamp;

/// Now, by the system's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_ms(jiff::Timestamp::now().as_millisecond())
}

/// Reads `2026-01-31T12:00:00Z`, or `90m`, `2h`, `3 days`: so long ago.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_ms(moment.as_millisecond()));
    }
    let ago = milliseconds(text).map_err(|_| "neither RFC 3339 (2026-01-31T12:00:00Z) nor a time ago (2h, 3 days)")?;
    let ago = i64::try_from(ago).map_err(|_| "too long ago")?;
    Ok(now().plus_ms(-ago))
}

/// Reads a length of time such as `500ms`, `1s`, `2 minutes`, `30d`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    milliseconds(text).map(std::time::Duration::from_millis)
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let length: jiff::SignedDuration = text.parse::<jiff::SignedDuration>().or_else(|_| days(text)).map_err(|_| {
        format!("{text:?} is not a length of time: write it with its unit, such as 500ms, 5s, 2m, 1h or 30d")
    })?;
    u64::try_from(length.as_millis()).map_err(|_| "a length of time cannot be negative".into())
}

/// Whole days, which jiff leaves to calendars: here a day has 24 hours.
fn days(text: &str) -> Result<jiff::SignedDuration, String> {
    let number = text.trim_end_matches("days").trim_end_matches("day").trim_end_matches('d').trim_end();
    if number.len() == text.len() {
        return Err("no unit".into());
    }
    let days: i64 = number.parse().map_err(|_| "not a number")?;
    days.checked_mul(24).map(jiff::SignedDuration::from_hours).ok_or_else(|| "too long".into())
}

/// RFC 3339 in UTC, with milliseconds only where they are not zero.
pub(crate) fn write(moment: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(moment.as_ms()) {
        Ok(moment) => moment.to_string(),
        Err(_) => moment.as_ms().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, ms) in [("500ms", 500), ("1s", 1_000), ("2m", 120_000), ("1h", 3_600_000), ("30d", 2_592_000_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "-1s", "soon", "d"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn moments_come_back() {
        for text in ["2025-08-22T09:15:00Z", "2025-08-22T09:15:00.25Z"] {
            assert_eq!(write(parse(text).unwrap()), text);
        }
        assert!(parse("2h").unwrap() < now());
        assert!(parse("yesterday").is_err());
    }
}
