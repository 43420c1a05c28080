//! Differences → samples (ITU-T T.81 H.1.2.1), all modulo 2^16.
//!
//! ```text
//!   above   … Rc Rb …      Ra, Rb and Rc are the neighbours of x in its own component: the samples that were
//!   row     … Ra x  …      reconstructed to the left, above, and above the left one
//! ```

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;

/// First line of a scan or restart interval: prediction is the sample to the left (Ra); the first pixel's is `initial`.
///
/// `row` holds differences, 1 to 4 `components` interleaved by pixel, and becomes samples.
pub(crate) fn first_row(row: &mut [u16], components: usize, initial: u16, tier: CpuLevel) {
    dispatch!(tier, v4 first_row(row, components, initial))
}

/// One or more whole rows below `above`, whose length is that of a row: differences become samples.
///
/// In each row the first pixel is predicted from above (Rb), the others by `selection_value` 1 to 7 (T.81 Table H.1).
/// Samples are kept modulo 2^16 and are 16-bit unsigned as neighbours; halves are rounded down.
pub(crate) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8, tier: CpuLevel) {
    if !above.is_empty() {
        dispatch!(tier, v4 rows(rows, above, components, selection_value))
    }
}

/// Stores `(sample << shift) & mask` of sample i as `sample_bytes` (1 or 2) little-endian bytes of `out`, from
/// `i * stride * sample_bytes` on, and leaves the bytes between as they are.
///
/// `stride` is 1 for samples that lie side by side, n for one component of n. Stops where the first of both ends.
pub(crate) fn store(
    samples: &[u16],
    shift: u32,
    mask: u16,
    out: &mut [u8],
    sample_bytes: usize,
    stride: usize,
    tier: CpuLevel,
) {
    let mask = if shift < u16::BITS { mask } else { 0 };
    dispatch!(tier, store(samples, shift, mask, out, sample_bytes, stride.max(1)))
}
