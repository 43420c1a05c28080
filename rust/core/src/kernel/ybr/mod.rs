//! `YBR_FULL` and `YBR_FULL_422` (PS3.3 C.7.6.3.1.2).

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;

/// `Y0 Y1 Cb Cr` → `Y0 Cb Cr Y1 Cb Cr`, samples of `sample_bytes`; `out` is 3/2 as long as `src`.
pub(crate) fn expand_422(src: &[u8], sample_bytes: usize, out: &mut [u8], tier: CpuLevel) {
    match sample_bytes {
        1 => dispatch!(tier, expand_422_bytes(src, out)),
        2 => scalar::expand_422::<2>(src, out),
        4 => scalar::expand_422::<4>(src, out),
        _ => scalar::expand_422::<8>(src, out),
    }
}

/// 8-bit `YBR_FULL` pixels → RGB in place, with the values of pydicom's conversion.
///
/// `R = Y + 1.402 Cr`, `G = Y - (0.114 × 1.772 Cb + 0.299 × 1.402 Cr) / 0.587`, `B = Y + 1.772 Cb` with Cb and
/// Cr less 128, rounded half up and clipped. R and B of pydicom 3.0.2 are exactly that for all 2^24 pixels, the
/// ties at Cb = 128 ± 125 (221.5) included. It computes in `float32` by way of BLAS, so its G departs
/// at one of the two pairs that are ties, Cb = 128 ± 50 with Cr = 128 ∓ 50, depending on whether BLAS fuses
/// multiply and add:
///
/// | BLAS kernel | Cb, Cr | Y | G |
/// |---|---|---|---|
/// | with FMA (Haswell, Zen, SkylakeX, and newer) | 78, 178 | 19 to 46 | one less |
/// | without (Prescott, Nehalem, Sandybridge) | 178, 78 | 0 to 13 | one less |
///
/// All else is alike, whatever the shape of the image. The values here are those with FMA.
pub(crate) fn full_to_rgb(pixels: &mut [u8], tier: CpuLevel) {
    dispatch!(tier, full_to_rgb(pixels))
}

/// G less Y is `(GREEN_CB × Cb + GREEN_CR × Cr + GREEN_HALF) >> GREEN_SHIFT`: with 20 bits the least precision at
/// which any constants give the exact rounding for all 2^16 pairs.
const GREEN_CB: i32 = -360_854;
const GREEN_CR: i32 = -748_827;
const GREEN_HALF: i32 = 524_300;
const GREEN_SHIFT: i32 = 20;
/// Where G is one less: Cb, Cr, the first Y and how many follow it.
const GREEN_LESS: [u8; 4] = [78, 178, 19, 27];
