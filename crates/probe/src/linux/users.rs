//! Names of users from `etc/passwd`.
//!
//! Read as a file, not asked of the C library: a static binary has no name service, and a container may show the host's
//! processes. Users that are only in a directory service are shown as their number.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

const FILE_BYTES_MAX: u64 = 16 << 20;
const NAMES_MAX: usize = 100_000;

/// Names by uid.
#[derive(Debug)]
pub(super) struct Users {
    path: PathBuf,
    changed: Option<SystemTime>,
    names: HashMap<u32, Arc<str>>,
    looked: bool,
}

impl Users {
    pub(super) fn new(system_root: &Path) -> Self {
        Self { path: system_root.join("etc/passwd"), changed: None, names: HashMap::new(), looked: false }
    }

    /// Lets the first question after this look whether the file has changed: a user made a minute ago has a name.
    pub(super) fn begin_snapshot(&mut self) {
        self.looked = false;
    }

    /// The name, or the uid in digits.
    pub(super) fn name(&mut self, uid: u32) -> Arc<str> {
        if !self.looked {
            self.looked = true;
            self.read_again_if_changed();
        }
        if let Some(name) = self.names.get(&uid) {
            return name.clone();
        }
        let digits: Arc<str> = uid.to_string().into();
        if self.names.len() < NAMES_MAX {
            self.names.insert(uid, digits.clone());
        }
        digits
    }

    fn read_again_if_changed(&mut self) {
        let Ok(metadata) = fs::metadata(&self.path) else { return };
        let changed = metadata.modified().ok();
        if metadata.len() > FILE_BYTES_MAX || (changed.is_some() && changed == self.changed) {
            return;
        }
        if let Ok(text) = fs::read(&self.path) {
            self.changed = changed;
            self.names = parse(&String::from_utf8_lossy(&text));
        }
    }
}

/// The first name of each uid, as the C library has it.
fn parse(passwd: &str) -> HashMap<u32, Arc<str>> {
    let mut names = HashMap::new();
    for line in passwd.lines().take(NAMES_MAX) {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1))
            && let Ok(uid) = uid.parse()
            && !name.is_empty()
        {
            names.entry(uid).or_insert_with(|| Arc::from(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_uid_counts() {
        let names = parse("root:x:0:0::/root:/bin/sh\n# note\ntoor:x:0:0:::\nbroken\nada:x:1000:1000:Ada:/home/ada:\n");
        let mut names: Vec<_> = names.iter().map(|(uid, name)| (*uid, &**name)).collect();
        names.sort_unstable();
        assert_eq!(names, [(0, "root"), (1000, "ada")]);
    }
}
