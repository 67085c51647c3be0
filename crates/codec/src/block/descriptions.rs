//! Descriptions as columns. A process that goes on under another description has only what changed.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use procession_model::{Description, Identity, Timestamp};

use super::column::{ColumnReader, ColumnWriter};
use super::dictionary::NewStrings;
use super::fields::{FieldReader, FieldWriter, KnownStrings};
use super::scale::{get_steps, put_steps};
use crate::DecodeError;

/// Optional fields, bit by bit; those with text in the order of `TEXTS`.
const PARENT: u64 = 1 << 4;
const START: u64 = 1 << 5;
/// Of one that goes on: the name is another. Has the place of `START`, which cannot change.
const NAME: u64 = 1 << 5;
/// Of one that goes on: fields that are not known any more are this much further up.
const GONE_SHIFT: u32 = 8;
const TEXTS: usize = 4;

/// No name to guess by.
const NO_KEY: u32 = u32::MAX;

/// A description, and whether it is of the process before it.
#[derive(Clone, Copy)]
pub(super) struct Kin<'a> {
    pub(super) description: &'a Description,
    pub(super) goes_on: bool,
}

fn texts(description: &Description) -> [&Option<Arc<str>>; TEXTS] {
    [&description.command_line, &description.user, &description.executable, &description.cgroup]
}

fn bit(index: usize) -> u64 {
    1 << index
}

/// Which optional fields a process has.
fn known(description: &Description) -> u64 {
    let texts = texts(description).into_iter().enumerate();
    let mask: u64 = texts.filter(|(_, text)| text.is_some()).map(|(index, _)| bit(index)).sum();
    mask | if description.parent_pid.is_some() { PARENT } else { 0 }
}

/// What changed from one description of a process to the next.
fn changed(before: &Description, now: &Description) -> u64 {
    let texts = texts(before).into_iter().zip(texts(now)).enumerate();
    let mut mask: u64 = texts.filter(|(_, (before, now))| before != now).map(|(index, _)| bit(index)).sum();
    if before.parent_pid != now.parent_pid {
        mask |= PARENT;
    }
    let gone = mask & !known(now);
    (mask | gone << GONE_SHIFT) | if before.name == now.name { 0 } else { NAME }
}

/// Writes descriptions; neighbours should be alike.
pub(super) fn put_descriptions(columns: &mut ColumnWriter, strings: &mut NewStrings<'_>, rows: &[Kin<'_>]) {
    let (mut masks, mut changes) = (Vec::new(), Vec::new());
    let (mut pids, mut starts, mut parents) = (Vec::new(), Vec::new(), ParentWriter::default());
    let mut names = FieldWriter::default();
    let mut fields: [FieldWriter; TEXTS] = Default::default();
    let mut name = NO_KEY;
    let mut before: Option<&Description> = None;
    for Kin { description, goes_on } in rows {
        let mask = match before.filter(|_| *goes_on) {
            Some(before) => {
                let change = changed(before, description);
                changes.push(change);
                change & !(change >> GONE_SHIFT)
            }
            None => {
                pids.push(u64::from(description.identity.pid));
                starts.extend(description.identity.start.map(|start| start.as_ms().cast_unsigned()));
                let mask = known(description);
                masks.push(mask | if description.identity.start.is_some() { START } else { 0 });
                mask | NAME
            }
        };
        if mask & NAME != 0 {
            name = names.add(strings, NO_KEY, &description.name);
        }
        if mask & PARENT != 0 {
            parents.add(description.parent_pid.unwrap_or_default());
        }
        for (index, (field, text)) in fields.iter_mut().zip(texts(description)).enumerate() {
            if let Some(text) = text.as_ref().filter(|_| mask & bit(index) != 0) {
                field.add(strings, name, text);
            }
        }
        if !goes_on {
            parents.meet(description.identity.pid);
        }
        before = Some(description);
    }
    columns.put(&masks);
    columns.put(&changes);
    put_steps(columns, &pids);
    put_steps(columns, &starts);
    parents.put(columns);
    names.put(columns);
    for field in &fields {
        field.put(columns);
    }
}

/// Reads what [`put_descriptions`] wrote; `goes_on` says of each whether it is of the process before it. Of processes that
/// are not wanted, by the place of their first description, there is none.
pub(super) fn get_descriptions(
    columns: &mut ColumnReader<'_>,
    strings: &mut KnownStrings<'_>,
    goes_on: &[bool],
    is_wanted: &dyn Fn(usize, Identity) -> bool,
) -> Result<Vec<Option<Arc<Description>>>, DecodeError> {
    let mut reader = DescriptionReader::get(columns, goes_on)?;
    let mut descriptions = Vec::with_capacity(goes_on.len());
    let mut before: Option<Description> = None;
    for (index, goes_on_here) in goes_on.iter().enumerate() {
        before = if *goes_on_here && index > 0 {
            reader.change(strings, before)?
        } else {
            reader.first(strings, |identity| is_wanted(index, identity))?
        };
        let is_needed = goes_on.get(index + 1).is_some_and(|goes_on| *goes_on);
        let description = if is_needed { before.clone() } else { before.take() };
        descriptions.push(description.map(Arc::new));
    }
    Ok(descriptions)
}

/// Reads one description after the other. Those that are not wanted are passed: what follows may be told by them.
struct DescriptionReader {
    masks: std::vec::IntoIter<u64>,
    changes: std::vec::IntoIter<u64>,
    pids: std::vec::IntoIter<u64>,
    starts: std::vec::IntoIter<u64>,
    parents: ParentReader,
    names: FieldReader,
    fields: Vec<FieldReader>,
    /// The number of the name that the fields are guessed by.
    name: u32,
    /// In place of a name until there is one.
    no_name: Arc<str>,
}

impl DescriptionReader {
    fn get(columns: &mut ColumnReader<'_>, goes_on: &[bool]) -> Result<Self, DecodeError> {
        let heads = goes_on.iter().filter(|goes_on| !**goes_on).count();
        let masks = columns.get(heads)?;
        let changes = columns.get(goes_on.len() - heads)?;
        let with = |bit: u64| {
            let changed = changes.iter().filter(|mask| *mask & bit != 0 && *mask & bit << GONE_SHIFT == 0);
            masks.iter().filter(|mask| *mask & bit != 0).count() + changed.count()
        };
        let renamed = changes.iter().filter(|mask| *mask & NAME != 0).count();
        let started = masks.iter().filter(|mask| *mask & START != 0).count();
        let pids = get_steps(columns, heads)?.into_iter();
        let starts = get_steps(columns, started)?.into_iter();
        let parents = ParentReader::get(columns, with(PARENT))?;
        let names = FieldReader::get(columns, heads + renamed)?;
        let mut fields = Vec::with_capacity(TEXTS);
        for index in 0..TEXTS {
            fields.push(FieldReader::get(columns, with(bit(index)))?);
        }
        let (masks, changes) = (masks.into_iter(), changes.into_iter());
        Ok(Self { masks, changes, pids, starts, parents, names, fields, name: NO_KEY, no_name: "".into() })
    }

    /// The first description of a process.
    fn first(
        &mut self,
        strings: &mut KnownStrings<'_>,
        is_wanted: impl FnOnce(Identity) -> bool,
    ) -> Result<Option<Description>, DecodeError> {
        let mask = self.masks.next().ok_or(DecodeError::Truncated)?;
        let pid = u32::try_from(self.pids.next().ok_or(DecodeError::Truncated)?);
        let pid = pid.map_err(|_| DecodeError::OverLimit("a pid"))?;
        let start = if mask & START != 0 { self.starts.next() } else { None };
        let identity = Identity { pid, start: start.map(|start| Timestamp::from_ms(start.cast_signed())) };
        let mut description =
            is_wanted(identity).then(|| Description { identity, ..Description::new(pid, Arc::clone(&self.no_name)) });
        self.fill(strings, &mut description, mask | NAME)?;
        self.parents.meet(pid);
        Ok(description)
    }

    /// The description of the process before, changed.
    fn change(
        &mut self,
        strings: &mut KnownStrings<'_>,
        mut before: Option<Description>,
    ) -> Result<Option<Description>, DecodeError> {
        let mask = self.changes.next().ok_or(DecodeError::Truncated)?;
        let gone = mask >> GONE_SHIFT;
        if let Some(before) = &mut before {
            forget(before, gone);
        }
        self.fill(strings, &mut before, mask & !gone)?;
        Ok(before)
    }

    fn fill(
        &mut self,
        strings: &mut KnownStrings<'_>,
        description: &mut Option<Description>,
        mask: u64,
    ) -> Result<(), DecodeError> {
        if mask & NAME != 0 {
            self.name = self.names.next(strings, NO_KEY)?;
            if let Some(description) = description {
                description.name = strings.text(self.name)?;
            }
        }
        if mask & PARENT != 0 {
            let parent = self.parents.next()?;
            if let Some(description) = description {
                description.parent_pid = Some(parent);
            }
        }
        for (index, field) in self.fields.iter_mut().enumerate() {
            if mask & bit(index) != 0 {
                let number = field.next(strings, self.name)?;
                if let Some(description) = description {
                    *text_mut(description, index) = Some(strings.text(number)?);
                }
            }
        }
        Ok(())
    }
}

fn text_mut(description: &mut Description, index: usize) -> &mut Option<Arc<str>> {
    match index {
        0 => &mut description.command_line,
        1 => &mut description.user,
        2 => &mut description.executable,
        _ => &mut description.cgroup,
    }
}

fn forget(description: &mut Description, gone: u64) {
    for index in 0..TEXTS {
        if gone & bit(index) != 0 {
            *text_mut(description, index) = None;
        }
    }
    if gone & PARENT != 0 {
        description.parent_pid = None;
    }
}

const SAME_PARENT: u64 = 0;
const OTHER_PARENT: u64 = 1;
const FIRST_DISTANCE: u64 = 2;

/// Parents: mostly that of the process before, or a process a few rows up.
#[derive(Default)]
struct ParentWriter {
    places: HashMap<u32, u64, RandomState>,
    count: u64,
    before: Option<u32>,
    codes: Vec<u64>,
    others: Vec<u64>,
}

impl ParentWriter {
    fn add(&mut self, parent: u32) {
        let code = match self.places.get(&parent) {
            _ if self.before == Some(parent) => SAME_PARENT,
            Some(place) => FIRST_DISTANCE + self.count - place,
            None => OTHER_PARENT,
        };
        if code == OTHER_PARENT {
            self.others.push(u64::from(parent));
        }
        self.codes.push(code);
        self.before = Some(parent);
    }

    fn meet(&mut self, pid: u32) {
        self.places.insert(pid, self.count);
        self.count += 1;
    }

    fn put(&self, columns: &mut ColumnWriter) {
        columns.put(&self.codes);
        columns.put(&self.others);
    }
}

struct ParentReader {
    pids: Vec<u32>,
    before: Option<u32>,
    codes: std::vec::IntoIter<u64>,
    others: std::vec::IntoIter<u32>,
}

impl ParentReader {
    fn get(columns: &mut ColumnReader<'_>, count: usize) -> Result<Self, DecodeError> {
        let codes = columns.get(count)?;
        let others = columns.get_u32(codes.iter().filter(|code| **code == OTHER_PARENT).count())?;
        Ok(Self { pids: Vec::new(), before: None, codes: codes.into_iter(), others: others.into_iter() })
    }

    fn next(&mut self) -> Result<u32, DecodeError> {
        const UNKNOWN: DecodeError = DecodeError::Invalid("a parent");
        let parent = match self.codes.next().ok_or(DecodeError::Truncated)? {
            SAME_PARENT => self.before.ok_or(UNKNOWN)?,
            OTHER_PARENT => self.others.next().ok_or(DecodeError::Truncated)?,
            code => {
                let distance = usize::try_from(code - FIRST_DISTANCE).map_err(|_| UNKNOWN)?;
                let place = self.pids.len().checked_sub(distance).ok_or(UNKNOWN)?;
                *self.pids.get(place).ok_or(UNKNOWN)?
            }
        };
        self.before = Some(parent);
        Ok(parent)
    }

    fn meet(&mut self, pid: u32) {
        self.pids.push(pid);
    }
}
