//! As [`super::x86`], with differences made of 16 probes at once: AVX-512 compresses words.

#![allow(clippy::indexing_slicing, reason = "slots count up to the lengths of their arrays")]

use super::x86::{LANE_SLOTS, STAGED, Stage, make_by, run_with, symbols};
use super::{FIRST_AT, LAST_AT, PAIR, Task};
use std::arch::x86_64::*;

/// Probes of a vector.
const SIXTEEN: usize = 16;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
pub(super) fn run(tasks: &mut [Task<'_>]) {
    run_with(tasks, make);
}

make_by!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2", SIXTEEN, sixteen);

/// The differences of 16 probes, last one first: their number.
///
/// # Safety
/// `windows` are 16 of a stage, whose entries are behind all windows; `out` has room for 32.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi2")]
#[inline]
#[allow(unsafe_code)]
unsafe fn sixteen(windows: *const u32, out: *mut u16) -> usize {
    // The last of each two words is always kept.
    const LASTS: u32 = 0xAAAA_AAAA;
    // SAFETY: as promised.
    let (window, entry) =
        unsafe { (_mm512_loadu_si512(windows.cast()), _mm512_loadu_si512(windows.add(Stage::ENTRY).cast())) };
    let backwards = _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let (window, entry) = (_mm512_permutexvar_epi32(backwards, window), _mm512_permutexvar_epi32(backwards, entry));
    // By 32 less the length, in two steps: a length of 0 leaves the bias alone, and 31 is the longest.
    let rest = _mm512_andnot_si512(entry, _mm512_set1_epi32(31));
    let last = _mm512_srlv_epi32(_mm512_srli_epi32::<1>(window), rest);
    let last = _mm512_add_epi32(_mm512_slli_epi32::<LAST_AT>(last), entry);
    let first = _mm512_srai_epi16::<FIRST_AT>(entry);
    let both = _mm512_mask_blend_epi16(LASTS, first, last);
    let kept = _mm512_test_epi16_mask(entry, _mm512_set1_epi32(PAIR.cast_signed())) | LASTS;
    // SAFETY: as promised.
    unsafe { _mm512_storeu_si512(out.cast(), _mm512_maskz_compress_epi16(kept, both)) };
    kept.count_ones() as usize
}
