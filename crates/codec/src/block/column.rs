//! Columns of numbers. Each is written in the way that makes it smallest: as one number if all are equal, by symbols, through
//! the range coder, through Pcodec, or as varints among the section's loose bytes, which zstd takes together.

use pco::data_types::Number;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, PagingSpec};

use super::Effort;
use super::adaptive::{self, Contexts};
use super::symbols;
use crate::DecodeError;
use crate::bytes::{Reader, put_len, put_varint};
use crate::compress::{compress, decompress};

const CONSTANT: u8 = 0;
const LOOSE: u8 = 1;
const PCO_32: u8 = 2;
const PCO_64: u8 = 3;
/// The number of the contexts is added to this.
const ADAPTIVE: u8 = 4;
const SYMBOLS: u8 = 8;

/// Fewer numbers than this do not pay for what columns by symbols begin with.
const SYMBOLS_MIN: usize = 32;
/// The range coder is slower to read: it has to win a byte for so many numbers.
const ADAPTIVE_NUMBERS_A_BYTE: usize = 32;
/// Of longer columns only the contexts that are mostly best are tried.
const ALL_CONTEXTS_NUMBERS_MAX: usize = 256;
/// Other ways are tried for numbers that take more bytes than these, for so many.
const WIDE_BYTES_EACH: (usize, usize) = (3, 4);
/// The most loose bytes of a section.
const LOOSE_BYTES_MAX: usize = 64 << 20;

/// Writes the columns of a section.
pub struct ColumnWriter {
    effort: Effort,
    columns: Vec<u8>,
    loose: Vec<u8>,
}

impl ColumnWriter {
    /// Without any column.
    pub const fn new(effort: Effort) -> Self {
        Self { effort, columns: Vec::new(), loose: Vec::new() }
    }

    /// Bytes that are no column.
    pub(super) const fn loose(&mut self) -> &mut Vec<u8> {
        &mut self.loose
    }

    /// A column. The reader has to know how many numbers it has.
    pub fn put(&mut self, numbers: &[u64]) {
        self.put_in(numbers, &[]);
    }

    /// A column, with a context for each number (below 64) that the reader knows before it reads the column: numbers of the
    /// same context are alike. The range coder goes by the lowest four bits of it alone.
    pub fn put_in(&mut self, numbers: &[u64], given: &[u8]) {
        let Some(first) = numbers.first() else { return };
        if numbers.iter().all(|number| number == first) {
            self.columns.push(CONSTANT);
            put_varint(&mut self.columns, *first);
            return;
        }
        let (kind, bytes) = self.shortest(numbers, given);
        self.columns.push(kind);
        if kind == LOOSE {
            self.loose.extend(bytes);
        } else {
            put_len(&mut self.columns, bytes.len());
            self.columns.extend(bytes);
        }
    }

    /// The kind that makes a column smallest, and its bytes.
    fn shortest(&self, numbers: &[u64], given: &[u8]) -> (u8, Vec<u8>) {
        let mut best = (LOOSE, varints(numbers));
        if numbers.len() >= SYMBOLS_MIN {
            take_shorter(&mut best, SYMBOLS, symbols::encode(numbers, given));
        }
        if numbers.len() <= self.effort.adaptive_numbers_max() {
            let worth = if best.0 == SYMBOLS { numbers.len() / ADAPTIVE_NUMBERS_A_BYTE } else { 0 };
            let mut least = best.1.len().saturating_sub(worth);
            let candidates = Contexts::candidates(!given.is_empty());
            let tried = if numbers.len() <= ALL_CONTEXTS_NUMBERS_MAX { candidates.len() } else { 1 };
            for contexts in candidates.iter().rev().take(tried) {
                if let Some(bytes) = adaptive::encode(numbers, given, *contexts, least) {
                    least = bytes.len();
                    best = (ADAPTIVE + *contexts as u8, bytes);
                }
            }
        }
        if best.1.len() > numbers.len() / WIDE_BYTES_EACH.1 * WIDE_BYTES_EACH.0
            && numbers.len() >= self.effort.wide_numbers_min()
        {
            if let Some((kind, bytes)) = pco(numbers) {
                take_shorter(&mut best, kind, bytes);
            }
            // What repeats at length is best left to zstd.
            let varints = varints(numbers);
            let compressed = compress(&varints, self.effort.column_level());
            if compressed.is_some_and(|compressed| compressed.len() < best.1.len()) {
                best = (LOOSE, varints);
            }
        }
        best
    }

    /// The section; no bytes if nothing was written.
    pub fn finish(self) -> Vec<u8> {
        if self.columns.is_empty() && self.loose.is_empty() {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(self.columns.len() + self.loose.len() + 8);
        put_len(&mut out, self.columns.len());
        out.extend(self.columns);
        let compressed = compress(&self.loose, self.effort.column_level());
        match compressed.filter(|compressed| compressed.len() + 3 < self.loose.len()) {
            Some(compressed) => {
                put_len(&mut out, self.loose.len());
                out.extend(compressed);
            }
            None => {
                out.push(0);
                out.extend(self.loose);
            }
        }
        out
    }
}

fn take_shorter(best: &mut (u8, Vec<u8>), kind: u8, bytes: Vec<u8>) {
    if bytes.len() < best.1.len() {
        *best = (kind, bytes);
    }
}

fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut varints = Vec::with_capacity(numbers.len());
    for number in numbers {
        put_varint(&mut varints, *number);
    }
    varints
}

fn pco(numbers: &[u64]) -> Option<(u8, Vec<u8>)> {
    let narrow: Option<Vec<u32>> = numbers.iter().map(|number| u32::try_from(*number).ok()).collect();
    match narrow {
        Some(narrow) => Some((PCO_32, pco_bytes(&narrow)?)),
        None => Some((PCO_64, pco_bytes(numbers)?)),
    }
}

fn pco_bytes<T: Number>(numbers: &[T]) -> Option<Vec<u8>> {
    let config = ChunkConfig::default().with_paging_spec(PagingSpec::Exact(vec![numbers.len()]));
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(numbers, &config).ok()?;
    let bytes = file.write_header(Vec::new()).ok()?;
    let bytes = chunk.write_meta(bytes).ok()?;
    chunk.write_page(0, bytes).ok()
}

/// Reads the columns of a section, in the order in which they were written.
pub struct ColumnReader<'a> {
    columns: Reader<'a>,
    loose: Reader<'a>,
}

/// A section taken apart: borrow it to read it.
pub struct ColumnBytes<'a> {
    columns: &'a [u8],
    loose: std::borrow::Cow<'a, [u8]>,
}

impl<'a> ColumnBytes<'a> {
    /// The parts of a section.
    pub fn new(section: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(section);
        if section.is_empty() {
            return Ok(Self { columns: section, loose: section.into() });
        }
        let len = reader.count(section.len(), 1, "a section")?;
        let columns = reader.take(len)?;
        let loose = match reader.count(LOOSE_BYTES_MAX, 0, "a section")? {
            0 => reader.rest().into(),
            len => decompress(reader.rest(), len)?.into(),
        };
        Ok(Self { columns, loose })
    }

    /// From its first column on.
    pub fn reader(&self) -> ColumnReader<'_> {
        ColumnReader { columns: Reader::new(self.columns), loose: Reader::new(&self.loose) }
    }
}

impl<'a> ColumnReader<'a> {
    /// Bytes that are no column.
    pub(super) const fn loose(&mut self) -> &mut Reader<'a> {
        &mut self.loose
    }

    /// A column of that many numbers, which the caller has checked against a limit.
    pub fn get(&mut self, count: usize) -> Result<Vec<u64>, DecodeError> {
        self.get_in(count, &[])
    }

    /// A column with the contexts that [`ColumnWriter::put_in`] had.
    pub fn get_in(&mut self, count: usize, given: &[u8]) -> Result<Vec<u64>, DecodeError> {
        self.get_first(count, count, given)
    }

    /// At least the first so many numbers of a column, which takes less than all of them.
    pub(super) fn get_first(&mut self, first: usize, count: usize, given: &[u8]) -> Result<Vec<u64>, DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("a column");
        if count == 0 {
            return Ok(Vec::new());
        }
        match self.columns.u8()? {
            CONSTANT => Ok(vec![self.columns.varint()?; first]),
            LOOSE if count > LOOSE_BYTES_MAX => Err(DecodeError::OverLimit("a column")),
            LOOSE => (0..count).map(|_| self.loose.varint()).collect(),
            PCO_32 => Ok(self.pco::<u32>(count)?.into_iter().map(u64::from).collect()),
            PCO_64 => self.pco::<u64>(count),
            SYMBOLS => symbols::decode(self.bytes()?, given, [first, count]).ok_or(INVALID),
            kind if let Some(contexts) = kind.checked_sub(ADAPTIVE).and_then(Contexts::from_number) => {
                adaptive::decode(self.bytes()?, given, contexts, [first, count]).ok_or(INVALID)
            }
            _ => Err(DecodeError::Invalid("the kind of a column")),
        }
    }

    /// Passes a column of that many numbers.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), DecodeError> {
        if count == 0 {
            return Ok(());
        }
        match self.columns.u8()? {
            CONSTANT => self.columns.varint().map(drop),
            LOOSE if count > LOOSE_BYTES_MAX => Err(DecodeError::OverLimit("a column")),
            LOOSE => (0..count).try_for_each(|_| self.loose.varint().map(drop)),
            _ => self.bytes().map(drop),
        }
    }

    /// At least the first so many numbers of two columns with as many; `and` makes the second's contexts of the first's and its
    /// numbers.
    pub(super) fn get_two(
        &mut self,
        [first, count]: [usize; 2],
        mut given: Vec<u8>,
        and: impl Fn(u8, u64) -> u8,
    ) -> Result<[Vec<u64>; 2], DecodeError> {
        let mut ahead = Self { columns: self.columns.clone(), loose: self.loose.clone() };
        if count > 0
            && let Some(one) = ahead.symbols()?
            && let Some(other) = ahead.symbols()?
        {
            *self = ahead;
            return symbols::decode_two([one, other], &given, and, [first, count])
                .ok_or(DecodeError::Invalid("a column"));
        }
        let numbers = self.get_first(first, count, &given)?;
        for (given, number) in given.iter_mut().zip(&numbers) {
            *given = and(*given, *number);
        }
        Ok([numbers, self.get_first(first, count, &given)?])
    }

    /// The bytes of the next column if it is one by symbols.
    fn symbols(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.columns.u8()? == SYMBOLS { self.bytes().map(Some) } else { Ok(None) }
    }

    /// The bytes of a column that says how many it has.
    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.columns.count(LOOSE_BYTES_MAX, 1, "a column")?;
        self.columns.take(len)
    }

    /// A column of numbers that fit 32 bits.
    pub fn get_u32(&mut self, count: usize) -> Result<Vec<u32>, DecodeError> {
        let narrow = |number| u32::try_from(number).map_err(|_| DecodeError::OverLimit("a number of a column"));
        self.get(count)?.into_iter().map(narrow).collect()
    }

    fn pco<T: Number>(&mut self, count: usize) -> Result<Vec<T>, DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("a column");
        let bytes = self.bytes()?;
        let (file, bytes) = FileDecompressor::new(bytes).map_err(|_| INVALID)?;
        let (mut chunk, bytes) = file.chunk_decompressor::<T, _>(bytes).map_err(|_| INVALID)?;
        let mut page = chunk.page_decompressor(bytes, count).map_err(|_| INVALID)?;
        let mut numbers = vec![T::default(); count];
        let progress = page.read(&mut numbers).map_err(|_| INVALID)?;
        if progress.n_processed == count { Ok(numbers) } else { Err(INVALID) }
    }

    /// Refuses what is left over.
    pub fn end(&self) -> Result<(), DecodeError> {
        self.columns.end()?;
        self.loose.end()
    }
}
