//! Colour conversion of `YBR_FULL`, and expansion of `YBR_FULL_422` (PS3.3 C.7.6.3.1.2).
//!
//! # `YBR_FULL` to RGB
//!
//! ```text
//! R = Y + 1.402 Cr                                       Cb and Cr less 128;
//! G = Y - (0.114 × 1.772 Cb + 0.299 × 1.402 Cr) / 0.587  each sum rounded half up,
//! B = Y + 1.772 Cb                                       then clipped to 0 … 255
//! ```
//!
//! This is exact integer arithmetic, with one exception that keeps the values equal to pydicom's. pydicom 3.0.2 computes
//! in `float32` by a BLAS matrix product. Its R and B equal the formula for all 2^24 pixels, including the ties at
//! Cb = 128 ± 125 (221.5). G has ties at two pairs, Cb = 128 ± 50 with Cr = 128 ∓ 50, and there pydicom's G is one less
//! for some Y, depending on whether the BLAS kernel fuses multiply and add:
//!
//! | BLAS kernel | Cb, Cr | Y | G |
//! |---|---|---|---|
//! | with FMA (Haswell, Zen, SkylakeX, and newer) | 78, 178 | 19 to 46 | one less |
//! | without (Prescott, Nehalem, Sandybridge) | 178, 78 | 0 to 13 | one less |
//!
//! All other values are equal, for every image shape. The functions here give the values with FMA.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;

/// Conversions of luminance and colour differences to RGB. They use the same real factors and differ in rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RgbConversion {
    /// [`full_to_rgb`], equal to pydicom's conversion of `YBR_FULL`.
    Dicom,
    /// ITU-T T.871 in the fixed-point arithmetic of libjpeg-turbo (`kernel::colour_rows`). Only JPEG DCT has it.
    T871,
}

/// Expands pairs of pixels, `Y0 Y1 Cb Cr` to `Y0 Cb Cr Y1 Cb Cr`.
///
/// `out.len() == src.len() / 2 * 3`; `sample_bytes` is 1, 2, 4 or 8.
pub(crate) fn expand_422(src: &[u8], sample_bytes: usize, out: &mut [u8], level: CpuLevel) {
    match sample_bytes {
        1 => dispatch!(level, expand_422_bytes(src, out)),
        2 => scalar::expand_422::<2>(src, out),
        4 => scalar::expand_422::<4>(src, out),
        _ => scalar::expand_422::<8>(src, out),
    }
}

/// Converts 8-bit `YBR_FULL` pixels to RGB in place, as the module describes. `pixels.len()` is a multiple of 3.
pub(crate) fn full_to_rgb(pixels: &mut [u8], level: CpuLevel) {
    dispatch!(level, full_to_rgb(pixels))
}

/// G - Y before clipping is `(GREEN_CB × Cb + GREEN_CR × Cr + GREEN_HALF) >> GREEN_SHIFT`.
///
/// 20 fractional bits is the lowest precision for which constants exist that round exactly for all 2^16 pairs of Cb and Cr.
const GREEN_CB: i32 = -360_854;
const GREEN_CR: i32 = -748_827;
const GREEN_HALF: i32 = 524_300;
const GREEN_SHIFT: i32 = 20;
/// The pixels whose G is one less: Cb, Cr, the first Y, and the last Y minus the first.
pub(super) const GREEN_LESS_CB: u8 = 78;
pub(super) const GREEN_LESS_CR: u8 = 178;
pub(super) const GREEN_LESS_FIRST_Y: u8 = 19;
pub(super) const GREEN_LESS_Y_SPAN: u8 = 27;
