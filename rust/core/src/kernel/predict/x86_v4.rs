//! Running sums of 32 samples for selection value 1 of one component; everything else is [`super::x86`].

use super::{scalar, x86};
use crate::kernel::x86_memory::{load_512, store_512};
use std::arch::x86_64::*;

/// Samples of a vector.
const LANES: usize = 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    if components != 1 {
        return x86::first_row(row, components, initial);
    }
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let last_lane = _mm512_set1_epi16(31);
    let mut left = _mm512_set1_epi16(initial.cast_signed());
    for vector in vectors {
        let samples = _mm512_add_epi16(running_sums(load_512(vector)), left);
        left = _mm512_permutexvar_epi16(last_lane, samples);
        store_512(vector, samples);
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
    scalar::for_each_row(rows, above, |row, above| first_row(row, 1, above.first().copied().unwrap_or_default()));
}

/// Returns the running sums of 32 terms. Three shifted additions give the sums within each quarter of 8 lanes; then the
/// totals of the preceding quarters are added.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
fn running_sums(terms: __m512i) -> __m512i {
    let sums = _mm512_add_epi16(terms, _mm512_bslli_epi128::<2>(terms));
    let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<4>(sums));
    let sums = _mm512_add_epi16(sums, _mm512_bslli_epi128::<8>(sums));
    // The total of each quarter in all its lanes; then moved up by one, two and three quarters.
    let totals = _mm512_shuffle_epi8(sums, _mm512_set1_epi16(0x0F0E));
    let by_one = _mm512_maskz_shuffle_i64x2::<0b10_01_00_00>(0b1111_1100, totals, totals);
    let by_two = _mm512_maskz_shuffle_i64x2::<0b01_00_00_00>(0b1111_0000, totals, totals);
    let by_three = _mm512_maskz_shuffle_i64x2::<0b00_00_00_00>(0b1100_0000, totals, totals);
    _mm512_add_epi16(_mm512_add_epi16(sums, by_one), _mm512_add_epi16(by_two, by_three))
}
