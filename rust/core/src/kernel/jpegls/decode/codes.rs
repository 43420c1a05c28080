//! Table of the short Golomb codes, for scans of 8 bits.
//!
//! ```text
//! index      256 × set + next 8 bits
//! set        0: k = 0 and inverted mapping; k + 1: k, mapping not inverted
//! example    k = 2, bits 0110 1011: one zero, suffix 10, 4 bits; mapped value 1 × 4 + 2 = 6, prediction error 3
//! ```

#![allow(clippy::cast_possible_truncation, reason = "codes have at most 8 bits, values at most 7")]

/// Bits that a code in the table has at most.
const CODE_BITS: u32 = 8;
/// Number of sets. Codes of k = 8 and above are longer than those in the table: the last sets are empty.
const SETS: u32 = 16;
const CODE_COUNT: usize = (SETS as usize) << CODE_BITS;

/// Golomb code, and the prediction error that it represents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    /// Bits of the code; 0 if it is longer than [`CODE_BITS`].
    pub(super) length: u8,
    /// Magnitude of the prediction error.
    pub(super) magnitude: u8,
    /// Prediction error.
    pub(super) error: i8,
}

/// Codes by set and next bits. Four bytes per code, so that the index is not multiplied.
static CODES: [Aligned; CODE_COUNT] = codes();

#[derive(Debug, Clone, Copy)]
#[repr(align(4))]
struct Aligned(Code);

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn codes() -> [Aligned; CODE_COUNT] {
    let mut codes = [Aligned(Code { length: 0, magnitude: 0, error: 0 }); CODE_COUNT];
    let mut index = 0;
    while index < CODE_COUNT {
        let set = index as u32 >> CODE_BITS;
        let (k, inversion) = if set == 0 { (0, 1) } else { (set - 1, 0) };
        let bits = (index as u32) << (u32::BITS - CODE_BITS);
        let zeros = bits.leading_zeros();
        let length = zeros + 1 + k;
        if length <= CODE_BITS {
            let suffix = (bits >> (u32::BITS - length)) & ((1 << k) - 1);
            let mapped = ((zeros << k) + suffix) ^ inversion;
            let error = (mapped >> 1) as i8 ^ -((mapped & 1) as i8);
            codes[index] = Aligned(Code { length: length as u8, magnitude: error.unsigned_abs(), error });
        }
        index += 1;
    }
    codes
}

/// Returns the index of the first code of a set.
pub(in crate::kernel::jpegls) fn first_code(k: u32, inversion: u32) -> u16 {
    ((k + 1).saturating_sub(inversion).min(SETS - 1) << CODE_BITS) as u16
}

/// Returns the code at the start of `window`. `first` is from [`first_code`].
#[inline(always)]
pub(super) fn code_at(first: u16, window: u64) -> Code {
    let index = usize::from(first).wrapping_add((window >> (u64::BITS - CODE_BITS)) as usize);
    #[allow(clippy::indexing_slicing, reason = "the index is below CODE_COUNT")]
    CODES[index % CODE_COUNT].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_at_equals_the_definition_of_golomb_codes() {
        for (k, inversion) in (0..16).map(|k| (k, 0)).chain([(0, 1)]) {
            let mut code_count = 0;
            for mapped in 0_u32..1 << CODE_BITS {
                let zeros = mapped >> k;
                let length = zeros + 1 + k;
                if length > CODE_BITS {
                    continue;
                }
                let code = u64::from(1_u32 << k | mapped & ((1 << k) - 1)) << (64 - length);
                let value = (mapped ^ inversion).cast_signed();
                let error = if value % 2 == 0 { value / 2 } else { -(value + 1) / 2 };
                let expected = Code { length: length as u8, magnitude: error.unsigned_abs() as u8, error: error as i8 };
                // Bits after the code do not matter.
                for rest in [0, u64::MAX >> length] {
                    assert_eq!(code_at(first_code(k, inversion), code | rest), expected, "k {k}, {mapped}");
                }
                code_count += 1 << (CODE_BITS - length);
            }
            let first = first_code(k, inversion);
            let found = (0..1 << CODE_BITS).filter(|bits| code_at(first, bits << 56).length > 0).count();
            assert_eq!(found, code_count, "other bits have no code, k {k}");
        }
    }
}
