//! The decoder of [`super::x86`] with differences of 16 probes at once: AVX-512 VBMI2 compacts 16-bit words.

#![allow(clippy::indexing_slicing, reason = "slots count up to the lengths of their arrays")]

use super::stage::{Stage, symbol_count};
use super::x86::{decode_with, define_make};
use super::{BIAS_SHIFT, FIRST_SHIFT, PAIR, Prefetch, Task};
use std::arch::x86_64::*;

/// Probes per vector of 32-bit lanes.
const VECTOR_PROBES: usize = 16;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
pub(super) fn decode(tasks: &mut [Task<'_>], prefetch: &mut Prefetch) {
    decode_with(tasks, prefetch, make);
}

define_make!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2", VECTOR_PROBES, make_sixteen);

/// Computes the differences of 16 staged probes, and returns their number. The arithmetic is that of `x86::make_eight`.
///
/// # Safety
/// `out` has space for 32 differences.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
#[inline]
#[allow(unsafe_code)]
unsafe fn make_sixteen(probes: &[u64; VECTOR_PROBES], out: *mut u16) -> usize {
    // The high half of each 32-bit lane: the last difference of a probe, which is always kept.
    const LAST_DIFFERENCES: u32 = 0xAAAA_AAAA;
    // SAFETY: 16 probes are two vectors.
    let (earlier, later) =
        unsafe { (_mm512_loadu_si512(probes.as_ptr().cast()), _mm512_loadu_si512(probes.as_ptr().add(8).cast())) };
    let low_halves = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let entry = _mm512_permutex2var_epi32(earlier, low_halves, later);
    let window = _mm512_permutex2var_epi32(earlier, _mm512_or_si512(low_halves, _mm512_set1_epi32(1)), later);
    // By 32 less the length, in two steps: a length of 0 leaves only the bias, and the longest length is 31.
    let rest = _mm512_andnot_si512(entry, _mm512_set1_epi32(31));
    let last = _mm512_srlv_epi32(_mm512_srli_epi32::<1>(window), rest);
    let last = _mm512_add_epi32(_mm512_slli_epi32::<BIAS_SHIFT>(last), entry);
    let first = _mm512_srai_epi16::<FIRST_SHIFT>(entry);
    let both = _mm512_mask_blend_epi16(LAST_DIFFERENCES, first, last);
    let valid = _mm512_test_epi16_mask(entry, _mm512_set1_epi32(PAIR.cast_signed())) | LAST_DIFFERENCES;
    // SAFETY: the caller's promise.
    unsafe { _mm512_storeu_si512(out.cast(), _mm512_maskz_compress_epi16(valid, both)) };
    valid.count_ones() as usize
}
