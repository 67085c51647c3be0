//! Sixteen numbers of 16 bits are one register of AVX2, and two of what every x86-64 has.

/// Does it with AVX2 where the processor has it. The work must be inlined to gain by it.
#[cfg(target_arch = "x86_64")]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the line above is all that the call asks for")]
        return unsafe { with_avx2(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Elsewhere the registers that are always there are as wide as any.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    work()
}
