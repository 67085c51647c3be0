//! Why bytes are not a frame or a block.

/// Why bytes are not a frame or a block. Hostile bytes end here, never in a panic or an unbounded allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("the bytes end before the value does")]
    Truncated,
    /// Written by a newer version, or not one of ours.
    #[error("version {0} is not known here: a newer Procession wrote it")]
    UnknownVersion(u8),
    /// A checksum does not fit.
    #[error("the checksum of {0} does not fit its bytes")]
    Checksum(&'static str),
    /// A count or length is over its limit.
    #[error("{0} is over its limit")]
    OverLimit(&'static str),
    /// A value that no encoder writes.
    #[error("{0} has a value that no encoder writes")]
    Invalid(&'static str),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
}
