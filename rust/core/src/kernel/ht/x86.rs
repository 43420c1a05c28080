//! AVX2 body, which tries the one with words of 16 bits first: the samples of four quads in two vectors, a lane each.
//!
//! ```text
//! exponent bounds    four quads in the even lanes of a vector, κ by the exponent of a conversion to `f32`
//! lanes              each sample of a quad in coding order: m_n, and inclusive sums of m_n in the quad
//! bit offsets        sums of the quads' totals; the string's 16 bytes from each quad's offset on are loaded
//! values             4 bytes of each sample by a shuffle, shifted by the offset modulo 8, and masked to m_n bits
//! ```
//!
//! Four bytes have 25 bits from any offset on. Words of 24 bits are exact in `f32`, so bounds up to 23 bits are supported.

#![allow(clippy::cast_possible_truncation, reason = "halves of a word")]

use super::cleanup::{
    ABOVE_COLUMNS, Cleanup, Magnitudes, RowWindow, STEP_COLUMNS, SampleDecoder, Stop, decode_cleanup, words_above,
    words_before,
};
use super::coefficients::{Output, convert_words};
use super::tables::{KNOWN_ONE_SHIFT, KNOWN_SHIFT, RESIDUAL_MASK, RESIDUAL_SHIFT, SIGNIFICANT_SHIFT};
use super::unstuff::{BLOCK_BYTES, Pending};
use super::{Scratch, buffers, x86_narrow};
use crate::kernel::code_block::{BlockErrorReason, Dequantization};
use crate::kernel::x86_memory::{load_128, load_256, store_256};
use std::arch::x86_64::*;

/// Largest supported bound of exponents.
const MAX_BOUND: u32 = 23;

/// State of the MagSgn string.
struct State {
    /// Offset of the next bit, in each lane.
    bit_offset: __m128i,
    /// Largest bounds of exponents so far.
    bound: __m256i,
    /// Bottom row of the step before, 0 before the first one of a line.
    pending: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_block(
    cleanup: &Cleanup<'_>,
    (out, stride): (&mut [i32], usize),
    scratch: &mut Scratch,
) -> Result<(), Stop> {
    if !cleanup.was_wide.get() {
        match x86_narrow::decode_block(cleanup, (&mut *out, stride), scratch) {
            Err(Stop::Wide) => {}
            result => return result,
        }
    }
    let bound = decode_wide(cleanup, (out, stride), scratch)?;
    cleanup.was_wide.set(bound > x86_narrow::MAX_BOUND);
    Ok(())
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn decode_wide(cleanup: &Cleanup<'_>, out: (&mut [i32], usize), scratch: &mut Scratch) -> Result<u32, Stop> {
    let Some(buffers) = buffers(scratch) else { return Err(Stop::Invalid(BlockErrorReason::Memory)) };
    let state = State { bit_offset: _mm_set1_epi32(1), bound: _mm256_setzero_si256(), pending: _mm256_setzero_si256() };
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
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn largest(bounds: __m256i) -> u32 {
    let mut lanes = [0_u32; 8];
    store_256(&mut lanes, bounds);
    lanes.into_iter().max().unwrap_or_default()
}

/// Writes the coefficients of eight words.
///
/// `vpsignd` negates, copies or clears a magnitude by a word whose upper bits are sign and significance.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store_coefficients(output: &Output, words: __m256i, out: &mut [i32; STEP_COLUMNS]) {
    let plane = _mm_cvtsi32_si128(output.bit_plane.cast_signed());
    match output.dequantization {
        Some(Dequantization::Reversible) if output.roi_shift == 0 => {
            let offset = _mm256_set1_epi32((3_u32 << output.bit_plane >> 1).cast_signed());
            let magnitudes = _mm256_sll_epi32(_mm256_srli_epi32::<2>(words), plane);
            let mask = _mm256_set1_epi32(i32::MAX >> 1);
            let magnitudes = _mm256_and_si256(_mm256_add_epi32(magnitudes, offset), mask);
            store_256(out, _mm256_sign_epi32(magnitudes, _mm256_slli_epi32::<30>(words)));
        }
        Some(Dequantization::Irreversible { step }) if output.roi_shift == 0 => {
            let doubled = _mm256_or_si256(_mm256_srli_epi32::<1>(words), _mm256_set1_epi32(1));
            let doubled = _mm256_sll_epi32(_mm256_add_epi32(doubled, _mm256_set1_epi32(2)), plane);
            let magnitudes = _mm256_and_si256(doubled, _mm256_set1_epi32(i32::MAX));
            let signed = _mm256_sign_epi32(magnitudes, _mm256_slli_epi32::<30>(words));
            let values = _mm256_mul_ps(_mm256_cvtepi32_ps(signed), _mm256_set1_ps(0.5 * step));
            store_256(out, _mm256_castps_si256(values));
        }
        _ => {
            store_256(out, words);
            convert_words(output, out);
        }
    }
}

/// Writes 32 bytes of a MagSgn string after the pending bits, and returns the mask of those that are FF.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::unnecessary_wraps, reason = "other levels return `None`")]
pub(super) fn append_forward(bytes: &[u8; BLOCK_BYTES], out: &mut [u8; BLOCK_BYTES], pending: Pending) -> Option<u32> {
    let words = load_256(bytes);
    append(words, out, pending);
    Some(_mm256_movemask_epi8(_mm256_cmpeq_epi8(words, _mm256_set1_epi8(-1))).cast_unsigned())
}

/// Writes 32 bytes of a VLC string, of which `bytes` are the next 32 and the one before, to the pending bits; returns the mask of
/// those that have 7 bits.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::unnecessary_wraps, reason = "other levels return `None`")]
pub(super) fn append_backward(
    bytes: &[u8; BLOCK_BYTES + 1],
    out: &mut [u8; BLOCK_BYTES],
    pending: Pending,
) -> Option<u32> {
    let ([words @ .., _], [_, before @ ..]) = (bytes, bytes);
    let (words, before) = (load_256::<[u8; BLOCK_BYTES]>(words), load_256::<[u8; BLOCK_BYTES]>(before));
    let ones = _mm256_set1_epi8(0x7F);
    let is_short = _mm256_cmpeq_epi8(_mm256_and_si256(words, ones), ones);
    let is_high = _mm256_cmpeq_epi8(_mm256_max_epu8(before, _mm256_set1_epi8(0x90_u8.cast_signed())), before);
    let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    let reversed = _mm256_permute4x64_epi64::<0b01_00_11_10>(_mm256_shuffle_epi8(words, order));
    append(reversed, out, pending);
    Some(_mm256_movemask_epi8(_mm256_and_si256(is_short, is_high)).cast_unsigned())
}

/// Writes 32 bytes after the pending bits.
#[inline]
#[target_feature(enable = "avx2")]
fn append(words: __m256i, out: &mut [u8; BLOCK_BYTES], pending: Pending) {
    let count = _mm_cvtsi32_si128(pending.count.cast_signed());
    let shifted = _mm256_sll_epi64(words, count);
    // The upper bits of each word move to the next one.
    let upper = _mm256_srl_epi64(words, _mm_sub_epi32(_mm_cvtsi32_si128(64), count));
    let upper = _mm256_permute4x64_epi64::<0b10_01_00_11>(upper);
    let first = _mm256_castsi128_si256(_mm_cvtsi64_si128(pending.bits.cast_signed()));
    store_256(out, _mm256_or_si256(shifted, _mm256_blend_epi32::<0b11>(upper, first)));
}

/// See `scalar::decode_samples`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
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
    let halves = [_mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2), _mm256_setr_epi32(4, 4, 4, 4, 6, 6, 6, 6)];
    let [first, second] = halves
        .map(|lanes| sample_bits(_mm256_permutevar8x32_epi32(wide, lanes), _mm256_permutevar8x32_epi32(bounds, lanes)));
    // Totals of the quads 0, 2, 1, 3 in the odd lanes.
    let totals = _mm256_unpackhi_epi64(first.sums, second.sums);
    let totals = _mm256_permutevar8x32_epi32(totals, _mm256_setr_epi32(1, 5, 3, 7, 1, 5, 3, 7));
    let totals = _mm256_castsi256_si128(totals);
    let sums = _mm_add_epi32(totals, _mm_slli_si128::<4>(totals));
    let sums = _mm_add_epi32(sums, _mm_slli_si128::<8>(sums));
    let offsets = _mm_add_epi32(state.bit_offset, _mm_sub_epi32(sums, totals));
    state.bit_offset = _mm_add_epi32(state.bit_offset, _mm_shuffle_epi32::<0xFF>(sums));
    let bytes = _mm_srli_epi32::<3>(offsets);
    let low = _mm_cvtsi128_si64(bytes).cast_unsigned();
    let high = _mm_extract_epi64::<1>(bytes).cast_unsigned();
    let bits = _mm256_castsi128_si256(_mm_and_si128(offsets, _mm_set1_epi32(7)));
    let first_bits = _mm256_permutevar8x32_epi32(bits, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
    let second_bits = _mm256_permutevar8x32_epi32(bits, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3));
    let first_words = words(&first, load_pair(data, low), first_bits);
    let second_words = words(&second, load_pair(data, high), second_bits);
    // Samples 0, 2, 1, 3 of each quad.
    let [a, b] = [first_words, second_words].map(|words| _mm256_shuffle_epi32::<0b11_01_10_00>(words));
    let top = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_unpacklo_epi64(a, b));
    let bottom = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_unpackhi_epi64(a, b));
    store_256(words_before(row), std::mem::replace(&mut state.pending, bottom));
    store_coefficients(output, top, top_out);
    store_coefficients(output, bottom, bottom_out);
}

/// See `scalar::significance`.
#[inline]
#[target_feature(enable = "bmi2")]
pub(super) fn significance([first, second]: [u64; 2]) -> u8 {
    const BOTTOM: u64 = 0xA_0000_000A << SIGNIFICANT_SHIFT;
    (_pext_u64(first, BOTTOM) | _pext_u64(second, BOTTOM) << 4) as u8
}

/// Returns the bounds of exponents of four quads, in the even lanes; 1 in the odd ones.
#[inline]
#[target_feature(enable = "avx2")]
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
    let any = _mm256_or_si256(any, _mm256_set1_epi32(4));
    let exponents = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(any)));
    let mask = _mm256_set1_epi32(RESIDUAL_MASK.cast_signed());
    let residuals = _mm256_and_si256(_mm256_srli_epi32::<{ RESIDUAL_SHIFT.cast_signed() }>(quads), mask);
    _mm256_sub_epi32(_mm256_add_epi32(exponents, residuals), _mm256_set1_epi32(128))
}

/// Numbers of bits of the samples of two quads.
struct SampleBits {
    /// -1 for significant samples.
    significant: __m256i,
    counts: __m256i,
    /// Sums of the counts in each quad, up to and including the sample.
    sums: __m256i,
    /// -1 where the bit after those of the sample is a known 1.
    known_ones: __m256i,
}

#[inline]
#[target_feature(enable = "avx2")]
fn sample_bits(quads: __m256i, bounds: __m256i) -> SampleBits {
    let significant = flags::<SIGNIFICANT_SHIFT>(quads);
    let counts = _mm256_and_si256(_mm256_add_epi32(bounds, flags::<KNOWN_SHIFT>(quads)), significant);
    let sums = _mm256_add_epi32(counts, _mm256_slli_si256::<4>(counts));
    let sums = _mm256_add_epi32(sums, _mm256_slli_si256::<8>(sums));
    SampleBits { significant, counts, sums, known_ones: flags::<KNOWN_ONE_SHIFT>(quads) }
}

/// Returns -1 in lane n of each half if bit `SHIFT` + n is set.
#[inline]
#[target_feature(enable = "avx2")]
fn flags<const SHIFT: u32>(quads: __m256i) -> __m256i {
    let [a, b, c, d] = const { [1 << SHIFT, 2 << SHIFT, 4 << SHIFT, 8 << SHIFT] };
    let bits = _mm256_setr_epi32(a, b, c, d, a, b, c, d);
    _mm256_cmpeq_epi32(_mm256_and_si256(quads, bits), bits)
}

/// Loads 16 bytes at the offset in the low half of `offsets`, and 16 bytes at that in the high half; ones after the end.
#[inline]
#[target_feature(enable = "avx2")]
fn load_pair(data: &[u8], offsets: u64) -> __m256i {
    let load = |offset: usize| {
        load_128::<[u8; 16]>(data.get(offset..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0xFF; 16]))
    };
    _mm256_set_m128i(load((offsets >> 32) as usize), load(offsets as u32 as usize))
}

/// Returns the words of samples from the bytes of their quads, which start at bit `bits`.
#[inline]
#[target_feature(enable = "avx2")]
fn words(samples: &SampleBits, bytes: __m256i, bits: __m256i) -> __m256i {
    let one = _mm256_set1_epi32(1);
    let offsets = _mm256_add_epi32(_mm256_sub_epi32(samples.sums, samples.counts), bits);
    let low_bytes = _mm256_setr_epi8(
        0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12,
    );
    let indices = _mm256_shuffle_epi8(_mm256_srli_epi32::<3>(offsets), low_bytes);
    let indices = _mm256_add_epi8(indices, _mm256_set1_epi32(0x0302_0100));
    let values = _mm256_shuffle_epi8(bytes, indices);
    let values = _mm256_srlv_epi32(values, _mm256_and_si256(offsets, _mm256_set1_epi32(7)));
    let high = _mm256_sllv_epi32(one, samples.counts);
    let values = _mm256_and_si256(values, _mm256_sub_epi32(high, one));
    let values = _mm256_or_si256(values, _mm256_and_si256(high, samples.known_ones));
    _mm256_sub_epi32(_mm256_add_epi32(values, values), samples.significant)
}
