//! Unstuffing with AVX2, 32 bytes at a time. Neighbouring bytes are compared by a second load, one byte earlier or later.

use super::scalar;
use crate::kernel::x86_memory::{load_256, store_256};
use std::arch::x86_64::*;

/// Bytes of a vector.
const VECTOR: usize = 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 4 * VECTOR;
    let bytes = src.get(from..)?;
    let next = bytes.get(1..)?;
    let clean = |pairs: &(&[u8; BLOCK], &[u8; BLOCK])| {
        let vectors = pairs.0.as_chunks::<VECTOR>().0.iter().zip(pairs.1.as_chunks::<VECTOR>().0);
        let markers = vectors.fold(_mm256_setzero_si256(), |any, (bytes, next)| {
            let stuffed = _mm256_cmpeq_epi8(load_256(next), _mm256_setzero_si256());
            _mm256_or_si256(any, _mm256_andnot_si256(stuffed, is_ff(load_256(bytes))))
        });
        _mm256_testz_si256(markers, markers) == 1
    };
    let pairs = bytes.as_chunks().0.iter().zip(next.as_chunks().0);
    scalar::find_marker(src, from + pairs.take_while(clean).count() * BLOCK)
}

/// Unstuffs 32 bytes per iteration.
///
/// ```text
/// stuffed = bits of the bytes that are 00 after FF
/// store the 32 bytes; store the bytes after the first stuffed one over it (if there is none: beyond the 32, harmless)
/// repeat the second store for further stuffed bytes
/// ```
///
/// So a branch depends only on whether there is more than one stuffed byte, which is rare and well predicted.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    let (Some(first), Some(first_out)) = (src.first(), out.first_mut()) else { return 0 };
    *first_out = *first;
    // Each window starts with the byte before the 32 bytes of the iteration.
    let (mut read, mut written) = (1, 1);
    while let Some(window) = src.get(read - 1..).and_then(|src| src.first_chunk::<{ 2 * VECTOR + 2 }>()) {
        let Some(stored) = out.get_mut(written..).and_then(|out| out.first_chunk_mut::<{ 2 * VECTOR }>()) else {
            break;
        };
        let (Some(before), Some(bytes)) =
            (window.first_chunk::<VECTOR>(), window.get(1..).and_then(|window| window.first_chunk::<VECTOR>()))
        else {
            break;
        };
        let bytes = load_256(bytes);
        let stuffed = _mm256_and_si256(is_ff(load_256(before)), _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()));
        let mut stuffed = _mm256_movemask_epi8(stuffed).cast_unsigned();
        store(stored, 0, bytes);
        let mut skipped = 0;
        loop {
            let index = stuffed.trailing_zeros() as usize;
            let Some(rest) = window.get(index + 2..).and_then(|window| window.first_chunk::<VECTOR>()) else { break };
            store(stored, index - skipped, load_256(rest));
            skipped += usize::from(stuffed != 0);
            stuffed &= stuffed.wrapping_sub(1);
            if stuffed == 0 {
                break;
            }
        }
        read += VECTOR;
        written += VECTOR - skipped;
    }
    scalar::unstuff_after(src, out, read - 1, written)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn is_ff(bytes: __m256i) -> __m256i {
    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(-1))
}

/// Stores a vector at byte `index` of `out`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn store(out: &mut [u8; 2 * VECTOR], index: usize, bytes: __m256i) {
    let Some(out) = out.get_mut(index..).and_then(|out| out.first_chunk_mut::<VECTOR>()) else {
        return debug_assert!(false, "index is at most {VECTOR}");
    };
    store_256(out, bytes);
}
