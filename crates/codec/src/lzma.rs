//! LZMA in one shot for strings: smaller than zstd at any level, and sooner done than at its high ones. Reading it is slower than
//! reading zstd, but strings are read by the kilobyte.

use std::io::{Read as _, Write as _};

use lzma_rust2::{EncodeMode, LzmaOptions, LzmaReader, LzmaWriter, MfType};

use crate::DecodeError;

/// How many bits of the byte before tell literals apart; positions tell nothing in text.
const LITERAL_CONTEXT_BITS: u32 = 4;
const POSITION_BITS: u32 = 0;
/// How far back the window goes at least and at most.
const WINDOW_BYTES_MIN: usize = 1 << 12;
const WINDOW_BYTES_MAX: usize = 1 << 23;
/// Room made for text before it is there.
const ROOM_BYTES_MAX: usize = 1 << 18;
/// How many places with the same first bytes are compared.
const DEPTH: i32 = 96;

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// The first good match is taken.
    Quick,
    /// What a match costs is weighed against what it keeps others from.
    Thorough,
}

impl Trial {
    /// A match of this length is taken without looking further.
    const fn nice_bytes(self) -> u32 {
        match self {
            Self::Quick => 273,
            Self::Thorough => 128,
        }
    }
}

fn window_bytes(len: usize) -> u32 {
    u32::try_from(len.next_power_of_two().clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX)).unwrap_or(u32::MAX)
}

/// The bytes, compressed as if `prefix` stood before them; `None` if that failed.
pub(crate) fn compress_after(prefix: &[u8], bytes: &[u8], trial: Trial) -> Option<Vec<u8>> {
    let options = LzmaOptions {
        dict_size: window_bytes(prefix.len() + bytes.len()),
        lc: LITERAL_CONTEXT_BITS,
        lp: POSITION_BITS,
        pb: POSITION_BITS,
        mode: if trial == Trial::Quick { EncodeMode::Fast } else { EncodeMode::Normal },
        nice_len: trial.nice_bytes(),
        mf: MfType::Hc4,
        depth_limit: DEPTH,
        preset_dict: Some(prefix.into()),
    };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false).ok()?;
    writer.write_all(bytes).ok()?;
    writer.finish().ok()
}

/// Decompresses what [`compress_after`] made, to exactly `len` bytes, which the caller has checked against a limit.
pub(crate) fn decompress_after(prefix: &[u8], bytes: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    const INVALID: DecodeError = DecodeError::Invalid("compressed bytes");
    let window = window_bytes(prefix.len() + len);
    let (literals, positions) = (LITERAL_CONTEXT_BITS, POSITION_BITS);
    let reader = LzmaReader::new(bytes, len as u64, literals, positions, positions, window, Some(prefix));
    let mut plain = Vec::with_capacity(len.min(ROOM_BYTES_MAX));
    reader.map_err(|_| INVALID)?.take(len as u64).read_to_end(&mut plain).map_err(|_| INVALID)?;
    if plain.len() == len { Ok(plain) } else { Err(DecodeError::Invalid("the length of compressed bytes")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_come_back(prefix in "[a-d ]{0,300}", text in "[a-d ]{1,300}", is_quick in any::<bool>()) {
            let trial = if is_quick { Trial::Quick } else { Trial::Thorough };
            let compressed = compress_after(prefix.as_bytes(), text.as_bytes(), trial).unwrap();
            let plain = decompress_after(prefix.as_bytes(), &compressed, text.len());
            prop_assert_eq!(plain, Ok(text.into_bytes()));
        }

        #[test]
        fn hostile_bytes_are_refused_or_some_text(bytes in prop::collection::vec(any::<u8>(), 0..200), len in 0_usize..5_000) {
            if let Ok(plain) = decompress_after(b"a prefix", &bytes, len) {
                prop_assert_eq!(plain.len(), len);
            }
        }
    }
}
