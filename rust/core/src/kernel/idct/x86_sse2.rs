//! Body for SSE2, the baseline of x86-64: one block per vector. It serves the portable CPU level.

use super::run::Run;
use super::scalar::{self, self as narrow, self as wide, CONSTANT_BITS};
use super::x86_body::*;
use super::x86_passes::*;
use super::x86_reduced::*;
use super::{Block, BlockSize, QuantizationTable};
use crate::kernel::x86_memory::load_128;
use std::arch::x86_64::{
    __m128i as Vector, _mm_add_epi16 as add_epi16, _mm_add_epi32 as add_epi32, _mm_adds_epi16 as adds_epi16,
    _mm_and_si128 as and, _mm_bslli_si128 as bslli_epi128, _mm_bsrli_si128 as bsrli_epi128,
    _mm_madd_epi16 as madd_epi16, _mm_mulhi_epi16 as mulhi_epi16, _mm_mullo_epi16 as mullo_epi16, _mm_or_si128 as or,
    _mm_packs_epi16 as packs_epi16, _mm_packs_epi32 as packs_epi32, _mm_set1_epi8 as set1_epi8,
    _mm_set1_epi16 as set1_epi16, _mm_set1_epi32 as set1_epi32, _mm_setzero_si128 as setzero,
    _mm_shuffle_epi32 as shuffle_epi32, _mm_shufflelo_epi16 as shufflelo_epi16, _mm_slli_epi32 as slli_epi32,
    _mm_srai_epi16 as srai_epi16, _mm_srai_epi32 as shift_right, _mm_sub_epi16 as sub_epi16,
    _mm_sub_epi32 as sub_epi32, _mm_subs_epu16 as subs_epu16, _mm_unpackhi_epi8 as unpackhi_epi8,
    _mm_unpackhi_epi16 as unpackhi_epi16, _mm_unpackhi_epi32 as unpackhi_epi32, _mm_unpackhi_epi64 as unpackhi_epi64,
    _mm_unpacklo_epi8 as unpacklo_epi8, _mm_unpacklo_epi16 as unpacklo_epi16, _mm_unpacklo_epi32 as unpacklo_epi32,
    _mm_unpacklo_epi64 as unpacklo_epi64, _mm_xor_si128 as xor,
};
use std::arch::x86_64::{
    _mm_castsi128_pd, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_max_epi16, _mm_movemask_epi8, _mm_storeh_pd,
    _mm_storel_epi64, _mm_storeu_si128, _mm_subs_epi16,
};

const LANES: usize = 1;

/// Entry points without a CPU feature to prove.
pub(super) mod baseline {
    use super::{Block, Run};

    pub(in super::super) fn transform_8_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
        // SAFETY:
        // - The function requires SSE2, which every x86-64 CPU has.
        #[allow(unsafe_code)]
        unsafe {
            super::transform_8_bit(blocks, run, samples);
        }
    }

    pub(in super::super) fn transform_12_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
        // SAFETY:
        // - The function requires SSE2, which every x86-64 CPU has.
        #[allow(unsafe_code)]
        unsafe {
            super::transform_12_bit(blocks, run, samples);
        }
    }
}

transform_body!("sse2");

#[inline]
#[target_feature(enable = "sse2")]
fn load_row([row]: [&[i16; 8]; LANES]) -> Vector {
    load_128(row)
}

#[inline]
#[target_feature(enable = "sse2")]
fn broadcast_row(row: &[i16; 8]) -> Vector {
    load_128(row)
}

#[inline]
#[target_feature(enable = "sse2")]
fn are_disjoint(a: Vector, b: Vector) -> bool {
    _mm_movemask_epi8(_mm_cmpeq_epi8(and(a, b), setzero())) == 0xFFFF
}

/// Magnitudes are at most 32,767: the magnitude of -32,768 is one too small, but still above the limit of the sum.
#[inline]
#[target_feature(enable = "sse2")]
fn weighted_sum(values: Vector, quantizers: Vector) -> Vector {
    madd_epi16(_mm_max_epi16(values, _mm_subs_epi16(setzero(), values)), quantizers)
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_bytes(rows: [Vector; 4], samples: &mut [u8], [offset]: [usize; LANES], stride: usize) {
    store_rows_of_8(rows, samples, offset, stride);
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_words(rows: [Vector; 8], samples: &mut [u8], [offset]: [usize; LANES], stride: usize) {
    store_rows_of_16(rows, samples, offset, stride);
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_half_bytes(block: Vector, samples: &mut [u8], [offset]: [usize; LANES], stride: usize) {
    store_rows_of_4(block, samples, offset, stride);
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_half_words(pairs: [Vector; 2], samples: &mut [u8], [offset]: [usize; LANES], stride: usize) {
    store_rows_of_8(pairs, samples, offset, stride);
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_quarter<const N: usize>(block: Vector, samples: &mut [u8], [offset]: [usize; LANES], stride: usize) {
    store_two_rows::<N>(block, samples, offset, stride);
}

/// Returns the bytes from `offset` to the end of `count` rows of `row_bytes` bytes, which are `stride` bytes apart.
#[inline]
pub(super) fn rows_at(
    samples: &mut [u8],
    offset: usize,
    stride: usize,
    (count, row_bytes): (usize, usize),
) -> Option<&mut [u8]> {
    let block_bytes = stride.saturating_mul(count.saturating_sub(1)).saturating_add(row_bytes);
    let rows = samples.get_mut(offset..).and_then(|samples| samples.get_mut(..block_bytes));
    debug_assert!(rows.is_some(), "the façade checks destinations");
    rows
}

/// Writes 2 N rows of 8 bytes, which are `stride` bytes apart. Vector `i` has rows `2 i` and `2 i + 1`.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn store_rows_of_8<const N: usize>(pairs: [Vector; N], samples: &mut [u8], offset: usize, stride: usize) {
    let Some(rows) = rows_at(samples, offset, stride, (2 * N, 8)) else { return };
    let mut row = rows.as_mut_ptr();
    for pair in pairs {
        let next = row.wrapping_add(stride);
        // SAFETY:
        // - `row` and `next` are row r of `rows` for r = 0 … 2 N - 1, at r × stride.
        // - `rows` is (2 N - 1) × stride + 8 bytes long, so that 8 bytes from there are inside.
        // - The stores write 8 bytes each and need no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm_storel_epi64(row.cast(), pair);
            _mm_storeh_pd(next.cast(), _mm_castsi128_pd(pair));
        }
        row = next.wrapping_add(stride);
    }
}

/// Writes 2 rows of N bytes, which are `stride` bytes apart. N is 2 or 4.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn store_two_rows<const N: usize>(vector: Vector, samples: &mut [u8], offset: usize, stride: usize) {
    let Some(rows) = rows_at(samples, offset, stride, (2, N)) else { return };
    let bytes = _mm_cvtsi128_si64(vector).to_le_bytes();
    for (index, bytes) in bytes.as_chunks::<N>().0.iter().take(2).enumerate() {
        if let Some(row) = rows.get_mut(index.wrapping_mul(stride)..).and_then(|row| row.first_chunk_mut()) {
            *row = *bytes;
        }
    }
}

/// Writes 4 rows of 4 bytes, which are `stride` bytes apart.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn store_rows_of_4(vector: Vector, samples: &mut [u8], offset: usize, stride: usize) {
    let Some(rows) = rows_at(samples, offset, stride, (4, 4)) else { return };
    let halves = [_mm_cvtsi128_si64(vector), _mm_cvtsi128_si64(unpackhi_epi64(vector, vector))];
    for (index, bytes) in bytemuck::cast::<[i64; 2], [[u8; 4]; 4]>(halves).into_iter().enumerate() {
        if let Some(row) = rows.get_mut(index.wrapping_mul(stride)..).and_then(|row| row.first_chunk_mut()) {
            *row = bytes;
        }
    }
}

/// Writes N rows of 16 bytes, which are `stride` bytes apart.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn store_rows_of_16<const N: usize>(vectors: [Vector; N], samples: &mut [u8], offset: usize, stride: usize) {
    let Some(rows) = rows_at(samples, offset, stride, (N, 16)) else { return };
    let mut row = rows.as_mut_ptr();
    for vector in vectors {
        // SAFETY:
        // - `row` is row r of `rows` for r = 0 … N - 1, at r × stride.
        // - `rows` is (N - 1) × stride + 16 bytes long, so that 16 bytes from there are inside.
        // - The store writes 16 bytes and needs no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm_storeu_si128(row.cast(), vector);
        }
        row = row.wrapping_add(stride);
    }
}
