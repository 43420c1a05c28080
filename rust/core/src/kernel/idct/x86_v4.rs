//! Body for x86-64-v4: four blocks per vector of 512 bits.

use super::run::Run;
use super::scalar::{self, CONSTANT_BITS};
use super::x86::store_rows_of_32;
use super::x86_body::*;
use super::x86_passes::*;
use super::x86_reduced::*;
use super::x86_sse2::{baseline as narrow, store_rows_of_4, store_rows_of_8, store_rows_of_16, store_two_rows};
use super::x86_wide as wide;
use super::{Block, BlockSize, QuantizationTable};
use crate::kernel::x86_memory::load_128;
use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm512_broadcast_i32x4, _mm512_castsi128_si512, _mm512_castsi512_si256,
    _mm512_extracti32x4_epi32, _mm512_extracti64x4_epi64, _mm512_inserti32x4, _mm512_max_epi16,
    _mm512_permutexvar_epi32, _mm512_permutexvar_epi64, _mm512_setr_epi32, _mm512_setr_epi64, _mm512_sra_epi32,
    _mm512_subs_epi16, _mm512_test_epi64_mask,
};
use std::arch::x86_64::{
    __m512i as Vector, _mm512_add_epi16 as add_epi16, _mm512_add_epi32 as add_epi32, _mm512_adds_epi16 as adds_epi16,
    _mm512_and_si512 as and, _mm512_bslli_epi128 as bslli_epi128, _mm512_bsrli_epi128 as bsrli_epi128,
    _mm512_madd_epi16 as madd_epi16, _mm512_mulhi_epi16 as mulhi_epi16, _mm512_mullo_epi16 as mullo_epi16,
    _mm512_or_si512 as or, _mm512_packs_epi16 as packs_epi16, _mm512_packs_epi32 as packs_epi32,
    _mm512_set1_epi8 as set1_epi8, _mm512_set1_epi16 as set1_epi16, _mm512_set1_epi32 as set1_epi32,
    _mm512_setzero_si512 as setzero, _mm512_shuffle_epi32 as shuffle_epi32, _mm512_shufflelo_epi16 as shufflelo_epi16,
    _mm512_slli_epi32 as slli_epi32, _mm512_srai_epi16 as srai_epi16, _mm512_sub_epi16 as sub_epi16,
    _mm512_sub_epi32 as sub_epi32, _mm512_subs_epu16 as subs_epu16, _mm512_unpackhi_epi8 as unpackhi_epi8,
    _mm512_unpackhi_epi16 as unpackhi_epi16, _mm512_unpackhi_epi32 as unpackhi_epi32,
    _mm512_unpackhi_epi64 as unpackhi_epi64, _mm512_unpacklo_epi8 as unpacklo_epi8,
    _mm512_unpacklo_epi16 as unpacklo_epi16, _mm512_unpacklo_epi32 as unpacklo_epi32,
    _mm512_unpacklo_epi64 as unpacklo_epi64, _mm512_xor_si512 as xor,
};

const LANES: usize = 4;

transform_body!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2");

#[inline]
#[target_feature(enable = "avx512bw")]
fn shift_right<const BITS: i32>(vector: Vector) -> Vector {
    _mm512_sra_epi32(vector, _mm_cvtsi32_si128(BITS))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn load_row([a, b, c, d]: [&[i16; 8]; LANES]) -> Vector {
    let rows = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(load_128(a)), load_128(b));
    _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(rows, load_128(c)), load_128(d))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn broadcast_row(row: &[i16; 8]) -> Vector {
    _mm512_broadcast_i32x4(load_128(row))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn are_disjoint(a: Vector, b: Vector) -> bool {
    _mm512_test_epi64_mask(a, b) == 0
}

/// Magnitudes are at most 32,767: the magnitude of -32,768 is one too small, but still above the limit of the sum.
#[inline]
#[target_feature(enable = "avx512bw")]
fn weighted_sum(values: Vector, quantizers: Vector) -> Vector {
    madd_epi16(_mm512_max_epi16(values, _mm512_subs_epi16(setzero(), values)), quantizers)
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_bytes(pairs: [Vector; 4], samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    // The last group of a run repeats its last block, so `fourth` alone does not determine the distance.
    if second == first.wrapping_add(8) && fourth == first.wrapping_add(24) {
        // Rows of all blocks: bits 0 to 63 of each lane, then bits 64 to 127.
        let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        let [a, b, c, d] = pairs.map(|pair| _mm512_permutexvar_epi64(order, pair));
        let rows = [low(a), high(a), low(b), high(b), low(c), high(c), low(d), high(d)];
        return store_rows_of_32(rows, samples, first, stride);
    }
    store_rows_of_8(pairs.map(|pair| lane::<0>(pair)), samples, first, stride);
    store_rows_of_8(pairs.map(|pair| lane::<1>(pair)), samples, second, stride);
    store_rows_of_8(pairs.map(|pair| lane::<2>(pair)), samples, third, stride);
    store_rows_of_8(pairs.map(|pair| lane::<3>(pair)), samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_words(vectors: [Vector; 8], samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    if second == first.wrapping_add(16) && fourth == first.wrapping_add(48) {
        store_rows_of_32(vectors.map(|vector| low(vector)), samples, first, stride);
        return store_rows_of_32(vectors.map(|vector| high(vector)), samples, third, stride);
    }
    store_rows_of_16(vectors.map(|vector| lane::<0>(vector)), samples, first, stride);
    store_rows_of_16(vectors.map(|vector| lane::<1>(vector)), samples, second, stride);
    store_rows_of_16(vectors.map(|vector| lane::<2>(vector)), samples, third, stride);
    store_rows_of_16(vectors.map(|vector| lane::<3>(vector)), samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_half_bytes(blocks: Vector, samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    if second == first.wrapping_add(4) && fourth == first.wrapping_add(12) {
        // One row of all blocks in each lane.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let rows = _mm512_permutexvar_epi32(order, blocks);
        let rows = [lane::<0>(rows), lane::<1>(rows), lane::<2>(rows), lane::<3>(rows)];
        return store_rows_of_16(rows, samples, first, stride);
    }
    store_rows_of_4(lane::<0>(blocks), samples, first, stride);
    store_rows_of_4(lane::<1>(blocks), samples, second, stride);
    store_rows_of_4(lane::<2>(blocks), samples, third, stride);
    store_rows_of_4(lane::<3>(blocks), samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_half_words(pairs: [Vector; 2], samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    store_rows_of_8(pairs.map(|pair| lane::<0>(pair)), samples, first, stride);
    store_rows_of_8(pairs.map(|pair| lane::<1>(pair)), samples, second, stride);
    store_rows_of_8(pairs.map(|pair| lane::<2>(pair)), samples, third, stride);
    store_rows_of_8(pairs.map(|pair| lane::<3>(pair)), samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_quarter<const N: usize>(blocks: Vector, samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    store_two_rows::<N>(lane::<0>(blocks), samples, first, stride);
    store_two_rows::<N>(lane::<1>(blocks), samples, second, stride);
    store_two_rows::<N>(lane::<2>(blocks), samples, third, stride);
    store_two_rows::<N>(lane::<3>(blocks), samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn lane<const INDEX: i32>(vector: Vector) -> __m128i {
    _mm512_extracti32x4_epi32::<INDEX>(vector)
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn low(vector: Vector) -> __m256i {
    _mm512_castsi512_si256(vector)
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn high(vector: Vector) -> __m256i {
    _mm512_extracti64x4_epi64::<1>(vector)
}
