//! Columns through the range coder: the length of each number in bits, then its bits, the first ones by their chances.
//!
//! What a number is likely to be depends on its context: how long the number before it was, or what the reader knows of it
//! already, as how busy its process is.

use super::range::{Chance, RangeDecoder, RangeEncoder};

/// What a column's contexts are. The number is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contexts {
    /// One for all.
    One = 0,
    /// The length of the number before.
    Before = 1,
    /// What the reader knows.
    Given = 2,
    /// Both.
    GivenAndBefore = 3,
}

/// Given contexts are below this.
pub(super) const GIVEN_MAX: u8 = 16;
/// Numbers before that are at least so many bits long are one context.
const BEFORE_MAX: usize = 20;
/// The same where there is a given one, too.
const BESIDE_MAX: usize = 5;

impl Contexts {
    /// Those to try for a column.
    pub(super) const fn candidates(given: bool) -> &'static [Self] {
        if given { &[Self::Given, Self::Before, Self::GivenAndBefore] } else { &[Self::One, Self::Before] }
    }

    pub(super) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::One),
            1 => Some(Self::Before),
            2 => Some(Self::Given),
            3 => Some(Self::GivenAndBefore),
            _ => None,
        }
    }

    const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Before => BEFORE_MAX,
            Self::Given => GIVEN_MAX as usize,
            Self::GivenAndBefore => GIVEN_MAX as usize * BESIDE_MAX,
        }
    }

    fn context(self, given: u8, before: u64) -> usize {
        let length = length(before) as usize;
        let given = usize::from(given & (GIVEN_MAX - 1));
        match self {
            Self::One => 0,
            Self::Before => length.min(BEFORE_MAX - 1),
            Self::Given => given,
            Self::GivenAndBefore => given * BESIDE_MAX + length.min(BESIDE_MAX - 1),
        }
    }
}

/// Bits of a number: 0 has none.
const fn length(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// Lengths from here on go through a tree.
const SHORT: u32 = 2;
/// Bits of the tree of long lengths: they are up to 64.
const TREE_BITS: u32 = 6;
/// Chances of a context: one for each short length, and the tree.
const LENGTH_CHANCES: usize = SHORT as usize + (1 << TREE_BITS);
/// How many bits after a number's highest have chances.
const TOP_BITS: u32 = 4;
/// Chances of them for each length.
const TOP_CHANCES: usize = 1 << TOP_BITS;

/// The chances of a column.
pub(super) struct Model {
    contexts: Contexts,
    lengths: Vec<[Chance; LENGTH_CHANCES]>,
    tops: Vec<[Chance; TOP_CHANCES]>,
    before: u64,
}

impl Model {
    pub(super) fn new(contexts: Contexts) -> Self {
        let lengths = vec![[Chance::NEW; LENGTH_CHANCES]; contexts.count()];
        Self { contexts, lengths, tops: vec![[Chance::NEW; TOP_CHANCES]; u64::BITS as usize + 1], before: 0 }
    }

    pub(super) fn put(&mut self, encoder: &mut RangeEncoder, number: u64, given: u8) {
        let chances = &mut self.lengths[self.contexts.context(given, self.before)];
        self.before = number;
        let length = length(number);
        for short in 0..SHORT {
            encoder.put(&mut chances[short as usize], length != short);
            if length == short {
                return;
            }
        }
        let mut node = 1;
        for place in (0..TREE_BITS).rev() {
            let bit = (length - SHORT) >> place & 1 == 1;
            encoder.put(&mut chances[SHORT as usize + node - 1], bit);
            node = node << 1 | usize::from(bit);
        }
        let rest = length - 1;
        let top = rest.min(TOP_BITS);
        let chances = &mut self.tops[length as usize];
        let mut node = 1;
        for place in (rest - top..rest).rev() {
            let bit = number >> place & 1 == 1;
            encoder.put(&mut chances[node - 1], bit);
            node = node << 1 | usize::from(bit);
        }
        encoder.put_even(number, rest - top);
    }

    pub(super) fn get(&mut self, decoder: &mut RangeDecoder<'_>, given: u8) -> u64 {
        let number = self.number(decoder, given);
        self.before = number;
        number
    }

    fn number(&mut self, decoder: &mut RangeDecoder<'_>, given: u8) -> u64 {
        let chances = &mut self.lengths[self.contexts.context(given, self.before)];
        if !decoder.get(&mut chances[0]) {
            return 0;
        }
        if !decoder.get(&mut chances[1]) {
            return 1;
        }
        let mut node = 1;
        for _ in 0..TREE_BITS {
            node = node << 1 | usize::from(decoder.get(&mut chances[SHORT as usize + node - 1]));
        }
        // The tree has one leaf more than there are lengths: no encoder goes there.
        let length = (node - (1 << TREE_BITS) + SHORT as usize).min(u64::BITS as usize);
        let rest = u32::try_from(length - 1).unwrap_or(0);
        let top = rest.min(TOP_BITS);
        let chances = &mut self.tops[length];
        let mut node = 1;
        for _ in 0..top {
            node = node << 1 | usize::from(decoder.get(&mut chances[node - 1]));
        }
        (node as u64) << (rest - top) | decoder.get_even(rest - top)
    }
}

/// The bytes of numbers; `None` once they are no fewer than `shorter_than`. `given` has a context for each, or is empty.
pub(super) fn encode(numbers: &[u64], given: &[u8], contexts: Contexts, shorter_than: usize) -> Option<Vec<u8>> {
    let mut encoder = RangeEncoder::new();
    let mut model = Model::new(contexts);
    for (index, number) in numbers.iter().enumerate() {
        model.put(&mut encoder, *number, given.get(index).copied().unwrap_or(0));
        if encoder.len() > shorter_than {
            return None;
        }
    }
    Some(encoder.finish()).filter(|bytes| bytes.len() < shorter_than)
}

/// The first so many numbers of bytes that [`encode`] made of `count`; `None` if bytes are left over after all of them.
pub(super) fn decode(bytes: &[u8], given: &[u8], contexts: Contexts, [first, count]: [usize; 2]) -> Option<Vec<u64>> {
    let mut decoder = RangeDecoder::new(bytes);
    let mut model = Model::new(contexts);
    let given = |index: usize| given.get(index).copied().unwrap_or(0);
    let numbers = (0..first).map(|index| model.get(&mut decoder, given(index))).collect();
    (first < count || decoder.is_at_end()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..4, 0_u64..300, any::<u64>(), Just(u64::MAX), Just(1 << 63)]
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((number(), 0..GIVEN_MAX), 0..200), kind in 0_u8..4) {
            let contexts = Contexts::from_number(kind).unwrap();
            let (numbers, given): (Vec<u64>, Vec<u8>) = numbers.into_iter().unzip();
            let bytes = encode(&numbers, &given, contexts, usize::MAX).unwrap();
            prop_assert_eq!(decode(&bytes, &given, contexts, [numbers.len(); 2]), Some(numbers));
        }

        #[test]
        fn any_bytes_are_some_numbers_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), kind in 0_u8..4) {
            let contexts = Contexts::from_number(kind).unwrap();
            if let Some(numbers) = decode(&bytes, &[], contexts, [50; 2]) {
                prop_assert_eq!(numbers.len(), 50);
            }
        }
    }

    /// The bytes that an independent reading of `docs/FORMAT.md` makes of the same numbers, by their length and CRC-32.
    #[test]
    fn bytes_are_those_of_the_description() {
        let (mut state, mut numbers, mut given) = (7_u64, Vec::new(), Vec::new());
        for _ in 0..1_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            given.push(u8::try_from(state >> 60).unwrap());
            let is_small = (state >> 50) & 3 != 0;
            numbers.push(if is_small { (state >> 20) % 5 } else { (state >> 8) >> ((state >> 52) % 64).min(56) });
        }
        let expected = [(1_174, 0xa8c7_12be), (1_201, 0xcc37_0c87), (1_209, 0x6e59_1ac1), (1_265, 0x19e7_fa60)];
        for (kind, (len, crc)) in (0..).zip(expected) {
            let contexts = Contexts::from_number(kind).unwrap();
            let bytes = encode(&numbers, &given, contexts, usize::MAX).unwrap();
            assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (len, crc), "{contexts:?}");
        }
    }
}
