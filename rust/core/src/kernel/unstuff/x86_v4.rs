//! 64 bytes at a time: AVX-512 compresses bytes, so that no branch depends on what they are.

use super::scalar;
use std::arch::x86_64::*;

/// What one load reads.
const VECTOR: usize = 64;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    let (Some(first), Some(place)) = (src.first(), out.first_mut()) else { return 0 };
    *place = *first;
    let mut written = 1;
    let befores = src.as_chunks::<VECTOR>().0;
    let bytes = src.get(1..).unwrap_or_default().as_chunks::<VECTOR>().0;
    let mut at = 1;
    for (before, bytes) in befores.iter().zip(bytes) {
        let Some(place) = out.get_mut(written..).and_then(|out| out.first_chunk_mut()) else { break };
        let (before, bytes) = (load(before), load(bytes));
        let stuffed = _mm512_mask_testn_epi8_mask(_mm512_cmpeq_epi8_mask(before, _mm512_set1_epi8(-1)), bytes, bytes);
        store(place, _mm512_maskz_compress_epi8(!stuffed, bytes));
        at += VECTOR;
        written += VECTOR - stuffed.count_ones() as usize;
    }
    scalar::unstuff_behind(src, out, at - 1, written)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
fn load(bytes: &[u8; VECTOR]) -> __m512i {
    // SAFETY: the array has the 64 bytes that are read; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_loadu_si512(bytes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
fn store(place: &mut [u8; VECTOR], bytes: __m512i) {
    // SAFETY: the array has the 64 bytes that are written; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_storeu_si512(place.as_mut_ptr().cast(), bytes);
    }
}
