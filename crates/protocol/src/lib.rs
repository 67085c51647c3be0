//! What an agent and a server say to each other.
//!
//! Over a WebSocket at [`PATH`]: text messages are control, as JSON that both sides may add fields to; binary messages are
//! frames. Within one process the same messages go over a [`Link`]. The agent numbers its frames from 1 within a
//! *stream* (one life of its spool); the server acknowledges a number once everything up to it is durable.
//!
//! 1. The agent sends [`Hello`], with the key in the `Authorization` header of the WebSocket's request.
//! 2. The server answers [`Welcome`] with the last sequence it has of that stream, or [`Refusal`], and the agent drops what it has been told is kept.
//! 3. The agent sends frames from there on. The first may be a delta only if `Welcome::resume` is true. Over a WebSocket
//!    they are packed where `Welcome::packing` allows it (`FrameWriter`).
//! 4. The server answers `acknowledged`, or `keyframe_needed`: then the agent sends from that sequence on again, the first of them as a keyframe.

mod control;
mod frame_message;
mod link;

pub use control::{
    AgentHealth, AgentSettings, ControlError, FromAgent, FromServer, Hello, Refusal, RefusalReason, Welcome,
};
pub use frame_message::{FrameMessage, FrameMessageError, FrameReader, FrameWriter};
pub use link::{AgentMessage, Link, LinkClosed, ServerMessage, link};

/// The path of the WebSocket for agents.
pub const PATH: &str = "/ws/agent/";
/// The version of this protocol. A server answers a version that it does not know with a refusal that names its own.
pub const VERSION: u32 = 1;
/// The largest message in bytes that either side takes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The most frames an agent may send beyond the last acknowledged one.
pub const UNACKNOWLEDGED_FRAMES_MAX: usize = 256;
