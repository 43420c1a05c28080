//! Body for x86-64-v3: two blocks per vector of 256 bits.

use super::run::Run;
use super::scalar::{self, CONSTANT_BITS};
use super::x86_body::*;
use super::x86_passes::*;
use super::x86_reduced::*;
use super::x86_sse2::{
    baseline as narrow, rows_at, store_rows_of_4, store_rows_of_8, store_rows_of_16, store_two_rows,
};
use super::x86_wide as wide;
use super::{Block, BlockSize, QuantizationTable};
use crate::kernel::x86_memory::load_128;
use std::arch::x86_64::{
    __m128i, _mm_unpackhi_epi32, _mm_unpacklo_epi32, _mm256_broadcastsi128_si256, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_permute4x64_epi64, _mm256_set_m128i, _mm256_sign_epi16, _mm256_storeu_si256,
    _mm256_testz_si256,
};
use std::arch::x86_64::{
    __m256i as Vector, _mm256_add_epi16 as add_epi16, _mm256_add_epi32 as add_epi32, _mm256_adds_epi16 as adds_epi16,
    _mm256_and_si256 as and, _mm256_bslli_epi128 as bslli_epi128, _mm256_bsrli_epi128 as bsrli_epi128,
    _mm256_madd_epi16 as madd_epi16, _mm256_mulhi_epi16 as mulhi_epi16, _mm256_mullo_epi16 as mullo_epi16,
    _mm256_or_si256 as or, _mm256_packs_epi16 as packs_epi16, _mm256_packs_epi32 as packs_epi32,
    _mm256_set1_epi8 as set1_epi8, _mm256_set1_epi16 as set1_epi16, _mm256_set1_epi32 as set1_epi32,
    _mm256_setzero_si256 as setzero, _mm256_shuffle_epi32 as shuffle_epi32, _mm256_shufflelo_epi16 as shufflelo_epi16,
    _mm256_slli_epi32 as slli_epi32, _mm256_srai_epi16 as srai_epi16, _mm256_srai_epi32 as shift_right,
    _mm256_sub_epi16 as sub_epi16, _mm256_sub_epi32 as sub_epi32, _mm256_subs_epu16 as subs_epu16,
    _mm256_unpackhi_epi8 as unpackhi_epi8, _mm256_unpackhi_epi16 as unpackhi_epi16,
    _mm256_unpackhi_epi32 as unpackhi_epi32, _mm256_unpackhi_epi64 as unpackhi_epi64,
    _mm256_unpacklo_epi8 as unpacklo_epi8, _mm256_unpacklo_epi16 as unpacklo_epi16,
    _mm256_unpacklo_epi32 as unpacklo_epi32, _mm256_unpacklo_epi64 as unpacklo_epi64, _mm256_xor_si256 as xor,
};

const LANES: usize = 2;

transform_body!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt");

#[inline]
#[target_feature(enable = "avx2")]
fn load_row([first, second]: [&[i16; 8]; LANES]) -> Vector {
    _mm256_set_m128i(load_128(second), load_128(first))
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast_row(row: &[i16; 8]) -> Vector {
    _mm256_broadcastsi128_si256(load_128(row))
}

#[inline]
#[target_feature(enable = "avx2")]
fn are_disjoint(a: Vector, b: Vector) -> bool {
    _mm256_testz_si256(a, b) != 0
}

/// `sign` negates the quantisers of negative values: the product of two signs is positive.
#[inline]
#[target_feature(enable = "avx2")]
fn weighted_sum(values: Vector, quantizers: Vector) -> Vector {
    madd_epi16(values, _mm256_sign_epi16(quantizers, values))
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_bytes(pairs: [Vector; 4], samples: &mut [u8], [first, second]: [usize; LANES], stride: usize) {
    if second == first.wrapping_add(8) {
        // Rows of both blocks: bits 0 to 63 of both lanes, then bits 64 to 127.
        let [a, b, c, d] = pairs.map(|pair| _mm256_permute4x64_epi64::<0b11_01_10_00>(pair));
        let rows = [low(a), high(a), low(b), high(b), low(c), high(c), low(d), high(d)];
        return store_rows_of_16(rows, samples, first, stride);
    }
    store_rows_of_8(pairs.map(|pair| low(pair)), samples, first, stride);
    store_rows_of_8(pairs.map(|pair| high(pair)), samples, second, stride);
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_words(vectors: [Vector; 8], samples: &mut [u8], [first, second]: [usize; LANES], stride: usize) {
    if second == first.wrapping_add(16) {
        return store_rows_of_32(vectors, samples, first, stride);
    }
    store_rows_of_16(vectors.map(|vector| low(vector)), samples, first, stride);
    store_rows_of_16(vectors.map(|vector| high(vector)), samples, second, stride);
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_half_bytes(blocks: Vector, samples: &mut [u8], [first, second]: [usize; LANES], stride: usize) {
    let (left, right) = (low(blocks), high(blocks));
    if second == first.wrapping_add(4) {
        let pairs = [_mm_unpacklo_epi32(left, right), _mm_unpackhi_epi32(left, right)];
        return store_rows_of_8(pairs, samples, first, stride);
    }
    store_rows_of_4(left, samples, first, stride);
    store_rows_of_4(right, samples, second, stride);
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_half_words(pairs: [Vector; 2], samples: &mut [u8], [first, second]: [usize; LANES], stride: usize) {
    store_rows_of_8(pairs.map(|pair| low(pair)), samples, first, stride);
    store_rows_of_8(pairs.map(|pair| high(pair)), samples, second, stride);
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_quarter<const N: usize>(blocks: Vector, samples: &mut [u8], [first, second]: [usize; LANES], stride: usize) {
    store_two_rows::<N>(low(blocks), samples, first, stride);
    store_two_rows::<N>(high(blocks), samples, second, stride);
}

/// Writes 8 rows of 32 bytes, which are `stride` bytes apart.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_rows_of_32(vectors: [Vector; 8], samples: &mut [u8], offset: usize, stride: usize) {
    let Some(rows) = rows_at(samples, offset, stride, (8, 32)) else { return };
    let mut row = rows.as_mut_ptr();
    for vector in vectors {
        // SAFETY:
        // - `row` is row r of `rows` for r = 0 … 7, at r × stride.
        // - `rows` is 7 × stride + 32 bytes long, so that 32 bytes from there are inside.
        // - The store writes 32 bytes and needs no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_storeu_si256(row.cast(), vector);
        }
        row = row.wrapping_add(stride);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn low(vector: Vector) -> __m128i {
    _mm256_castsi256_si128(vector)
}

#[inline]
#[target_feature(enable = "avx2")]
fn high(vector: Vector) -> __m128i {
    _mm256_extracti128_si256::<1>(vector)
}
