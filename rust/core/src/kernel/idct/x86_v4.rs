//! Body for x86-64-v4: four blocks per vector of 512 bits.

use super::scalar::{self, CONSTANT_BITS};
use super::x86_body::*;
use super::x86_passes::*;
use super::x86_sse2::{load, store_block_of_bytes, store_block_of_words};
use super::{Block, Destination, QuantizationTable};
use std::arch::x86_64::{
    __m128i, _mm512_broadcast_i32x4, _mm512_castsi128_si512, _mm512_extracti32x4_epi32, _mm512_inserti32x4,
    _mm512_max_epi16, _mm512_subs_epi16, _mm512_test_epi64_mask,
};
use std::arch::x86_64::{
    __m512i as Vector, _mm512_add_epi16 as add_epi16, _mm512_add_epi32 as add_epi32, _mm512_adds_epi16 as adds_epi16,
    _mm512_and_si512 as and, _mm512_bslli_epi128 as bslli_epi128, _mm512_bsrli_epi128 as bsrli_epi128,
    _mm512_madd_epi16 as madd_epi16, _mm512_mulhi_epi16 as mulhi_epi16, _mm512_mullo_epi16 as mullo_epi16,
    _mm512_or_si512 as or, _mm512_packs_epi16 as packs_epi16, _mm512_packs_epi32 as packs_epi32,
    _mm512_set1_epi8 as set1_epi8, _mm512_set1_epi16 as set1_epi16, _mm512_set1_epi32 as set1_epi32,
    _mm512_setzero_si512 as setzero, _mm512_shuffle_epi32 as shuffle_epi32, _mm512_shufflelo_epi16 as shufflelo_epi16,
    _mm512_srai_epi16 as srai_epi16, _mm512_sub_epi16 as sub_epi16, _mm512_sub_epi32 as sub_epi32,
    _mm512_subs_epu16 as subs_epu16, _mm512_unpackhi_epi8 as unpackhi_epi8, _mm512_unpackhi_epi16 as unpackhi_epi16,
    _mm512_unpackhi_epi32 as unpackhi_epi32, _mm512_unpackhi_epi64 as unpackhi_epi64,
    _mm512_unpacklo_epi8 as unpacklo_epi8, _mm512_unpacklo_epi16 as unpacklo_epi16,
    _mm512_unpacklo_epi32 as unpacklo_epi32, _mm512_unpacklo_epi64 as unpacklo_epi64, _mm512_xor_si512 as xor,
};

const LANES: usize = 4;

transform_body!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2");

#[inline]
#[target_feature(enable = "avx512bw")]
fn shift_right<const BITS: i32>(vector: Vector) -> Vector {
    std::arch::x86_64::_mm512_sra_epi32(vector, std::arch::x86_64::_mm_cvtsi32_si128(BITS))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn load_row([a, b, c, d]: [&[i16; 8]; LANES]) -> Vector {
    let rows = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(load(a)), load(b));
    _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(rows, load(c)), load(d))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn broadcast_row(row: &[i16; 8]) -> Vector {
    _mm512_broadcast_i32x4(load(row))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn is_zero(vector: Vector) -> bool {
    _mm512_test_epi64_mask(vector, vector) == 0
}

/// Magnitudes are at most 32,767: the magnitude of -32,768 is one too small, but still above the limit of the sum.
#[inline]
#[target_feature(enable = "avx512bw")]
fn weighted_sum(values: Vector, quantizers: Vector) -> Vector {
    madd_epi16(_mm512_max_epi16(values, _mm512_subs_epi16(setzero(), values)), quantizers)
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_bytes([a, b, c, d]: [Vector; 4], samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    store_block_of_bytes([lane::<0>(a), lane::<0>(b), lane::<0>(c), lane::<0>(d)], samples, first, stride);
    store_block_of_bytes([lane::<1>(a), lane::<1>(b), lane::<1>(c), lane::<1>(d)], samples, second, stride);
    store_block_of_bytes([lane::<2>(a), lane::<2>(b), lane::<2>(c), lane::<2>(d)], samples, third, stride);
    store_block_of_bytes([lane::<3>(a), lane::<3>(b), lane::<3>(c), lane::<3>(d)], samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn store_words(rows: [Vector; 8], samples: &mut [u8], offsets: [usize; LANES], stride: usize) {
    let [first, second, third, fourth] = offsets;
    store_block_of_words(rows.map(|row| lane::<0>(row)), samples, first, stride);
    store_block_of_words(rows.map(|row| lane::<1>(row)), samples, second, stride);
    store_block_of_words(rows.map(|row| lane::<2>(row)), samples, third, stride);
    store_block_of_words(rows.map(|row| lane::<3>(row)), samples, fourth, stride);
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn lane<const INDEX: i32>(vector: Vector) -> __m128i {
    _mm512_extracti32x4_epi32::<INDEX>(vector)
}
