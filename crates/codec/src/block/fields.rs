//! The strings of descriptions as columns.
//!
//! A daemon's workers have the same user, executable and often command line, so each of these is first guessed to be what
//! the last process of the same name had. What is guessed wrong is named by its place among the field's strings of this block, and
//! only what the block has not had yet by its number in the dictionary, where it is mostly the next new one.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::column::{ColumnReader, ColumnWriter};
use super::dictionary::{Dictionary, NewStrings};
use crate::DecodeError;

const GUESSED: u64 = 0;
const NEW_HERE: u64 = 1;
const FIRST_PLACE: u64 = 2;

/// What the names of a block's processes go with, as numbers of strings.
type Guesses = HashMap<u32, u32, RandomState>;

/// Writes one field of many descriptions.
#[derive(Default)]
pub(super) struct FieldWriter {
    places: HashMap<u32, u64, RandomState>,
    guesses: Guesses,
    codes: Vec<u64>,
    /// For strings new to the block their distance from the next free number.
    distances: Vec<u64>,
}

impl FieldWriter {
    /// The next text, guessed by `key`. Gives its number back.
    pub(super) fn add(&mut self, strings: &mut NewStrings<'_>, key: u32, text: &Arc<str>) -> u32 {
        let next = strings.next();
        let number = strings.number(text);
        if self.guesses.insert(key, number) == Some(number) {
            self.codes.push(GUESSED);
            return number;
        }
        let place = self.places.len() as u64;
        match self.places.get(&number) {
            Some(place) => self.codes.push(FIRST_PLACE + place),
            None => {
                self.places.insert(number, place);
                self.codes.push(NEW_HERE);
                self.distances.push(u64::from(next - number));
            }
        }
        number
    }

    pub(super) fn put(&self, columns: &mut ColumnWriter) {
        columns.put(&self.codes);
        columns.put(&self.distances);
    }
}

/// The numbers of strings as a block uses them up.
pub(super) struct KnownStrings<'a> {
    dictionary: &'a Dictionary,
    next: u32,
}

const UNKNOWN: DecodeError = DecodeError::Invalid("the number of a string");

impl<'a> KnownStrings<'a> {
    /// From the number of strings that the dictionary had before the block.
    pub(super) const fn new(dictionary: &'a Dictionary, next: u32) -> Self {
        Self { dictionary, next }
    }

    /// The number at this distance from the next free one.
    pub(super) fn number(&mut self, distance: u64) -> Result<u32, DecodeError> {
        let distance = u32::try_from(distance).map_err(|_| UNKNOWN)?;
        let number = self.next.checked_sub(distance).ok_or(UNKNOWN)?;
        if distance == 0 {
            self.next = self.next.checked_add(1).ok_or(UNKNOWN)?;
        }
        Ok(number)
    }

    pub(super) fn text(&self, number: u32) -> Result<Arc<str>, DecodeError> {
        self.dictionary.get(number).cloned().ok_or(UNKNOWN)
    }
}

/// Reads one field of many descriptions.
pub(super) struct FieldReader {
    places: Vec<u32>,
    guesses: Guesses,
    codes: std::vec::IntoIter<u64>,
    distances: std::vec::IntoIter<u64>,
}

impl FieldReader {
    pub(super) fn get(columns: &mut ColumnReader<'_>, count: usize) -> Result<Self, DecodeError> {
        let codes = columns.get(count)?;
        let new = codes.iter().filter(|code| **code == NEW_HERE).count();
        let distances = columns.get(new)?;
        let (codes, distances) = (codes.into_iter(), distances.into_iter());
        Ok(Self { places: Vec::with_capacity(new), guesses: Guesses::default(), codes, distances })
    }

    /// The number of the next text.
    pub(super) fn next(&mut self, strings: &mut KnownStrings<'_>, key: u32) -> Result<u32, DecodeError> {
        let number = match self.codes.next().ok_or(DecodeError::Truncated)? {
            GUESSED => *self.guesses.get(&key).ok_or(UNKNOWN)?,
            NEW_HERE => {
                let number = strings.number(self.distances.next().ok_or(DecodeError::Truncated)?)?;
                self.places.push(number);
                number
            }
            place => {
                let place = usize::try_from(place - FIRST_PLACE).map_err(|_| UNKNOWN)?;
                *self.places.get(place).ok_or(UNKNOWN)?
            }
        };
        self.guesses.insert(key, number);
        Ok(number)
    }
}
