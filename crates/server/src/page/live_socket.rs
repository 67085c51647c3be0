//! `WS /ws/live/`: the processes of one host, or the list of hosts, as they change.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use procession_model::SnapshotId;
use procession_store::HostNumber;
use tokio::sync::broadcast::error::RecvError;

use crate::access::{HostScope, Reader, SocketOrigin};
use crate::app::App;
use crate::error::ApiError;
use crate::live::{HostEntry, HostsChanged, hosts_message};
use crate::params::Params;
use crate::published::required_host;
use crate::socket::{self, Goodbye, ReaderSocket, Upgrade};

/// How many hosts stand in one message.
const HOSTS_A_MESSAGE: usize = 1_000;

pub(crate) async fn live(
    State(app): State<Arc<App>>,
    _: SocketOrigin,
    reader: Reader,
    mut params: Params,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    let after = params.snapshot_id("after");
    params.check()?;
    if params.text("hostname").is_none() {
        let admitted = ReaderSocket::admit(&app, &reader)?;
        return Ok(accept_hosts(upgrade, app, admitted, reader.scope));
    }
    let (host, _) = required_host(&app, &reader, &mut params)?;
    let admitted = ReaderSocket::admit(&app, &reader)?;
    Ok(accept_host(upgrade, app, admitted, host, after))
}

fn accept_hosts(upgrade: WebSocketUpgrade, app: Arc<App>, admitted: ReaderSocket, scope: HostScope) -> Response {
    socket::upgrade(upgrade, app, move |app, socket| async move {
        admitted.run(&app, socket, async |socket| follow_hosts(&app, socket, &scope).await).await;
    })
}

fn accept_host(
    upgrade: WebSocketUpgrade,
    app: Arc<App>,
    admitted: ReaderSocket,
    host: HostNumber,
    after: Option<SnapshotId>,
) -> Response {
    socket::upgrade(upgrade, app, move |app, socket| async move {
        admitted.run(&app, socket, async |socket| follow_host(&app, socket, host, after).await).await;
    })
}

/// Sends a key, then changes; a viewer that falls behind gets a key again.
async fn follow_host(app: &App, socket: &mut WebSocket, host: HostNumber, mut after: Option<SnapshotId>) -> Goodbye {
    loop {
        let joined = match app.hub.join(host, after.take()).await {
            Ok(Some(joined)) => joined,
            Ok(None) => return Goodbye::Ending,
            Err(error) => {
                tracing::error!(cause = ?error.to_string(), "a host cannot be followed");
                return Goodbye::Failed;
            }
        };
        for message in joined.first {
            if let Err(end) = socket::send(socket, Message::Text(message)).await {
                return end;
            }
        }
        let mut rest = joined.rest;
        loop {
            let message = tokio::select! {
                message = rest.recv() => message,
                end = socket::until_closed(socket) => return end,
            };
            match message {
                Ok(message) => {
                    if let Err(end) = socket::send(socket, Message::Text(message)).await {
                        return end;
                    }
                }
                // The channel is also closed when the host's live view began anew.
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            }
        }
    }
}

async fn follow_hosts(app: &App, socket: &mut WebSocket, scope: &HostScope) -> Goodbye {
    loop {
        let mut changes = app.hub.follow_hosts();
        if let Err(end) = send_all_hosts(app, socket, scope).await {
            return end;
        }
        loop {
            let changed = tokio::select! {
                changed = changes.recv() => changed,
                end = socket::until_closed(socket) => return end,
            };
            match changed {
                Ok(changed) => {
                    if let Err(end) = send_changed(socket, scope, &changed).await {
                        return end;
                    }
                }
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return Goodbye::Ending,
            }
        }
    }
}

/// The first message has type `hosts`, what did not fit into it follows as changes.
async fn send_all_hosts(app: &App, socket: &mut WebSocket, scope: &HostScope) -> Result<(), Goodbye> {
    let mut place = Some(0);
    let mut kind = "hosts";
    while let Some(from) = place {
        let (entries, next) = app.hub.fleet.entries(from, HOSTS_A_MESSAGE);
        let text = hosts_message(kind, &visible(entries, scope));
        socket::send(socket, Message::Text(text)).await?;
        (place, kind) = (next, "hosts_changed");
    }
    Ok(())
}

async fn send_changed(socket: &mut WebSocket, scope: &HostScope, changed: &HostsChanged) -> Result<(), Goodbye> {
    if *scope == HostScope::All {
        return socket::send(socket, Message::Text(changed.text.clone())).await;
    }
    let entries = visible(changed.entries.clone(), scope);
    if entries.is_empty() {
        return Ok(());
    }
    socket::send(socket, Message::Text(hosts_message("hosts_changed", &entries))).await
}

fn visible(mut entries: Vec<HostEntry>, scope: &HostScope) -> Vec<HostEntry> {
    entries.retain(|entry| scope.covers(&entry.hostname));
    entries
}
