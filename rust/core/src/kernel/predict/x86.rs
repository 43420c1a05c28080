//! Prediction with AVX2: running sums of one component 16 samples at a time, selection values 6 and 7 as wavefronts of eight
//! rows or pixel by pixel. Everything else is the portable code compiled for x86-64-v3.

use super::scalar::{self, Wavefront};
use crate::kernel::x86_memory::{load_128, load_256, store_128, store_256};
use std::arch::x86_64::*;

/// Samples of a vector.
const LANES: usize = 16;
/// Rows of a wavefront, one per 16-bit lane; and its steps per iteration.
const ROWS: usize = 8;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    if components != 1 {
        return scalar::first_row(row, components, initial);
    }
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let mut sums = Sums::new(initial);
    for vector in vectors {
        store_256(vector, sums.next(load_256(vector)));
    }
    scalar::first_row(rest, 1, sums.last());
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8) {
    match (components, selection_value) {
        (1, 1) => scalar::for_each_row(rows, above, |row, above| predictor1(row, above)),
        (1, 4) => scalar::for_each_row(rows, above, |row, above| predictor4(row, above)),
        (1, 5) => scalar::for_each_row(rows, above, |row, above| predictor5(row, above)),
        (1, 6) => {
            let steps = |wavefront: Wavefront<'_, ROWS>, above: &[u16]| predict_steps::<true>(wavefront, above);
            let (rows, above) = scalar::predict_wavefronts(rows, above, scalar::predictor6, steps);
            let (rows, above) = scalar::predict_wavefronts_of_4(rows, above, scalar::predictor6);
            predict_pixels::<1, true>(rows, above);
        }
        (1, 7) => {
            let steps = |wavefront: Wavefront<'_, ROWS>, above: &[u16]| predict_steps::<false>(wavefront, above);
            let (rows, above) = scalar::predict_wavefronts(rows, above, scalar::predictor7, steps);
            let (rows, above) = scalar::predict_wavefronts_of_4(rows, above, scalar::predictor7);
            predict_pixels::<1, false>(rows, above);
        }
        (2, 6) => predict_pixels::<2, true>(rows, above),
        (2, 7) => predict_pixels::<2, false>(rows, above),
        (3, 6) => predict_pixels::<3, true>(rows, above),
        (3, 7) => predict_pixels::<3, false>(rows, above),
        (4, 6) => predict_pixels::<4, true>(rows, above),
        (4, 7) => predict_pixels::<4, false>(rows, above),
        _ => scalar::rows(rows, above, components, selection_value),
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store(samples: &[u16], shift: u32, mask: u16, out: &mut [u8], sample_bytes: usize, stride: usize) {
    scalar::store(samples, shift, mask, out, sample_bytes, stride);
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn predictor1(row: &mut [u16], above: &[u16]) {
    first_row(row, 1, above.first().copied().unwrap_or_default());
}

/// x - Rb = (Ra - Rc) + difference, so x - Rb is the running sum of the differences; Rb is added to it.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn predictor4(row: &mut [u16], above: &[u16]) {
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let (above, above_rest) = above.as_chunks::<LANES>();
    let mut sums = Sums::new(0);
    for (vector, above) in vectors.iter_mut().zip(above) {
        store_256(vector, _mm256_add_epi16(sums.next(load_256(vector)), load_256(above)));
    }
    let mut sum = sums.last();
    for (sample, above) in rest.iter_mut().zip(above_rest) {
        sum = sum.wrapping_add(*sample);
        *sample = sum.wrapping_add(*above);
    }
}

/// x is the running sum of difference + ((Rb - Rc) >> 1). It starts with Rb of the first pixel, whose Rc is set to Rb so that
/// its term is the difference.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn predictor5(row: &mut [u16], above: &[u16]) {
    let mut corner = above.first().copied().unwrap_or_default();
    let mut sums = Sums::new(corner);
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let (above, above_rest) = above.as_chunks::<LANES>();
    let mut before = _mm256_set1_epi16(corner.cast_signed());
    for (vector, above) in vectors.iter_mut().zip(above) {
        let b = load_256(above);
        // `alignr` works in halves of 8 lanes: the lane left of a half is the last one of the half before.
        let c = _mm256_alignr_epi8::<14>(b, _mm256_permute2x128_si256::<0x21>(before, b));
        before = b;
        store_256(vector, sums.next(_mm256_add_epi16(load_256(vector), half_difference(b, c))));
        [.., corner] = *above;
    }
    let mut sum = sums.last();
    for (sample, above) in rest.iter_mut().zip(above_rest) {
        let half = (i32::from(*above) - i32::from(corner)) >> 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^16")]
        let half = half as u16;
        sum = sum.wrapping_add(*sample).wrapping_add(half);
        corner = *above;
        *sample = sum;
    }
}

/// Returns `(a - b) >> 1`, modulo 2^16: `avg(a, 65535 - b)` = (a - b + 65536) >> 1, which is 2^15 more.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn half_difference(a: __m256i, b: __m256i) -> __m256i {
    let average = _mm256_avg_epu16(a, _mm256_xor_si256(b, _mm256_set1_epi16(-1)));
    _mm256_xor_si256(average, _mm256_set1_epi16(i16::MIN))
}

/// Running sums of consecutive vectors. Only one addition per vector depends on the vector before.
struct Sums {
    /// Sum of all terms so far, in every lane.
    last: __m256i,
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
    fn new(initial: u16) -> Self {
        Self { last: _mm256_set1_epi16(initial.cast_signed()) }
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
    fn next(&mut self, terms: __m256i) -> __m256i {
        // Within each half of 8 lanes.
        let sums = _mm256_add_epi16(terms, _mm256_slli_si256::<2>(terms));
        let sums = _mm256_add_epi16(sums, _mm256_slli_si256::<4>(sums));
        let sums = _mm256_add_epi16(sums, _mm256_slli_si256::<8>(sums));
        // The total of each half in all its lanes, and that of the other half.
        let half_total = _mm256_shuffle_epi8(sums, _mm256_set1_epi16(0x0F0E));
        let other_total = _mm256_permute2x128_si256::<0x01>(half_total, half_total);
        let lower_total = _mm256_blend_epi32::<0xF0>(_mm256_setzero_si256(), other_total);
        let sums = _mm256_add_epi16(_mm256_add_epi16(sums, lower_total), self.last);
        self.last = _mm256_add_epi16(self.last, _mm256_add_epi16(half_total, other_total));
        sums
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sample of one lane")]
    fn last(&self) -> u16 {
        _mm256_extract_epi16::<0>(self.last) as u16
    }
}

/// Predicts the steps of a wavefront, eight per iteration, one lane per row; returns the number of steps.
///
/// ```text
/// per iteration: load the next 8 differences of each row; transpose, so that vector t is step t of all rows
/// step:  b    = left moved up by one lane, the sample of the row above all in lane 0
///        left = 6: b + ((left - corner) >> 1) + difference        7: ((left + b) >> 1) + difference
///        corner = b
/// transpose back, store
/// ```
///
/// AVX2 only averages rounding up: `avg(a, b)` = (a + b + 1) >> 1. For selection value 7, samples are kept as complements,
/// because `avg(!a, !b)` = !((a + b) >> 1); then !x = `avg(!Ra, !Rb)` - difference. For 6, see [`half_difference`]; its 2^15
/// is added to the difference, off the critical path.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn predict_steps<const IS_PREDICTOR6: bool>(mut wavefront: Wavefront<'_, ROWS>, above: &[u16]) -> usize {
    let ones = _mm_set1_epi16(-1);
    let mut left = load_128(&wavefront.left);
    let mut corner = load_128(&wavefront.corner);
    if !IS_PREDICTOR6 {
        left = _mm_xor_si128(left, ones);
    }
    let mut iterations = 0;
    for above in above.as_chunks::<ROWS>().0 {
        let mut vectors = [_mm_setzero_si128(); ROWS];
        for (vector, line) in vectors.iter_mut().zip(&wavefront.lines) {
            let Some(differences) = line.as_chunks::<ROWS>().0.get(iterations) else { return iterations * ROWS };
            *vector = load_128(differences);
        }
        let above = load_128(above);
        let mut steps = transpose(vectors);
        // In lane 7, from where `alignr` takes it: the sample above row 0 at each step.
        let samples_above = [
            _mm_slli_si128::<14>(above),
            _mm_slli_si128::<12>(above),
            _mm_slli_si128::<10>(above),
            _mm_slli_si128::<8>(above),
            _mm_slli_si128::<6>(above),
            _mm_slli_si128::<4>(above),
            _mm_slli_si128::<2>(above),
            above,
        ];
        for (step, sample_above) in steps.iter_mut().zip(samples_above) {
            if IS_PREDICTOR6 {
                let b = _mm_alignr_epi8::<14>(left, sample_above);
                let difference = _mm_xor_si128(*step, _mm_set1_epi16(i16::MIN));
                let half = _mm_avg_epu16(left, _mm_xor_si128(corner, ones));
                left = _mm_add_epi16(half, _mm_add_epi16(difference, b));
                corner = b;
                *step = left;
            } else {
                let b = _mm_alignr_epi8::<14>(left, _mm_xor_si128(sample_above, ones));
                left = _mm_sub_epi16(_mm_avg_epu16(left, b), *step);
                *step = _mm_xor_si128(left, ones);
            }
        }
        for (vector, line) in transpose(steps).into_iter().zip(&mut wavefront.lines) {
            if let Some(samples) = line.as_chunks_mut::<ROWS>().0.get_mut(iterations) {
                store_128(samples, vector);
            }
        }
        iterations += 1;
    }
    iterations * ROWS
}

/// Predicts rows pixel by pixel, one lane per component. The arithmetic is that of [`predict_steps`]: two instructions per
/// pixel depend on the pixel to the left.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn predict_pixels<const N: usize, const IS_PREDICTOR6: bool>(rows: &mut [u16], above: &[u16]) {
    let ones = _mm_set1_epi16(-1);
    scalar::for_each_row(rows, above, |row, above| {
        let (pixels, rest) = row.as_chunks_mut::<N>();
        let (above, above_rest) = above.as_chunks::<N>();
        let mut pixels = pixels.iter_mut().zip(above);
        let Some((first, above)) = pixels.next() else { return scalar::add(rest, above_rest) };
        scalar::add(first, above);
        let (mut left, mut corner) = (load_pixel(first), load_pixel(above));
        if !IS_PREDICTOR6 {
            left = _mm_xor_si128(left, ones);
        }
        let mut next = |difference: __m128i, b: __m128i| {
            if IS_PREDICTOR6 {
                let difference = _mm_xor_si128(difference, _mm_set1_epi16(i16::MIN));
                let half = _mm_avg_epu16(left, _mm_xor_si128(corner, ones));
                left = _mm_add_epi16(half, _mm_add_epi16(difference, b));
                corner = b;
                left
            } else {
                left = _mm_sub_epi16(_mm_avg_epu16(left, _mm_xor_si128(b, ones)), difference);
                _mm_xor_si128(left, ones)
            }
        };
        for (pixel, above) in pixels {
            let samples = next(load_pixel(pixel), load_pixel(above));
            store_pixel(pixel, samples);
        }
        let samples = next(load_pixel(rest), load_pixel(above_rest));
        store_pixel(rest, samples);
    });
}

/// Transposes 8 x 8 samples: lane i of vector k becomes lane k of vector i.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn transpose(rows: [__m128i; ROWS]) -> [__m128i; ROWS] {
    let [a, b, c, d, e, f, g, h] = rows;
    let pair = |a, b| [_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)];
    let ([ae0, ae4], [bf0, bf4], [cg0, cg4], [dh0, dh4]) = (pair(a, e), pair(b, f), pair(c, g), pair(d, h));
    let ([aceg0, aceg2], [bdfh0, bdfh2]) = (pair(ae0, cg0), pair(bf0, dh0));
    let ([aceg4, aceg6], [bdfh4, bdfh6]) = (pair(ae4, cg4), pair(bf4, dh4));
    let ([s0, s1], [s2, s3]) = (pair(aceg0, bdfh0), pair(aceg2, bdfh2));
    let ([s4, s5], [s6, s7]) = (pair(aceg4, bdfh4), pair(aceg6, bdfh6));
    [s0, s1, s2, s3, s4, s5, s6, s7]
}

/// Loads up to four samples to the low lanes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load_pixel(samples: &[u16]) -> __m128i {
    let bits = samples.iter().rev().fold(0, |bits, sample| bits << u16::BITS | u64::from(*sample));
    _mm_cvtsi64_si128(bits.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[expect(clippy::cast_possible_truncation, reason = "the sample in the lowest lane")]
fn store_pixel(out: &mut [u16], samples: __m128i) {
    let mut bits = _mm_cvtsi128_si64(samples).cast_unsigned();
    for sample in out {
        *sample = bits as u16;
        bits >>= u16::BITS;
    }
}
