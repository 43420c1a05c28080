//! 32 bytes at a time; what lies before and behind them is loaded again, one byte on.

use super::scalar;
use std::arch::x86_64::*;

/// What one load reads.
const VECTOR: usize = 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 4 * VECTOR;
    let bytes = src.get(from..)?;
    let next = bytes.get(1..)?;
    let clean = |pairs: &(&[u8; BLOCK], &[u8; BLOCK])| {
        let vectors = pairs.0.as_chunks().0.iter().zip(pairs.1.as_chunks().0);
        let markers = vectors.fold(_mm256_setzero_si256(), |found, (bytes, next)| {
            let stuffed = _mm256_cmpeq_epi8(load(next), _mm256_setzero_si256());
            _mm256_or_si256(found, _mm256_andnot_si256(stuffed, is_ff(load(bytes))))
        });
        _mm256_testz_si256(markers, markers) == 1
    };
    let pairs = bytes.as_chunks().0.iter().zip(next.as_chunks().0);
    scalar::find_marker(src, from + pairs.take_while(clean).count() * BLOCK)
}

/// Each turn stores 32 bytes as they are, and again what follows the first stuffed 00 among them: no branch depends on
/// whether there is one, only on whether there are more.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    let (Some(first), Some(place)) = (src.first(), out.first_mut()) else { return 0 };
    *place = *first;
    // Each window begins with the byte before the 32 of the turn.
    let (mut at, mut written) = (1, 1);
    while let Some(window) = src.get(at - 1..).and_then(|src| src.first_chunk::<{ 2 * VECTOR + 2 }>()) {
        let Some(place) = out.get_mut(written..).and_then(|out| out.first_chunk_mut::<{ 2 * VECTOR }>()) else { break };
        let (Some(before), Some(bytes)) =
            (window.first_chunk(), window.get(1..).and_then(|window| window.first_chunk()))
        else {
            break;
        };
        let bytes = load(bytes);
        let stuffed = _mm256_and_si256(is_ff(load(before)), _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()));
        let mut stuffed = _mm256_movemask_epi8(stuffed).cast_unsigned();
        store(place, 0, bytes);
        let mut skipped = 0;
        loop {
            let index = stuffed.trailing_zeros() as usize;
            let Some(behind) = window.get(index + 2..).and_then(|window| window.first_chunk()) else { break };
            store(place, index - skipped, load(behind));
            skipped += usize::from(stuffed != 0);
            stuffed &= stuffed.wrapping_sub(1);
            if stuffed == 0 {
                break;
            }
        }
        at += VECTOR;
        written += VECTOR - skipped;
    }
    scalar::unstuff_behind(src, out, at - 1, written)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn is_ff(bytes: __m256i) -> __m256i {
    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(-1))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load(bytes: &[u8; VECTOR]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

/// Stores to `place` from `at` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn store(place: &mut [u8; 2 * VECTOR], at: usize, bytes: __m256i) {
    let Some(place) = place.get_mut(at..).and_then(|place| place.first_chunk_mut::<VECTOR>()) else { return };
    // SAFETY: the array has the 32 bytes that are written; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_storeu_si256(place.as_mut_ptr().cast(), bytes);
    }
}
