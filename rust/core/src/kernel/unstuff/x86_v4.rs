//! Unstuffing with AVX-512 VBMI2, 64 bytes at a time: compacting bytes needs no branch that depends on the data.

use super::scalar;
use crate::kernel::x86_memory::{load_512, store_512};
use std::arch::x86_64::*;

/// Bytes of a vector.
const VECTOR: usize = 64;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    let (Some(first), Some(first_out)) = (src.first(), out.first_mut()) else { return 0 };
    *first_out = *first;
    let mut written = 1;
    let previous = src.as_chunks::<VECTOR>().0;
    let bytes = src.get(1..).unwrap_or_default().as_chunks::<VECTOR>().0;
    let mut read = 1;
    for (before, bytes) in previous.iter().zip(bytes) {
        let Some(stored) = out.get_mut(written..).and_then(|out| out.first_chunk_mut::<VECTOR>()) else { break };
        let (before, bytes) = (load_512(before), load_512(bytes));
        let stuffed = _mm512_mask_testn_epi8_mask(_mm512_cmpeq_epi8_mask(before, _mm512_set1_epi8(-1)), bytes, bytes);
        store_512(stored, _mm512_maskz_compress_epi8(!stuffed, bytes));
        read += VECTOR;
        written += VECTOR - stuffed.count_ones() as usize;
    }
    scalar::unstuff_after(src, out, read - 1, written)
}
