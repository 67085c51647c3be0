//! A range coder of single bits, each with a chance that follows what came before: what a bit costs is what it says.
//!
//! The coder is the one of LZMA (carries go into bytes that are held back). It takes some five nanoseconds a bit, so it is for
//! numbers that are few and dear: Pcodec and zstd pay for tables that small columns never earn back.

/// The least range before a byte is shifted out.
const RANGE_MIN: u32 = 1 << 24;
/// Chances are parts of this, in bits.
const CHANCE_LOG: u32 = 16;
/// No chance is nearer to 0 or 1 than this.
const CHANCE_MIN: u16 = 48;
/// After so many bits a chance follows no more slowly: hosts change what they do.
const SEEN_MAX: u8 = 60;

/// How likely a bit is 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    zero: u16,
    seen: u8,
}

impl Chance {
    /// Of a bit of which nothing is known.
    pub(super) const NEW: Self = Self { zero: 1 << (CHANCE_LOG - 1), seen: 0 };

    const fn follow(&mut self, bit: bool) {
        let (zero, rate) = (self.zero as u32, RATES[self.seen as usize] as u32);
        let zero = if bit { zero - ((zero * rate) >> 16) } else { zero + (((0xffff - zero) * rate) >> 16) };
        let least = CHANCE_MIN as u32;
        #[expect(clippy::cast_possible_truncation, reason = "between the least and 0xffff less the least")]
        let zero = if zero < least {
            CHANCE_MIN
        } else if zero > 0xffff - least {
            0xffff - CHANCE_MIN
        } else {
            zero as u16
        };
        self.zero = zero;
        if self.seen < SEEN_MAX {
            self.seen += 1;
        }
    }
}

/// How far a chance goes to the bit that came, in parts of 2^16: two parts of three at first, then less with every bit.
const RATES: [u16; SEEN_MAX as usize + 1] = {
    let mut rates = [0; SEEN_MAX as usize + 1];
    let mut seen = 0;
    while seen < rates.len() {
        #[expect(clippy::cast_possible_truncation, reason = "below 2^16")]
        let rate = ((1 << 17) / (2 * seen + 3)) as u16;
        rates[seen] = rate;
        seen += 1;
    }
    rates
};

/// Writes bits.
pub(super) struct RangeEncoder {
    low: u64,
    range: u32,
    /// The last byte, into which a carry may come, and how many bytes 0xff follow it.
    held: Option<u8>,
    full: usize,
    out: Vec<u8>,
}

impl RangeEncoder {
    pub(super) const fn new() -> Self {
        Self { low: 0, range: u32::MAX, held: None, full: 0, out: Vec::new() }
    }

    /// A bit whose chance is known.
    #[inline]
    pub(super) fn put(&mut self, chance: &mut Chance, bit: bool) {
        let bound = (self.range >> CHANCE_LOG) * u32::from(chance.zero);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.follow(bit);
        self.shift_while_small();
    }

    /// The lowest bits of a number, each as likely 0 as 1, the highest of them first.
    pub(super) fn put_even(&mut self, number: u64, bits: u32) {
        for place in (0..bits).rev() {
            self.range >>= 1;
            if number >> place & 1 == 1 {
                self.low += u64::from(self.range);
            }
            self.shift_while_small();
        }
    }

    #[inline]
    fn shift_while_small(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
    }

    fn shift(&mut self) {
        let [lowest, low_1, low_2, top, carry, ..] = self.low.to_le_bytes();
        if top == 0xff && carry == 0 {
            self.full += 1;
        } else {
            if let Some(held) = self.held {
                self.out.push(held.wrapping_add(carry));
            }
            let full = if carry == 0 { 0xff } else { 0 };
            self.out.extend(std::iter::repeat_n(full, std::mem::take(&mut self.full)));
            self.held = Some(top);
        }
        self.low = u64::from(u32::from_le_bytes([0, lowest, low_1, low_2]));
    }

    /// How many bytes there are, about.
    pub(super) fn len(&self) -> usize {
        self.out.len() + self.full + 2
    }

    /// All bytes: of the numbers that mean the same the one that ends with most zeros, which the decoder reads anyway.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (from, until) = (self.low, self.low + u64::from(self.range));
        let zeros = (0..32).rev().find(|zeros| round_up(from, *zeros) < until);
        self.low = round_up(from, zeros.unwrap_or(0));
        for _ in 0..5 {
            self.shift();
        }
        while self.out.last() == Some(&0) {
            self.out.pop();
        }
        self.out
    }
}

const fn round_up(number: u64, zeros: u32) -> u64 {
    (number + (1 << zeros) - 1) >> zeros << zeros
}

/// Reads bits. Past the end of the bytes there are zeros.
pub(super) struct RangeDecoder<'a> {
    bytes: &'a [u8],
    code: u32,
    range: u32,
}

impl<'a> RangeDecoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, code: 0, range: u32::MAX };
        for _ in 0..4 {
            decoder.take();
        }
        decoder
    }

    #[inline]
    pub(super) fn get(&mut self, chance: &mut Chance) -> bool {
        let bound = (self.range >> CHANCE_LOG) * u32::from(chance.zero);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.follow(bit);
        self.take_while_small();
        bit
    }

    pub(super) fn get_even(&mut self, bits: u32) -> u64 {
        let mut number = 0;
        for _ in 0..bits {
            self.range >>= 1;
            let bit = self.code >= self.range;
            if bit {
                self.code -= self.range;
            }
            number = number << 1 | u64::from(bit);
            self.take_while_small();
        }
        number
    }

    #[inline]
    fn take_while_small(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.take();
        }
    }

    fn take(&mut self) {
        let byte = match self.bytes.split_first() {
            Some((byte, rest)) => {
                self.bytes = rest;
                *byte
            }
            None => 0,
        };
        self.code = self.code << 8 | u32::from(byte);
    }

    /// Whether all bytes were read.
    pub(super) const fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_come_back(bits in prop::collection::vec((0_usize..3, any::<bool>(), 0_u32..65, any::<u64>()), 0..400)) {
            let mut encoder = RangeEncoder::new();
            let mut chances = [Chance::NEW; 3];
            for (chance, bit, even, number) in &bits {
                encoder.put(&mut chances[*chance], *bit && *chance < 2);
                encoder.put_even(*number, *even);
            }
            let bytes = encoder.finish();
            let mut decoder = RangeDecoder::new(&bytes);
            let mut chances = [Chance::NEW; 3];
            for (chance, bit, even, number) in &bits {
                prop_assert_eq!(decoder.get(&mut chances[*chance]), *bit && *chance < 2);
                let mask = if *even == 64 { u64::MAX } else { (1 << even) - 1 };
                prop_assert_eq!(decoder.get_even(*even), number & mask);
            }
            prop_assert!(decoder.is_at_end());
        }
    }

    #[test]
    fn carries_go_through_full_bytes() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let bits: Vec<bool> = (0..4_000).map(|_| random.u8(..) < 250).collect();
            let (mut encoder, mut chance) = (RangeEncoder::new(), Chance::NEW);
            bits.iter().for_each(|bit| encoder.put(&mut chance, *bit));
            let bytes = encoder.finish();
            let (mut decoder, mut chance) = (RangeDecoder::new(&bytes), Chance::NEW);
            assert!(bits.iter().all(|bit| decoder.get(&mut chance) == *bit));
            assert!(bytes.len() < 120, "{}", bytes.len());
        }
    }

    #[test]
    fn what_is_certain_costs_next_to_nothing() {
        let (mut encoder, mut chance) = (RangeEncoder::new(), Chance::NEW);
        (0..10_000).for_each(|_| encoder.put(&mut chance, false));
        assert!(encoder.finish().len() < 8);
    }
}
