//! Copies for input and output that are larger than the caches.
//!
//! | technique | measured | reason |
//! |---|---|---|
//! | read four 4 KiB pages concurrently, one cache line of each in rotation | 1.35 times as fast as in order | the hardware prefetcher does not cross page boundaries |
//! | non-temporal stores | 1.5 to 1.9 times as fast on memory that is mapped and not cached | an ordinary store reads the cache line first |
//! | non-temporal stores | slower on fresh pages | the operating system has just zeroed them in cache |
//!
//! So callers choose non-temporal stores only for large output that has been written to before (`output::StoreHint`).

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::{CpuLevel, cpu::dispatch};
use crate::sample::StoredBits;

/// Copies `src` to `out` with non-temporal stores, if the CPU level has them. `src.len() == out.len()`.
pub(crate) fn copy(src: &[u8], out: &mut [u8], level: CpuLevel) {
    dispatch!(level, copy(src, out));
}

/// Extracts the stored values of 16-bit samples, as [`super::stored_bits::extract`] does, with the reads of this module.
/// Stores are non-temporal if `is_nontemporal`, otherwise ordinary ones.
///
/// `src.len() == out.len()`.
pub(crate) fn extract16(src: &[u8], out: &mut [u8], stored: StoredBits, is_nontemporal: bool, level: CpuLevel) {
    dispatch!(level, extract16(src, out, stored, is_nontemporal));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::stored_bits;
    use crate::testing::miri_or;

    #[test]
    fn extract16_any_range_equals_stored_bits_extract() {
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
                for level in CpuLevel::available() {
                    for is_nontemporal in [false, true] {
                        let mut memory = vec![7_u16; miri_or(60_001, 601)];
                        let out: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
                        extract16(&src[start..end], &mut out[2..2 + end - start], stored, is_nontemporal, level);
                        assert_eq!(out[2..2 + end - start], expected);
                        assert!(out[..2].iter().chain(&out[2 + end - start..]).all(|byte| [0, 7].contains(byte)));
                    }
                }
            }
        }
    }

    #[test]
    fn copy_any_length_and_alignment_writes_only_its_range() {
        let src: Vec<u8> = (0..=255).cycle().take(miri_or(41_000, 1_100)).collect();
        for level in CpuLevel::available() {
            for (start, length) in (0..70)
                .step_by(miri_or(1, 9))
                .flat_map(|start| [0, 1, 31, 32, 33, 63, 64, 500, miri_or(40_000, 1_000)].map(|length| (start, length)))
            {
                let mut out = vec![7; miri_or(41_000, 1_100)];
                copy(&src[start / 2..start / 2 + length], &mut out[start..start + length], level);
                assert_eq!(out[start..start + length], src[start / 2..start / 2 + length]);
                assert!(out[..start].iter().chain(&out[start + length..]).all(|byte| *byte == 7));
            }
        }
    }
}
