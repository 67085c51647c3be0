//! Where the program for the kernel, which is compiled for the byte order of most machines, does not fit.

use super::events::EventSource;
use super::sweep::TaskSource;

/// What the program in the kernel would give.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) tasks: Box<dyn TaskSource>,
    pub(super) events: Box<dyn EventSource>,
}

/// Says that there is none.
pub(super) fn open() -> Result<Sources, String> {
    Err("this build has none".to_owned())
}
