//! Planes to pixels: planar configuration 1, or the byte planes of RLE, to planar configuration 0.
//!
//! ```text
//! 3 planes of 1-byte elements    R0 R1 R2 R3 … │ G0 G1 G2 G3 … │ B0 B1 B2 B3 …
//! out                            R0 G0 B0  R1 G1 B1  R2 G2 B2  R3 G3 B3 …
//! ```
//!
//! Vector bodies exist for the numbers of planes of common images: 2 (16-bit), 3 (8-bit RGB), 4 (32-bit), 6 (16-bit RGB),
//! 8 (64-bit) and 12 (32-bit RGB) planes of bytes; and, at level v3, 3 planes of 16-bit or 32-bit samples (planar RGB). All
//! other cases use a loop over elements.

pub(super) mod scalar;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

use super::CpuLevel;
use super::cpu::dispatch;

/// Bytes of each plane in one round of the vector bodies for x86-64. The portable bodies have longer rounds.
const ROUND_BYTES: usize = 32;
/// Maximum number of planes of the vector bodies.
const MAX_VECTOR_PLANES: usize = 12;

/// Interleaves planes: `out` = element 0 of every plane, element 1 of every plane, …
///
/// An element is `sample_bytes` bytes: a sample, or one byte of a sample for the byte planes of RLE. All planes have equal
/// lengths, and `out.len() == planes.len() * planes[0].len()`.
pub(crate) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8], level: CpuLevel) {
    let done = interleave_vectors(planes, sample_bytes, out, level);
    if done > 0 && interleave_tail(planes, sample_bytes, out, done, level) {
        return;
    }
    if let Some(out) = out.get_mut(done * planes.len()..).filter(|out| !out.is_empty()) {
        scalar::interleave_rest(planes, sample_bytes, done, out);
    }
}

/// Interleaves as many whole vectors as there are. Returns the number of bytes done in each plane, 0 without a vector body.
fn interleave_vectors(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8], level: CpuLevel) -> usize {
    dispatch!(level, v4 interleave(planes, sample_bytes, out))
}

/// Interleaves the last round of bytes by vectors, although some of them are among the `done` ones. Returns false if that
/// does not complete `out`. A loop over elements takes as long as 20 rounds.
fn interleave_tail(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8], done: usize, level: CpuLevel) -> bool {
    let plane_bytes = planes.first().map_or(0, |plane| plane.len());
    let Some(start) = plane_bytes.checked_sub(ROUND_BYTES).filter(|start| *start <= done) else { return false };
    if plane_bytes == done {
        return true;
    }
    let mut tails: [&[u8]; MAX_VECTOR_PLANES] = [&[]; MAX_VECTOR_PLANES];
    let Some(tails) = tails.get_mut(..planes.len()) else { return false };
    for (tail, plane) in tails.iter_mut().zip(planes) {
        *tail = plane.get(start..).unwrap_or_default();
    }
    let out = out.get_mut(start * planes.len()..).unwrap_or_default();
    interleave_vectors(tails, sample_bytes, out, level) == ROUND_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::miri_or;

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte is a valid sample")]
    fn interleave_every_level_and_plane_count_equals_reference() {
        for plane_count in (1..=15).step_by(miri_or(1, 3)) {
            for sample_bytes in [1, 2, 4, 8] {
                let long = [127, miri_or(128, 32), miri_or(129, 33), miri_or(1000, 65)];
                for samples in (0..70).step_by(miri_or(1, 33)).chain(long) {
                    let bytes = samples * sample_bytes;
                    let planes: Vec<Vec<u8>> = (0..plane_count)
                        .map(|plane| (0..bytes).map(|byte| (plane * 89 + byte * 7 + byte / 256) as u8).collect())
                        .collect();
                    let planes: Vec<&[u8]> = planes.iter().map(Vec::as_slice).collect();
                    let mut expected = Vec::new();
                    for sample in 0..samples {
                        for plane in &planes {
                            expected.extend(&plane[sample * sample_bytes..(sample + 1) * sample_bytes]);
                        }
                    }
                    for level in CpuLevel::available() {
                        let mut out = vec![0; expected.len()];
                        interleave(&planes, sample_bytes, &mut out, level);
                        assert!(
                            out == expected,
                            "{plane_count} planes of {sample_bytes}, {samples} samples, {}",
                            level.name()
                        );
                    }
                }
            }
        }
    }
}
