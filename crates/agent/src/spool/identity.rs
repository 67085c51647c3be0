//! Which installation this is: drawn once and kept, so that it survives a new name of the host.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE: &str = "installation.json";
const FILE_BYTES_MAX: u64 = 4 << 10;

#[derive(Serialize, Deserialize)]
struct Installation {
    id: String,
    /// What the operating system called itself then. Another one now means that this folder was copied.
    #[serde(default)]
    machine_id: Option<String>,
}

/// An installation's id.
pub(crate) struct Found {
    pub(crate) id: String,
    /// It was drawn anew, since the folder came from another machine.
    pub(crate) was_copied: bool,
}

/// The installation's id, from `root`; `fresh` where there is none, or where this machine is a copy of the one that it was
/// drawn on.
pub(crate) fn find_installation(root: &Path, machine_id: Option<&str>, fresh: String) -> io::Result<Found> {
    let known = read(&root.join(FILE));
    let was_copied = known.as_ref().is_some_and(|known| is_copy(known, machine_id));
    match known {
        Some(known) if !was_copied => return Ok(Found { id: known.id, was_copied }),
        Some(known) => {
            tracing::warn!(old = %known.id, new = %fresh, "this machine is a copy of another: it gets an id of its own");
        }
        None => {}
    }
    keep_installation(root, machine_id, &fresh)?;
    Ok(Found { id: fresh, was_copied })
}

/// Keeps an id in place of the one that is there.
pub(crate) fn keep_installation(root: &Path, machine_id: Option<&str>, id: &str) -> io::Result<()> {
    let installation = Installation { id: id.to_owned(), machine_id: machine_id.map(str::to_owned) };
    let new = root.join("installation.new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(&installation)?)?;
    file.sync_all()?;
    fs::rename(&new, root.join(FILE))
}

fn read(path: &Path) -> Option<Installation> {
    if fs::metadata(path).ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    let known: Installation = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let valid = known.id.len() == 32 && known.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then_some(known)
}

fn is_copy(known: &Installation, machine_id: Option<&str>) -> bool {
    known.machine_id.as_deref().zip(machine_id).is_some_and(|(known, now)| known != now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stays_until_the_machine_is_another() {
        let root = tempfile::tempdir().unwrap();
        let id = |machine, fresh: char| {
            let found = find_installation(root.path(), machine, fresh.to_string().repeat(32)).unwrap();
            (found.id.chars().next().unwrap(), found.was_copied)
        };
        assert_eq!(id(Some("m1"), 'a'), ('a', false));
        assert_eq!(id(Some("m1"), 'b'), ('a', false));
        assert_eq!(id(None, 'c'), ('a', false), "not known is not another");
        assert_eq!(id(Some("m2"), 'd'), ('d', true), "a copy");
        assert_eq!(id(Some("m2"), 'e'), ('d', false));
        fs::write(root.path().join(FILE), "{}").unwrap();
        assert_eq!(id(Some("m2"), 'f'), ('f', false));
    }
}
