//! AVX-512 body: the samples of four quads in one vector. The bytes of all of them are loaded at once, and permuted across
//! lanes (VBMI).
//!
//! Four bytes have 25 bits from any offset on, so bounds up to 25 bits are supported. 16 samples have at most 400 bits.

use super::cleanup::{
    ABOVE_COLUMNS, Cleanup, Magnitudes, RowWindow, STEP_COLUMNS, SampleDecoder, Stop, decode_cleanup, words_above,
    words_before,
};
use super::coefficients::Output;
use super::tables::{KNOWN_ONE_SHIFT, KNOWN_SHIFT, RESIDUAL_MASK, RESIDUAL_SHIFT, SIGNIFICANT_SHIFT};
use super::x86::{append_backward, append_forward, significance, store_coefficients};
use super::{Scratch, buffers};
use crate::kernel::code_block::BlockErrorReason;
use crate::kernel::x86_memory::{load_256, load_512, store_256};
use std::arch::x86_64::*;

/// Largest supported bound of exponents.
const MAX_BOUND: u32 = 25;

/// State of the MagSgn string.
struct State {
    /// Offset of the next bit, in each lane.
    bit_offset: __m512i,
    /// Largest bounds of exponents so far.
    bound: __m256i,
    /// Bottom row of the step before, 0 before the first one of a line.
    pending: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi")]
pub(super) fn decode_block(cleanup: &Cleanup<'_>, out: (&mut [i32], usize), scratch: &mut Scratch) -> Result<(), Stop> {
    let Some(buffers) = buffers(scratch) else { return Err(Stop::Invalid(BlockErrorReason::Memory)) };
    let state =
        State { bit_offset: _mm512_set1_epi32(1), bound: _mm256_setzero_si256(), pending: _mm256_setzero_si256() };
    let begin = |_: &mut State, _: Magnitudes<'_>, pairs: [u64; 2], _: &RowWindow<u32>| pairs;
    let decode = |state: &mut State, magnitudes: Magnitudes<'_>, pairs, row: &mut RowWindow<u32>, out: [&mut _; 2]| {
        let data = magnitudes.buffer.get(..magnitudes.bytes).unwrap_or_default();
        decode_samples(state, data, pairs, row, out, &cleanup.output)
    };
    let end_line = |state: &mut State, _: Magnitudes<'_>, last: &mut [u32; STEP_COLUMNS]| {
        store_256(last, std::mem::replace(&mut state.pending, _mm256_setzero_si256()));
        largest(state.bound)
    };
    let decoder = SampleDecoder { state, begin, decode, end_line, max_bound: MAX_BOUND };
    decode_cleanup(
        cleanup,
        out,
        buffers,
        decoder,
        (|pairs| significance(pairs), |_| ()),
        (
            |bytes, out, pending| append_forward(bytes, out, pending),
            |bytes, out, pending| append_backward(bytes, out, pending),
        ),
    )
    .map(|_| ())
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn largest(bounds: __m256i) -> u32 {
    let mut lanes = [0_u32; 8];
    store_256(&mut lanes, bounds);
    lanes.into_iter().max().unwrap_or_default()
}

/// See `scalar::decode_samples`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi")]
fn decode_samples(
    state: &mut State,
    data: &[u8],
    pairs: [u64; 2],
    row: &mut RowWindow<u32>,
    [top_out, bottom_out]: [&mut [i32; STEP_COLUMNS]; 2],
    output: &Output,
) {
    let [first, second] = pairs.map(u64::cast_signed);
    let quads = _mm_set_epi64x(second, first);
    let wide = _mm256_cvtepu32_epi64(quads);
    let bounds = exponent_bounds(wide, words_above(row));
    state.bound = _mm256_max_epi32(state.bound, bounds);
    let lanes = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
    let [quads, bounds] = [wide, bounds].map(|v| _mm512_permutexvar_epi32(lanes, _mm512_castsi256_si512(v)));
    let significant = flags::<SIGNIFICANT_SHIFT>(quads);
    let one = _mm512_set1_epi32(1);
    let counts = _mm512_maskz_mov_epi32(significant, bounds);
    let counts = _mm512_mask_sub_epi32(counts, flags::<KNOWN_SHIFT>(quads), counts, one);
    // Sums in each quad, then the totals of the quads before.
    let sums = _mm512_add_epi32(counts, _mm512_bslli_epi128::<4>(counts));
    let sums = _mm512_add_epi32(sums, _mm512_bslli_epi128::<8>(sums));
    let totals = _mm512_shuffle_epi32::<0xFF>(sums);
    let before = _mm512_maskz_shuffle_i32x4::<0b10_01_00_00>(0xFFF0, totals, totals);
    let before = _mm512_add_epi32(before, _mm512_maskz_shuffle_i32x4::<0b10_01_00_00>(0xFFF0, before, before));
    let before = _mm512_add_epi32(before, _mm512_maskz_shuffle_i32x4::<0b01_00_00_00>(0xFF00, before, before));
    let sums = _mm512_add_epi32(sums, before);
    let bits = _mm512_and_si512(state.bit_offset, _mm512_set1_epi32(7));
    let offsets = _mm512_add_epi32(_mm512_sub_epi32(sums, counts), bits);
    let byte = _mm_cvtsi128_si32(_mm512_castsi512_si128(state.bit_offset)).cast_unsigned() as usize / 8;
    state.bit_offset = _mm512_add_epi32(state.bit_offset, _mm512_permutexvar_epi32(_mm512_set1_epi32(15), sums));
    let bytes = data.get(byte..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0xFF; 64]);
    let low_bytes = _mm512_set4_epi32(0x0C0C_0C0C, 0x0808_0808, 0x0404_0404, 0);
    let indices = _mm512_shuffle_epi8(_mm512_srli_epi32::<3>(offsets), low_bytes);
    let indices = _mm512_add_epi8(indices, _mm512_set1_epi32(0x0302_0100));
    let values = _mm512_permutexvar_epi8(indices, load_512::<[u8; 64]>(bytes));
    let values = _mm512_srlv_epi32(values, _mm512_and_si512(offsets, _mm512_set1_epi32(7)));
    let high = _mm512_sllv_epi32(one, counts);
    let values = _mm512_and_si512(values, _mm512_sub_epi32(high, one));
    let values = _mm512_mask_or_epi32(values, flags::<KNOWN_ONE_SHIFT>(quads), values, high);
    let words = _mm512_sub_epi32(_mm512_add_epi32(values, values), _mm512_movm_epi32(significant));
    let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    let rows = _mm512_permutexvar_epi32(lanes, words);
    let (top, bottom) = (_mm512_castsi512_si256(rows), _mm512_extracti64x4_epi64::<1>(rows));
    store_256(words_before(row), std::mem::replace(&mut state.pending, bottom));
    store_coefficients(output, top, top_out);
    store_coefficients(output, bottom, bottom_out);
}

/// Returns the bounds of exponents of four quads, in the even lanes; 1 in the odd ones.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512cd,avx512vl")]
fn exponent_bounds(quads: __m256i, above: &[u32; ABOVE_COLUMNS]) -> __m256i {
    let [a @ .., _, _, _] = above;
    let [_, b @ .., _, _] = above;
    let [_, _, c @ .., _] = above;
    let [_, _, _, d @ ..] = above;
    let any = _mm256_or_si256(
        _mm256_or_si256(load_256::<[u32; 8]>(a), load_256::<[u32; 8]>(b)),
        _mm256_or_si256(load_256::<[u32; 8]>(c), load_256::<[u32; 8]>(d)),
    );
    let any = _mm256_and_si256(any, _mm256_srai_epi32::<31>(quads));
    let zeros = _mm256_lzcnt_epi32(_mm256_or_si256(any, _mm256_set1_epi32(4)));
    let mask = _mm256_set1_epi32(RESIDUAL_MASK.cast_signed());
    let residuals = _mm256_and_si256(_mm256_srli_epi32::<{ RESIDUAL_SHIFT.cast_signed() }>(quads), mask);
    _mm256_sub_epi32(_mm256_add_epi32(residuals, _mm256_set1_epi32(30)), zeros)
}

/// Returns bit n of each group of four if bit `SHIFT` + n is set.
#[inline]
#[target_feature(enable = "avx512f")]
fn flags<const SHIFT: u32>(quads: __m512i) -> __mmask16 {
    let [a, b, c, d] = const { [1 << SHIFT, 2 << SHIFT, 4 << SHIFT, 8 << SHIFT] };
    _mm512_test_epi32_mask(quads, _mm512_set4_epi32(d, c, b, a))
}
