//! Lines by AVX-512, with the steps of [`super::x86`]; tables of 256 bytes by VBMI.

use super::{IndexMap, Line, scalar, x86};
use crate::kernel::x86_memory::{load_512, store_512};
use crate::rendering::PaletteEntries;
use crate::sample::SamplesMut;
use std::arch::x86_64::*;

/// Samples per vector of outputs.
const LANES: usize = 64;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")]
pub(super) fn map_line(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8]) {
    let vectors = LineVectors::new(line);
    let zero = _mm512_setzero_si512();
    let (out_vectors, out_rest) = out.as_chunks_mut::<LANES>();
    if sample_bytes == 1 {
        let (src_vectors, src_rest) = src.as_chunks::<LANES>();
        for (src, out) in src_vectors.iter().zip(out_vectors) {
            let samples = load_512(src);
            let (low, high) = (_mm512_unpacklo_epi8(samples, zero), _mm512_unpackhi_epi8(samples, zero));
            store_512(out, _mm512_packus_epi16(vectors.outputs(low), vectors.outputs(high)));
        }
        return scalar::map_line(src_rest, sample_bytes, line, out_rest);
    }
    let (src_vectors, src_rest) = src.as_chunks::<{ 2 * LANES }>();
    let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (src, out) in src_vectors.iter().zip(out_vectors) {
        let [a, b]: &[[u8; LANES]; 2] = bytemuck::cast_ref(src);
        let bytes = _mm512_packus_epi16(vectors.outputs(load_512(a)), vectors.outputs(load_512(b)));
        store_512(out, _mm512_permutexvar_epi64(order, bytes));
    }
    scalar::map_line(src_rest, sample_bytes, line, out_rest);
}

/// The numbers of a [`Line`] in every lane.
struct LineVectors {
    flip: __m512i,
    mask: __m512i,
    base: __m512i,
    range: __m512i,
    slope: __m512,
    offset: __m512,
}

impl LineVectors {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(line: &Line) -> Self {
        let words = |word: u16| _mm512_set1_epi16(word.cast_signed());
        Self {
            flip: words(line.keys.flip),
            mask: words(line.keys.mask),
            base: words(line.base),
            range: words(line.range),
            slope: _mm512_set1_ps(line.slope),
            offset: _mm512_set1_ps(line.offset),
        }
    }

    /// Outputs of 32 samples as signed words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn outputs(&self, samples: __m512i) -> __m512i {
        let keys = _mm512_and_si512(_mm512_xor_si512(samples, self.flip), self.mask);
        let distances = _mm512_min_epu16(_mm512_subs_epu16(keys, self.base), self.range);
        let zero = _mm512_setzero_si512();
        let line = |distances: __m512i| -> __m512i {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(distances), self.slope);
            _mm512_cvtps_epi32(_mm512_add_ps(product, self.offset))
        };
        let (low, high) = (_mm512_unpacklo_epi16(distances, zero), _mm512_unpackhi_epi16(distances, zero));
        _mm512_packs_epi32(line(low), line(high))
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
