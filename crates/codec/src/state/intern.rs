//! One copy of each string that the processes of a host share.
//!
//! Names, users, executables and control groups repeat from process to process; command lines hardly do, so they are left
//! alone. With ten thousand hosts in memory this is a third of the whole.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use procession_model::Description;

/// Below this there is nothing to win from sweeping.
const SWEEP_MIN: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Interner {
    strings: HashSet<Arc<str>, RandomState>,
    swept_len: usize,
}

impl Interner {
    /// The same description, with its strings shared.
    pub(super) fn description(&mut self, description: &Arc<Description>) -> Arc<Description> {
        self.sweep();
        let name = self.string(&description.name);
        let user = self.optional(&description.user);
        let executable = self.optional(&description.executable);
        let cgroup = self.optional(&description.cgroup);
        let is_same = Arc::ptr_eq(&name, &description.name)
            && is_same(&user, &description.user)
            && is_same(&executable, &description.executable)
            && is_same(&cgroup, &description.cgroup);
        if is_same {
            return Arc::clone(description);
        }
        let Description { identity, parent_pid, ref command_line, .. } = **description;
        Arc::new(Description {
            identity,
            parent_pid,
            name,
            command_line: command_line.clone(),
            user,
            executable,
            cgroup,
        })
    }

    fn optional(&mut self, string: &Option<Arc<str>>) -> Option<Arc<str>> {
        string.as_ref().map(|string| self.string(string))
    }

    fn string(&mut self, string: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.strings.get(string) {
            return Arc::clone(known);
        }
        self.strings.insert(Arc::clone(string));
        Arc::clone(string)
    }

    /// Lets go what no process has any more, once that may be half of it.
    fn sweep(&mut self) {
        if self.strings.len() > SWEEP_MIN.max(2 * self.swept_len) {
            self.strings.retain(|string| Arc::strong_count(string) > 1);
            self.swept_len = self.strings.len();
            self.strings.shrink_to(2 * self.swept_len);
        }
    }
}

fn is_same(one: &Option<Arc<str>>, other: &Option<Arc<str>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
