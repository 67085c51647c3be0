//! The coder: symbols by asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013, arXiv 1311.2540, range variant),
//! their rests as bits beside them.

use super::chances::{Place, SYMBOLS, TOTAL_LOG, find, place};

/// A state is at least this between two symbols; words of 16 bits keep it so.
const STATE_MIN: u32 = 1 << 16;
const WORD_BITS: u32 = 16;

/// Writes symbols, the last one first.
pub(super) struct SymbolEncoder {
    state: u32,
    /// The last word first.
    words: Vec<u16>,
}

impl SymbolEncoder {
    pub(super) const fn new() -> Self {
        Self { state: STATE_MIN, words: Vec::new() }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, place: Place) {
        let limit = u64::from(place.chance) << (2 * WORD_BITS - TOTAL_LOG);
        if u64::from(self.state) >= limit {
            let [low, high, ..] = self.state.to_le_bytes();
            self.words.push(u16::from_le_bytes([low, high]));
            self.state >>= WORD_BITS;
        }
        let (times, within) = (self.state / place.chance, self.state % place.chance);
        self.state = (times << TOTAL_LOG) + within + place.begin;
    }

    /// The state with which a decoder begins, then the words in its order.
    pub(super) fn finish(self) -> Vec<u8> {
        let words = self.words.iter().rev().flat_map(|word| word.to_le_bytes());
        self.state.to_le_bytes().into_iter().chain(words).collect()
    }
}

/// Reads symbols.
pub(super) struct SymbolDecoder<'a> {
    state: u32,
    words: &'a [u8],
}

impl<'a> SymbolDecoder<'a> {
    /// `None` where there is no state.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (state, words) = bytes.split_first_chunk()?;
        let state = u32::from_le_bytes(*state);
        (state >= STATE_MIN).then_some(Self { state, words })
    }

    /// The next symbol, where chances begin so. Past the end of the words there are zeros, which [`Self::is_at_end`] tells.
    #[inline(always)]
    pub(super) fn get(&mut self, begins: &[i16; SYMBOLS]) -> usize {
        let chance = self.state & ((1 << TOTAL_LOG) - 1);
        let symbol = find(begins, chance as i16);
        let place = place(begins, symbol);
        self.state = place.chance * (self.state >> TOTAL_LOG) + chance - place.begin;
        if self.state < STATE_MIN {
            let word = match self.words.split_first_chunk() {
                Some((word, rest)) => {
                    self.words = rest;
                    u16::from_le_bytes(*word)
                }
                None => 0,
            };
            self.state = self.state << WORD_BITS | u32::from(word);
        }
        symbol
    }

    /// Whether all words were read, and no more than there are.
    pub(super) const fn is_at_end(&self) -> bool {
        self.words.is_empty() && self.state == STATE_MIN
    }
}

/// Writes bits, the lowest first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl BitWriter {
    /// The lowest bits of a number, at most 32.
    #[inline(always)]
    fn put_few(&mut self, number: u64, bits: u32) {
        self.held |= (number & ((1 << bits) - 1)) << self.count;
        self.count += bits;
        if self.count >= u32::BITS {
            let [byte_0, byte_1, byte_2, byte_3, ..] = self.held.to_le_bytes();
            self.bytes.extend([byte_0, byte_1, byte_2, byte_3]);
            self.held >>= u32::BITS;
            self.count -= u32::BITS;
        }
    }

    /// The lowest bits of a number.
    #[inline(always)]
    pub(super) fn put(&mut self, number: u64, bits: u32) {
        self.put_few(number, bits.min(u32::BITS));
        if bits > u32::BITS {
            self.put_few(number >> u32::BITS, bits - u32::BITS);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let bytes = self.count.div_ceil(u8::BITS) as usize;
        self.bytes.extend(&self.held.to_le_bytes()[..bytes]);
        self.bytes
    }
}

/// Reads bits.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, held: 0, count: 0 }
    }

    /// At most 32 bits.
    #[inline(always)]
    fn get_few(&mut self, bits: u32) -> Option<u64> {
        if self.count < bits {
            match self.bytes.split_first_chunk() {
                Some((four, rest)) => {
                    self.held |= u64::from(u32::from_le_bytes(*four)) << self.count;
                    self.count += u32::BITS;
                    self.bytes = rest;
                }
                None => self.take_last(bits)?,
            }
        }
        let number = self.held & ((1 << bits) - 1);
        self.held >>= bits;
        self.count -= bits;
        Some(number)
    }

    #[cold]
    fn take_last(&mut self, bits: u32) -> Option<()> {
        while self.count < bits {
            let (byte, rest) = self.bytes.split_first()?;
            self.held |= u64::from(*byte) << self.count;
            self.count += u8::BITS;
            self.bytes = rest;
        }
        Some(())
    }

    /// The next bits; `None` past the end.
    #[inline(always)]
    pub(super) fn get(&mut self, bits: u32) -> Option<u64> {
        if bits <= u32::BITS {
            return self.get_few(bits);
        }
        let low = self.get_few(u32::BITS)?;
        Some(self.get_few(bits - u32::BITS)? << u32::BITS | low)
    }

    /// Whether all bytes were read, and what fills the last one is 0.
    pub(super) const fn is_at_end(&self) -> bool {
        self.bytes.is_empty() && self.held == 0 && self.count < u8::BITS
    }
}
