//! What all WebSockets of readers have in common: a place among the open ones, an end when their credential or the server
//! ends, and no patience with those who do not read.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::access::{CredentialWatch, Reader};
use crate::app::App;
use crate::error::ApiError;
use crate::metrics::SocketLabels;

/// The longest message that a reader may send: it has nothing to say.
const READER_MESSAGE_BYTES_MAX: usize = 4_096;
/// Buffers of a connection: small, because there may be ten thousand.
const BUFFER_BYTES: usize = 4_096;
/// Bytes that may wait to be written before writing has to go on.
const WRITE_BUFFER_BYTES_MAX: usize = 64 << 20;
/// How long a reader may leave a message unread before it is cut off.
const SEND_MAX: Duration = Duration::from_secs(20);

/// A request for a WebSocket.
pub(crate) struct Upgrade(pub(crate) WebSocketUpgrade);

impl FromRequestParts<Arc<App>> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        match WebSocketUpgrade::from_request_parts(parts, app).await {
            Ok(upgrade) => Ok(Self(upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES))),
            Err(_) => Err(ApiError::bad_request("This is for WebSockets: send an upgrade.")),
        }
    }
}

/// Why a WebSocket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// The other side left.
    Left,
    /// It did not read what was sent.
    TooSlow,
    /// Its credential is no longer good.
    SignedOut,
    /// The server ends, or what was followed.
    Ending,
    /// The server failed.
    Failed,
}

impl Goodbye {
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Left => return None,
            Self::TooSlow => (1013, "too slow: connect again"),
            Self::SignedOut => (4401, "sign in again"),
            Self::Ending => (1001, "the server ends"),
            Self::Failed => (1011, "internal error: the server's log says more"),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

/// A reader's place among the open WebSockets.
pub(crate) struct ReaderSocket {
    watch: CredentialWatch,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl ReaderSocket {
    /// Takes a place, or 503.
    pub(crate) fn admit(app: &App, reader: &Reader) -> Result<Self, ApiError> {
        let place = Arc::clone(&app.reader_sockets).try_acquire_owned().map_err(|_| ApiError::overloaded())?;
        let watch = app.access.watch(&reader.credential);
        Ok(Self { watch, shutdown: app.shutdown.clone(), _place: place })
    }

    /// Serves the socket until either side ends it, and says why.
    pub(crate) async fn run<F>(self, app: &App, mut socket: WebSocket, serve: F)
    where
        F: AsyncFnOnce(&mut WebSocket) -> Goodbye,
    {
        let open = app.metrics.sockets.get_or_create_owned(&SocketLabels { kind: "reader" });
        open.inc();
        let goodbye = tokio::select! {
            goodbye = serve(&mut socket) => goodbye,
            () = self.watch.ended() => Goodbye::SignedOut,
            () = self.shutdown.cancelled() => Goodbye::Ending,
        };
        if let Some(frame) = goodbye.frame() {
            drop(tokio::time::timeout(Duration::from_secs(1), socket.send(Message::Close(Some(frame)))).await);
        }
        open.dec();
    }
}

/// Accepts the upgrade and runs the socket as a task that the server waits for when it ends.
pub(crate) fn upgrade<F, S>(upgrade: WebSocketUpgrade, app: Arc<App>, serve: S) -> Response
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Arc<App>, WebSocket) -> F + Send + 'static,
{
    let tasks = app.tasks.clone();
    upgrade
        .max_message_size(READER_MESSAGE_BYTES_MAX)
        .max_frame_size(READER_MESSAGE_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| tasks.track_future(serve(app, socket)))
}

/// Sends, but not for ever.
pub(crate) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Goodbye> {
    match tokio::time::timeout(SEND_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Goodbye::Left),
        Err(_) => Err(Goodbye::TooSlow),
    }
}

/// Reads and drops what a reader sends until it leaves. Cancel-safe.
pub(crate) async fn until_closed(socket: &mut WebSocket) -> Goodbye {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Close(_)) {
            break;
        }
    }
    Goodbye::Left
}
