//! Planes → pixels.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::CpuLevel;

/// Writes sample `i` of every plane side by side: `out` = plane 0 sample 0, plane 1 sample 0, … (planar configuration 0).
///
/// All planes have equal length; `out` is as long as all of them together. `sample_bytes` is the size of what stays
/// together: 1 for the byte planes of RLE.
pub(crate) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8], tier: CpuLevel) {
    let done = vectors(planes, sample_bytes, out, tier);
    if let Some(out) = out.get_mut(done * planes.len()..).filter(|out| !out.is_empty()) {
        scalar::rest(planes, sample_bytes, done, out);
    }
}

/// As much as whole vectors hold: how many bytes of each plane.
fn vectors(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8], tier: CpuLevel) -> usize {
    #[cfg(target_arch = "x86_64")]
    if tier.is_v3() {
        // SAFETY: holding a v3 CpuLevel proves detection.
        #[allow(unsafe_code)]
        return unsafe { x86::interleave(planes, sample_bytes, out) };
    }
    let _ = tier;
    scalar::interleave(planes, sample_bytes, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::miri_or;

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn every_tier_puts_samples_side_by_side() {
        for count in (1..=15).step_by(miri_or(1, 3)) {
            for sample_bytes in [1, 2, 4, 8] {
                for samples in
                    (0..70).step_by(miri_or(1, 33)).chain([127, miri_or(128, 32), miri_or(129, 33), miri_or(1000, 65)])
                {
                    let bytes = samples * sample_bytes;
                    let planes: Vec<Vec<u8>> = (0..count)
                        .map(|plane| (0..bytes).map(|at| (plane * 89 + at * 7 + at / 256) as u8).collect())
                        .collect();
                    let planes: Vec<&[u8]> = planes.iter().map(Vec::as_slice).collect();
                    let mut expected = Vec::new();
                    for sample in 0..samples {
                        for plane in &planes {
                            expected.extend(&plane[sample * sample_bytes..(sample + 1) * sample_bytes]);
                        }
                    }
                    for tier in CpuLevel::available() {
                        let mut out = vec![0; expected.len()];
                        interleave(&planes, sample_bytes, &mut out, tier);
                        assert!(
                            out == expected,
                            "{count} planes of {sample_bytes}, {samples} samples, {}",
                            tier.name()
                        );
                    }
                }
            }
        }
    }
}
