//! What rarely changes of the machine.

use std::fs;
use std::path::Path;

const TEXT_BYTES_MAX: usize = 1_024;

/// The kernel's random name of this boot.
pub(super) fn boot_id(proc_root: &Path) -> Option<String> {
    first_line(&proc_root.join("sys/kernel/random/boot_id"))
}

/// Such as `Debian GNU/Linux 12 (bookworm)`.
pub(super) fn operating_system(system_root: &Path) -> String {
    ["etc/os-release", "usr/lib/os-release"]
        .iter()
        .find_map(|path| pretty_name(&fs::read_to_string(system_root.join(path)).ok()?))
        .unwrap_or_else(|| "Linux".to_owned())
}

/// What this machine calls itself.
pub(crate) fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty() && name != "(none)").then_some(name)
}

/// systemd's machine-id(5), or D-Bus's.
pub(crate) fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| first_line(Path::new(path)))
}

fn first_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty() && line.len() <= TEXT_BYTES_MAX).then(|| line.to_owned())
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = value.trim().trim_matches(['"', '\'']);
    (!name.is_empty() && name.len() <= TEXT_BYTES_MAX).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pretty_name_is_the_operating_system() {
        let text = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(pretty_name(text).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(pretty_name("PRETTY_NAME=\nID=x\n"), None);
    }
}
