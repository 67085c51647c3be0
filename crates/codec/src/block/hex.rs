//! Hashes in command lines.
//!
//! Builds and containers name files by hashes: digits that no compressor can shorten, and that break up the text around them,
//! which it could. So runs of hexadecimal digits are taken out: a new one costs half its digits, and one that was there before
//! mostly nothing, because the eight bytes before it (`serde-`, `-id `) say which one it is.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::DecodeError;

/// In place of a run of [`USUAL_DIGITS`]. Never part of UTF-8, like [`OTHER_MARK`].
const USUAL_MARK: u8 = 0xff;
/// In place of a run of another length; half of it follows as a byte.
const OTHER_MARK: u8 = 0xfe;
const USUAL_DIGITS: usize = 16;
/// Half the digits of the longest run. Longer ones are taken apart.
const RUN_BYTES_MAX: usize = 64;
const CONTEXT_BYTES: usize = 8;

const GUESSED: u64 = 0;
const NEW: u64 = 1;
const FIRST_DISTANCE: u64 = 2;

type Run = Box<[u8]>;

/// The runs of an epoch so far, and what stood before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    numbers: HashMap<Run, usize, RandomState>,
    guesses: HashMap<[u8; CONTEXT_BYTES], usize, RandomState>,
}

/// Text without its runs.
#[derive(Debug, Default)]
pub(super) struct Extracted {
    pub(super) text: Vec<u8>,
    /// For each mark which run stood there.
    pub(super) codes: Vec<u64>,
    /// New runs, end to end.
    pub(super) new: Vec<u8>,
}

impl Runs {
    /// Takes the runs out of text.
    pub(super) fn extract(&mut self, text: &[u8]) -> Extracted {
        let mut extracted = Extracted::default();
        let mut at = 0;
        while at < text.len() {
            let digits = text[at..].iter().take(2 * RUN_BYTES_MAX).take_while(|byte| is_digit(**byte)).count() & !1;
            if digits < USUAL_DIGITS {
                // What follows a digit of a short run is one too, or no digit: no run begins within it.
                let step = digits.max(1);
                extracted.text.extend_from_slice(&text[at..at + step]);
                at += step;
                continue;
            }
            let run: Run =
                text[at..at + digits].chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect();
            extracted.text.extend(mark(run.len()));
            let code = self.code(context(&text[..at]), &run);
            if code == NEW {
                extracted.new.extend_from_slice(&run);
            }
            extracted.codes.push(code);
            self.learn(context(&text[..at]), run);
            at += digits;
        }
        extracted
    }

    fn code(&self, context: [u8; CONTEXT_BYTES], run: &Run) -> u64 {
        match self.numbers.get(run) {
            Some(number) if self.guesses.get(&context) == Some(number) => GUESSED,
            Some(number) => FIRST_DISTANCE + (self.runs.len() - 1 - number) as u64,
            None => NEW,
        }
    }

    fn learn(&mut self, context: [u8; CONTEXT_BYTES], run: Run) -> usize {
        let next = self.runs.len();
        let number = *self.numbers.entry(run.clone()).or_insert(next);
        if number == next {
            self.runs.push(run);
        }
        self.guesses.insert(context, number);
        number
    }

    /// Puts runs back. The text may become no longer than `len_max`.
    pub(super) fn restore(&mut self, extracted: &Extracted, len_max: usize) -> Result<Vec<u8>, DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("a run of digits");
        let mut text = Vec::with_capacity(extracted.text.len());
        let mut codes = extracted.codes.iter();
        let mut new = &extracted.new[..];
        let mut rest = &extracted.text[..];
        while let Some(at) = rest.iter().position(|byte| matches!(*byte, USUAL_MARK | OTHER_MARK)) {
            text.extend_from_slice(&rest[..at]);
            let is_usual = rest[at] == USUAL_MARK;
            rest = &rest[at + 1..];
            let mut len = USUAL_DIGITS / 2;
            if !is_usual {
                let (byte, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
                (len, rest) = (usize::from(*byte), after);
            }
            let context = context(&text);
            let number = match *codes.next().ok_or(DecodeError::Truncated)? {
                GUESSED => Some(*self.guesses.get(&context).ok_or(INVALID)?),
                NEW => None,
                distance => {
                    let distance = usize::try_from(distance - FIRST_DISTANCE).map_err(|_| INVALID)?;
                    Some(self.runs.len().checked_sub(distance + 1).ok_or(INVALID)?)
                }
            };
            let number = match number {
                Some(number) => number,
                None => {
                    let (run, after) = new.split_at_checked(len).ok_or(DecodeError::Truncated)?;
                    new = after;
                    self.learn(context, run.into())
                }
            };
            let run = self.runs.get(number).filter(|run| run.len() == len).ok_or(INVALID)?;
            text.extend(run.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
            if text.len() > len_max {
                return Err(INVALID);
            }
            self.guesses.insert(context, number);
        }
        text.extend_from_slice(rest);
        if new.is_empty() && codes.next().is_none() { Ok(text) } else { Err(INVALID) }
    }
}

fn mark(run_bytes: usize) -> impl Iterator<Item = u8> {
    let is_usual = run_bytes == USUAL_DIGITS / 2;
    let len = u8::try_from(run_bytes).unwrap_or(u8::MAX);
    let bytes = if is_usual { [USUAL_MARK, 0] } else { [OTHER_MARK, len] };
    bytes.into_iter().take(if is_usual { 1 } else { 2 })
}

fn context(text: &[u8]) -> [u8; CONTEXT_BYTES] {
    let mut context = [0; CONTEXT_BYTES];
    let tail = &text[text.len().saturating_sub(CONTEXT_BYTES)..];
    context[..tail.len()].copy_from_slice(tail);
    context
}

const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

const fn value(digit: u8) -> u8 {
    if digit >= b'a' { digit - b'a' + 10 } else { digit - b'0' }
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn come_back(texts: &[String]) {
        let (mut writer, mut reader) = (Runs::default(), Runs::default());
        for text in texts {
            let extracted = writer.extract(text.as_bytes());
            assert!(extracted.text.len() <= text.len());
            let restored = reader.restore(&extracted, text.len()).unwrap();
            assert_eq!(restored, text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in prop::collection::vec("([0-9a-f]{14,40}|[a-f -]{0,6}|[0-9a-f]{120,140}|\\PC{0,3}|7f3e9d0c1b2a4857){0,6}", 0..5)) {
            come_back(&texts);
        }
    }

    #[test]
    fn a_run_that_was_there_costs_nothing_and_stays_after_the_same_words() {
        let line = "--extern serde=/target/deps/libserde-0123456789abcdef.rmeta";
        let mut runs = Runs::default();
        assert_eq!(runs.extract(line.as_bytes()).codes, [NEW]);
        let again = runs.extract(line.as_bytes());
        assert_eq!((again.codes, again.new.len()), (vec![GUESSED], 0));
    }
}
