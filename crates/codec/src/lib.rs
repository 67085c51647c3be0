//! Frames and blocks: process history as bytes, and back, exactly. `docs/FORMAT.md` is the description.

pub mod block;
mod bytes;
mod compress;
mod error;
pub mod frame;
pub mod limits;
mod lzma;
pub mod mend;
pub mod numbers;
pub mod state;
pub mod wire;

pub use error::DecodeError;
pub use frame::{Began, Frame, FrameKind, MetricChanges};
pub use state::{ApplyError, HostState};
