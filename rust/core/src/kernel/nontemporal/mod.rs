//! From memory to memory, for input and output that are larger than the caches.
//!
//! Reading four pages in turn was 1.35 times as fast as one after the other: the CPU does not look ahead across their
//! borders. An ordinary store reads the line that it writes to. On warm memory beyond the caches, stores that do not were
//! 1.5 to 1.9 times as fast; on fresh pages, which the system has just zeroed in cache, they were slower.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::{CpuLevel, cpu::dispatch};
use crate::frame::StoredBits;

/// Copies `src` to `out`, of equal length, without bringing `out` into the caches where the CPU can.
pub(crate) fn copy(src: &[u8], out: &mut [u8], tier: CpuLevel) {
    dispatch!(tier, copy(src, out));
}

/// Samples of 16 bits from `src` to `out`, of equal length, right-aligned as [`super::stored_bits::extract`] does it;
/// without bringing `out` into the caches if they are to be `past_caches`.
pub(crate) fn extract16(src: &[u8], out: &mut [u8], stored: StoredBits, past_caches: bool, tier: CpuLevel) {
    dispatch!(tier, extract16(src, out, stored, past_caches));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::stored_bits;
    use crate::testing::miri_or;

    #[test]
    fn samples_are_aligned_as_elsewhere() {
        let src: Vec<u8> =
            (0..miri_or(120_000_u32, 1200)).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
        for (start, end) in [
            (0, miri_or(120_000, 1200)),
            (2, miri_or(119_998, 1198)),
            (10, 70),
            (16, 16 + miri_or(16_384, 512)),
            (0, 0),
            (4, 6),
        ] {
            for (shift, bits, signed) in [(0, 12, false), (0, 12, true), (4, 12, false), (3, 5, true), (0, 1, true)] {
                let stored = StoredBits { shift, bits, signed };
                let mut expected = vec![7; end - start];
                stored_bits::extract(&src[start..end], &mut expected, 2, false, Some(stored), CpuLevel::PORTABLE);
                for tier in CpuLevel::available() {
                    for past_caches in [false, true] {
                        let mut memory = vec![7_u16; miri_or(60_001, 601)];
                        let out: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
                        extract16(&src[start..end], &mut out[2..2 + end - start], stored, past_caches, tier);
                        assert_eq!(out[2..2 + end - start], expected);
                        assert!(out[..2].iter().chain(&out[2 + end - start..]).all(|byte| [0, 7].contains(byte)));
                    }
                }
            }
        }
    }

    #[test]
    fn any_length_at_any_place_is_copied() {
        let src: Vec<u8> = (0..=255).cycle().take(miri_or(41_000, 1_100)).collect();
        for tier in CpuLevel::available() {
            for (start, length) in (0..70)
                .step_by(miri_or(1, 9))
                .flat_map(|start| [0, 1, 31, 32, 33, 63, 64, 500, miri_or(40_000, 1_000)].map(|length| (start, length)))
            {
                let mut out = vec![7; miri_or(41_000, 1_100)];
                copy(&src[start / 2..start / 2 + length], &mut out[start..start + length], tier);
                assert_eq!(out[start..start + length], src[start / 2..start / 2 + length]);
                assert!(out[..start].iter().chain(&out[start + length..]).all(|byte| *byte == 7));
            }
        }
    }
}
