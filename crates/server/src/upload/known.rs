//! What the last uploads of hosts told: nearly all processes are there again, with the same strings, which need not be
//! copied then.
//!
//! Kept for as many hosts as fit into a fixed number of bytes. A host that is not among them is read as if it were new.

use std::borrow::Cow;
use std::sync::Arc;

use procession_model::{Description, Identity, Snapshot};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::draft::ProcessDraft;

/// Bytes of all uploads that are kept, by the length of their bodies and the number of their processes.
const BYTES_MAX: u64 = 64 << 20;
/// How many hosts that is when they are ordinary ones: what the tables are made for at first.
const HOSTS_EXPECTED: usize = 512;
/// What a process takes in memory besides its strings.
const PROCESS_BYTES: u64 = 256;
/// How many processes may have gone, one after the other in the order of the upload, before those after them are taken for new.
const GONE_MAX: usize = 16;

/// The last uploads of hosts.
pub(crate) struct KnownUploads(Option<Cache<String, Last, BySize>>);

#[derive(Clone)]
struct Last {
    snapshot: Arc<Snapshot>,
    body_bytes: u64,
}

#[derive(Clone)]
struct BySize;

impl Weighter<String, Last> for BySize {
    fn weight(&self, hostname: &String, last: &Last) -> u64 {
        hostname.len() as u64 + last.body_bytes + last.snapshot.processes.len() as u64 * PROCESS_BYTES
    }
}

impl KnownUploads {
    /// Room for the last uploads of many hosts.
    pub(crate) fn new() -> Self {
        Self(Some(Cache::with_weighter(HOSTS_EXPECTED, BYTES_MAX, BySize)))
    }

    /// For those who read uploads of many hosts once each.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Keeps an upload that was taken, whose body was so long.
    pub(crate) fn keep(&self, hostname: String, snapshot: Arc<Snapshot>, body_bytes: usize) {
        if let Some(cache) = &self.0 {
            cache.insert(hostname, Last { snapshot, body_bytes: body_bytes as u64 });
        }
    }

    /// The last upload of a host.
    pub(super) fn last_of(&self, hostname: &str) -> Option<Arc<Snapshot>> {
        self.0.as_ref()?.get(hostname).map(|last| last.snapshot)
    }
}

/// The processes of the last upload, walked along as those of the next are read.
pub(super) struct Known<'s> {
    snapshot: Option<&'s Snapshot>,
    next: usize,
}

impl<'s> Known<'s> {
    /// What is known from a snapshot.
    pub(super) const fn in_snapshot(snapshot: Option<&'s Snapshot>) -> Self {
        Self { snapshot, next: 0 }
    }

    /// The description that a draft makes, the one that was known if it is the same.
    pub(super) fn description(&mut self, draft: &mut ProcessDraft<'_>) -> Arc<Description> {
        match self.of_pid(draft.pid.unwrap_or_default()) {
            Some(known) if is_same(known, draft) => Arc::clone(known),
            _ => Arc::new(described(draft)),
        }
    }

    fn of_pid(&mut self, pid: u32) -> Option<&'s Arc<Description>> {
        let rest = self.snapshot?.processes.get(self.next..)?;
        let gone = rest.iter().take(GONE_MAX).position(|process| process.description.identity.pid == pid)?;
        self.next += gone + 1;
        Some(&rest[gone].description)
    }
}

fn is_same(known: &Description, draft: &ProcessDraft<'_>) -> bool {
    let Description { identity, parent_pid, name, command_line, user, executable, cgroup } = known;
    let same = |known: &Option<Arc<str>>, draft: &Option<Cow<'_, str>>| known.as_deref() == draft.as_deref();
    identity.start == draft.start
        && *parent_pid == draft.parent_pid
        && draft.name.as_deref() == Some(&**name)
        && same(command_line, &draft.command_line)
        && same(user, &draft.user)
        && same(executable, &draft.executable)
        && same(cgroup, &draft.cgroup)
}

fn described(draft: &ProcessDraft<'_>) -> Description {
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(Arc::from);
    Description {
        identity: Identity { pid: draft.pid.unwrap_or_default(), start: draft.start },
        parent_pid: draft.parent_pid,
        name: draft.name.as_deref().unwrap_or_default().into(),
        command_line: text(&draft.command_line),
        user: text(&draft.user),
        executable: text(&draft.executable),
        cgroup: text(&draft.cgroup),
    }
}
