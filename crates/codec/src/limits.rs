//! How much a frame and a state may hold. `docs/FORMAT.md` names these; what is over them is refused when it comes in, so
//! whatever a state took can be written and read again.

/// The most slots a host may have, and so the most processes at one time.
pub const SLOTS_MAX: u32 = 1 << 17;
/// [`SLOTS_MAX`] as a length.
pub const PROCESSES_MAX: usize = SLOTS_MAX as usize;
/// The most entries in `brief` of a frame.
pub const BRIEF_MAX: usize = 1 << 16;
/// The most entries in `losses` of a frame.
pub const LOSSES_MAX: usize = 1_024;
/// The most entries in `field_errors` of a frame.
pub const FIELD_ERRORS_MAX: usize = 256;
/// The longest string in bytes.
pub const STRING_BYTES_MAX: usize = 1 << 18;
/// All strings of the processes of one snapshot together, in bytes, as if each were kept for each process.
pub const STRINGS_BYTES_MAX: usize = 24 << 20;
/// The body of a frame before compression, in bytes. Everything above fits into it.
pub const FRAME_BODY_BYTES_MAX: usize = 64 << 20;
