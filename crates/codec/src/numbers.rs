//! Numbers made small before they are written: what blocks and the store's rollups share.

/// A signed number as an unsigned one, small where the signed one is near zero.
pub const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The other way.
pub const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// How a number differs from the one before it, small where they are near.
pub const fn difference(before: u64, number: u64) -> u64 {
    zigzag(number.wrapping_sub(before).cast_signed())
}

/// The other way.
pub const fn add_difference(before: u64, difference: u64) -> u64 {
    before.wrapping_add(unzigzag(difference).cast_unsigned())
}

/// What divides all values; 0 where there is none but 0.
pub fn greatest_divisor(values: impl Iterator<Item = u64>) -> u64 {
    let mut divisor = 0;
    for value in values {
        if divisor == 1 {
            break;
        }
        if divisor == 0 || value % divisor != 0 {
            divisor = greatest_common_divisor(divisor, value);
        }
    }
    divisor
}

const fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}
