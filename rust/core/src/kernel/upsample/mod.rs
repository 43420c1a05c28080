//! Upsampling of components with fewer samples than the image has pixels, as libjpeg-turbo does by default.
//!
//! T.81 does not define a filter. libjpeg-turbo ("fancy upsampling") interpolates linearly between the centres of the
//! samples if the ratio is 2; it repeats samples for all other ratios:
//!
//! ```text
//! samples       │      s0       │      s1       │      s2       │
//! pixels        │  p0   │  p1   │  p2   │  p3   │  p4   │  p5   │
//!
//! p2 = (3 s1 + s0 + 1) / 4      3/4 of the nearer sample, 1/4 of the other one
//! p3 = (3 s1 + s2 + 2) / 4      rounded up and down alternately, so that the mean does not change
//! ```
//!
//! Horizontally and vertically, the vertical sum comes first and is not rounded:
//! `v = 3 near + far` for each column, then `(3 v1 + v0 + 8) / 16` and `(3 v1 + v2 + 7) / 16`.
//!
//! At the edges of a component its last sample is repeated: the caller stores it before the first and after the last sample
//! of a row, and passes the first or last row twice.
//!
//! Samples have 8 bits (`u8`) or 12 bits (`u16`). All sums fit in 16 bits: 16 × 4095 + 8 = 65,528.

pub(super) mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::CpuLevel;
use super::cpu::dispatch;
pub(crate) use scalar::Sample;

/// The row whose samples have the weight 1/4 in vertical interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FarRow {
    /// The row above the nearer one; for pixel rows with an even index.
    Above,
    /// The row below the nearer one.
    Below,
}

/// Doubles a row horizontally: two pixels for each sample except the first and the last, which are the neighbours of the
/// edge. `pixels.len() == 2 * (samples.len() - 2)`.
pub(crate) fn double_row<T: Sample>(samples: &[T], pixels: &mut [T], level: CpuLevel) {
    dispatch!(level, double_row::<T>(samples, pixels))
}

/// Stores `3 near + far` for each sample. All slices have equal lengths.
pub(crate) fn vertical_sums<T: Sample>(near: &[T], far: &[T], sums: &mut [u16], level: CpuLevel) {
    dispatch!(level, vertical_sums::<T>(near, far, sums))
}

/// Doubles a row of [`vertical_sums`] horizontally, as [`double_row`].
pub(crate) fn double_sums<T: Sample>(sums: &[u16], pixels: &mut [T], level: CpuLevel) {
    dispatch!(level, double_sums::<T>(sums, pixels))
}

/// Interpolates between two rows. All slices have equal lengths.
pub(crate) fn between_rows<T: Sample>(near: &[T], far: &[T], far_row: FarRow, pixels: &mut [T], level: CpuLevel) {
    dispatch!(level, between_rows::<T>(near, far, far_row, pixels))
}

/// Repeats each sample `ratio` times. `pixels.len() <= ratio * samples.len()`.
pub(crate) fn repeat<T: Sample>(samples: &[T], ratio: usize, pixels: &mut [T], level: CpuLevel) {
    dispatch!(level, repeat::<T>(samples, ratio, pixels))
}
