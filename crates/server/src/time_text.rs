//! Times as text: RFC 3339 in UTC ending in `Z`, with milliseconds only where they are not zero.

use jiff::fmt::temporal::DateTimePrinter;
use procession_model::Timestamp;

const WHOLE_SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// The first and last moment that a time may name: the years 0000 to 9999, which every RFC 3339 reader knows.
const EARLIEST_MS: i64 = -62_167_219_200_000;
const LATEST_MS: i64 = 253_402_300_799_999;

/// The time by the clock of this machine.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_ms(jiff::Timestamp::now().as_millisecond())
}

/// A time as text.
pub(crate) fn format(time: Timestamp) -> String {
    let ms = time.as_ms().clamp(EARLIEST_MS, LATEST_MS);
    let Ok(moment) = jiff::Timestamp::from_millisecond(ms) else { return String::new() };
    let printer = if ms % 1_000 == 0 { WHOLE_SECONDS } else { MILLISECONDS };
    printer.timestamp_to_string(&moment)
}

/// A time from RFC 3339; without an offset it is taken as UTC, as the published clients mean it. Finer parts than
/// milliseconds are cut off.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if text.len() > 64 {
        return None;
    }
    let ms = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment.as_millisecond(),
        Err(_) => {
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond()
        }
    };
    (EARLIEST_MS..=LATEST_MS).contains(&ms).then(|| Timestamp::from_ms(ms))
}

/// A time from RFC 3339, or from a whole number of milliseconds since the Unix epoch.
pub(crate) fn parse_or_ms(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(ms) => (EARLIEST_MS..=LATEST_MS).contains(&ms).then(|| Timestamp::from_ms(ms)),
        Err(_) => parse(text),
    }
}

/// A time from seconds since the Unix epoch, as psutil's `create_time` gives it.
pub(crate) fn from_seconds(seconds: f64) -> Option<Timestamp> {
    let ms = (seconds * 1_000.0).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked first")]
    (ms >= EARLIEST_MS as f64 && ms <= LATEST_MS as f64).then(|| Timestamp::from_ms(ms as i64))
}

/// A time of the clock (`HH:MM` or `HH:MM:SS`) on the day of `today`, in UTC.
pub(crate) fn parse_clock(text: &str, today: Timestamp) -> Option<Timestamp> {
    if text.len() > 15 || text.contains(['T', 'Z']) {
        return None;
    }
    let clock = text.parse::<jiff::civil::Time>().ok()?;
    let day = jiff::Timestamp::from_millisecond(today.as_ms()).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    let moment = day.to_datetime(clock).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_ms(moment.timestamp().as_millisecond()))
}

/// The start of the minute that a time is in.
pub(crate) const fn minute_of(time: Timestamp) -> Timestamp {
    Timestamp::from_ms(time.as_ms() - time.as_ms().rem_euclid(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_only_where_they_are_not_zero() {
        for text in ["2025-08-22T09:15:00Z", "2025-08-22T09:15:00.250Z", "1969-12-31T23:59:59.001Z"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
    }

    #[test]
    fn offsets_and_none() {
        let utc = parse("2025-08-22T09:15:00Z");
        for text in ["2025-08-22T11:15:00+02:00", "2025-08-22T09:15:00", "2025-08-22 09:15:00.0004", "1755854100000"] {
            assert_eq!(parse_or_ms(text), utc, "{text}");
        }
        for text in ["", "yesterday", "2025-13-01T00:00:00Z", "9999999999999999", "+123456-01-01T00:00:00Z"] {
            assert_eq!(parse_or_ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_clock_is_of_today() {
        let today = parse("2025-08-22T09:15:00Z").unwrap();
        assert_eq!(parse_clock("00:30:00", today), parse("2025-08-22T00:30:00Z"));
        assert_eq!(parse_clock("25:00:00", today), None);
        assert_eq!(parse_clock("2025-08-22T00:30:00Z", today), None);
    }
}
