//! The portable passes compiled for BMI2 (shifts without the flags, bit scans), and coefficients by AVX2.

#![allow(clippy::indexing_slicing, reason = "indices are those of words of the grid")]

use super::bitmaps::Bitmaps;
use super::bitmaps::{STRIPE_ROWS, WORD_COLUMNS};
use super::coefficients::Planes;
use super::contexts::ZeroCodingTable;
use super::mq::MqRegisters;
use super::scalar;
use crate::kernel::code_block::Dequantization;
use crate::kernel::x86_memory::{load_256, store_256};
use std::arch::x86_64::*;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn significance(
    bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
) -> MqRegisters {
    scalar::significance(bitmaps, registers, data, table)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn significance_raw(bitmaps: Bitmaps<'_>, position: usize, data: &[u8]) -> usize {
    scalar::significance_raw(bitmaps, position, data)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refinement(bitmaps: Bitmaps<'_>, registers: MqRegisters, data: &[u8]) -> MqRegisters {
    scalar::refinement(bitmaps, registers, data)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refinement_raw(bitmaps: Bitmaps<'_>, position: usize, data: &[u8]) -> usize {
    scalar::refinement_raw(bitmaps, position, data)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn cleanup(
    bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
    is_first: bool,
) -> MqRegisters {
    scalar::cleanup(bitmaps, registers, data, table, is_first)
}

/// Bits of row 0 of the eight columns of a word, in 32-bit lanes as [`columns`] arranges them.
const ROW_0_BITS: [i32; WORD_COLUMNS] = [1, 1 << 6, 1 << 12, 1 << 18, 1, 1 << 6, 1 << 12, 1 << 18];

/// Returns a core word so that each 32-bit lane has the bits of its column at the positions of [`ROW_0_BITS`] and after.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn columns(word: u64) -> __m256i {
    let halves = _mm256_srlv_epi64(_mm256_set1_epi64x(word.cast_signed()), _mm256_setr_epi64x(0, 0, 24, 24));
    _mm256_shuffle_epi32::<0>(halves)
}

/// Assembles eight magnitudes of each of four rows at once:
///
/// ```text
/// per plane, per row:   magnitudes = 2 magnitudes + (bit of the plane set ? 1 : 0)
/// ```
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store(planes: &Planes<'_>, out: &mut [i32], stride: usize) {
    if planes.roi_shift > 0 {
        return scalar::store(planes, out, stride);
    }
    let grid = planes.grid;
    let word_count = grid.word_count();
    let row_0 = load_256(&ROW_0_BITS);
    let row_bits = [row_0, _mm256_slli_epi32::<1>(row_0), _mm256_slli_epi32::<2>(row_0), _mm256_slli_epi32::<3>(row_0)];
    let is_set = |word: __m256i, bits: __m256i| _mm256_cmpeq_epi32(_mm256_and_si256(word, bits), bits);
    let lowest_shift = _mm_cvtsi64_si128(planes.lowest as i64);
    for stripe in 0..grid.stripes {
        let rows = STRIPE_ROWS.min(grid.height - stripe * STRIPE_ROWS);
        for column in 0..grid.columns {
            let index = grid.first_word(stripe) + column;
            let first_column = column * WORD_COLUMNS;
            let mut magnitudes = [_mm256_setzero_si256(); STRIPE_ROWS];
            if planes.words[index].significant != 0 {
                let bits = |plane: &usize| planes.planes[plane * word_count + index];
                for plane in (planes.lowest..=planes.highest).rev().skip_while(|plane| bits(plane) == 0) {
                    let word = columns(bits(&plane));
                    for (magnitudes, row_bits) in magnitudes.iter_mut().zip(row_bits) {
                        let doubled = _mm256_add_epi32(*magnitudes, *magnitudes);
                        *magnitudes = _mm256_sub_epi32(doubled, is_set(word, row_bits));
                    }
                }
            }
            let negative = columns(planes.words[index].negative);
            for (row, (magnitudes, row_bits)) in magnitudes.into_iter().zip(row_bits).enumerate().take(rows) {
                let doubled = _mm256_sll_epi32(magnitudes, lowest_shift);
                let sign = is_set(negative, row_bits);
                let signed = |value: __m256i| _mm256_sub_epi32(_mm256_xor_si256(value, sign), sign);
                let coefficients = match planes.dequantization {
                    Dequantization::Reversible => signed(_mm256_srli_epi32::<1>(doubled)),
                    Dequantization::Irreversible { step } => {
                        let values = _mm256_cvtepi32_ps(signed(doubled));
                        _mm256_castps_si256(_mm256_mul_ps(values, _mm256_set1_ps(step * 0.5)))
                    }
                };
                let start = (stripe * STRIPE_ROWS + row) * stride + first_column;
                let unused = WORD_COLUMNS.saturating_sub(grid.width - first_column);
                if let (0, Some(out)) = (unused, out[start..].first_chunk_mut::<WORD_COLUMNS>()) {
                    store_256(out, coefficients);
                } else {
                    let mut values = [0_i32; WORD_COLUMNS];
                    store_256(&mut values, coefficients);
                    let used = &values[..WORD_COLUMNS - unused];
                    out[start..start + used.len()].copy_from_slice(used);
                }
            }
        }
    }
}
