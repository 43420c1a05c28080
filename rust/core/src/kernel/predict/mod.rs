//! Prediction of lossless JPEG: differences → samples (ITU-T T.81 H.1.2.1), modulo 2^16.
//!
//! ```text
//! above   … Rc Rb …      Ra, Rb and Rc are the reconstructed samples to the left, above, and above the left one,
//! row     … Ra x  …      in the component of x
//! ```
//!
//! | selection value | x = difference + … | computed as |
//! |---|---|---|
//! | 1 | Ra | running sum of the differences |
//! | 2 | Rb | vertical addition |
//! | 3 | Rc | vertical addition |
//! | 4 | Ra + Rb - Rc | x - Rb = (Ra - Rc) + difference: a running sum, then Rb is added |
//! | 5 | Ra + ((Rb - Rc) >> 1) | running sum of difference + ((Rb - Rc) >> 1) |
//! | 6 | Rb + ((Ra - Rc) >> 1) | serial along a row: several rows as a wavefront |
//! | 7 | (Ra + Rb) >> 1 | serial along a row: several rows as a wavefront |
//!
//! Running sums of several components are one chain of additions per component.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;

/// Turns the differences of the first line of a scan or restart interval into samples. The prediction is Ra, and `initial`
/// for the first pixel.
///
/// `row` has 1 to 4 `components`, interleaved by pixel.
pub(crate) fn first_row(row: &mut [u16], components: usize, initial: u16, level: CpuLevel) {
    dispatch!(level, v4 first_row(row, components, initial))
}

/// Turns the differences of `rows` into samples: whole rows below the row `above`, which has their length.
///
/// The first pixel of each row is predicted from above (Rb), the others by `selection_value` 1 to 7 (T.81 Table H.1).
/// Neighbours are unsigned 16-bit samples; halves are rounded down.
pub(crate) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8, level: CpuLevel) {
    if !above.is_empty() {
        dispatch!(level, v4 rows(rows, above, components, selection_value))
    }
}

/// Stores `(sample << shift) & mask` of sample i as `sample_bytes` (1 or 2) little-endian bytes at byte
/// `i * stride * sample_bytes` of `out`. The bytes between are unchanged.
///
/// `stride` is 1 for contiguous samples, n for one of n interleaved components. Ends with the shorter of `samples` and `out`.
pub(crate) fn store(
    samples: &[u16],
    shift: u32,
    mask: u16,
    out: &mut [u8],
    sample_bytes: usize,
    stride: usize,
    level: CpuLevel,
) {
    let mask = if shift < u16::BITS { mask } else { 0 };
    dispatch!(level, store(samples, shift, mask, out, sample_bytes, stride.max(1)))
}
