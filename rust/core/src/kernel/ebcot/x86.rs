//! The portable passes compiled for BMI2 (shifts without the flags, bit scans); by AVX2 coefficients, and refinement passes
//! of eight blocks.

#![allow(clippy::indexing_slicing, reason = "indices are those of words of the grid, and of lanes")]
#![allow(clippy::cast_possible_truncation, reason = "registers of lanes are the upper bits of longer ones")]

use super::BlockStyle;
use super::bitmaps::Bitmaps;
use super::bitmaps::{STRIPE_ROWS, WORD_COLUMNS};
use super::coefficients::Planes;
use super::contexts::ZeroCodingTable;
use super::lane::Lane;
use super::mq::{MqRegisters, NUMBER_SHIFT, STATE_COUNT, STATES};
use super::packed::{LANES, RefinementLane};
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

/// States of a context in 32 bits, by their numbers: Qe << 15, number after an LPS << 7, number after an MPS.
static STATES_32: [i32; 128] = {
    let mut states = [0; 128];
    let mut number = 0;
    while number < STATE_COUNT {
        let state = STATES[number];
        states[number] = ((state >> 48) << 15 | (state >> 8 & 0x7F) << 7 | state & 0x7F) as i32;
        number += 1;
    }
    states
};
const QE_32: i32 = 0x3FFF_8000;
const NUMBER_MASK: i32 = 0x7F;
/// Bits of the registers of a lane: 63 to 33 of those of [`MqRegisters`].
const DROPPED_BITS: i32 = 33;
const LANE_MASK: i32 = i32::MAX;
/// Maximum position of the lowest valid bit of the distance before a member is decoded: 16 bits are valid.
const MAX_LOWEST: i32 = 15;
/// Maximum number of bits of a refill, so that four bytes from any bit on contain them. A member takes 15 bits at most.
const MAX_REFILL_BITS: i32 = 24;
/// Maximum size of the buffer of a group, so that bit positions are 32-bit numbers.
const MAX_BYTES: usize = 1 << 27;

/// Registers of the MQ decoders of the lanes (see [`super::mq`]), 31 bits each.
#[derive(Default)]
struct LaneRegisters {
    interval: [i32; LANES],
    distance: [i32; LANES],
    /// Position of the lowest valid bit of `distance`.
    lowest: [i32; LANES],
    /// Next bit in the buffer of the group, and the bit from which on there are only ones.
    position: [i32; LANES],
    end: [i32; LANES],
    /// Members that are not decoded yet.
    left: [i32; LANES],
    /// States of the contexts 14, 15 and 16.
    contexts: [[i32; LANES]; 3],
}

impl LaneRegisters {
    /// Sets the registers of a lane. `bits` has at most [`MAX_BYTES`] bytes.
    fn load(&mut self, index: usize, lane: &RefinementLane<'_>, bits: &[u8]) {
        let bit_position = |byte: usize| 8 * byte.min(MAX_BYTES) as i32;
        let end = bit_position(lane.segment.end.min(bits.len()).saturating_sub(size_of::<u64>()));
        let marked = lane.registers.distance;
        let lowest = marked.trailing_zeros() as i32 + 1 - DROPPED_BITS;
        let next = bit_position(lane.segment.start.saturating_add(lane.registers.position));
        self.interval[index] = (lane.registers.interval >> DROPPED_BITS) as i32;
        self.distance[index] = ((marked & marked.wrapping_sub(1)) >> DROPPED_BITS) as i32;
        self.lowest[index] = lowest.max(0);
        // Bits that are dropped are read again.
        self.position[index] = (next + lowest.min(0)).clamp(0, end);
        self.end[index] = end;
        self.left[index] = lane.members.count as i32;
        for (contexts, state) in self.contexts.iter_mut().zip(lane.contexts.iter()) {
            contexts[index] = STATES_32[(state >> NUMBER_SHIFT) as usize % 128];
        }
    }

    /// Stores the registers of a lane.
    fn store(&self, index: usize, lane: &mut RefinementLane<'_>, bits: &[u8]) {
        let position = self.position[index];
        // Bits up to the next byte are added, because the position of MqRegisters is a byte.
        let added = -position & 7;
        let byte = (position >> 3) as usize;
        let value = u64::from(bits.get(byte).copied().unwrap_or(0xFF)) & ((1 << added) - 1);
        let marked = value << 1 | 1;
        let marker = self.lowest[index] + DROPPED_BITS - added - 1;
        *lane.registers = MqRegisters {
            interval: (self.interval[index] as u64) << DROPPED_BITS,
            distance: ((self.distance[index] as u64) << DROPPED_BITS).wrapping_add(marked << (marker & 63)),
            position: ((position + added) as usize / 8).saturating_sub(lane.segment.start),
        };
        for (contexts, state) in self.contexts.iter().zip(lane.contexts.iter_mut()) {
            let number = STATES_32.iter().position(|state| *state == contexts[index]);
            debug_assert!(number.is_some(), "not a state");
            *state = STATES[number.unwrap_or(0)];
        }
    }
}

/// See [`super::refine_group`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refine_group(lanes: &mut [Lane], style: BlockStyle, bits: &[u8]) -> bool {
    if !(size_of::<u64>()..=MAX_BYTES).contains(&bits.len()) {
        return false;
    }
    let mut refining: Vec<_> = lanes.iter_mut().filter(|lane| lane.is_refining(style)).take(LANES).collect();
    for lane in &mut refining {
        lane.start_segment(bits, false);
        let (members, bitmaps) = lane.members_and_bitmaps(style);
        members.pack(bitmaps, |bits, set| _pext_u64(bits, set));
    }
    let mut registers: Vec<_> = refining.iter_mut().filter_map(|lane| lane.refinement_lane()).collect();
    refine_lanes(&mut registers, bits);
    for lane in refining {
        let (members, bitmaps) = lane.members_and_bitmaps(style);
        members.unpack(bitmaps, |bits, set| _pdep_u64(bits, set));
        lane.finish_pass(style);
    }
    true
}

/// Decodes the magnitude refinement passes of up to eight blocks, one in each 32-bit lane.
///
/// ```text
/// per member:  state = context 14, 15 or 16, by the bits of `not_isolated` and `refined`
///              the steps of `decode` in `mq.rs`, without branches; the carry is bit 31
///              next state: gathered from a table of 128; the three contexts are blended
/// refill:      as many bits as possible in all lanes, when one lane needs them
/// ```
///
/// Lanes without members left take the MPS path with Qe = 0, which changes nothing.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn refine_lanes(lanes: &mut [RefinementLane<'_>], bits: &[u8]) {
    // Lanes that are not in use have a valid state.
    let mut registers = LaneRegisters { interval: [1 << 30; LANES], ..LaneRegisters::default() };
    for (index, lane) in lanes.iter().enumerate() {
        registers.load(index, lane, bits);
    }
    let mut interval = load_256(&registers.interval);
    let mut distance = load_256(&registers.distance);
    let mut lowest = load_256(&registers.lowest);
    let mut position = load_256(&registers.position);
    let end = load_256(&registers.end);
    let mut left = load_256(&registers.left);
    let [mut context_14, mut context_15, mut context_16] =
        [load_256(&registers.contexts[0]), load_256(&registers.contexts[1]), load_256(&registers.contexts[2])];
    let splat = |value| _mm256_set1_epi32(value);
    let zero = _mm256_setzero_si256();
    // Selects `second` in the lanes whose bit 31 of `mask` is set.
    let select = |mask: __m256i, first: __m256i, second: __m256i| {
        let blended =
            _mm256_blendv_ps(_mm256_castsi256_ps(first), _mm256_castsi256_ps(second), _mm256_castsi256_ps(mask));
        _mm256_castps_si256(blended)
    };
    let chunks = lanes.iter().map(|lane| lane.members.count).max().unwrap_or(0).div_ceil(32);
    for chunk in 0..chunks {
        let mut not_isolated = [0_i32; LANES];
        let mut refined = [0_i32; LANES];
        let half = |words: &[u64]| (words[chunk / 2] >> (chunk % 2 * 32)) as i32;
        for (index, lane) in lanes.iter().enumerate() {
            not_isolated[index] = half(&lane.members.not_isolated);
            refined[index] = half(&lane.members.refined);
        }
        let (not_isolated, refined) = (load_256(&not_isolated), load_256(&refined));
        let mut decoded = zero;
        for member in 0..32 {
            let shift = _mm_cvtsi32_si128(31 - member);
            let not_isolated = _mm256_sll_epi32(not_isolated, shift);
            let refined = _mm256_sll_epi32(refined, shift);
            let state = select(refined, select(not_isolated, context_14, context_15), context_16);
            let is_idle = _mm256_cmpgt_epi32(splat(1), left);
            left = _mm256_sub_epi32(left, splat(1));
            let qe = _mm256_andnot_si256(is_idle, _mm256_and_si256(state, splat(QE_32)));
            let mps_interval = _mm256_sub_epi32(interval, qe);
            // Bit 31: carry, the MPS path.
            let lps_distance = _mm256_or_si256(_mm256_add_epi32(distance, mps_interval), is_idle);
            // Bit 31: the decoded bit is the MPS.
            let is_mps = _mm256_xor_si256(lps_distance, _mm256_cmpgt_epi32(qe, mps_interval));
            let new_interval = select(lps_distance, qe, mps_interval);
            let new_distance = select(lps_distance, lps_distance, distance);
            // The exponent of the interval as a float gives its leading zeros; 16 bits are exact.
            let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(new_interval)));
            let shift = _mm256_sub_epi32(splat(127 + 30), exponent);
            interval = _mm256_sllv_epi32(new_interval, shift);
            distance = _mm256_and_si256(_mm256_sllv_epi32(new_distance, shift), splat(LANE_MASK));
            lowest = _mm256_add_epi32(lowest, shift);
            let number_shift = _mm256_andnot_si256(_mm256_srai_epi32::<31>(is_mps), splat(7));
            let number = _mm256_and_si256(_mm256_srlv_epi32(state, number_shift), splat(NUMBER_MASK));
            // SAFETY: indices are 0 to 127, and the table has 128 entries of 4 bytes.
            #[allow(unsafe_code)]
            let next = unsafe { _mm256_i32gather_epi32::<4>(STATES_32.as_ptr(), number) };
            let next = select(_mm256_cmpeq_epi32(shift, zero), next, state);
            context_16 = select(refined, context_16, next);
            context_15 = select(_mm256_andnot_si256(refined, not_isolated), context_15, next);
            context_14 = select(not_isolated, next, context_14);
            // The inverse of the decoded bit: the MPS of the state, if it was not decoded.
            let inverse = _mm256_xor_si256(_mm256_slli_epi32::<31>(state), is_mps);
            decoded = _mm256_or_si256(_mm256_srli_epi32::<1>(decoded), _mm256_and_si256(inverse, splat(i32::MIN)));
            let needs_bits = _mm256_cmpgt_epi32(lowest, splat(MAX_LOWEST));
            if _mm256_movemask_epi8(needs_bits) != 0 {
                let bytes = _mm256_srai_epi32::<3>(position);
                // SAFETY: positions are 0 to `end` (see `load` and below), and `end` is at least 8 bytes before the end of
                // `bits`, which has at least 8 bytes; 4 bytes are read.
                #[allow(unsafe_code)]
                let word = unsafe { _mm256_i32gather_epi32::<1>(bits.as_ptr().cast(), bytes) };
                let word = _mm256_shuffle_epi8(word, load_256(&REVERSE_BYTES));
                let word = _mm256_sllv_epi32(word, _mm256_and_si256(position, splat(7)));
                let added = _mm256_min_epi32(lowest, splat(MAX_REFILL_BITS));
                let word = _mm256_srlv_epi32(word, _mm256_sub_epi32(splat(32), added));
                lowest = _mm256_sub_epi32(lowest, added);
                distance = _mm256_add_epi32(distance, _mm256_sllv_epi32(word, lowest));
                position = _mm256_min_epi32(_mm256_add_epi32(position, added), end);
            }
        }
        let mut words = [0_u32; LANES];
        store_256(&mut words, _mm256_xor_si256(decoded, splat(-1)));
        for (lane, word) in lanes.iter_mut().zip(words) {
            let bits = &mut lane.members.bits[chunk / 2];
            *bits = if chunk % 2 == 0 { u64::from(word) } else { *bits | u64::from(word) << 32 };
        }
    }
    store_256(&mut registers.interval, interval);
    store_256(&mut registers.distance, distance);
    store_256(&mut registers.lowest, lowest);
    store_256(&mut registers.position, position);
    for (stored, context) in registers.contexts.iter_mut().zip([context_14, context_15, context_16]) {
        store_256(stored, context);
    }
    for (index, lane) in lanes.iter_mut().enumerate() {
        registers.store(index, lane, bits);
    }
}

/// Shuffle that reverses the bytes of each 32-bit lane.
const REVERSE_BYTES: [i8; 32] =
    [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];
