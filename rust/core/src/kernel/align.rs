//! Stored values out of the bits that surround them (PS3.5 8.1.1): shift to bit 0, clear or sign-extend above.

use super::Tier;
use crate::frame::StoredBits;

/// Puts every sample of `samples` (`sample_bytes` = 1, 2, 4 or 8 bytes each) right-aligned, in place.
pub(crate) fn align(samples: &mut [u8], sample_bytes: usize, stored: StoredBits, _tier: Tier) {
    macro_rules! run {
        ($unsigned:ty, $signed:ty) => {{
            let up = <$unsigned>::BITS - stored.shift - stored.bits;
            let down = <$unsigned>::BITS - stored.bits;
            for sample in samples.as_chunks_mut::<{ size_of::<$unsigned>() }>().0 {
                let raised = <$unsigned>::from_le_bytes(*sample) << up;
                *sample = if stored.signed {
                    (raised.cast_signed() >> down).to_le_bytes()
                } else {
                    (raised >> down).to_le_bytes()
                };
            }
        }};
    }
    match sample_bytes {
        1 => run!(u8, i8),
        2 => run!(u16, i16),
        4 => run!(u32, i32),
        _ => run!(u64, i64),
    }
}

/// The same from `src` into `out` of equal length, in one pass; bytes of a sample are reversed first when `swap`.
pub(crate) fn align_copy(
    src: &[u8],
    out: &mut [u8],
    sample_bytes: usize,
    swap: bool,
    stored: Option<StoredBits>,
    tier: Tier,
) {
    out.copy_from_slice(src);
    if swap {
        self::swap(out, sample_bytes);
    }
    if let Some(stored) = stored {
        align(out, sample_bytes, stored, tier);
    }
}

/// Reverses the bytes of every sample.
pub(crate) fn swap(samples: &mut [u8], sample_bytes: usize) {
    for sample in samples.chunks_exact_mut(sample_bytes) {
        sample.reverse();
    }
}
