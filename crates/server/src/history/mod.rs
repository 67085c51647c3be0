//! Questions about the past: who used it, when did it run, what changed, and the samples themselves.

pub(crate) mod changes;
pub(crate) mod export;
pub(crate) mod hosts_with;
pub(crate) mod runs;
pub(crate) mod search;
pub(crate) mod search_language;
pub(crate) mod series;
pub(crate) mod top;
mod wire;
