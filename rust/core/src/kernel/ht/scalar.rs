//! Portable bodies.

#![allow(clippy::cast_possible_truncation, reason = "the low bits of a word")]

use super::cleanup::{Buffers, Cleanup, SampleDecoder, Step, Stop, decode_cleanup};
use super::tables::{KNOWN_ONE_SHIFT, KNOWN_SHIFT, MANY_FLAG, RESIDUAL_MASK, RESIDUAL_SHIFT, SIGNIFICANT_SHIFT};

/// Largest bound of exponents: samples have one bit more.
pub(super) const MAX_BOUND: u32 = 31;

pub(super) fn decode_block(
    cleanup: &Cleanup<'_>,
    out: (&mut [i32], usize),
    buffers: &mut Buffers<'_>,
) -> Result<(), Stop> {
    let state = State { bit_offset: 0, bound: 0 };
    let bound = |state: &State| state.bound;
    let decoder = SampleDecoder { state, decode: decode_samples, bound, max_bound: u32::MAX };
    decode_cleanup(cleanup, out, buffers, decoder, (|_, _, _| None, |_, _, _| 0))
}

/// State of the MagSgn string.
struct State {
    bit_offset: usize,
    /// Largest bound of exponents so far.
    bound: u32,
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
fn decode_samples(state: &mut State, data: &[u8], step: Step<'_>) -> u32 {
    let [first, second] = step.pairs;
    let quads = [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32];
    let mut significant = 0;
    let columns = step.top.as_chunks_mut::<2>().0.iter_mut().zip(step.bottom.as_chunks_mut::<2>().0);
    let above = step.above.windows(4).step_by(2);
    for (index, ((quad, [top, bottom]), above)) in quads.iter().zip(columns.map(|(a, b)| [a, b])).zip(above).enumerate()
    {
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
        significant |= (bottom[0] & 1 | (bottom[1] & 1) << 1) << (2 * index);
    }
    significant
}

/// Returns up to 32 bits from `bit_offset` on; ones after the end of the data.
#[inline(always)]
fn read(data: &[u8], bit_offset: usize, count: u32) -> u32 {
    let word = data.get(bit_offset / 8..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0xFF; 8]);
    (u64::from_le_bytes(*word) >> (bit_offset % 8)) as u32 & ((1_u64 << count) - 1) as u32
}
