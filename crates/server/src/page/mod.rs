//! What the page asks for besides the published APIs.

pub(crate) mod charts;
pub(crate) mod columns;
pub(crate) mod keys;
pub(crate) mod live_socket;
pub(crate) mod recent;
pub(crate) mod session;
