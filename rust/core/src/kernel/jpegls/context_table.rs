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
use super::decode::first_code;
use super::parameters::Parameters;

/// Column of the context of which all gradients are 0.
pub(crate) const ZERO_COLUMN: u8 = 9;
/// Rows that can be accessed; masking a row with the number below needs no bounds check.
const ROWS: usize = 512;
/// Number of columns that a byte can address.
const COLUMNS: usize = 256;

/// Part of a context that decoding needs. The alignment makes its size a factor of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(8))]
pub(crate) struct Coder {
    /// Golomb parameter k.
    pub(crate) k: u8,
    /// 63 - k, the shift of 64 bits to the k + 1 upper ones.
    pub(crate) suffix_shift: u8,
    /// 1 if the mapping of errors is inverted, otherwise 0.
    pub(crate) inversion: u8,
    /// C: correction of the prediction.
    pub(crate) correction: i8,
    /// Index of the first of the short codes of `k` and `inversion`.
    pub(crate) first_code: u16,
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

impl Coder {
    fn new(k: u32, inversion: u32) -> Self {
        let first_code = first_code(k, inversion);
        Self { k: k as u8, suffix_shift: 63 - k as u8, inversion: inversion as u8, correction: 0, first_code }
    }
}

impl ContextTable {
    /// Returns the contexts at the start of a scan or restart interval.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let sum = parameters.initial_sum();
        let coder = Coder::new(golomb_parameter(sum, 1), 0);
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
///
/// Branches are those that samples rarely take. B and C of noisy images change in half of the samples: conditional moves
/// take less time than mispredictions.
#[inline(always)]
pub(crate) fn adapt(
    coder: &mut Coder,
    sums: &mut Sums,
    bias: i32,
    magnitude: u32,
    reset: u32,
    is_lossless: bool,
) -> bool {
    let mut sum = sums.sum.wrapping_add(magnitude);
    let mut last = u32::from(sums.count);
    let mut negative_bias = i32::from(sums.negative_bias).wrapping_sub(bias);
    if last == reset {
        cold();
        sum >>= 1;
        negative_bias = negative_bias.wrapping_add(1) >> 1;
        last >>= 1;
    }
    let count = last.wrapping_add(1);
    let last = last.cast_signed();
    // -1 if B > 0, 1 if B ≤ -N, otherwise 0. N is one more than `last`.
    let step = (negative_bias >> 31).wrapping_sub(last.wrapping_sub(negative_bias) >> 31);
    let correction = i32::from(coder.correction).wrapping_sub(step);
    if let Ok(correction) = i8::try_from(correction) {
        coder.correction = correction;
    }
    let negative_bias = negative_bias.wrapping_sub(step.wrapping_mul(count.cast_signed())).min(last).max(0);
    let negative_bias = negative_bias.cast_unsigned();
    *sums = Sums { sum, count: count as u16, negative_bias: negative_bias as u16 };
    // k stays if N × 2^(k - 1) < A ≤ N × 2^k. For k = 0 there is no lower bound.
    let k = u32::from(coder.k);
    let scaled = count.wrapping_shl(k);
    let no_bound = k.wrapping_sub(1) & 1 << 31;
    let mut is_changed = scaled.wrapping_sub(sum) >= scaled >> 1 | no_bound;
    let is_inverted = |k: u32| is_lossless & (k == 0) & (negative_bias.wrapping_mul(2) >= count);
    if is_lossless {
        is_changed |= u32::from(is_inverted(k)) != u32::from(coder.inversion);
    }
    // Stored only if they change, so that the next sample of the context need not wait for this one.
    if is_changed {
        let k = golomb_parameter(sum, count);
        if k >= MAX_K {
            return false;
        }
        *coder = Coder { correction: coder.correction, ..Coder::new(k, is_inverted(k).into()) };
    }
    true
}

/// Makes the branch that calls it an unlikely one, a jump instead of conditional moves.
#[cold]
#[inline]
fn cold() {}
