//! Which host an agent writes, from what it says of itself.
//!
//! A new name of the same installation is the same host, renamed. Clones of a machine are split: one that kept the agent's
//! folder is told to draw another id, and one that kept the machine's name gets a host of its own beside that name.

use procession_store::{HostAgent, HostNumber, StoreError};
use sha2::{Digest as _, Sha256};

use procession_protocol::Hello;

use crate::access::HostScope;
use crate::app::App;
use crate::live::{ConnectedGuard, Newcomer, Taken};
use crate::upload::HOSTNAME_CHARACTERS_MAX;

/// Hexadecimal digits that a clone's host has after the name.
const CLONE_DIGITS: usize = 6;

/// Why an agent gets no host.
pub(crate) enum NoHost {
    /// Another agent has the name, for now.
    Taken,
    /// The machine is a clone of one that runs, with its agent id.
    Clone,
    Failed(StoreError),
}

impl From<StoreError> for NoHost {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// The host, and its seat.
pub(crate) async fn host_of(
    app: &App,
    scope: &HostScope,
    hello: &Hello,
) -> Result<(HostNumber, ConnectedGuard), NoHost> {
    let known = app.agents.get(&hello.agent_id);
    let is_renamed = known.as_ref().is_some_and(|known| is_renamed(app, scope, known, &hello.hostname));
    let host = match known {
        Some(known) if is_renamed || known.told_name == hello.hostname => known.host,
        _ => app.hosts.number_or_new(&hello.hostname).await?,
    };
    let (mut host, mut connected) = seat_of(app, host, hello).await?;
    if is_renamed {
        if app.hosts.rename(host, &hello.hostname).await? {
            app.hub.fleet.renamed(host);
            tracing::info!(hostname = ?hello.hostname, "a host has a new name");
        } else {
            drop(connected);
            let other = app.hosts.number_or_new(&hello.hostname).await?;
            (host, connected) = seat_of(app, other, hello).await?;
        }
    }
    let agent = HostAgent {
        host,
        agent_id: hello.agent_id.clone(),
        told_name: hello.hostname.clone(),
        boot_id: hello.boot_id.clone(),
    };
    app.hub.fleet.agent_told(&agent);
    app.agents.note(agent).await?;
    Ok((host, connected))
}

/// Whether an agent's host is to have the name that it says now: nobody else has it, and its key is good for both.
fn is_renamed(app: &App, scope: &HostScope, known: &HostAgent, told: &str) -> bool {
    let name = app.hosts.name(known.host);
    known.told_name != told
        && app.hosts.number(told).is_none()
        && name.is_some_and(|name| scope.covers(&name) && *name == *known.told_name)
}

async fn seat_of(app: &App, host: HostNumber, hello: &Hello) -> Result<(HostNumber, ConnectedGuard), NoHost> {
    let newcomer = Newcomer { agent_id: &hello.agent_id, boot_id: &hello.boot_id };
    match app.hub.fleet.connected(host, newcomer) {
        Ok(connected) => Ok((host, connected)),
        Err(Taken::Wait) => Err(NoHost::Taken),
        Err(Taken::Twin) => Err(NoHost::Clone),
        Err(Taken::Namesake) => {
            let name = name_of_clone(&hello.hostname, &hello.agent_id);
            tracing::warn!(hostname = ?hello.hostname, clone = ?name, "two machines have the same host name: the second is a host of its own");
            let host = app.hosts.number_or_new(&name).await?;
            app.hub.fleet.connected(host, newcomer).map(|connected| (host, connected)).map_err(|_| NoHost::Taken)
        }
    }
}

/// `web-1~3fa9c2`: the same for an agent each time.
fn name_of_clone(told: &str, agent_id: &str) -> String {
    let digest: String = Sha256::digest(agent_id).iter().map(|byte| format!("{byte:02x}")).collect();
    let room = HOSTNAME_CHARACTERS_MAX - CLONE_DIGITS - 1;
    let told: String = told.chars().take(room).collect();
    format!("{told}~{}", &digest[..CLONE_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clones_name_is_a_host_name() {
        assert_eq!(name_of_clone("web-1", "a").len(), "web-1~".len() + CLONE_DIGITS);
        assert_ne!(name_of_clone("web-1", "a"), name_of_clone("web-1", "b"));
        let long = "ü".repeat(HOSTNAME_CHARACTERS_MAX);
        assert_eq!(name_of_clone(&long, "a").chars().count(), HOSTNAME_CHARACTERS_MAX);
    }
}
