//! One wrong bit, put right.
//!
//! A CRC-32 that does not fit tells which single bit would make it fit: no two bits of anything below 512 MB change it alike. It
//! is worth some arithmetic where much else depends on the bytes: a segment of a dictionary that is lost takes blocks with it.
//! Random damage looks like a single bit with a probability of one in 2^32 for each bit, so long bytes are not tried, and what
//! was put right has to make sense as well.

/// The polynomial of CRC-32 (IEEE), lowest bit first.
const POLYNOMIAL: u32 = 0xEDB8_8320;
/// Longer bytes are not tried.
const BYTES_MAX: usize = 1 << 20;

/// The bytes with the one bit turned that makes this checksum theirs, or as they are if they have it, or if it is the checksum
/// that has a wrong bit; `None` if it is more than one bit.
pub fn mended(bytes: &[u8], checksum: u32) -> Option<Vec<u8>> {
    let difference = crc32fast::hash(bytes) ^ checksum;
    if difference == 0 {
        return Some(bytes.to_vec());
    }
    if bytes.len() > BYTES_MAX {
        return None;
    }
    if difference.is_power_of_two() {
        return Some(bytes.to_vec());
    }
    // What a wrong last bit changes, then the one before it, and so on.
    let mut change = POLYNOMIAL;
    for byte in (0..bytes.len()).rev() {
        for bit in (0..8).rev() {
            if change == difference {
                let mut mended = bytes.to_vec();
                mended[byte] ^= 1 << bit;
                return Some(mended);
            }
            change = change >> 1 ^ if change & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_one_bit_is_put_right(bytes in prop::collection::vec(any::<u8>(), 1..300), bit in any::<usize>()) {
            let sum = crc32fast::hash(&bytes);
            let mut wrong = bytes.clone();
            wrong[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            prop_assert_eq!(mended(&wrong, sum), Some(bytes.clone()));
            prop_assert_eq!(mended(&bytes, sum ^ 1 << (bit % 32)), Some(bytes));
        }
    }

    #[test]
    fn more_than_one_bit_is_left_alone() {
        let bytes: Vec<u8> = (0..200).collect();
        let sum = crc32fast::hash(&bytes);
        for other in 1..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[0] ^= 1;
            wrong[other] ^= 16;
            assert_eq!(mended(&wrong, sum), None, "{other}");
        }
    }
}
