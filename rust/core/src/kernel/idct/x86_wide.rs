//! 12-bit samples of blocks that are out of the bounds of the 16-bit kernels: one block in 32 bits, with AVX2.
//!
//! libjpeg-turbo computes in 64 bits. 32 bits are exact up to a sum of 188,900 for the magnitudes of the products in each
//! column, because a pass multiplies no input by more than 11,363 (`MAX_COLUMN_SUM` × 11,363 < 2^31). Pass 2 may wrap: of its
//! sums only bits 17 to 30 are used, as samples wrap to 14 bits. Noise over the whole range of samples has sums of about
//! 10,000 per column.
//!
//! A vector is a row in pass 1, and a column in pass 2. 12-bit noise took 13 cycles per sample with `scalar`.

use super::run::Run;
use super::scalar::CONSTANT_BITS;
use super::x86_body::MAX_QUANTIZER;
use super::x86_passes::*;
use super::x86_sse2::{baseline, store_rows_of_16};
use super::{Block, BlockSize, scalar};
use crate::kernel::x86_memory::load_128;
use std::arch::x86_64::*;

type Vector = __m256i;

/// Largest sum of magnitudes of a column.
const MAX_COLUMN_SUM: i32 = 188_900;

#[target_feature(enable = "avx2")]
pub(super) fn transform_12_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
    let has_large = run.table.quantizers.iter().any(|quantizer| !(0..=MAX_QUANTIZER).contains(quantizer));
    if run.size != BlockSize::Full || has_large {
        return baseline::transform_12_bit(blocks, run, samples);
    }
    let quantizers = load_rows(&run.table.quantizers);
    for position in 0..run.count {
        let (index, offset) = run.block(position);
        let Some(block) = blocks.get_mut(index) else {
            debug_assert!(false, "runs end with the slice");
            return;
        };
        let mut products = load_rows(block);
        let mut sums = _mm256_setzero_si256();
        for (product, quantizer) in products.iter_mut().zip(quantizers) {
            *product = _mm256_mullo_epi32(*product, quantizer);
            sums = _mm256_add_epi32(sums, _mm256_abs_epi32(*product));
        }
        let is_large = _mm256_cmpgt_epi32(sums, _mm256_set1_epi32(MAX_COLUMN_SUM));
        if _mm256_testz_si256(is_large, is_large) == 0 {
            scalar::transform_12_bit(blocks, &run.single(position), samples);
            continue;
        }
        *block = [0; 64];
        let mut rows = transform(products);
        for row in &mut rows {
            *row = _mm256_srai_epi32::<12>(_mm256_add_epi32(*row, _mm256_set1_epi32(1 << 11)));
        }
        let mut columns = transform(transpose(rows));
        for column in &mut columns {
            // Bits 17 to 30 with sign, then the level shift and the limits.
            let rounded = _mm256_add_epi32(*column, _mm256_set1_epi32(1 << 16));
            let wrapped = _mm256_srai_epi32::<18>(_mm256_slli_epi32::<1>(rounded));
            let shifted = _mm256_add_epi32(wrapped, _mm256_set1_epi32(2048));
            *column = _mm256_min_epi32(_mm256_max_epi32(shifted, _mm256_setzero_si256()), _mm256_set1_epi32(4095));
        }
        let rows = transpose(columns).map(|row| words(row));
        store_rows_of_16(rows, samples, offset, run.stride);
    }
}

/// Returns rows of a block in 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn load_rows(block: &Block) -> [Vector; 8] {
    let rows = bytemuck::cast_ref::<Block, [[i16; 8]; 8]>(block);
    rows.each_ref().map(|row| _mm256_cvtepi16_epi32(load_128(row)))
}

/// Packs eight numbers from 0 to 4095 into 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn words(row: Vector) -> __m128i {
    _mm_packus_epi32(_mm256_castsi256_si128(row), _mm256_extracti128_si256::<1>(row))
}

/// `scalar::transform_8` without limits of the sums.
#[inline]
#[target_feature(enable = "avx2")]
fn transform([v0, v1, v2, v3, v4, v5, v6, v7]: [Vector; 8]) -> [Vector; 8] {
    let add = |a, b| _mm256_add_epi32(a, b);
    let subtract = |a, b| _mm256_sub_epi32(a, b);
    let times = |a, constant| _mm256_mullo_epi32(a, _mm256_set1_epi32(constant));
    let sum = _mm256_slli_epi32::<{ CONSTANT_BITS.cast_signed() }>(add(v0, v4));
    let difference = _mm256_slli_epi32::<{ CONSTANT_BITS.cast_signed() }>(subtract(v0, v4));
    let rotated = times(add(v2, v6), F_0_541);
    let e = add(rotated, times(v2, F_0_765));
    let f = subtract(rotated, times(v6, F_1_847));
    let (e0, e3) = (add(sum, e), subtract(sum, e));
    let (e1, e2) = (add(difference, f), subtract(difference, f));

    let (p, q) = (add(v7, v3), add(v5, v1));
    let rotated = times(add(p, q), F_1_175);
    let p = subtract(rotated, times(p, F_1_961));
    let q = subtract(rotated, times(q, F_0_390));
    let outer = times(add(v1, v7), F_0_899);
    let inner = times(add(v3, v5), F_2_562);
    let o0 = add(subtract(times(v1, F_1_501), outer), q);
    let o1 = add(subtract(times(v3, F_3_072), inner), p);
    let o2 = add(subtract(times(v5, F_2_053), inner), q);
    let o3 = add(subtract(times(v7, F_0_298), outer), p);
    [
        add(e0, o0),
        add(e1, o1),
        add(e2, o2),
        add(e3, o3),
        subtract(e3, o3),
        subtract(e2, o2),
        subtract(e1, o1),
        subtract(e0, o0),
    ]
}

/// Transposes 8×8 values of 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose([r0, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8]) -> [Vector; 8] {
    // Columns i and 4 + i of four rows.
    let [upper, lower] = [[r0, r1, r2, r3], [r4, r5, r6, r7]].map(|[r0, r1, r2, r3]| {
        let (a, b) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
        let (c, d) = (_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
        [
            _mm256_unpacklo_epi64(a, c),
            _mm256_unpackhi_epi64(a, c),
            _mm256_unpacklo_epi64(b, d),
            _mm256_unpackhi_epi64(b, d),
        ]
    });
    let ([u04, u15, u26, u37], [l04, l15, l26, l37]) = (upper, lower);
    [
        _mm256_permute2x128_si256::<0x20>(u04, l04),
        _mm256_permute2x128_si256::<0x20>(u15, l15),
        _mm256_permute2x128_si256::<0x20>(u26, l26),
        _mm256_permute2x128_si256::<0x20>(u37, l37),
        _mm256_permute2x128_si256::<0x31>(u04, l04),
        _mm256_permute2x128_si256::<0x31>(u15, l15),
        _mm256_permute2x128_si256::<0x31>(u26, l26),
        _mm256_permute2x128_si256::<0x31>(u37, l37),
    ]
}
