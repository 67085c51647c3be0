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
    if let Some(ms) = plain_ms(text.as_bytes()) {
        return Some(Timestamp::from_ms(ms));
    }
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

/// Milliseconds of a time as [`format()`] writes it, which is how nearly all are written: an upload has one a process. What is
/// in any way special is left to the library.
fn plain_ms(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = text.split_first_chunk::<19>()?;
    let fraction = match fraction {
        b"Z" => 0,
        [b'.', a, b, c, b'Z'] => number(&[*a, *b, *c])?,
        _ => return None,
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| whole[*at] != *mark) {
        return None;
    }
    let [year, month, day] = [number(&whole[..4])?, number(&whole[5..7])?, number(&whole[8..10])?];
    let [hour, minute, second] = [number(&whole[11..13])?, number(&whole[14..16])?, number(&whole[17..])?];
    let days = match month {
        // The 29th of February is left to the library too.
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years begin in March here, so that the day that comes and goes is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970;
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 + fraction)
}

/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: i64 = 719_468;

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
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
    fn plain_times_are_what_the_library_makes_of_them() {
        let mut checked = 0;
        // Each day of the years 0000 to 9999 would take a while: each 11th, at times of the day that differ.
        for number in 0..332_000_i64 {
            let time = Timestamp::from_ms(EARLIEST_MS + number * 11 * 86_400_000 + number * 7_919_003 % 86_400_000);
            let text = format(time);
            if let Some(ms) = plain_ms(text.as_bytes()) {
                assert_eq!(ms, time.as_ms(), "{text}");
                checked += 1;
            }
        }
        assert!(checked > 331_000, "{checked}");
        for text in ["2025-02-30T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T00:00:60Z", "2025-01-01t00:00:00Z"] {
            assert_eq!(plain_ms(text.as_bytes()), None, "{text}");
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
