//! Who may do what: keys, sessions, and the checks at the door.

mod credential;
mod key_text;
pub mod keys;
mod origin;
mod scope;
mod sessions;
pub mod sign_in;

pub(crate) use credential::{Access, Credential, CredentialWatch, Reader, Uploader, WATCH_INTERVAL};
pub(crate) use key_text::random_text;
pub(crate) use origin::{HostAllowList, MutatingSession, Session, SocketOrigin};
pub(crate) use scope::HostScope;
pub(crate) use sessions::{begin as begin_session, clear_cookie, session_cookie};
