//! Rows of three components to a row of interleaved pixels: doubles the chroma samples, converts to RGB and interleaves in
//! one pass, so that neither upsampled nor converted samples go through memory.
//!
//! ```text
//! Y         y0 y1 y2 y3 …          ┐
//! Cb, Cr    full, or half as many ─┼─► double ─► RGB ─► R0 G0 B0 R1 G1 B1 …
//!           (kernel::upsample)     ┘
//! ```
//!
//! # The conversion of JPEG File Interchange Format (ITU-T T.871 7)
//!
//! libjpeg-turbo's fixed-point arithmetic, with factors of 16 fractional bits. Cb and Cr are less the middle of the range (128,
//! or 2048 for 12 bits); R, G and B are clipped to the range:
//!
//! ```text
//! R = Y + (91881 Cr + 32768) >> 16                     91881 / 65536 = 1.40200
//! G = Y + (-22554 Cb - 46802 Cr + 32768) >> 16         0.34414 and 0.71414
//! B = Y + (116130 Cb + 32768) >> 16                    1.77200
//! ```
//!
//! The kernels split off multiples of 65536, so that the factors fit in 16 bits: 91881 = 65536 + 26345,
//! -46802 = 18734 - 65536, 116130 = 131072 - 14942. This is exact.

mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_body;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

use super::CpuLevel;
use super::cpu::dispatch;
use super::upsample::Sample;
use super::ybr::RgbConversion;

/// Pixels of one round of the kernels. Rows are readable up to a multiple of it; the samples after the last pixel have no
/// effect.
pub(crate) const ROUND_PIXELS: usize = 64;

/// The samples of Cb and Cr for one row of pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chroma<'a, T: Sample> {
    /// One sample per pixel.
    Full([&'a [T]; 2]),
    /// One sample per two pixels, to be doubled as by `upsample::double_row`: the left neighbour of the first sample, then the
    /// samples, then the right neighbour of the last one.
    Half([&'a [T]; 2]),
    /// As `Half`, but `upsample::vertical_sums`, to be doubled as by `upsample::double_sums`.
    HalfSums([&'a [u16]; 2]),
}

/// Writes a row of 8-bit pixels, `pixels.len() / 3` of them.
///
/// `luma` and full chroma hold at least as many samples, rounded up to a multiple of [`ROUND_PIXELS`]; half chroma holds half
/// as many, and half a round more.
pub(crate) fn write_pixels(
    luma: &[u8],
    chroma: Chroma<'_, u8>,
    conversion: Option<RgbConversion>,
    pixels: &mut [u8],
    level: CpuLevel,
) {
    dispatch!(level, v4 write_pixels(luma, chroma, conversion, pixels))
}

/// Writes a row of 12-bit pixels as samples of two bytes in native order, `pixels.len() / 6` of them. `luma` and `chroma` are
/// as for [`write_pixels`]. Converts as by T.871 if `to_rgb`.
pub(crate) fn write_pixels_12(luma: &[u16], chroma: Chroma<'_, u16>, to_rgb: bool, pixels: &mut [u8], level: CpuLevel) {
    dispatch!(level, write_pixels_12(luma, chroma, to_rgb, pixels))
}
