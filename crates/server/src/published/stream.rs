//! `WS /ws/process-snapshots/`: every stored snapshot as one message in the shape of an upload.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;

use super::optional_host;
use crate::access::{HostScope, Reader, SocketOrigin};
use crate::app::App;
use crate::error::ApiError;
use crate::live::SnapshotFollower;
use crate::params::Params;
use crate::socket::{self, Goodbye, ReaderSocket, Upgrade};

pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    _: SocketOrigin,
    reader: Reader,
    params: Params,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    let named = optional_host_or_any(&app, &reader, &params)?;
    let socket = ReaderSocket::admit(&app, &reader)?;
    let scope = reader.scope.clone();
    Ok(accept(upgrade, app, socket, named, scope))
}

fn accept(
    upgrade: WebSocketUpgrade,
    app: Arc<App>,
    admitted: ReaderSocket,
    named: Option<Arc<str>>,
    scope: HostScope,
) -> Response {
    socket::upgrade(upgrade, app, move |app, socket| async move {
        let host = named.as_deref().and_then(|name| app.hosts.number(name));
        // A host that has not sent anything yet may do so: then all are followed, and this one picked out.
        let follower = app.hub.follow_snapshots(host);
        admitted.run(&app, socket, async |socket| forward(socket, follower, named, scope).await).await;
    })
}

/// A key for some hosts may follow all of those: what is sent is picked out one by one.
fn optional_host_or_any(app: &App, reader: &Reader, params: &Params) -> Result<Option<Arc<str>>, ApiError> {
    match params.text("hostname") {
        Some(_) => Ok(optional_host(app, reader, params, "hostname")?.map(|host| host.name.into())),
        None => Ok(None),
    }
}

async fn forward(
    socket: &mut WebSocket,
    mut follower: SnapshotFollower,
    named: Option<Arc<str>>,
    scope: HostScope,
) -> Goodbye {
    loop {
        let snapshot = tokio::select! {
            snapshot = follower.receiver.recv() => snapshot,
            end = socket::until_closed(socket) => return end,
        };
        match snapshot {
            Ok(snapshot) => {
                let wanted = named.as_ref().is_none_or(|named| *named == snapshot.hostname);
                if wanted
                    && scope.covers(&snapshot.hostname)
                    && let Err(end) = socket::send(socket, Message::Text(snapshot.text.clone())).await
                {
                    return end;
                }
            }
            Err(RecvError::Lagged(_)) => return Goodbye::TooSlow,
            Err(RecvError::Closed) => return Goodbye::Ending,
        }
    }
}
