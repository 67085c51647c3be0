//! The published API of the Process Monitoring API: systems and their processes.

pub(crate) mod data;
pub(crate) mod duration;
pub(crate) mod error;
pub(crate) mod filter;
