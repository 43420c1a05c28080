//! Limited Golomb codes of mapped error values (T.87 A.5.3).
//!
//! ```text
//! mapped >> k less than limit - qbpp - 1    mapped >> k zeros, a one, the low k bits of mapped
//! otherwise                                 limit - qbpp - 1 zeros, a one, the low qbpp bits of mapped - 1
//! ```

use super::bits::BitPosition;

/// Zeros of the codes that take the short path: with a one and at most 16 more bits they are within one append.
const MAX_SHORT_ZEROS: u32 = 24;

/// Lengths that limit the codes of a scan, or of a run interruption sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeLimits {
    /// Zeros of an escaped code; codes with fewer are not escaped.
    escape_zeros: u32,
    /// Bits of an escaped value (qbpp).
    escape_bits: u32,
    /// Codes with fewer zeros are short and not escaped.
    short_zeros: u32,
}

impl CodeLimits {
    /// Creates the limits for codes of at most `limit` bits, of values that need `range_bits` bits.
    #[inline]
    pub(super) fn new(limit: u32, range_bits: u32) -> Self {
        let escape_zeros = limit.saturating_sub(range_bits).saturating_sub(1);
        Self { escape_zeros, escape_bits: range_bits, short_zeros: escape_zeros.min(MAX_SHORT_ZEROS) }
    }

    /// Returns the limits of codes that are `bits` bits shorter.
    #[inline(always)]
    pub(super) fn shortened(self, bits: u32) -> Self {
        let escape_zeros = self.escape_zeros.saturating_sub(bits);
        Self { escape_zeros, short_zeros: escape_zeros.min(MAX_SHORT_ZEROS), ..self }
    }
}

/// Returns the Golomb parameter: the least k for which `count << k` is at least `sum` (T.87 A.5.1). `count` is not 0.
#[inline(always)]
pub(super) fn parameter(sum: u32, count: u32) -> u32 {
    // With this shift, `count` has as many bits as `sum`, so it may be less; with one more, it is not.
    let shift = count.leading_zeros().saturating_sub(sum.leading_zeros());
    shift.wrapping_add(u32::from(count.wrapping_shl(shift) < sum))
}

/// Appends the code of `mapped` with the Golomb parameter `k`.
#[inline(always)]
pub(super) fn append(bits: BitPosition, mapped: u32, k: u32, limits: CodeLimits, buffer: &mut [u8]) -> BitPosition {
    let zeros = mapped.wrapping_shr(k);
    if zeros < limits.short_zeros {
        bits.append(u64::from(one_and_low_bits(mapped, k)), zeros.wrapping_add(k).wrapping_add(1), buffer)
    } else {
        append_long(bits, mapped, k, limits, buffer)
    }
}

#[cold]
#[inline(never)]
fn append_long(bits: BitPosition, mapped: u32, k: u32, limits: CodeLimits, buffer: &mut [u8]) -> BitPosition {
    let zeros = mapped.wrapping_shr(k);
    if zeros < limits.escape_zeros {
        let bits = bits.append_zeros(zeros, buffer);
        return bits.append(u64::from(one_and_low_bits(mapped, k)), k.wrapping_add(1), buffer);
    }
    let bits = bits.append_zeros(limits.escape_zeros, buffer);
    let code = one_and_low_bits(mapped.wrapping_sub(1), limits.escape_bits);
    bits.append(u64::from(code), limits.escape_bits.wrapping_add(1), buffer)
}

/// Returns a one and the low `count` bits of `value`.
#[inline(always)]
fn one_and_low_bits(value: u32, count: u32) -> u32 {
    let one = 1_u32.wrapping_shl(count);
    value & one.wrapping_sub(1) | one
}
