//! Planes → pixels.

use super::Tier;

/// Writes sample `i` of every plane side by side: `out` = plane 0 sample 0, plane 1 sample 0, … (planar configuration 0).
///
/// All planes have equal length; `out` is as long as all of them together. `sample_bytes` is the size of what stays
/// together: 1 for the byte planes of RLE.
pub(crate) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8], _tier: Tier) {
    let pixel_bytes = planes.len() * sample_bytes;
    for (index, plane) in planes.iter().enumerate() {
        for (pixel, sample) in out.chunks_exact_mut(pixel_bytes).zip(plane.chunks_exact(sample_bytes)) {
            pixel[index * sample_bytes..(index + 1) * sample_bytes].copy_from_slice(sample);
        }
    }
}
