//! What happens to every request before and after its handler.

mod guard;
mod path;
mod security_headers;

pub(crate) use guard::guard;
pub(crate) use path::with_slash;
pub(crate) use security_headers::{ContentPolicy, add_security_headers};
