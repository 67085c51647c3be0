//! Appends JSON text to a buffer. Answers of many thousand processes are written straight from the model, without a tree
//! of values and without recursion.

use serde::Serialize;

/// Appends any value. Our values have string keys and finite numbers, and a buffer takes everything, so that this cannot
/// fail; if it did, `null` would stand there.
pub(crate) fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Appends `,"name":value`. The name has nothing to escape.
pub(crate) fn field<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, content: &T) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    value(out, content);
}

/// The same if there is a value.
pub(crate) fn some_field<T: Serialize>(out: &mut Vec<u8>, name: &str, content: Option<T>) {
    if let Some(content) = content {
        field(out, name, &content);
    }
}
