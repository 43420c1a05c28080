//! Unstuffing with AVX2, 32 bytes at a time. Neighbouring bytes are compared by a second load, one byte earlier or later.

use super::scalar;
use crate::kernel::x86_memory::load_256;
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
    let (first_src, first_out) = (src.as_ptr(), out.as_mut_ptr());
    let (mut read, mut written) = (1, 1);
    let (last_read, last_written) = (src.len().saturating_sub(2 * VECTOR + 1), out.len().saturating_sub(2 * VECTOR));
    while read <= last_read && written <= last_written {
        // SAFETY: `index` is at most VECTOR, because a mask has VECTOR bits, and `skipped` is at most `index`, because each
        // skipped byte is before it. So reads end at `read` + 2 * VECTOR + 1 or before, and stores at `written` + 2 * VECTOR
        // or before, which the loop condition keeps inside of `src` and `out`. The byte before `read` exists, as `read` is
        // at least 1.
        #[allow(unsafe_code)]
        unsafe {
            let (src, out) = (first_src.add(read), first_out.add(written));
            let bytes = _mm256_loadu_si256(src.cast());
            let is_stuffed = _mm256_and_si256(
                is_ff(_mm256_loadu_si256(src.sub(1).cast())),
                _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()),
            );
            let mut stuffed = _mm256_movemask_epi8(is_stuffed).cast_unsigned();
            _mm256_storeu_si256(out.cast(), bytes);
            let count = stuffed.count_ones() as usize;
            let mut skipped = 0;
            loop {
                let index = stuffed.trailing_zeros() as usize;
                let rest = _mm256_loadu_si256(src.add(index + 1).cast());
                _mm256_storeu_si256(out.add(index - skipped).cast(), rest);
                stuffed = _blsr_u32(stuffed);
                if stuffed == 0 {
                    break;
                }
                skipped += 1;
            }
            read += VECTOR;
            written += VECTOR - count;
        }
    }
    scalar::unstuff_after(src, out, read - 1, written)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn is_ff(bytes: __m256i) -> __m256i {
    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(-1))
}
