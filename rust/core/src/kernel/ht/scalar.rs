//! Portable bodies.

#![allow(clippy::cast_possible_truncation, reason = "the low bits of a word")]

use super::cleanup::{
    Cleanup, Magnitudes, RowWindow, STEP_COLUMNS, SampleDecoder, Stop, decode_cleanup, words_above, words_before,
};
use super::coefficients::convert_words;
use super::tables::{KNOWN_ONE_SHIFT, KNOWN_SHIFT, MANY_FLAG, RESIDUAL_MASK, RESIDUAL_SHIFT, SIGNIFICANT_SHIFT};
use super::{Scratch, buffers};
use crate::kernel::code_block::BlockErrorReason;

/// Largest bound of exponents: samples have one bit more.
pub(super) const MAX_BOUND: u32 = 31;

pub(super) fn decode_block(cleanup: &Cleanup<'_>, out: (&mut [i32], usize), scratch: &mut Scratch) -> Result<(), Stop> {
    let Some(buffers) = buffers(scratch) else { return Err(Stop::Invalid(BlockErrorReason::Memory)) };
    let state = State { bit_offset: 1, bound: 0, pending: [0; STEP_COLUMNS] };
    let begin = |_: &mut State, _: Magnitudes<'_>, pairs: [u64; 2], _: &RowWindow<u32>| pairs;
    let decode = |state: &mut State, magnitudes: Magnitudes<'_>, pairs, row: &mut RowWindow<u32>, out: [&mut _; 2]| {
        let data = magnitudes.buffer.get(..magnitudes.bytes).unwrap_or_default();
        decode_samples(state, data, pairs, row, out)
    };
    let end_line = |state: &mut State, _: Magnitudes<'_>, last: &mut [u32; STEP_COLUMNS]| {
        *last = std::mem::take(&mut state.pending);
        state.bound
    };
    let decoder = SampleDecoder { state, begin, decode, end_line, max_bound: u32::MAX };
    let convert_row = |row: &mut [i32]| convert_words(&cleanup.output, row);
    decode_cleanup(cleanup, out, buffers, decoder, (significance, convert_row), (|_, _, _| None, |_, _, _| None))
        .map(|_| ())
}

/// State of the MagSgn string.
struct State {
    bit_offset: usize,
    /// Largest bound of exponents so far.
    bound: u32,
    /// Bottom row of the step before, 0 before the first one of a line.
    pending: [u32; STEP_COLUMNS],
}

/// Decodes the samples of four quads (T.814 7.3.7).
///
/// ```text
/// U   = u_q + κ               κ = max(1, largest exponent of the 4 samples above - 1) if γ, otherwise 1
/// m_n = U - k_n               bits of significant sample n
/// v_n = m_n bits + i_n << m_n
/// ```
///
/// The word of a significant sample is 2 `v_n` + 1, others are 0. The exponent of a sample is the number of bits of `v_n | 1`,
/// so the largest of several is the number of bits of their words' disjunction, less 1.
#[inline(always)]
fn decode_samples(
    state: &mut State,
    data: &[u8],
    pairs: [u64; 2],
    row: &mut RowWindow<u32>,
    [top_out, bottom_out]: [&mut [i32; STEP_COLUMNS]; 2],
) {
    let [first, second] = pairs;
    let quads = [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32];
    let mut bottom_words = [0; STEP_COLUMNS];
    let top_words: &mut [u32; STEP_COLUMNS] = bytemuck::cast_mut(top_out);
    let columns = top_words.as_chunks_mut::<2>().0.iter_mut().zip(bottom_words.as_chunks_mut::<2>().0);
    let above = words_above(row).windows(4).step_by(2);
    for ((quad, [top, bottom]), above) in quads.iter().zip(columns.map(|(a, b)| [a, b])).zip(above) {
        let above = above.iter().fold(0, |any, word| any | word);
        let above = if quad & MANY_FLAG != 0 { above } else { 0 };
        let kappa = 30 - (above | 4).leading_zeros();
        let bound = kappa + (quad >> RESIDUAL_SHIFT & RESIDUAL_MASK);
        state.bound = state.bound.max(bound);
        let samples = [0, 1, 2, 3].map(|sample| {
            if quad >> (SIGNIFICANT_SHIFT + sample) & 1 == 0 {
                return 0;
            }
            let known = quad >> (KNOWN_SHIFT + sample) & 1;
            let count = bound.min(MAX_BOUND) - known;
            let value = read(data, state.bit_offset, count) | (quad >> (KNOWN_ONE_SHIFT + sample) & 1) << count;
            state.bit_offset += count as usize;
            value << 1 | 1
        });
        [top[0], bottom[0], top[1], bottom[1]] = samples;
    }
    *bottom_out = bytemuck::cast(bottom_words);
    *words_before(row) = std::mem::replace(&mut state.pending, bottom_words);
}

/// Returns the significance of the bottom row of four quads, the first sample in bit 0.
fn significance(pairs: [u64; 2]) -> u8 {
    let [first, second] = pairs.map(|pair| {
        let [low, high] =
            [pair, pair >> 32].map(|quad| quad >> (SIGNIFICANT_SHIFT + 1) & 1 | quad >> (SIGNIFICANT_SHIFT + 2) & 2);
        low | high << 2
    });
    (first | second << 4) as u8
}

/// Returns up to 32 bits from `bit_offset` on; ones after the end of the data.
#[inline(always)]
fn read(data: &[u8], bit_offset: usize, count: u32) -> u32 {
    let word = data.get(bit_offset / 8..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0xFF; 8]);
    (u64::from_le_bytes(*word) >> (bit_offset % 8)) as u32 & ((1_u64 << count) - 1) as u32
}
