//! AVX2 body for bounds up to 15 bits, with words of 16 bits: the samples of four quads in one vector, a lane each. Images of
//! up to 13 bits have such bounds, and most blocks of others.
//!
//! ```text
//! lane          0 1 2 3   4 5 6 7  │  0 1 2 3   4 5 6 7        half: two quads, at most 120 bits
//! sample        quad 0    quad 1      quad 2    quad 3
//! ```
//!
//! Counts and offsets are below 128, and both bytes of a lane have the same value, so that a shuffle can use them as they are:
//!
//! ```text
//! m       bits of each sample                      s       their sums in the half, up to and including the sample
//! o       s - m + position of the half modulo 8    bytes   16 of the string from the half's position on
//! w, x    bytes o / 8 + 0 … 1 and o / 8 + 2 … 3
//! value   (w × 2^(15 - o % 8)) / 2^16 | x × 2^(15 - o % 8)        16 bits from o + 1 on
//! ```
//!
//! Positions are one less than the offsets of the next bits, which a bit 0 before the string makes up for, because 2^16 is not a
//! factor. With bounds of at most 15 bits, words have 16 bits, and positions as well: blocks have up to 4096 samples in quads.

#![allow(clippy::cast_possible_truncation, reason = "the low bits of a word")]

use super::cleanup::{
    ABOVE_COLUMNS, Buffers, Cleanup, MAGNITUDE_BUFFER, Magnitudes, ROW_SAMPLES, RowWindow, STEP_COLUMNS, SampleDecoder,
    Stop, decode_cleanup, words_above, words_before,
};
use super::coefficients::Output;
use super::tables::{RESIDUAL_MASK, RESIDUAL_SHIFT};
use super::x86::{append_backward, append_forward, significance, store_coefficients};
use super::{Scratch, buffers};
use crate::kernel::code_block::{BlockErrorReason, Dequantization};
use crate::kernel::x86_memory::{load_128, store_128, store_256};
use std::arch::x86_64::*;

/// Largest supported bound of exponents.
pub(super) const MAX_BOUND: u32 = 15;
/// Most samples of quads, so that positions of valid strings have 16 bits.
const MAX_SAMPLES: usize = 4096;

/// State of the MagSgn string.
struct State {
    /// Offset of the bit before the next one, in each lane.
    position: __m256i,
    /// Largest bounds of exponents so far.
    bound: __m128i,
    /// Bottom row of the step before, 0 before the first one of a line.
    pending: __m128i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_block(cleanup: &Cleanup<'_>, out: (&mut [i32], usize), scratch: &mut Scratch) -> Result<(), Stop> {
    if 4 * cleanup.width.div_ceil(2) * cleanup.height.div_ceil(2) > MAX_SAMPLES {
        return Err(Stop::Wide);
    }
    let Some(buffers) = buffers(scratch) else { return Err(Stop::Invalid(BlockErrorReason::Memory)) };
    let state = State { position: _mm256_setzero_si256(), bound: _mm_setzero_si128(), pending: _mm_setzero_si128() };
    let output = &cleanup.output;
    let is_plain =
        output.dequantization == Some(Dequantization::Reversible) && (output.bit_plane, output.roi_shift) == (0, 0);
    let begin = |state: &mut State, _: Magnitudes<'_>, pairs, row: &RowWindow<u16>| sample_bits(state, pairs, row);
    let decode = |state: &mut State, magnitudes: Magnitudes<'_>, bits, row: &mut RowWindow<u16>, out: [&mut _; 2]| {
        decode_samples(state, magnitudes.buffer, &bits, row, out, output, is_plain);
    };
    let end_line = |state: &mut State, magnitudes: Magnitudes<'_>, last: &mut [u16; STEP_COLUMNS]| {
        store_128(last, std::mem::replace(&mut state.pending, _mm_setzero_si128()));
        end_line(state, magnitudes.bits)
    };
    let [words, _] = bytemuck::cast_mut::<_, [[u16; ROW_SAMPLES]; 2]>(buffers.words);
    let Buffers { magnitudes, codes, quads, significant, spare, .. } = buffers;
    let buffers = Buffers { magnitudes, codes, quads, words, significant, spare };
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

/// Moves a position after the end of the string, of `bits` bits, to the end. Returns the largest bound so far.
#[inline]
#[target_feature(enable = "avx2")]
fn end_line(state: &mut State, bits: usize) -> u32 {
    let end = u16::try_from(bits).unwrap_or(u16::MAX);
    state.position = _mm256_min_epu16(state.position, _mm256_set1_epi16(end.cast_signed()));
    let mut bounds = [0_u32; 4];
    store_128(&mut bounds, state.bound);
    bounds.into_iter().max().unwrap_or_default()
}

/// Bits of the samples of a step.
struct SampleBits {
    /// The fields of each quad in its four lanes.
    fields: __m256i,
    /// -1 for significant samples.
    significant: __m256i,
    /// Numbers of bits.
    counts: __m256i,
    /// Offsets of the bits before those of a sample, from the first byte of the half; plus 8 in the upper byte of a lane.
    offsets: __m256i,
    /// Offset of the first byte of the half in the string, in lanes of 32 bits.
    starts: __m256i,
}

/// Computes numbers and offsets of the bits of samples.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn sample_bits(state: &mut State, [first, second]: [u64; 2], row: &RowWindow<u16>) -> SampleBits {
    let quads = _mm_set_epi64x(second.cast_signed(), first.cast_signed());
    let bounds = exponent_bounds(quads, words_above(row));
    state.bound = _mm_max_epu8(state.bound, bounds);
    let fields = _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(quads),
        _mm256_setr_epi8(
            1, 2, 1, 2, 1, 2, 1, 2, 5, 6, 5, 6, 5, 6, 5, 6, 9, 10, 9, 10, 9, 10, 9, 10, 13, 14, 13, 14, 13, 14, 13, 14,
        ),
    );
    let bounds = _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(bounds),
        _mm256_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 12, 12, 12, 12, 12, 12, 12, 12,
        ),
    );
    let significant = flags::<4>(fields);
    let counts = _mm256_and_si256(_mm256_add_epi8(bounds, flags::<12>(fields)), significant);
    let sums = _mm256_add_epi8(counts, _mm256_slli_si256::<2>(counts));
    let sums = _mm256_add_epi8(sums, _mm256_slli_si256::<4>(sums));
    let sums = _mm256_add_epi8(sums, _mm256_slli_si256::<8>(sums));
    // Positions of the halves.
    let last = _mm256_set1_epi16(0x800E_u16.cast_signed());
    let totals = _mm256_shuffle_epi8(sums, last);
    let positions = _mm256_add_epi16(state.position, _mm256_permute2x128_si256::<0x08>(totals, totals));
    state.position = _mm256_permute4x64_epi64::<0b11_11_11_11>(_mm256_add_epi16(positions, totals));
    let starts = _mm256_srli_epi32::<19>(positions);
    // Offsets from there, plus 8 in the upper byte of a lane.
    let start = _mm256_and_si256(positions, _mm256_set1_epi16(7));
    let start = _mm256_or_si256(_mm256_or_si256(start, _mm256_slli_epi16::<8>(start)), _mm256_set1_epi16(0x0800));
    let offsets = _mm256_add_epi8(_mm256_sub_epi8(sums, counts), start);
    SampleBits { fields, significant, counts, offsets, starts }
}

/// See `scalar::decode_samples`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn decode_samples(
    state: &mut State,
    data: &[u8; MAGNITUDE_BUFFER],
    bits: &SampleBits,
    row: &mut RowWindow<u16>,
    [top, bottom]: [&mut [i32; STEP_COLUMNS]; 2],
    output: &Output,
    is_plain: bool,
) {
    let &SampleBits { fields, significant, counts, offsets, starts } = bits;
    let low = _mm256_castsi256_si128(starts);
    let high = _mm256_extracti128_si256::<1>(starts);
    let [low, high] = [low, high].map(|start| load(data, _mm_cvtsi128_si32(start).cast_unsigned()));
    let bytes = _mm256_set_m128i(high, low);
    let indices = _mm256_and_si256(_mm256_srli_epi16::<3>(offsets), _mm256_set1_epi8(0x1F));
    let factors = _mm256_slli_epi16::<8>(_mm256_shuffle_epi8(factors(), offsets));
    let low = _mm256_shuffle_epi8(bytes, indices);
    let high = _mm256_shuffle_epi8(bytes, _mm256_add_epi8(indices, _mm256_set1_epi8(2)));
    let values = _mm256_or_si256(_mm256_mulhi_epu16(low, factors), _mm256_mullo_epi16(high, factors));
    let ends = _mm256_shuffle_epi8(powers(), _mm256_add_epi8(counts, _mm256_set1_epi16(0xF800_u16.cast_signed())));
    let values = _mm256_and_si256(values, _mm256_sub_epi16(ends, _mm256_set1_epi16(1)));
    let values = _mm256_or_si256(values, _mm256_and_si256(ends, flags::<8>(fields)));
    let words = _mm256_sub_epi16(_mm256_add_epi16(values, values), significant);
    // Top rows of both quads, bottom rows; then all top rows, all bottom rows.
    let words = _mm256_shuffle_epi8(
        words,
        _mm256_setr_epi8(
            0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,
        ),
    );
    let rows = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
    store_128(words_before(row), std::mem::replace(&mut state.pending, _mm256_extracti128_si256::<1>(rows)));
    if is_plain {
        let magnitudes = _mm256_add_epi16(_mm256_srli_epi16::<2>(rows), _mm256_and_si256(rows, _mm256_set1_epi16(1)));
        let signed = _mm256_sign_epi16(magnitudes, _mm256_slli_epi16::<14>(rows));
        store_256(top, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(signed)));
        store_256(bottom, _mm256_cvtepi16_epi32(_mm256_extracti128_si256::<1>(signed)));
    } else {
        store_coefficients(output, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(rows)), top);
        store_coefficients(output, _mm256_cvtepu16_epi32(_mm256_extracti128_si256::<1>(rows)), bottom);
    }
}

/// Returns the bounds of exponents of four quads.
#[inline]
#[target_feature(enable = "avx2")]
fn exponent_bounds(quads: __m128i, above: &[u16; ABOVE_COLUMNS]) -> __m128i {
    let [left @ .., _, _, _] = above;
    let [_, _, right @ .., _] = above;
    let any = _mm_or_si128(load_128::<[u16; 8]>(left), load_128::<[u16; 8]>(right));
    let any = _mm_or_si128(any, _mm_srli_epi32::<16>(any));
    let mask = _mm_srli_epi32::<16>(_mm_srai_epi32::<31>(quads));
    // Words have one bit more than values.
    let any = _mm_or_si128(_mm_and_si128(any, mask), _mm_set1_epi32(4));
    let exponents = _mm_srli_epi32::<23>(_mm_castps_si128(_mm_cvtepi32_ps(any)));
    let mask = _mm_set1_epi32(RESIDUAL_MASK.cast_signed());
    let residuals = _mm_and_si128(_mm_srli_epi32::<{ RESIDUAL_SHIFT.cast_signed() }>(quads), mask);
    _mm_sub_epi32(_mm_add_epi32(exponents, residuals), _mm_set1_epi32(128))
}

/// Returns -1 in lane n of each quad if bit `SHIFT` + n is set.
#[inline]
#[target_feature(enable = "avx2")]
fn flags<const SHIFT: u32>(fields: __m256i) -> __m256i {
    let [a, b, c, d] = const { [1_u16 << SHIFT, 2 << SHIFT, 4 << SHIFT, 8 << SHIFT] };
    let bits = u64::from(a) | u64::from(b) << 16 | u64::from(c) << 32 | u64::from(d) << 48;
    let bits = _mm256_set1_epi64x(bits.cast_signed());
    _mm256_cmpeq_epi16(_mm256_and_si256(fields, bits), bits)
}

/// Loads 16 bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn load(data: &[u8; MAGNITUDE_BUFFER], offset: u32) -> __m128i {
    let bytes = data.get(offset as usize & 0x1FFF..).and_then(|rest| rest.first_chunk());
    load_128::<[u8; 16]>(bytes.unwrap_or(&[0xFF; 16]))
}

/// Returns 2^i in byte i, for i below 8.
#[inline]
#[target_feature(enable = "avx2")]
fn powers() -> __m256i {
    _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0))
}

/// Returns 2^(7 - i) in bytes i and i + 8.
#[inline]
#[target_feature(enable = "avx2")]
fn factors() -> __m256i {
    _mm256_set1_epi64x(0x0102_0408_1020_4080)
}
