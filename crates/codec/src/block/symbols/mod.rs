//! Columns by symbols: each number as one or two of sixteen symbols, with what is left of it as bits.
//!
//! How likely a symbol is, is the mean of what two contexts have seen: one of what the reader knows of the number already
//! (how busy its process is, how long nothing changed), and one of the two numbers before. A symbol takes a few steps on sixteen
//! numbers side by side, where the range coder takes as many for each bit.

mod chances;
mod coder;
mod wide;

use chances::{Chances, place};
use coder::{BitReader, BitWriter, SymbolDecoder, SymbolEncoder};
use wide::wide;

use crate::bytes::{Reader, put_len};

/// Given contexts are below this.
const GIVEN: usize = 64;
/// Numbers below this are symbols of their own.
const DIRECT: u64 = 8;
const DIRECT_BITS: u32 = 3;
/// The symbol of numbers whose length takes another one.
const LONG: usize = 15;
/// The length in bits of the shortest of them.
const LONG_BITS: u32 = 11;
/// What the second symbol of a length says if it is not enough either: six bits follow.
const LONGEST: usize = 15;
const LONGEST_BITS: u32 = LONG_BITS + 15;
/// How many bits after a number's highest go through chances.
const TOP_BITS: u32 = 4;
/// Contexts of the number before last.
const EARLIER: usize = 2;

/// The first symbol of a number: its value, or its length in bits, or that its length follows.
#[inline(always)]
const fn symbol(number: u64) -> usize {
    if number < DIRECT {
        return number.to_le_bytes()[0] as usize;
    }
    let length = u64::BITS - number.leading_zeros();
    if length < LONG_BITS { (length - DIRECT_BITS - 1) as usize + DIRECT as usize } else { LONG }
}

/// All chances of a column.
struct Model {
    given: Vec<Chances>,
    before: Vec<Chances>,
    lengths: Chances,
    tops: Vec<Chances>,
    /// The symbols of the numbers before, the last one first.
    last: [usize; 2],
}

impl Model {
    fn new() -> Self {
        Self {
            given: vec![Chances::NEW; GIVEN],
            before: vec![Chances::NEW; 16 * EARLIER],
            lengths: Chances::NEW,
            tops: vec![Chances::NEW; u64::BITS as usize + 1],
            last: [0; 2],
        }
    }

    /// The chances of the next number's symbol.
    #[inline(always)]
    fn contexts(&mut self, given: u8) -> (&mut Chances, &mut Chances) {
        let earlier = self.last[1].min(EARLIER - 1);
        let given = usize::from(given) & (GIVEN - 1);
        (&mut self.given[given], &mut self.before[self.last[0] * EARLIER + earlier])
    }

    fn follow(&mut self, symbol: usize) {
        self.last = [symbol, self.last[0]];
    }
}

/// The bytes of numbers. `given` has a context for each, or is empty.
pub(super) fn encode(numbers: &[u64], given: &[u8]) -> Vec<u8> {
    wide(
        #[inline(always)]
        || encode_here(numbers, given),
    )
}

#[inline(always)]
fn encode_here(numbers: &[u64], given: &[u8]) -> Vec<u8> {
    let mut model = Model::new();
    let mut places = Vec::with_capacity(numbers.len() * 2);
    let mut rests = BitWriter::default();
    for (index, number) in numbers.iter().enumerate() {
        let symbol = symbol(*number);
        let (one, other) = model.contexts(given.get(index).copied().unwrap_or(0));
        places.push(place(&one.mean(other), symbol));
        one.follow(symbol);
        other.follow(symbol);
        model.follow(symbol);
        if *number >= DIRECT {
            let mut put = |chances: &mut Chances, symbol: usize| {
                places.push(place(chances.begins(), symbol));
                chances.follow(symbol);
            };
            let length = u64::BITS - number.leading_zeros();
            if symbol == LONG {
                let longer = (length - LONG_BITS).min(LONGEST as u32) as usize;
                put(&mut model.lengths, longer);
                if longer == LONGEST {
                    rests.put(u64::from(length - LONGEST_BITS), 6);
                }
            }
            let rest = (length - 1).saturating_sub(TOP_BITS);
            let top = number >> rest & ((1 << (length - 1).min(TOP_BITS)) - 1);
            put(&mut model.tops[length as usize], usize::from(top.to_le_bytes()[0]));
            rests.put(*number, rest);
        }
    }
    let mut symbols = SymbolEncoder::new();
    places.iter().rev().for_each(|place| symbols.put(*place));
    let symbols = symbols.finish();
    let mut out = Vec::with_capacity(symbols.len() + 8);
    put_len(&mut out, symbols.len());
    out.extend(symbols);
    out.extend(rests.finish());
    out
}

/// The first so many numbers of bytes that [`encode`] made of `count`; `None` if they are not such bytes, as far as that is seen.
pub(super) fn decode(bytes: &[u8], given: &[u8], [first, count]: [usize; 2]) -> Option<Vec<u64>> {
    let mut decoder = Decoder::new(bytes)?;
    let mut numbers = Vec::with_capacity(first);
    wide(
        #[inline(always)]
        || {
            for index in 0..first {
                numbers.push(decoder.next(given.get(index).copied().unwrap_or(0))?);
            }
            Some(())
        },
    )?;
    (first < count || decoder.is_at_end()).then_some(numbers)
}

/// The same of two columns with as many numbers, where `and` makes the second's context of the first's and its number. The steps of
/// one wait for each other, and those of the two do not: together they take little more time than one.
pub(super) fn decode_two(
    bytes: [&[u8]; 2],
    given: &[u8],
    and: impl Fn(u8, u64) -> u8,
    [first, count]: [usize; 2],
) -> Option<[Vec<u64>; 2]> {
    let (mut one, mut other) = (Decoder::new(bytes[0])?, Decoder::new(bytes[1])?);
    let mut numbers = [Vec::with_capacity(first), Vec::with_capacity(first)];
    wide(
        #[inline(always)]
        || {
            for index in 0..first {
                let given = given.get(index).copied().unwrap_or(0);
                let number = one.next(given)?;
                numbers[0].push(number);
                numbers[1].push(other.next(and(given, number))?);
            }
            Some(())
        },
    )?;
    (first < count || (one.is_at_end() && other.is_at_end())).then_some(numbers)
}

/// Reads the numbers of a column one by one.
struct Decoder<'a> {
    symbols: SymbolDecoder<'a>,
    rests: BitReader<'a>,
    model: Model,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let len = reader.count(bytes.len(), 1, "symbols").ok()?;
        let symbols = SymbolDecoder::new(reader.take(len).ok()?)?;
        Some(Self { symbols, rests: BitReader::new(reader.rest()), model: Model::new() })
    }

    #[inline(always)]
    fn next(&mut self, given: u8) -> Option<u64> {
        let (one, other) = self.model.contexts(given);
        let symbol = self.symbols.get(&one.mean(other));
        one.follow(symbol);
        other.follow(symbol);
        self.model.follow(symbol);
        if symbol < DIRECT as usize {
            return Some(symbol as u64);
        }
        self.long(symbol)
    }

    /// A number that is more than its symbol.
    #[inline(always)]
    fn long(&mut self, symbol: usize) -> Option<u64> {
        let symbols = &mut self.symbols;
        let mut get = |chances: &mut Chances| {
            let symbol = symbols.get(chances.begins());
            chances.follow(symbol);
            symbol
        };
        let length = if symbol < LONG {
            symbol as u32 - DIRECT as u32 + DIRECT_BITS + 1
        } else {
            match get(&mut self.model.lengths) {
                LONGEST => LONGEST_BITS + u32::try_from(self.rests.get(6)?).ok()?,
                longer => LONG_BITS + longer as u32,
            }
        };
        let top = get(self.model.tops.get_mut(length as usize)?) as u64;
        let top_bits = (length - 1).min(TOP_BITS);
        let rest = length - 1 - top_bits;
        if top >> top_bits != 0 {
            return None;
        }
        Some((1 << top_bits | top) << rest | self.rests.get(rest)?)
    }

    const fn is_at_end(&self) -> bool {
        self.symbols.is_at_end() && self.rests.is_at_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..4, 0_u64..300, any::<u64>(), (0_u32..64).prop_map(|bits| 1 << bits), Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((number(), 0_u8..64), 1..400), is_given in any::<bool>()) {
            let (numbers, mut given): (Vec<u64>, Vec<u8>) = numbers.into_iter().unzip();
            if !is_given {
                given.clear();
            }
            let bytes = encode(&numbers, &given);
            prop_assert_eq!(decode(&bytes, &given, [numbers.len() / 2, numbers.len()]), Some(numbers[..numbers.len() / 2].to_vec()));
            let and = |given: u8, number: u64| given ^ number.to_le_bytes()[0] & 63;
            let both: Vec<u8> = numbers.iter().enumerate().map(|(index, number)| and(given.get(index).copied().unwrap_or(0), *number)).collect();
            let other = encode(&numbers, &both);
            let two = decode_two([&bytes, &other], &given, and, [numbers.len(); 2]);
            prop_assert_eq!(two, Some([numbers.clone(), numbers.clone()]));
            prop_assert_eq!(decode(&bytes, &given, [numbers.len(); 2]), Some(numbers));
        }

        #[test]
        fn any_bytes_are_some_numbers_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            if let Some(numbers) = decode(&bytes, &[], [50; 2]) {
                prop_assert_eq!(numbers.len(), 50);
            }
        }

        #[test]
        fn damaged_bytes_are_some_numbers_or_refused(
            numbers in prop::collection::vec(0_u64..90, 50..90), at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let mut bytes = encode(&numbers, &[]);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            if let Some(read) = decode(&bytes, &[], [numbers.len(); 2]) {
                prop_assert_eq!(read.len(), numbers.len());
            }
        }
    }

    /// The bytes that an independent reading of `docs/FORMAT.md` makes of the same numbers, by their length and CRC-32.
    #[test]
    fn bytes_are_those_of_the_description() {
        let (mut state, mut numbers, mut given) = (7_u64, Vec::new(), Vec::new());
        for _ in 0..1_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            given.push(u8::try_from(state >> 58).unwrap());
            let is_small = (state >> 50) & 3 != 0;
            numbers.push(if is_small { (state >> 20) % 5 } else { (state >> 8) >> ((state >> 52) % 64).min(56) });
        }
        for (given, len, crc) in [(&[][..], 1_188, 0x9a93_1319), (&given, 1_212, 0xc6b9_71a6)] {
            let bytes = encode(&numbers, given);
            assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (len, crc));
        }
    }
}
