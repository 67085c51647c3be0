//! What happens now, for those who watch: hosts, and the processes of one host.
//!
//! One task follows the history. It keeps the state of those hosts alone that someone watches, and encodes each frame
//! once, however many watch. Messages go through bounded broadcast queues; who falls behind gets a fresh keyframe.

mod fleet;
mod host_channel;
mod hub;
mod seat;
mod wire;

pub(crate) use fleet::public_number;
pub(crate) use fleet::{ConnectedGuard, Fleet, HostEntry};
pub(crate) use hub::{HostsChanged, Hub, HubParts, SnapshotFollower, hosts_message};
pub(crate) use seat::{Newcomer, Taken, WAIT_MS_MIN};
pub(crate) use wire::{KeyContext, key_message};
