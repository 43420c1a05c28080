//! Selection value 1 of one component by 32 samples; for the rest see [`super::x86`].

use super::{scalar, x86};
use std::arch::x86_64::*;

/// Samples of a vector.
const LANES: usize = 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    if components != 1 {
        return x86::first_row(row, components, initial);
    }
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let to_last = _mm512_set1_epi16(31);
    let mut left = _mm512_set1_epi16(initial.cast_signed());
    for place in vectors {
        let samples = _mm512_add_epi16(sums(load(place)), left);
        left = _mm512_permutexvar_epi16(to_last, samples);
        store(place, samples);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sample of one lane")]
    let left = _mm512_cvtsi512_si32(left) as u16;
    x86::first_row(rest, 1, left);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
pub(super) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8) {
    if (components, selection_value) != (1, 1) {
        return x86::rows(rows, above, components, selection_value);
    }
    scalar::each(rows, above, |row, above| first_row(row, 1, above.first().copied().unwrap_or_default()));
}

/// Running sums of 32 terms.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
fn sums(terms: __m512i) -> __m512i {
    // Of each quarter.
    let sums = _mm512_add_epi16(terms, _mm512_bslli_epi128::<2>(terms));
    let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<4>(sums));
    let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<8>(sums));
    // What each quarter comes to, everywhere in the one behind it, and then in all behind it.
    let totals = _mm512_shuffle_epi8(sums, _mm512_set1_epi16(0x0F0E));
    let one = _mm512_maskz_shuffle_i64x2::<0b10_01_00_00>(0b1111_1100, totals, totals);
    let two = _mm512_maskz_shuffle_i64x2::<0b01_00_00_00>(0b1111_0000, totals, totals);
    let three = _mm512_maskz_shuffle_i64x2::<0b00_00_00_00>(0b1100_0000, totals, totals);
    _mm512_add_epi16(_mm512_add_epi16(sums, one), _mm512_add_epi16(two, three))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
fn load(samples: &[u16; LANES]) -> __m512i {
    // SAFETY: the array has the 64 bytes that are read; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_loadu_si512(samples.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
fn store(place: &mut [u16; LANES], samples: __m512i) {
    // SAFETY: the array has the 64 bytes that are written; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_storeu_si512(place.as_mut_ptr().cast(), samples);
    }
}
