//! The time between two snapshots as people write it.

use std::time::Duration;

use crate::{INTERVAL_MS_MAX, INTERVAL_MS_MIN};

/// Reads `5`, `5s`, `0.5s`, `500ms` or `2m`; a bare number is seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "ms" => 1.0,
        "" | "s" => 1_000.0,
        "m" | "min" => 60_000.0,
        _ => return Err(format!("{unit:?} is not a unit: use ms, s or m")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time: use for instance 5s or 500ms"))?;
    from_ms(number * unit_ms)
}

/// From milliseconds, within what may be set.
pub(crate) fn from_ms(ms: f64) -> Result<Duration, String> {
    #[expect(clippy::cast_precision_loss, reason = "both limits are small")]
    let limits = INTERVAL_MS_MIN as f64..=INTERVAL_MS_MAX as f64;
    if limits.contains(&ms) {
        Ok(Duration::from_secs_f64(ms / 1_000.0))
    } else {
        Err(format!("the interval has to be from {INTERVAL_MS_MIN} ms to one hour"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times() {
        let ms = |text| parse(text).map(|time| time.as_millis());
        assert_eq!([ms("5"), ms("5s"), ms("0.5 s"), ms("500ms"), ms("2m")], [5_000, 5_000, 500, 500, 120_000].map(Ok));
        for text in ["", "fast", "5h", "-1", "0", "100ms", "61m", "nan", "1..2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
