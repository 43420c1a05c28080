//! Bit-planes to coefficients.
//!
//! Magnitudes have one fractional bit. A coefficient whose lowest decoded bit-plane is `b` gets a one in bit-plane `b - 1`,
//! the midpoint of its interval (r = 1/2 in T.800 Equation E-6). Of plane 0 of the reversible transform nothing is below.
//!
//! ```text
//! planes          30  …  1 │ 0          plane q has bit q of the doubled magnitude
//!                 magnitude│ half
//! reversible      magnitude >> 1, with the sign
//! irreversible    doubled magnitude, with the sign, as f32 × (step / 2)
//! ```

#![allow(clippy::indexing_slicing, reason = "indices are those of words of the grid")]

use super::bitmaps::{COLUMN_BITS, Grid, STRIPE_ROWS, WORD_COLUMNS, Word};
use crate::kernel::code_block::Dequantization;

/// Decoded bit-planes of a block.
pub(super) struct Planes<'a> {
    pub(super) grid: Grid,
    pub(super) words: &'a [Word],
    /// Words of plane 0, then those of plane 1, …
    pub(super) planes: &'a [u64],
    /// Lowest and highest plane with bits.
    pub(super) lowest: usize,
    pub(super) highest: usize,
    pub(super) roi_shift: u32,
    pub(super) dequantization: Dequantization,
}

/// Coefficients in the order of a row of a word.
type Row = [u32; WORD_COLUMNS];

/// Stores all coefficients of the block at the start of `out`, whose rows are `stride` apart.
#[inline(always)]
pub(super) fn store(planes: &Planes<'_>, out: &mut [i32], stride: usize) {
    let grid = planes.grid;
    let word_count = grid.word_count();
    for stripe in 0..grid.stripes {
        let rows = STRIPE_ROWS.min(grid.height - stripe * STRIPE_ROWS);
        for column in 0..grid.columns {
            let index = grid.first_word(stripe) + column;
            let word = planes.words[index];
            let first_column = column * WORD_COLUMNS;
            let columns = WORD_COLUMNS.min(grid.width - first_column);
            let mut magnitudes = [Row::default(); STRIPE_ROWS];
            if word.significant != 0 {
                for plane in (planes.lowest..=planes.highest).rev() {
                    push_bits(&mut magnitudes, planes.planes[plane * word_count + index]);
                }
            }
            for (row, magnitudes) in magnitudes.iter().enumerate().take(rows) {
                let start = (stripe * STRIPE_ROWS + row) * stride + first_column;
                let signs = word.negative >> row;
                for (column, (coefficient, magnitude)) in
                    out[start..start + columns].iter_mut().zip(magnitudes).enumerate()
                {
                    let is_negative = signs >> (column * COLUMN_BITS) & 1 != 0;
                    *coefficient = coefficient_of(planes, magnitude << planes.lowest, is_negative);
                }
            }
        }
    }
}

/// Appends a bit-plane to the magnitudes of a word.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "single bits")]
fn push_bits(magnitudes: &mut [Row; STRIPE_ROWS], bits: u64) {
    for (row, magnitudes) in magnitudes.iter_mut().enumerate() {
        for (column, magnitude) in magnitudes.iter_mut().enumerate() {
            *magnitude = *magnitude << 1 | (bits >> (column * COLUMN_BITS + row)) as u32 & 1;
        }
    }
}

/// Returns a coefficient from its doubled magnitude.
#[inline(always)]
#[allow(clippy::cast_precision_loss, reason = "rounded to nearest, on every CPU level")]
fn coefficient_of(planes: &Planes<'_>, doubled: u32, is_negative: bool) -> i32 {
    let doubled = scale_roi(doubled, planes.roi_shift).cast_signed();
    let signed = |value: i32| if is_negative { -value } else { value };
    match planes.dequantization {
        Dequantization::Reversible => signed(doubled >> 1),
        Dequantization::Irreversible { step } => (signed(doubled) as f32 * (step * 0.5)).to_bits().cast_signed(),
    }
}

/// Scales a magnitude of the region of interest down (T.800 H.1); the others are below 2^shift.
#[inline(always)]
pub(super) fn scale_roi(doubled: u32, roi_shift: u32) -> u32 {
    if roi_shift > 0 && u64::from(doubled) >> 1 >> roi_shift.min(63) != 0 { doubled >> roi_shift } else { doubled }
}

/// Adds the midpoints below the lowest decoded bit-plane, and returns the lowest plane with bits.
///
/// `plane` is the bit-plane of the last pass, in which `words` have their significance. A significance propagation pass
/// (`is_partial`) leaves the coefficients that it did not visit at the bit-plane above.
#[inline(always)]
pub(super) fn add_midpoints(
    words: &[Word],
    planes: &mut [u64],
    plane: usize,
    is_partial: bool,
    dequantization: Dequantization,
) -> usize {
    if plane == 1 && !is_partial && dequantization == Dequantization::Reversible {
        return plane;
    }
    let (below, from) = planes.split_at_mut(plane * words.len());
    let start = (plane - 1) * words.len();
    for ((word, below), bits) in words.iter().zip(&mut below[start..]).zip(from) {
        *below = if is_partial { *bits } else { word.significant };
        if is_partial {
            *bits |= word.significant;
        }
    }
    plane - 1
}
