//! Lines by AVX2; the other portable loops are compiled for x86-64-v3.
//!
//! ```text
//! 16 words ─► keys, distances ─► 2 × 8 dwords ─► f32: × slope + offset ─► 2 × 8 dwords ─► 16 words ─► 16 bytes
//!                               interleaved with 0                       saturating packs restore the order of each lane
//! ```

use super::{IndexMap, Line, scalar};
use crate::kernel::convert::sample::{Float, Integer, Sample};
use crate::kernel::x86_memory::{load_256, store_256};
use crate::rendering::{Grayscale, PaletteEntries};
use crate::sample::SamplesMut;
use std::arch::x86_64::*;

/// Samples per vector of outputs.
const LANES: usize = 32;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn evaluate(values: &mut [f64], grayscale: &Grayscale) {
    scalar::evaluate(values, grayscale);
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
    let vectors = LineVectors::new(line);
    let zero = _mm256_setzero_si256();
    let (out_vectors, out_rest) = out.as_chunks_mut::<LANES>();
    if sample_bytes == 1 {
        let (src_vectors, src_rest) = src.as_chunks::<LANES>();
        for (src, out) in src_vectors.iter().zip(out_vectors) {
            let samples = load_256(src);
            let (low, high) = (_mm256_unpacklo_epi8(samples, zero), _mm256_unpackhi_epi8(samples, zero));
            store_256(out, _mm256_packus_epi16(vectors.outputs(low), vectors.outputs(high)));
        }
        return scalar::map_line(src_rest, sample_bytes, line, out_rest);
    }
    let (src_vectors, src_rest) = src.as_chunks::<{ 2 * LANES }>();
    for (src, out) in src_vectors.iter().zip(out_vectors) {
        let [a, b]: &[[u8; LANES]; 2] = bytemuck::cast_ref(src);
        let bytes = _mm256_packus_epi16(vectors.outputs(load_256(a)), vectors.outputs(load_256(b)));
        store_256(out, _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes));
    }
    scalar::map_line(src_rest, sample_bytes, line, out_rest);
}

/// The numbers of a [`Line`] in every lane.
struct LineVectors {
    flip: __m256i,
    mask: __m256i,
    base: __m256i,
    range: __m256i,
    slope: __m256,
    offset: __m256,
}

impl LineVectors {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(line: &Line) -> Self {
        let words = |word: u16| _mm256_set1_epi16(word.cast_signed());
        Self {
            flip: words(line.keys.flip),
            mask: words(line.keys.mask),
            base: words(line.base),
            range: words(line.range),
            slope: _mm256_set1_ps(line.slope),
            offset: _mm256_set1_ps(line.offset),
        }
    }

    /// Outputs of 16 samples as signed words; the caller saturates them to bytes. The conversion to integers rounds half to even.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn outputs(&self, samples: __m256i) -> __m256i {
        let keys = _mm256_and_si256(_mm256_xor_si256(samples, self.flip), self.mask);
        let distances = _mm256_min_epu16(_mm256_subs_epu16(keys, self.base), self.range);
        let zero = _mm256_setzero_si256();
        let line = |distances: __m256i| -> __m256i {
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(distances), self.slope);
            _mm256_cvtps_epi32(_mm256_add_ps(product, self.offset))
        };
        let (low, high) = (_mm256_unpacklo_epi16(distances, zero), _mm256_unpackhi_epi16(distances, zero));
        _mm256_packs_epi32(line(low), line(high))
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
