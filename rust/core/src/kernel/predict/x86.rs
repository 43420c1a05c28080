//! Running sums of one component by 16 samples, halves of what is to the left by eight rows or by pixels; for the rest
//! the portable loops compiled for x86-64-v3.

use super::scalar::{self, Skewed};
use std::arch::x86_64::*;

/// Samples of a vector.
const LANES: usize = 16;
/// Rows of a group, and steps of a turn.
const ROWS: usize = 8;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    if components != 1 {
        return scalar::first_row(row, components, initial);
    }
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let mut sums = Sums::new(initial);
    for place in vectors {
        store_vector(place, sums.next(load_vector(place)));
    }
    scalar::first_row(rest, 1, sums.last());
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8) {
    match (components, selection_value) {
        (1, 1) => scalar::each(rows, above, |row, above| first(row, above)),
        (1, 4) => scalar::each(rows, above, |row, above| fourth(row, above)),
        (1, 5) => scalar::each(rows, above, |row, above| fifth(row, above)),
        (1, 6) => {
            let whole = |group: Skewed<'_, ROWS>, above: &[u16]| skewed::<true>(group, above);
            let (rows, above) = scalar::groups(rows, above, scalar::sixth, whole);
            let (rows, above) = scalar::fours(rows, above, scalar::sixth);
            halves::<1, true>(rows, above);
        }
        (1, 7) => {
            let whole = |group: Skewed<'_, ROWS>, above: &[u16]| skewed::<false>(group, above);
            let (rows, above) = scalar::groups(rows, above, scalar::seventh, whole);
            let (rows, above) = scalar::fours(rows, above, scalar::seventh);
            halves::<1, false>(rows, above);
        }
        (2, 6) => halves::<2, true>(rows, above),
        (2, 7) => halves::<2, false>(rows, above),
        (3, 6) => halves::<3, true>(rows, above),
        (3, 7) => halves::<3, false>(rows, above),
        (4, 6) => halves::<4, true>(rows, above),
        (4, 7) => halves::<4, false>(rows, above),
        _ => scalar::rows(rows, above, components, selection_value),
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store(samples: &[u16], shift: u32, mask: u16, out: &mut [u8], sample_bytes: usize, stride: usize) {
    scalar::store(samples, shift, mask, out, sample_bytes, stride);
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn first(row: &mut [u16], above: &[u16]) {
    first_row(row, 1, above.first().copied().unwrap_or_default());
}

/// x - Rb = (Ra - Rc) + difference, so x - Rb is the running sum of the differences.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn fourth(row: &mut [u16], above: &[u16]) {
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let (above, above_rest) = above.as_chunks::<LANES>();
    let mut sums = Sums::new(0);
    for (place, above) in vectors.iter_mut().zip(above) {
        store_vector(place, _mm256_add_epi16(sums.next(load_vector(place)), load_vector(above)));
    }
    let mut sum = sums.last();
    for (sample, above) in rest.iter_mut().zip(above_rest) {
        sum = sum.wrapping_add(*sample);
        *sample = sum.wrapping_add(*above);
    }
}

/// The running sum of difference + ((Rb - Rc) >> 1); the first pixel, predicted from above, is as if its Rc were Rb.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn fifth(row: &mut [u16], above: &[u16]) {
    let mut corner = above.first().copied().unwrap_or_default();
    let mut sums = Sums::new(corner);
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let (above, above_rest) = above.as_chunks::<LANES>();
    let mut before = _mm256_set1_epi16(corner.cast_signed());
    for (place, above) in vectors.iter_mut().zip(above) {
        let b = load_vector(above);
        // In each half, what is to the left of its first lane: the last of the half before.
        let c = _mm256_alignr_epi8::<14>(b, _mm256_permute2x128_si256::<0x21>(before, b));
        before = b;
        store_vector(place, sums.next(_mm256_add_epi16(load_vector(place), half_difference(b, c))));
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

/// `(a - b) >> 1`: the average of a and 65535 - b, rounded up, is that and 2^15.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn half_difference(a: __m256i, b: __m256i) -> __m256i {
    let average = _mm256_avg_epu16(a, _mm256_xor_si256(b, _mm256_set1_epi16(-1)));
    _mm256_xor_si256(average, _mm256_set1_epi16(i16::MIN))
}

/// Running sums of vectors. Only one addition a vector waits for the vector before.
struct Sums {
    /// The sum up to here, in every lane.
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
        let sums = _mm256_add_epi16(terms, _mm256_slli_si256::<2>(terms));
        let sums = _mm256_add_epi16(sums, _mm256_slli_si256::<4>(sums));
        let sums = _mm256_add_epi16(sums, _mm256_slli_si256::<8>(sums));
        // The sum of each half, everywhere in it, and that of the other half.
        let of_half = _mm256_shuffle_epi8(sums, _mm256_set1_epi16(0x0F0E));
        let of_other = _mm256_permute2x128_si256::<0x01>(of_half, of_half);
        let of_lower = _mm256_blend_epi32::<0xF0>(_mm256_setzero_si256(), of_other);
        let sums = _mm256_add_epi16(_mm256_add_epi16(sums, of_lower), self.last);
        self.last = _mm256_add_epi16(self.last, _mm256_add_epi16(of_half, of_other));
        sums
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sample of one lane")]
    fn last(&self) -> u16 {
        _mm256_extract_epi16::<0>(self.last) as u16
    }
}

/// Eight steps a turn, one lane a row: the samples that a step needs from the rows above are those of the step before,
/// one lane up. Halves of sums round down as complements, whose halves round up: selection value 7 goes on them.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn skewed<const SIXTH: bool>(mut group: Skewed<'_, ROWS>, above: &[u16]) -> usize {
    let ones = _mm_set1_epi16(-1);
    let mut left = load_half(&group.left);
    let mut corner = load_half(&group.corner);
    if !SIXTH {
        left = _mm_xor_si128(left, ones);
    }
    let mut turns = 0;
    for above in above.as_chunks::<ROWS>().0 {
        let mut vectors = [_mm_setzero_si128(); ROWS];
        for (vector, line) in vectors.iter_mut().zip(&group.lines) {
            let Some(place) = line.as_chunks().0.get(turns) else { return turns * ROWS };
            *vector = load_half(place);
        }
        let above = load_half(above);
        let mut steps = transposed(vectors);
        let firsts = [
            _mm_slli_si128::<14>(above),
            _mm_slli_si128::<12>(above),
            _mm_slli_si128::<10>(above),
            _mm_slli_si128::<8>(above),
            _mm_slli_si128::<6>(above),
            _mm_slli_si128::<4>(above),
            _mm_slli_si128::<2>(above),
            above,
        ];
        for (step, first) in steps.iter_mut().zip(firsts) {
            if SIXTH {
                let b = _mm_alignr_epi8::<14>(left, first);
                let difference = _mm_xor_si128(*step, _mm_set1_epi16(i16::MIN));
                let half = _mm_avg_epu16(left, _mm_xor_si128(corner, ones));
                left = _mm_add_epi16(half, _mm_add_epi16(difference, b));
                corner = b;
                *step = left;
            } else {
                let b = _mm_alignr_epi8::<14>(left, _mm_xor_si128(first, ones));
                left = _mm_sub_epi16(_mm_avg_epu16(left, b), *step);
                *step = _mm_xor_si128(left, ones);
            }
        }
        for (vector, line) in transposed(steps).into_iter().zip(&mut group.lines) {
            if let Some(place) = line.as_chunks_mut().0.get_mut(turns) {
                store_half(place, vector);
            }
        }
        turns += 1;
    }
    turns * ROWS
}

/// Row by row, one lane a component: two instructions wait for the pixel to the left.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn halves<const N: usize, const SIXTH: bool>(rows: &mut [u16], above: &[u16]) {
    let ones = _mm_set1_epi16(-1);
    scalar::each(rows, above, |row, above| {
        let (pixels, rest) = row.as_chunks_mut::<N>();
        let (above, above_rest) = above.as_chunks::<N>();
        let mut places = pixels.iter_mut().zip(above);
        let Some((first, above)) = places.next() else { return scalar::add(rest, above_rest) };
        scalar::add(first, above);
        let (mut left, mut corner) = (load_pixel(first), load_pixel(above));
        if !SIXTH {
            left = _mm_xor_si128(left, ones);
        }
        let mut next = |difference: __m128i, b: __m128i| {
            if SIXTH {
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
        for (pixel, above) in places {
            let samples = next(load_pixel(pixel), load_pixel(above));
            store_pixel(pixel, samples);
        }
        let samples = next(load_pixel(rest), load_pixel(above_rest));
        store_pixel(rest, samples);
    });
}

/// Lane i of vector k to lane k of vector i.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn transposed(rows: [__m128i; ROWS]) -> [__m128i; ROWS] {
    let [a, b, c, d, e, f, g, h] = rows;
    let pair = |a, b| [_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)];
    let ([ae0, ae4], [bf0, bf4], [cg0, cg4], [dh0, dh4]) = (pair(a, e), pair(b, f), pair(c, g), pair(d, h));
    let ([aceg0, aceg2], [bdfh0, bdfh2]) = (pair(ae0, cg0), pair(bf0, dh0));
    let ([aceg4, aceg6], [bdfh4, bdfh6]) = (pair(ae4, cg4), pair(bf4, dh4));
    let ([s0, s1], [s2, s3]) = (pair(aceg0, bdfh0), pair(aceg2, bdfh2));
    let ([s4, s5], [s6, s7]) = (pair(aceg4, bdfh4), pair(aceg6, bdfh6));
    [s0, s1, s2, s3, s4, s5, s6, s7]
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load_vector(samples: &[u16; LANES]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(samples.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn store_vector(place: &mut [u16; LANES], samples: __m256i) {
    // SAFETY: the array has the 32 bytes that are written; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_storeu_si256(place.as_mut_ptr().cast(), samples);
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load_half(samples: &[u16; ROWS]) -> __m128i {
    // SAFETY: the array has the 16 bytes that are read; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm_loadu_si128(samples.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn store_half(place: &mut [u16; ROWS], samples: __m128i) {
    // SAFETY: the array has the 16 bytes that are written; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm_storeu_si128(place.as_mut_ptr().cast(), samples);
    }
}

/// Up to four samples in the lower lanes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load_pixel(samples: &[u16]) -> __m128i {
    let bits = samples.iter().rev().fold(0, |bits, sample| bits << u16::BITS | u64::from(*sample));
    _mm_cvtsi64_si128(bits.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[expect(clippy::cast_possible_truncation, reason = "the lowest of the samples")]
fn store_pixel(place: &mut [u16], samples: __m128i) {
    let mut bits = _mm_cvtsi128_si64(samples).cast_unsigned();
    for sample in place {
        *sample = bits as u16;
        bits >>= u16::BITS;
    }
}
