//! The decoder of [`super::x86`] with differences of 16 probes at once: AVX-512 VBMI2 compacts 16-bit words.

#![allow(clippy::indexing_slicing, reason = "slots count up to the lengths of their arrays")]

use super::x86::{LANE_SLOTS, STAGED, Stage, decode_with, define_make, symbol_count};
use super::{BIAS_SHIFT, FIRST_SHIFT, PAIR, Task};
use std::arch::x86_64::*;

/// Probes per vector of 32-bit lanes.
const VECTOR_PROBES: usize = 16;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
pub(super) fn decode(tasks: &mut [Task<'_>]) {
    decode_with(tasks, make);
}

define_make!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2", VECTOR_PROBES, make_sixteen);

/// Computes the differences of 16 probes, stored last probe first, and returns their number. The arithmetic is that of
/// `x86::make_eight`.
///
/// # Safety
/// `windows` points to 16 windows of a stage, whose entries follow at `ENTRY_DISTANCE`; `out` has space for 32.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
#[inline]
#[allow(unsafe_code)]
unsafe fn make_sixteen(windows: *const u32, out: *mut u16) -> usize {
    // The high half of each 32-bit lane: the last difference of a probe, which is always kept.
    const LAST_DIFFERENCES: u32 = 0xAAAA_AAAA;
    // SAFETY: the caller's promise.
    let (window, entry) =
        unsafe { (_mm512_loadu_si512(windows.cast()), _mm512_loadu_si512(windows.add(Stage::ENTRY_DISTANCE).cast())) };
    let reversed = _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let (window, entry) = (_mm512_permutexvar_epi32(reversed, window), _mm512_permutexvar_epi32(reversed, entry));
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
