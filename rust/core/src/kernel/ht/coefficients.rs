//! Words of samples to coefficients.
//!
//! | | word of a sample | signed magnitude |
//! |---|---|---|
//! | bit 0 | significance | |
//! | bit 1 | sign | |
//! | from bit 2 on | magnitude - 1, in units of the last bit-plane | |
//! | bits 0 to 30 | | twice the magnitude, the middle of its interval |
//! | bit 31 | | sign |
//!
//! A magnitude is known up to bit-plane p. Its value is the middle of the interval, so twice the value is an integer:
//! (2 μ + 1) × 2^p. Reversible coefficients are rounded towards zero. Example: magnitude 5 with p = 2 is 20 to 23, and becomes
//! 22, or 22 × step; with p = 0 it is 5, or 5.5 × step.

use crate::kernel::code_block::Dequantization;

/// Bit of signed magnitudes.
pub(super) const SIGN: u32 = 1 << 31;

/// Conversion of the samples of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// Last bit-plane of the cleanup pass, 0 to 29.
    pub bit_plane: u32,
    pub roi_shift: u32,
    /// `None`: signed magnitudes are written, for the refinement passes.
    pub dequantization: Option<Dequantization>,
}

/// Returns the signed magnitude of a word.
#[inline(always)]
const fn signed_magnitude(word: u32, bit_plane: u32) -> u32 {
    let magnitude = (word >> 1 | 1).wrapping_add(2).wrapping_shl(bit_plane);
    (magnitude & !SIGN | (word << 30 & SIGN)) & 0_u32.wrapping_sub(word & 1)
}

/// Scales the magnitude of a coefficient in a region of interest down (T.800 H.1): magnitudes of other coefficients are below
/// 2^shift.
#[inline(always)]
const fn scale_roi(signed: u32, roi_shift: u32) -> u32 {
    let magnitude = signed & !SIGN;
    if (magnitude as u64) >> (roi_shift + 1) == 0 { signed } else { magnitude >> roi_shift | signed & SIGN }
}

#[inline(always)]
const fn reversible(signed: u32) -> i32 {
    let (magnitude, sign) = ((signed & !SIGN) >> 1, signed.cast_signed() >> 31);
    (magnitude.cast_signed() ^ sign) - sign
}

#[inline(always)]
const fn irreversible(signed: u32, half_step: f32) -> i32 {
    let (magnitude, sign) = (signed & !SIGN, signed.cast_signed() >> 31);
    (((magnitude.cast_signed() ^ sign) - sign) as f32 * half_step).to_bits().cast_signed()
}

/// Replaces the words of a row by its coefficients.
#[inline(always)]
pub(super) fn convert_words(output: &Output, row: &mut [i32]) {
    let signed = |word: i32| signed_magnitude(word.cast_unsigned(), output.bit_plane);
    match (output.dequantization, output.roi_shift) {
        (None, _) => row.iter_mut().for_each(|word| *word = signed(*word).cast_signed()),
        (Some(Dequantization::Reversible), 0) => row.iter_mut().for_each(|word| *word = reversible(signed(*word))),
        (Some(Dequantization::Irreversible { step }), 0) => {
            row.iter_mut().for_each(|word| *word = irreversible(signed(*word), 0.5 * step));
        }
        (Some(dequantization), shift) => {
            row.iter_mut().for_each(|word| *word = coefficient(scale_roi(signed(*word), shift), dequantization));
        }
    }
}

#[inline(always)]
fn coefficient(signed: u32, dequantization: Dequantization) -> i32 {
    match dequantization {
        Dequantization::Reversible => reversible(signed),
        Dequantization::Irreversible { step } => irreversible(signed, 0.5 * step),
    }
}

/// Converts signed magnitudes to coefficients.
pub(super) fn convert_row(dequantization: Dequantization, roi_shift: u32, row: &mut [i32]) {
    for value in row {
        let signed = value.cast_unsigned();
        let signed = if roi_shift > 0 { scale_roi(signed, roi_shift) } else { signed };
        *value = coefficient(signed, dequantization);
    }
}
