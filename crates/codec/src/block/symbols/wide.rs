//! Sixteen numbers of 16 bits are one register of AVX2, and two of what every x86-64 has.

/// Does it with AVX2, and with the counts and shifts of bits that came beside it, where the processor has all of them: counting
/// without them takes a third of the time of a symbol. The work must be inlined to gain by it.
#[cfg(target_arch = "x86_64")]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        #[expect(unsafe_code, reason = "the condition above is all that the call asks for")]
        return unsafe { with_avx2(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt,lzcnt,bmi1,bmi2")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Elsewhere the registers that are always there are as wide as any.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    work()
}
