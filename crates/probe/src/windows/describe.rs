//! What stays fixed of a process: read once, by opening it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use procession_model::{Description, FieldErrorReason, Identity};

use super::command_line::masked;
use super::native::{CallError, Handle, UserId};
use super::process_list::Listed;
use super::{timestamp, utf_16};
use crate::field_errors::{Field, FieldErrorSet};
use crate::{COMMAND_LINE_BYTES_MAX, MaskArguments, NAME_BYTES_MAX};

/// How many names of users are kept.
const USERS_MAX: usize = 10_000;
/// The kernel itself, which has neither executable nor command line.
const SYSTEM_PID: u32 = 4;

/// Describes processes, and keeps the names of users.
pub(super) struct Describer {
    users: HashMap<UserId, Arc<str>>,
    mask: Option<MaskArguments>,
}

impl fmt::Debug for Describer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Describer").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl Describer {
    pub(super) fn new(mask: Option<MaskArguments>) -> Self {
        Self { users: HashMap::new(), mask }
    }

    /// `parent_start` is when the process began that has the parent's pid, in Windows' units.
    pub(super) fn describe(&mut self, listed: &Listed<'_>, parent_start: Option<u64>) -> (Description, FieldErrorSet) {
        let mut errors = FieldErrorSet::default();
        let start = (listed.create_time > 0).then(|| timestamp(listed.create_time));
        let name = match utf_16(listed.name) {
            name if name.is_empty() => "?".to_owned(),
            name => name,
        };
        let mut description = Description {
            identity: Identity { pid: listed.pid, start },
            parent_pid: parent_pid(listed, parent_start),
            ..Description::new(listed.pid, cut(&name, NAME_BYTES_MAX))
        };
        match Handle::open_process(listed.pid) {
            Ok(process) => self.open_parts(&process, &mut description, &mut errors),
            Err(error) => {
                for field in [Field::CommandLine, Field::User, Field::Executable] {
                    note(field, error, &mut errors);
                }
            }
        }
        if listed.pid == SYSTEM_PID {
            errors.remove(Field::CommandLine);
            errors.remove(Field::Executable);
        }
        (description, errors)
    }

    fn open_parts(&mut self, process: &Handle, description: &mut Description, errors: &mut FieldErrorSet) {
        match process.command_line().or_else(|error| command_line_in_memory(description.identity.pid).or(Err(error))) {
            Ok(line) if line.is_empty() => {}
            Ok(line) => {
                let line = masked(cut_str(&line, COMMAND_LINE_BYTES_MAX), self.mask.as_ref());
                description.command_line = Some(cut(&line, COMMAND_LINE_BYTES_MAX));
            }
            Err(error) => note(Field::CommandLine, error, errors),
        }
        match process.executable() {
            Ok(path) => description.executable = Some(cut(&path, NAME_BYTES_MAX)),
            Err(error) => note(Field::Executable, error, errors),
        }
        match process.user() {
            Ok(user) => description.user = Some(self.user_name(user)),
            Err(error) => note(Field::User, error, errors),
        }
    }

    fn user_name(&mut self, user: UserId) -> Arc<str> {
        if let Some(name) = self.users.get(&user) {
            return Arc::clone(name);
        }
        let name: Arc<str> = user.name().unwrap_or_else(|| user.digits()).into();
        if self.users.len() < USERS_MAX {
            self.users.insert(user, Arc::clone(&name));
        }
        name
    }
}

/// From the memory of the process itself: for Windows before 8.1 and for Wine, which do not tell it. The places are those of
/// 64-bit processes.
fn command_line_in_memory(pid: u32) -> Result<String, CallError> {
    const PARAMETERS: u64 = 0x20;
    const COMMAND_LINE: u64 = 0x70;
    let process = Handle::open_memory(pid)?;
    let long = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let parameters = long(&process.read_memory(process.environment_block()?.saturating_add(PARAMETERS), 8)?);
    let line = process.read_memory(parameters.saturating_add(COMMAND_LINE), 16)?;
    let length = line.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes));
    Ok(utf_16(&process.read_memory(long(&line[8..]), usize::from(length))?))
}

/// Windows keeps the pid of a parent that is gone: whoever has it now and is younger than the child is not the parent.
fn parent_pid(listed: &Listed<'_>, parent_start: Option<u64>) -> Option<u32> {
    let is_younger = parent_start.is_some_and(|start| start > listed.create_time);
    (listed.parent_pid != 0 && !is_younger).then_some(listed.parent_pid)
}

fn note(field: Field, error: CallError, errors: &mut FieldErrorSet) {
    const GONE: u32 = 87;
    let reason = match error {
        // The process has just ended.
        CallError::Failed(GONE) => return,
        CallError::Denied => FieldErrorReason::Denied,
        CallError::Failed(_) => FieldErrorReason::Failed,
    };
    errors.insert(field, reason);
}

fn cut(text: &str, bytes_max: usize) -> Arc<str> {
    Arc::from(cut_str(text, bytes_max))
}

fn cut_str(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
