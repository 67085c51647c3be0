//! How likely each of sixteen symbols is, as far as seen.

/// How many symbols there are at the most.
pub(super) const SYMBOLS: usize = 16;
/// All chances together are 2 to this power.
pub(super) const TOTAL_LOG: u32 = 15;
const TOTAL: i16 = i16::MAX;
/// What a symbol that never comes is left with.
const LEAST: i16 = 2;
/// More symbols than this are not counted: so far back the chances look.
const SEEN_MAX: usize = 40;

/// The place of a symbol among all chances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) begin: u32,
    pub(super) chance: u32,
}

/// Where the chances of each symbol begin. The last ones end at 2^15.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chances {
    begins: [i16; SYMBOLS],
    seen: u8,
}

/// How far chances go towards what came, in parts of 2^16, by how many symbols they have seen.
const RATES: [i16; SEEN_MAX + 1] = {
    let mut rates = [0; SEEN_MAX + 1];
    let mut seen = 0;
    while seen <= SEEN_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "below 2^15")]
        let rate = ((1 << 17) / (2 * seen as u32 + 7)) as i16;
        rates[seen] = rate;
        seen += 1;
    }
    rates
};

/// Where chances begin if all go to one symbol but for the least of the others.
const AIMS: [[i16; SYMBOLS]; SYMBOLS] = {
    let mut aims = [[0; SYMBOLS]; SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        let mut index = 1;
        while index < SYMBOLS {
            #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "below 16")]
            let aim =
                if index <= symbol { index as i16 * LEAST } else { TOTAL - ((SYMBOLS - index) as i16 * LEAST - 1) };
            aims[symbol][index] = aim;
            index += 1;
        }
        symbol += 1;
    }
    aims
};

impl Chances {
    /// Before any symbol was seen: all are as likely.
    pub(super) const NEW: Self = {
        let mut begins = [0; SYMBOLS];
        let mut index = 1;
        while index < SYMBOLS {
            #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "below 2^15")]
            let begin = (index << (TOTAL_LOG - 4)) as i16;
            begins[index] = begin;
            index += 1;
        }
        Self { begins, seen: 0 }
    };

    /// The mean of two.
    #[inline(always)]
    pub(super) fn mean(&self, other: &Self) -> [i16; SYMBOLS] {
        let (one, other) = (self.begins, other.begins);
        let mut mean = [0; SYMBOLS];
        for index in 0..SYMBOLS {
            mean[index] = ((one[index].cast_unsigned() + other[index].cast_unsigned()) >> 1).cast_signed();
        }
        mean
    }

    pub(super) const fn begins(&self) -> &[i16; SYMBOLS] {
        &self.begins
    }

    /// Takes a symbol into account. Chances stay above 0: they go from one row of ascending begins towards another, and rounding down
    /// keeps what is one apart one apart.
    #[inline(always)]
    pub(super) fn follow(&mut self, symbol: usize) {
        let rate = i32::from(RATES[usize::from(self.seen)]);
        let aims = AIMS[symbol & (SYMBOLS - 1)];
        let mut begins = self.begins;
        for index in 0..SYMBOLS {
            let way = aims[index].wrapping_sub(begins[index]);
            // Less than the way, which fits.
            let step = ((i32::from(way) * rate) >> 16) as i16;
            begins[index] = begins[index].wrapping_add(step);
        }
        self.begins = begins;
        self.seen += u8::from(usize::from(self.seen) < SEEN_MAX);
    }
}

/// The place of a symbol where chances begin so.
#[inline(always)]
pub(super) fn place(begins: &[i16; SYMBOLS], symbol: usize) -> Place {
    let begin = u32::from(begins[symbol].cast_unsigned());
    let end = begins.get(symbol + 1).map_or(1 << TOTAL_LOG, |end| u32::from(end.cast_unsigned()));
    Place { begin, chance: end - begin }
}

/// The symbol whose chances have this one.
#[inline(always)]
pub(super) fn find(begins: &[i16; SYMBOLS], chance: i16) -> usize {
    let mut count = 0_i16;
    for begin in begins {
        count += i16::from(*begin <= chance);
    }
    // The first one begins at 0.
    usize::from(count.cast_unsigned()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_symbol_keeps_a_chance(symbols in prop::collection::vec((0..SYMBOLS, 1_usize..90), 1..60)) {
            let (mut one, mut other) = (Chances::NEW, Chances::NEW);
            for (symbol, times) in symbols {
                for _ in 0..times {
                    one.follow(symbol);
                }
                other.follow(SYMBOLS - 1 - symbol);
                for begins in [*one.begins(), one.mean(&other)] {
                    let mut next = 0;
                    for symbol in 0..SYMBOLS {
                        let Place { begin, chance } = place(&begins, symbol);
                        prop_assert!(begin == next && chance > 0);
                        next = begin + chance;
                        let chance = |part: u32| i16::try_from(part).unwrap();
                        prop_assert_eq!(find(&begins, chance(begin)), symbol);
                        prop_assert_eq!(find(&begins, chance(next - 1)), symbol);
                    }
                    prop_assert_eq!(next, 1 << TOTAL_LOG);
                }
            }
        }
    }

    #[test]
    fn what_comes_often_is_likely() {
        let mut chances = Chances::NEW;
        (0..200).for_each(|_| chances.follow(3));
        assert!(place(chances.begins(), 3).chance > 32_000);
    }
}
