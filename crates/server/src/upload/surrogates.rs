//! Clients in Python write the bytes of names that are not UTF-8 as lone surrogates (`\udc80`), which no JSON reader
//! takes. One odd process name is no reason to lose a whole snapshot: they become U+FFFD.

const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// The body with every lone surrogate replaced; `None` if it has none.
pub(super) fn without_lone_ones(body: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        match surrogate_at(body, at) {
            Some(0xD800..=0xDBFF) if matches!(surrogate_at(body, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(_) => {
                mended.get_or_insert_with(|| body.to_vec())[at..at + 6].copy_from_slice(REPLACEMENT);
                at += 6;
            }
            None => at += 2,
        }
    }
    mended
}

/// The surrogate that an escape `\uXXXX` at this place names.
fn surrogate_at(body: &[u8], at: usize) -> Option<u16> {
    let escape = body.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    let code = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xD800..=0xDFFF).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lone_ones_are_replaced() {
        let mended = |text: &str| without_lone_ones(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(mended(r#""a\udc80b""#).as_deref(), Some(r#""a\ufffdb""#));
        assert_eq!(mended(r#""\ud83dx""#).as_deref(), Some(r#""\ufffdx""#));
        for text in [r#""\ud83d\ude00""#, r#""\\udc80""#, r#""\u0041""#, r#""\ud8"#, "\\"] {
            assert_eq!(mended(text), None, "{text}");
        }
    }
}
