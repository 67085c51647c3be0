//! What stays fixed of a process: read once, and again after an exec.

use std::fmt::Write as _;
use std::sync::Arc;

use procession_model::{Description, FieldErrorReason, Identity, Timestamp};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;

use super::file::{ReadBuffer, leading_number, number_after};
use super::stat::Stat;
use super::users::Users;
use crate::field_errors::{Field, FieldErrorSet};
use crate::{COMMAND_LINE_BYTES_MAX, MaskArguments, NAME_BYTES_MAX};

const STATUS_BYTES_MAX: usize = 16 << 10;

/// Reads descriptions into memory that is used again.
pub(super) struct Describer {
    buffer: ReadBuffer,
    path: String,
    users: Users,
    mask: Option<MaskArguments>,
    /// As the kernel and as we have it.
    last_program: (Vec<u8>, Arc<str>),
}

impl std::fmt::Debug for Describer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Describer").field("users", &self.users).finish_non_exhaustive()
    }
}

impl Describer {
    pub(super) fn new(users: Users, mask: Option<MaskArguments>) -> Self {
        let last_program = (Vec::new(), Arc::default());
        Self { buffer: ReadBuffer::new(), path: String::new(), users, mask, last_program }
    }

    pub(super) fn begin_snapshot(&mut self) {
        self.users.begin_snapshot();
    }

    /// The name of a user, or the uid in digits.
    pub(super) fn user_name(&mut self, uid: u32) -> Arc<str> {
        self.users.name(uid)
    }

    /// Short lives come in runs of one program: its name is made once.
    pub(super) fn program_name(&mut self, bytes: &[u8]) -> Arc<str> {
        if self.last_program.0 != bytes {
            self.last_program = (bytes.to_vec(), text(bytes, NAME_BYTES_MAX));
        }
        self.last_program.1.clone()
    }

    /// A command line from its words, one NUL after each.
    pub(super) fn joined_arguments(&self, bytes: &[u8]) -> Option<Arc<str>> {
        join_arguments(bytes, self.mask.as_ref())
    }

    /// Reads all that stays fixed. A field that is not there because the process has just ended is absent without an
    /// error.
    pub(super) fn describe(
        &mut self,
        proc: BorrowedFd<'_>,
        identity: Identity,
        stat: &Stat<'_>,
    ) -> (Description, FieldErrorSet) {
        let mut errors = FieldErrorSet::default();
        let user = self.user(proc, identity.pid);
        let cgroup = self.cgroup(proc, identity.pid);
        let (command_line, executable) = if stat.is_kernel_thread() {
            (Ok(None), Ok(None))
        } else {
            (self.command_line(proc, identity.pid), self.executable(proc, identity.pid))
        };
        let description = Description {
            identity,
            parent_pid: parent_pid(stat),
            name: text(stat.lasting_name(), NAME_BYTES_MAX),
            command_line: keep(command_line, Field::CommandLine, &mut errors),
            user: keep(user, Field::User, &mut errors),
            executable: keep(executable, Field::Executable, &mut errors),
            cgroup: keep(cgroup, Field::ControlGroup, &mut errors),
        };
        (description, errors)
    }

    fn read(&mut self, proc: BorrowedFd<'_>, pid: u32, name: &str, bytes_max: usize) -> Result<&[u8], Errno> {
        path_of(&mut self.path, pid, name);
        self.buffer.read_path(proc, &self.path, bytes_max)
    }

    fn command_line(&mut self, proc: BorrowedFd<'_>, pid: u32) -> Result<Option<Arc<str>>, Errno> {
        let mask = self.mask.clone();
        let bytes = self.read(proc, pid, "cmdline", COMMAND_LINE_BYTES_MAX)?;
        Ok(join_arguments(bytes, mask.as_ref()))
    }

    /// The effective user, as `ps` shows it.
    fn user(&mut self, proc: BorrowedFd<'_>, pid: u32) -> Result<Option<Arc<str>>, Errno> {
        let status = self.read(proc, pid, "status", STATUS_BYTES_MAX)?;
        let uid = effective_uid(status);
        Ok(uid.map(|uid| self.users.name(uid)))
    }

    /// Whether this is the number of a thread: they have folders too, which are not listed.
    pub(super) fn is_thread(&mut self, proc: BorrowedFd<'_>, pid: u32) -> bool {
        let status = self.read(proc, pid, "status", STATUS_BYTES_MAX);
        status.ok().and_then(|status| number_after(status, b"Tgid:")).is_some_and(|leader| leader != u64::from(pid))
    }

    fn cgroup(&mut self, proc: BorrowedFd<'_>, pid: u32) -> Result<Option<Arc<str>>, Errno> {
        Ok(control_group(self.read(proc, pid, "cgroup", NAME_BYTES_MAX)?).map(|path| text(path, NAME_BYTES_MAX)))
    }

    fn executable(&mut self, proc: BorrowedFd<'_>, pid: u32) -> Result<Option<Arc<str>>, Errno> {
        path_of(&mut self.path, pid, "exe");
        let target = rustix::fs::readlinkat(proc.as_fd(), self.path.as_str(), Vec::new())?;
        Ok(Some(text(target.to_bytes(), NAME_BYTES_MAX)))
    }
}

/// Writes `<pid>/<name>` over what `path` held.
pub(super) fn path_of(path: &mut String, pid: u32, name: &str) {
    path.clear();
    // Writing to a `String` cannot fail.
    if write!(path, "{pid}/{name}").is_err() {
        path.clear();
    }
}

/// The kernel writes 0 for no parent.
pub(super) fn parent_pid(stat: &Stat<'_>) -> Option<u32> {
    (stat.parent_pid != 0).then_some(stat.parent_pid)
}

/// When a process started, by the clock ticks since boot that the kernel gives.
pub(super) fn start_time(boot_time: Timestamp, start_ticks: u64, ticks_per_second: u64) -> Timestamp {
    let ms = u128::from(start_ticks) * 1_000 / u128::from(ticks_per_second.max(1));
    boot_time.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// Whether an error says only that the process is gone.
pub(super) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::SRCH)
}

pub(super) fn reason(error: Errno) -> FieldErrorReason {
    match error {
        Errno::ACCESS | Errno::PERM => FieldErrorReason::Denied,
        Errno::NOSYS | Errno::OPNOTSUPP => FieldErrorReason::Unsupported,
        _ => FieldErrorReason::Failed,
    }
}

fn keep(value: Result<Option<Arc<str>>, Errno>, field: Field, errors: &mut FieldErrorSet) -> Option<Arc<str>> {
    value.unwrap_or_else(|error| {
        if !is_gone(error) {
            errors.insert(field, reason(error));
        }
        None
    })
}

/// As text, invalid UTF-8 replaced, cut at a character's boundary.
pub(super) fn text(bytes: &[u8], bytes_max: usize) -> Arc<str> {
    let lossy = String::from_utf8_lossy(bytes);
    let end = lossy.floor_char_boundary(bytes_max);
    Arc::from(&lossy[..end])
}

/// `cmdline` has one NUL after each word; programs that overwrite their title leave one long word and many NULs.
fn join_arguments(bytes: &[u8], mask: Option<&MaskArguments>) -> Option<Arc<str>> {
    let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    let words = bytes[..end].split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let joined = match mask {
        Some(mask) => {
            let mut words: Vec<String> = words.collect();
            mask(&mut words);
            words.join(" ")
        }
        None => words.collect::<Vec<_>>().join(" "),
    };
    Some(text(joined.as_bytes(), COMMAND_LINE_BYTES_MAX))
}

/// `Uid:` has the real, effective, saved and file system's uid.
fn effective_uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    let mut ids = line.split(|byte| byte.is_ascii_whitespace()).filter(|id| !id.is_empty());
    leading_number(ids.nth(1)?).and_then(|uid| u32::try_from(uid).ok())
}

/// The path in the unified hierarchy; where that is not in use, systemd's own, then the most telling of the others.
fn control_group(text: &[u8]) -> Option<&[u8]> {
    let mut best: Option<(u8, &[u8])> = None;
    for line in text.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(3, |byte| *byte == b':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let rank = match (controllers, path) {
            (_, b"/") => 0,
            (b"", _) => 3,
            (b"name=systemd", _) => 2,
            _ => 1,
        };
        if best.is_none_or(|(best_rank, _)| rank > best_rank) {
            best = Some((rank, path));
        }
    }
    best.map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_joined_by_spaces() {
        let join = |bytes: &[u8]| join_arguments(bytes, None).map(|text| text.to_string());
        assert_eq!(join(b"ls\0-l\0a b\0"), Some("ls -l a b".into()));
        assert_eq!(join(b"ls\0\0-l\0"), Some("ls  -l".into()), "an empty word is a word");
        assert_eq!(join(b"postgres: writer\0\0\0\0"), Some("postgres: writer".into()));
        assert_eq!(join(b"\xff\xfe\0"), Some("\u{fffd}\u{fffd}".into()));
        assert_eq!(join(b""), None);
        assert_eq!(join(b"\0\0"), None);
    }

    #[test]
    fn arguments_are_masked_word_by_word() {
        let mask: MaskArguments = Arc::new(|words| words[1] = "***".into());
        assert_eq!(join_arguments(b"a\0b c\0d\0", Some(&mask)).as_deref(), Some("a *** d"));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(&*text("日本".as_bytes(), 4), "日");
    }

    #[test]
    fn the_effective_uid_is_the_second() {
        assert_eq!(effective_uid(b"Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\n"), Some(0));
        assert_eq!(effective_uid(b"Name:\tUid:\t7\n"), None);
    }

    #[test]
    fn the_unified_control_group_counts_first() {
        assert_eq!(control_group(b"0::/system.slice/ssh.service\n"), Some(&b"/system.slice/ssh.service"[..]));
        assert_eq!(control_group(b"4:memory:/m\n1:name=systemd:/user.slice\n0::/\n"), Some(&b"/user.slice"[..]));
        assert_eq!(control_group(b"4:memory:/box/1\n1:cpu:/\n0::/\n"), Some(&b"/box/1"[..]));
        assert_eq!(control_group(b"0::/\n"), Some(&b"/"[..]));
        assert_eq!(control_group(b"0::/a:b\n"), Some(&b"/a:b"[..]));
        assert_eq!(control_group(b""), None);
    }

    #[test]
    fn start_is_boot_and_ticks() {
        assert_eq!(start_time(Timestamp::from_ms(1_000), 250, 100), Timestamp::from_ms(3_500));
    }
}
