//! Amounts of memory as text: `"150MB"`, `"1.5 GiB"`, `"800 K"`. MB is 10^6, MiB is 2^20. Exact integers throughout.

/// Digits of a number that are read: more cannot change a number of bytes that fits.
const DIGITS_MAX: usize = 30;

/// Bytes from text; `None` if it is not an amount of memory.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.len() + fraction.len();
    if digits == 0 || digits > DIGITS_MAX || fraction.contains('.') {
        return None;
    }
    let factor = factor_of(unit.trim())?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let in_units = whole.checked_mul(scale)?.checked_add(fraction)?;
    let rounded = in_units.checked_mul(factor)?.checked_add(scale / 2)? / scale;
    u64::try_from(rounded).ok()
}

/// Bytes as the published API writes them: in MB with at most two decimals, trailing zeros dropped.
pub(crate) fn megabytes(bytes: u64) -> String {
    let hundredths = (u128::from(bytes) + 5_000) / 10_000;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match rest {
        0 => format!("{whole}MB"),
        rest if rest % 10 == 0 => format!("{whole}.{}MB", rest / 10),
        rest => format!("{whole}.{rest:02}MB"),
    }
}

fn factor_of(unit: &str) -> Option<u128> {
    let lower = unit.to_ascii_lowercase();
    let (letter, binary) = match lower.as_str() {
        "" | "b" | "byte" | "bytes" => return Some(1),
        other => match other.strip_suffix("ib") {
            Some(letter) => (letter, true),
            None => (other.strip_suffix('b').unwrap_or(other), false),
        },
    };
    let power = match letter {
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some(if binary { 1 << (10 * power) } else { 1_000_u128.pow(power) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, amount) in [
            ("150MB", 150_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("800 K", 800_000),
            ("0.1mb", 100_000),
            ("7", 7),
            (" 12 B ", 12),
            (".5k", 500),
            ("1.KiB", 1_024),
        ] {
            assert_eq!(bytes(text), Some(amount), "{text}");
        }
        for text in ["", "MB", "-1MB", "1,5MB", "1.2.3MB", "1 XB", "1e3", "NaN", "9999999999999999999999 PB", "."] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn megabytes_have_at_most_two_decimals() {
        for (amount, text) in [
            (150_000_000, "150MB"),
            (150_500_000, "150.5MB"),
            (52_428_800, "52.43MB"),
            (1_050_000, "1.05MB"),
            (0, "0MB"),
            (4_999, "0MB"),
            (5_000, "0.01MB"),
        ] {
            assert_eq!(megabytes(amount), text);
        }
    }
}
