//! One copy of each string that processes share, whatever their host.
//!
//! Names, users, executables, control groups and most command lines repeat from process to process and from host to host:
//! machines are set up alike. With ten thousand hosts in memory this is half of the whole. Strings are kept only as long as
//! some process has them.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use foldhash::fast::RandomState;
use procession_model::Description;

/// Below this there is nothing to win from sweeping.
const SWEEP_MIN: usize = 64;
/// Each part has its own lock, so that threads rarely wait, and is swept on its own, so that none waits long.
const PARTS: usize = 64;

static STRINGS: LazyLock<Strings> = LazyLock::new(Strings::default);

/// The same description, with its strings shared.
pub(super) fn shared(description: &Arc<Description>) -> Arc<Description> {
    let Description { identity, parent_pid, ref name, ref command_line, ref user, ref executable, ref cgroup } =
        **description;
    let [command_line, user, executable, cgroup] =
        [command_line, user, executable, cgroup].map(|string| string.as_ref().map(|string| STRINGS.shared(string)));
    let shared =
        Description { identity, parent_pid, name: STRINGS.shared(name), command_line, user, executable, cgroup };
    if is_same(&shared, description) { Arc::clone(description) } else { Arc::new(shared) }
}

/// Whether two descriptions that are equal have the very same strings.
fn is_same(one: &Description, other: &Description) -> bool {
    let optional = |of: &Description| {
        [&of.command_line, &of.user, &of.executable, &of.cgroup].map(|string| string.as_ref().map(Arc::as_ptr))
    };
    Arc::ptr_eq(&one.name, &other.name)
        && optional(one).into_iter().zip(optional(other)).all(|(one, other)| match (one, other) {
            (Some(one), Some(other)) => std::ptr::addr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        })
}

struct Strings {
    hasher: RandomState,
    parts: [Mutex<Part>; PARTS],
}

impl Default for Strings {
    fn default() -> Self {
        Self { hasher: RandomState::default(), parts: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Strings {
    fn shared(&self, string: &Arc<str>) -> Arc<str> {
        #[expect(clippy::cast_possible_truncation, reason = "any part of the hash will do")]
        let part = self.hasher.hash_one(&**string) as usize % PARTS;
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner).shared(string)
    }
}

#[derive(Default)]
struct Part {
    strings: HashSet<Arc<str>, RandomState>,
    swept_len: usize,
}

impl Part {
    fn shared(&mut self, string: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.strings.get(string) {
            return Arc::clone(known);
        }
        self.sweep();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_shared_between_hosts_and_let_go_when_nobody_has_them() {
        let described = |pid| {
            let command_line = Some(format!("shared-between-hosts --with {}", "words").into());
            Arc::new(Description { command_line, ..Description::new(pid, format!("shared{}", "-name")) })
        };
        let (one, other) = (shared(&described(1)), shared(&described(2)));
        assert!(Arc::ptr_eq(&one.name, &other.name));
        assert_eq!((one.identity.pid, other.identity.pid), (1, 2));
        assert_eq!(Arc::as_ptr(&one), Arc::as_ptr(&shared(&one)), "nothing is left to share");
        drop(other);
        let kept = Arc::downgrade(one.command_line.as_ref().unwrap());
        drop(one);
        // Others come, and nobody asks for it.
        for number in 0..4 * PARTS * SWEEP_MIN {
            STRINGS.shared(&format!("another-{number}").into());
        }
        assert_eq!(kept.strong_count(), 0);
    }
}
