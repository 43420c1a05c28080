//! The regular contexts, laid out for fast access.
//!
//! A context is stored in two parts, because the decoder needs one of them long before the other: k and C to decode the
//! next sample, A, B and N to adapt after it. k is cached; it changes with few samples.
//!
//! ```text
//! index = row + column      row     |81 × Q(D1) + 9 × Q(D2)|, known from the line above; plus 1 if not 0
//!                           column  4 + Q(D3), with the sign of the context: 0 to 8; 9 if all gradients are 0
//! ```
//!
//! The column of the context of which all gradients are 0 is different from all others, because it selects run mode.

#![allow(clippy::cast_possible_truncation, reason = "N and -B are below 2^16, k is at most 16")]

use super::contexts::{MAX_K, golomb_parameter};
use super::parameters::Parameters;

/// Column of the context of which all gradients are 0.
pub(crate) const ZERO_COLUMN: u8 = 9;
/// Rows that can be accessed; masking a row with the number below needs no bounds check.
const ROWS: usize = 512;
/// Number of columns that a byte can address.
const COLUMNS: usize = 256;

/// Part of a context that decoding needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coder {
    /// Golomb parameter k.
    pub(crate) k: u8,
    /// 63 - k, the shift of 64 bits to the k + 1 upper ones.
    pub(crate) suffix_shift: u8,
    /// 1 if the mapping of errors is inverted, otherwise 0.
    pub(crate) inversion: u8,
    /// C: correction of the prediction.
    pub(crate) correction: i8,
}

/// Part of a context that adapting needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    /// A: sum of the magnitudes of prediction errors.
    sum: u32,
    /// N: number of samples.
    count: u16,
    /// -B: 0 to N - 1.
    negative_bias: u16,
}

/// The contexts of regular mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContextTable {
    coders: [Coder; ROWS + COLUMNS],
    sums: [Sums; ROWS + COLUMNS],
}

/// Returns the row for 81 × Q(D1) + 9 × Q(D2).
#[inline(always)]
pub(crate) fn row_of(gradients: i16) -> u16 {
    gradients.unsigned_abs().wrapping_add(gradients.unsigned_abs().min(1))
}

/// Returns the column for Q(D3), and -1 if the context is used with opposite sign, otherwise 0. `sign` is that of
/// 81 × Q(D1) + 9 × Q(D2).
pub(crate) fn column_of(sign: i32, quantized: i32) -> (u8, i8) {
    if sign == 0 && quantized == 0 {
        return (ZERO_COLUMN, 0);
    }
    let is_negative = sign < 0 || (sign == 0 && quantized < 0);
    let value = if is_negative { -quantized } else { quantized };
    ((4 + value) as u8, -i8::from(is_negative))
}

impl ContextTable {
    /// Returns the contexts at the start of a scan or restart interval.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let sum = parameters.initial_sum();
        let k = golomb_parameter(sum, 1) as u8;
        let coder = Coder { k, suffix_shift: 63 - k, inversion: 0, correction: 0 };
        Self { coders: [coder; ROWS + COLUMNS], sums: [Sums { sum, count: 1, negative_bias: 0 }; ROWS + COLUMNS] }
    }

    /// Returns the context of a row and column.
    #[inline(always)]
    pub(crate) fn at(&mut self, row: u16, column: u8) -> (&mut Coder, &mut Sums) {
        let row = usize::from(row) % ROWS;
        let column = usize::from(column);
        // Constant bounds: the compiler proves them, and the column alone is added on the critical path.
        #[allow(clippy::indexing_slicing, reason = "row < ROWS and column < COLUMNS")]
        (&mut self.coders[row..row + COLUMNS][column], &mut self.sums[row..row + COLUMNS][column])
    }
}

/// Adapts a context to a prediction error with the sign of the context, of the given magnitude; `bias` is the error times
/// 2 × NEAR + 1. Returns false if the sums exceed those of any image.
#[inline(always)]
pub(crate) fn adapt(
    coder: &mut Coder,
    sums: &mut Sums,
    bias: i32,
    magnitude: u32,
    reset: u32,
    is_lossless: bool,
) -> bool {
    let k = u32::from(coder.k);
    let mut sum = sums.sum.wrapping_add(magnitude);
    let mut count = u32::from(sums.count);
    let mut bias = bias.wrapping_sub(i32::from(sums.negative_bias));
    if count == reset {
        sum >>= 1;
        bias >>= 1;
        count >>= 1;
    }
    // -1 if B ≤ -N, 1 if B > 0, otherwise 0. N is one more than `count`.
    let step = (bias.wrapping_add(count.cast_signed()) >> 31).wrapping_sub(bias.wrapping_neg() >> 31);
    let lowest = count.cast_signed().wrapping_neg();
    count = count.wrapping_add(1);
    let bias = bias.wrapping_sub(step.wrapping_mul(count.cast_signed())).min(0).max(lowest);
    let correction = i32::from(coder.correction).wrapping_add(step);
    if let Ok(correction) = i8::try_from(correction) {
        coder.correction = correction;
    }
    let negative_bias = bias.wrapping_neg().cast_unsigned();
    *sums = Sums { sum, count: count as u16, negative_bias: negative_bias as u16 };
    let mut is_zero = k == 0;
    // k stays if N × 2^(k - 1) < A ≤ N × 2^k. The lower bound of k = 0 is 0: a sum of 0 is tested in vain.
    let scaled = count.wrapping_shl(k);
    let above_zero = (k.wrapping_neg().cast_signed() >> 31).cast_unsigned();
    if sum > scaled || sum <= (scaled >> 1) & above_zero {
        let k = golomb_parameter(sum, count);
        if k >= MAX_K {
            return false;
        }
        coder.k = k as u8;
        coder.suffix_shift = 63 - k as u8;
        is_zero = k == 0;
    }
    if is_lossless {
        coder.inversion = u8::from(is_zero & (negative_bias.wrapping_mul(2) >= count));
    }
    true
}
