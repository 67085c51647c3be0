//! Which fields could not be read, and why, counted without allocating at every snapshot.

use std::sync::Arc;

use procession_model::{FieldError, FieldErrorReason};

/// Fields that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The process as a whole: it is listed, and nothing can be read of it.
    Process,
    CommandLine,
    User,
    Executable,
    ControlGroup,
    ReadBytes,
    WriteBytes,
}

impl Field {
    const ALL: [Self; 7] = [
        Self::Process,
        Self::CommandLine,
        Self::User,
        Self::Executable,
        Self::ControlGroup,
        Self::ReadBytes,
        Self::WriteBytes,
    ];

    /// As uploads name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::CommandLine => "command_line",
            Self::User => "user",
            Self::Executable => "executable",
            Self::ControlGroup => "cgroup",
            Self::ReadBytes => "read_bytes",
            Self::WriteBytes => "write_bytes",
        }
    }
}

const REASONS: [FieldErrorReason; 3] =
    [FieldErrorReason::Denied, FieldErrorReason::Unsupported, FieldErrorReason::Failed];

/// What could not be read of one process: one bit a field and reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldErrorSet(u32);

impl FieldErrorSet {
    pub(crate) fn insert(&mut self, field: Field, reason: FieldErrorReason) {
        self.0 |= 1 << bit(field, reason);
    }

    pub(crate) fn remove(&mut self, field: Field) {
        for reason in REASONS {
            self.0 &= !(1 << bit(field, reason));
        }
    }
}

const fn bit(field: Field, reason: FieldErrorReason) -> usize {
    field as usize * REASONS.len() + reason as usize
}

/// Of how many processes each field could not be read.
#[derive(Debug)]
pub(crate) struct FieldErrorCounts {
    names: [Arc<str>; Field::ALL.len()],
    counts: [u32; Field::ALL.len() * REASONS.len()],
}

impl FieldErrorCounts {
    pub(crate) fn new() -> Self {
        Self { names: Field::ALL.map(|field| Arc::from(field.name())), counts: [0; _] }
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
    }

    pub(crate) fn add(&mut self, set: FieldErrorSet) {
        let mut bits = set.0;
        while bits != 0 {
            self.counts[bits.trailing_zeros() as usize] += 1;
            bits &= bits - 1;
        }
    }

    #[cfg(any(target_os = "linux", test))]
    pub(crate) fn add_one(&mut self, field: Field, reason: FieldErrorReason) {
        self.counts[bit(field, reason)] += 1;
    }

    pub(crate) fn write_into(&self, errors: &mut Vec<FieldError>) {
        errors.clear();
        for field in Field::ALL {
            for reason in REASONS {
                let processes = self.counts[bit(field, reason)];
                if processes > 0 {
                    errors.push(FieldError { field: self.names[field as usize].clone(), reason, processes });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_processes_by_field_and_reason() {
        let mut counts = FieldErrorCounts::new();
        let mut set = FieldErrorSet::default();
        set.insert(Field::Executable, FieldErrorReason::Denied);
        set.insert(Field::User, FieldErrorReason::Failed);
        counts.add(set);
        set.remove(Field::User);
        counts.add(set);
        counts.add_one(Field::Process, FieldErrorReason::Denied);
        let mut errors = Vec::new();
        counts.write_into(&mut errors);
        let errors: Vec<_> = errors.iter().map(|error| (&*error.field, error.reason, error.processes)).collect();
        assert_eq!(
            errors,
            [
                ("process", FieldErrorReason::Denied, 1),
                ("user", FieldErrorReason::Failed, 1),
                ("executable", FieldErrorReason::Denied, 2)
            ]
        );
    }
}
