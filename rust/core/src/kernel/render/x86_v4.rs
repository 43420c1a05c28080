//! Lines by AVX-512, with the steps of [`super::x86`]; tables of 256 bytes by VBMI.

use super::{FRACTION_BITS, IndexMap, Line, LineArithmetic, scalar, x86};
use crate::kernel::x86_memory::{load_512, store_512};
use crate::rendering::PaletteEntries;
use crate::sample::SamplesMut;
use std::arch::x86_64::*;
use std::hint::black_box;

/// Samples per vector of outputs.
const LANES: usize = 64;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi")]
pub(super) fn map_line(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8]) {
    if sample_bytes == 1 {
        // Lines of bytes are tables at this level.
        return x86::map_line(src, sample_bytes, line, out);
    }
    let distances = Distances::new(line);
    match line.arithmetic {
        LineArithmetic::Fixed { factor, multiplier, offset } => {
            let (factor, multiplier, offset) = (words(factor), words(multiplier), words(offset));
            let output_in_high_byte = |samples: __m512i| -> __m512i {
                let product = _mm512_mullo_epi16(distances.of(samples), factor);
                // See `x86::map_line`.
                let sum = _mm512_add_epi16(_mm512_mulhi_epu16(product, black_box(multiplier)), offset);
                _mm512_slli_epi16::<{ 8 - FRACTION_BITS }>(sum)
            };
            let high_bytes: [u8; LANES] = std::array::from_fn(odd_byte);
            let high_bytes = load_512(&high_bytes);
            map_vectors(src, line, out, |a, b| {
                _mm512_permutex2var_epi8(output_in_high_byte(a), high_bytes, output_in_high_byte(b))
            });
        }
        LineArithmetic::Float { slope, offset } => {
            let (slope, offset, zero) = (_mm512_set1_ps(slope), _mm512_set1_ps(offset), _mm512_setzero_si512());
            let rounded = |distances: __m512i| -> __m512i {
                let product = _mm512_mul_ps(_mm512_cvtepi32_ps(distances), slope);
                _mm512_cvtps_epi32(_mm512_add_ps(product, offset))
            };
            let outputs = |samples: __m512i| -> __m512i {
                let distances = distances.of(samples);
                let (low, high) = (_mm512_unpacklo_epi16(distances, zero), _mm512_unpackhi_epi16(distances, zero));
                _mm512_packs_epi32(rounded(low), rounded(high))
            };
            let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
            map_vectors(src, line, out, |a, b| {
                _mm512_permutexvar_epi64(order, _mm512_packus_epi16(outputs(a), outputs(b)))
            });
        }
        LineArithmetic::SplitFloat { high, low, offset } => {
            let (high, low) = (_mm512_set1_ps(high), _mm512_set1_ps(low));
            let (offset, zero) = (_mm512_set1_ps(offset), _mm512_setzero_si512());
            let rounded = |distances: __m512i| -> __m512i {
                let distances = _mm512_cvtepi32_ps(distances);
                let rest = _mm512_add_ps(_mm512_mul_ps(distances, low), offset);
                _mm512_cvtps_epi32(_mm512_add_ps(_mm512_mul_ps(distances, high), rest))
            };
            let outputs = |samples: __m512i| -> __m512i {
                let distances = distances.of(samples);
                let (first, second) = (_mm512_unpacklo_epi16(distances, zero), _mm512_unpackhi_epi16(distances, zero));
                _mm512_packs_epi32(rounded(first), rounded(second))
            };
            let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
            map_vectors(src, line, out, |a, b| {
                _mm512_permutexvar_epi64(order, _mm512_packus_epi16(outputs(a), outputs(b)))
            });
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "below 128")]
const fn odd_byte(lane: usize) -> u8 {
    (2 * lane + 1) as u8
}

/// Writes the outputs of words: `function` returns those of two vectors of 32 samples.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi")]
fn map_vectors(src: &[u8], line: &Line, out: &mut [u8], function: impl Fn(__m512i, __m512i) -> __m512i) {
    let (out_vectors, out_rest) = out.as_chunks_mut::<LANES>();
    let (src_vectors, src_rest) = src.as_chunks::<{ 2 * LANES }>();
    for (src, out) in src_vectors.iter().zip(out_vectors) {
        let [a, b]: &[[u8; LANES]; 2] = bytemuck::cast_ref(src);
        store_512(out, function(load_512(a), load_512(b)));
    }
    scalar::map_line(src_rest, 2, line, out_rest);
}

/// The word in every lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn words(word: u16) -> __m512i {
    _mm512_set1_epi16(word.cast_signed())
}

/// The numbers of a [`Line`] from samples to distances, in every lane.
struct Distances {
    flip: __m512i,
    mask: __m512i,
    base: __m512i,
    range: __m512i,
}

impl Distances {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(line: &Line) -> Self {
        Self {
            flip: words(line.keys.flip),
            mask: words(line.keys.mask),
            base: words(line.base),
            range: words(line.range),
        }
    }

    /// Distances of 32 samples.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn of(&self, samples: __m512i) -> __m512i {
        let keys = _mm512_and_si512(_mm512_xor_si512(samples, self.flip), self.mask);
        _mm512_min_epu16(_mm512_subs_epu16(keys, self.base), self.range)
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi")]
pub(super) fn look_up(
    src: &[u8],
    sample_bytes: usize,
    indices: IndexMap,
    entries: &PaletteEntries,
    mut out: SamplesMut<'_>,
) {
    if sample_bytes == 1 && indices == IndexMap::of_bytes() {
        match (entries, &mut out) {
            (PaletteEntries::U8(table), SamplesMut::U8(out)) => {
                if let Ok(table) = table.as_slice().try_into() {
                    return look_up_bytes(src, table, out);
                }
            }
            (PaletteEntries::Rgb8(table), SamplesMut::U8(out)) => {
                if let Ok(table) = table.as_slice().try_into() {
                    return look_up_rgb8(src, table, out);
                }
            }
            _ => {}
        }
    }
    x86::look_up(src, sample_bytes, indices, entries, out);
}

/// A table of 256 bytes in four vectors.
#[derive(Clone, Copy)]
struct ByteTable([__m512i; 4]);

impl ByteTable {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(table: &[u8; 256]) -> Self {
        let quarters: &[[u8; LANES]; 4] = bytemuck::cast_ref(table);
        let [a, b, c, d] = quarters;
        Self([load_512(a), load_512(b), load_512(c), load_512(d)])
    }

    /// Entries of 64 bytes: bits 0 to 6 select from each half of the table, bit 7 selects the half.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn entries(self, samples: __m512i) -> __m512i {
        let Self([a, b, c, d]) = self;
        let (first, second) = (_mm512_permutex2var_epi8(a, samples, b), _mm512_permutex2var_epi8(c, samples, d));
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(samples), first, second)
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi")]
fn look_up_bytes(src: &[u8], all: &[u8; 256], out: &mut [u8]) {
    let table = ByteTable::new(all);
    let (src_vectors, src_rest) = src.as_chunks::<LANES>();
    let (out_vectors, out_rest) = out.as_chunks_mut::<LANES>();
    for (src, out) in src_vectors.iter().zip(out_vectors) {
        store_512(out, table.entries(load_512(src)));
    }
    for (sample, out) in src_rest.iter().zip(out_rest) {
        *out = all.get(usize::from(*sample)).copied().unwrap_or_default();
    }
}

/// Three tables give red, green and blue of 64 pixels; three permutations of two vectors each interleave them.
///
/// ```text
/// byte i of the output: colour i mod 3 of pixel i / 3; vector v has the bytes 64 v to 64 v + 63
/// ```
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi")]
fn look_up_rgb8(src: &[u8], all: &[u32; 256], out: &mut [u8]) {
    let colour =
        |byte: usize| -> [u8; 256] { all.map(|entry| entry.to_le_bytes().get(byte).copied().unwrap_or_default()) };
    let (red, green, blue) = (colour(0), colour(1), colour(2));
    let tables = [ByteTable::new(&red), ByteTable::new(&green), ByteTable::new(&blue)];
    let (src_vectors, src_rest) = src.as_chunks::<LANES>();
    let (out_vectors, out_rest) = out.as_chunks_mut::<{ 3 * LANES }>();
    let orders: [([u8; LANES], u64); 3] = std::array::from_fn(interleaving);
    for (src, out) in src_vectors.iter().zip(out_vectors) {
        let samples = load_512(src);
        let [red, green, blue] = tables.map(|table| -> __m512i { table.entries(samples) });
        let parts: &mut [[u8; LANES]; 3] = bytemuck::cast_mut(out);
        for (part, (order, is_blue)) in parts.iter_mut().zip(&orders) {
            let order = load_512(order);
            let red_green = _mm512_permutex2var_epi8(red, order, green);
            store_512(part, _mm512_mask_permutexvar_epi8(red_green, *is_blue, order, blue));
        }
    }
    for (sample, out) in src_rest.iter().zip(out_rest.as_chunks_mut::<3>().0) {
        let [r, g, b, _] = all.get(usize::from(*sample)).copied().unwrap_or_default().to_le_bytes();
        *out = [r, g, b];
    }
}

/// Indices of the bytes of output vector `vector`: pixel, plus 64 for green; and the mask of the blue ones.
#[allow(clippy::cast_possible_truncation, reason = "below 128")]
fn interleaving(vector: usize) -> ([u8; LANES], u64) {
    let mut is_blue = 0;
    let order = std::array::from_fn(|lane| {
        let byte = vector * LANES + lane;
        if byte % 3 == 2 {
            is_blue |= 1 << lane;
        }
        (byte / 3 + if byte % 3 == 1 { LANES } else { 0 }) as u8
    });
    (order, is_blue)
}
