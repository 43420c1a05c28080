//! Lines by AVX2; the other portable loops are compiled for x86-64-v3.
//!
//! ```text
//! fixed    16 words ─► keys, distances ─► × factor, × multiplier >> 16, + offset, >> 7 ─► 16 bytes
//! float    16 words ─► keys, distances ─► 2 × 8 dwords ─► f32: × slope + offset ─► 2 × 8 dwords ─► 16 words ─► 16 bytes
//!                                        interleaved with 0                       saturating packs restore the order of a lane
//! split    as float, with × low slope + offset, then + × high slope
//! ```

use super::{FRACTION_BITS, IndexMap, Line, LineArithmetic, scalar};
use crate::kernel::convert::sample::{Float, Integer, Sample};
use crate::kernel::x86_memory::{load_256, store_256};
use crate::rendering::{Grayscale, PaletteEntries};
use crate::sample::SamplesMut;
use std::arch::x86_64::*;
use std::hint::black_box;

/// Samples per vector of outputs.
const LANES: usize = 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn evaluate(values: &mut [f64], grayscale: &Grayscale) {
    scalar::evaluate(values, grayscale);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn scale_entries(values: &mut [f64], grayscale: &Grayscale) {
    scalar::scale_entries(values, grayscale);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store(values: &[f64], out: SamplesMut<'_>) {
    scalar::store(values, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn map_values<S: Sample>(src: &[u8], grayscale: &Grayscale, out: SamplesMut<'_>) {
    scalar::map_values::<S>(src, grayscale, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn map_line(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8]) {
    let distances = Distances::new(line);
    match line.arithmetic {
        LineArithmetic::Fixed { factor, multiplier, offset } => {
            let (factor, multiplier, offset) = (words(factor), words(multiplier), words(offset));
            let function = |samples: __m256i| -> __m256i {
                let product = _mm256_mullo_epi16(distances.of(samples), factor);
                // Without `black_box` the compiler extends the multiplier to 32 bits before the loop, and then every product:
                // the loop takes twice as long.
                let sum = _mm256_add_epi16(_mm256_mulhi_epu16(product, black_box(multiplier)), offset);
                _mm256_srli_epi16::<{ FRACTION_BITS.cast_signed() }>(sum)
            };
            map_vectors(src, sample_bytes, line, out, function);
        }
        LineArithmetic::Float { slope, offset } => {
            let (slope, offset, zero) = (_mm256_set1_ps(slope), _mm256_set1_ps(offset), _mm256_setzero_si256());
            // The conversion to integers rounds half to even; packing saturates.
            let rounded = |distances: __m256i| -> __m256i {
                let product = _mm256_mul_ps(_mm256_cvtepi32_ps(distances), slope);
                _mm256_cvtps_epi32(_mm256_add_ps(product, offset))
            };
            let function = |samples: __m256i| -> __m256i {
                let distances = distances.of(samples);
                let (low, high) = (_mm256_unpacklo_epi16(distances, zero), _mm256_unpackhi_epi16(distances, zero));
                _mm256_packs_epi32(rounded(low), rounded(high))
            };
            map_vectors(src, sample_bytes, line, out, function);
        }
        LineArithmetic::SplitFloat { high, low, offset } => {
            let (high, low) = (_mm256_set1_ps(high), _mm256_set1_ps(low));
            let (offset, zero) = (_mm256_set1_ps(offset), _mm256_setzero_si256());
            let rounded = |distances: __m256i| -> __m256i {
                let distances = _mm256_cvtepi32_ps(distances);
                let rest = _mm256_add_ps(_mm256_mul_ps(distances, low), offset);
                _mm256_cvtps_epi32(_mm256_add_ps(_mm256_mul_ps(distances, high), rest))
            };
            let function = |samples: __m256i| -> __m256i {
                let distances = distances.of(samples);
                let (first, second) = (_mm256_unpacklo_epi16(distances, zero), _mm256_unpackhi_epi16(distances, zero));
                _mm256_packs_epi32(rounded(first), rounded(second))
            };
            map_vectors(src, sample_bytes, line, out, function);
        }
    }
}

/// Writes the outputs of all samples: `function` returns those of 16 samples as signed words, which are saturated to bytes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn map_vectors(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8], function: impl Fn(__m256i) -> __m256i) {
    let zero = _mm256_setzero_si256();
    let (out_vectors, out_rest) = out.as_chunks_mut::<LANES>();
    if sample_bytes == 1 {
        let (src_vectors, src_rest) = src.as_chunks::<LANES>();
        for (src, out) in src_vectors.iter().zip(out_vectors) {
            let samples = load_256(src);
            let (low, high) = (_mm256_unpacklo_epi8(samples, zero), _mm256_unpackhi_epi8(samples, zero));
            store_256(out, _mm256_packus_epi16(function(low), function(high)));
        }
        return scalar::map_line(src_rest, sample_bytes, line, out_rest);
    }
    let (src_vectors, src_rest) = src.as_chunks::<{ 2 * LANES }>();
    for (src, out) in src_vectors.iter().zip(out_vectors) {
        let [a, b]: &[[u8; LANES]; 2] = bytemuck::cast_ref(src);
        let bytes = _mm256_packus_epi16(function(load_256(a)), function(load_256(b)));
        store_256(out, _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes));
    }
    scalar::map_line(src_rest, sample_bytes, line, out_rest);
}

/// The word in every lane.
#[inline]
#[target_feature(enable = "avx2")]
fn words(word: u16) -> __m256i {
    _mm256_set1_epi16(word.cast_signed())
}

/// The numbers of a [`Line`] from samples to distances, in every lane.
struct Distances {
    flip: __m256i,
    mask: __m256i,
    base: __m256i,
    range: __m256i,
}

impl Distances {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(line: &Line) -> Self {
        Self {
            flip: words(line.keys.flip),
            mask: words(line.keys.mask),
            base: words(line.base),
            range: words(line.range),
        }
    }

    /// Distances of 16 samples.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of(&self, samples: __m256i) -> __m256i {
        let keys = _mm256_and_si256(_mm256_xor_si256(samples, self.flip), self.mask);
        _mm256_min_epu16(_mm256_subs_epu16(keys, self.base), self.range)
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn look_up(
    src: &[u8],
    sample_bytes: usize,
    indices: IndexMap,
    entries: &PaletteEntries,
    out: SamplesMut<'_>,
) {
    scalar::look_up(src, sample_bytes, indices, entries, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn integer_extremes<S: Integer>(src: &[u8], padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    scalar::integer_extremes::<S>(src, padding)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn float_extremes<S: Float>(src: &[u8], padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    scalar::float_extremes::<S>(src, padding)
}
