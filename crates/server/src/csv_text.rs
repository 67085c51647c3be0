//! Cells of CSV files: names and command lines are chosen by strangers, and people open exports in spreadsheets.

use std::borrow::Cow;

/// A text that a spreadsheet takes for text: what would begin a formula gets an apostrophe before it (OWASP, CSV
/// injection).
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
