//! MQ decoder (T.800 Annex C).
//!
//! The interval A and the code register C of the standard become A and D = C - A, left-aligned in 64 bits:
//!
//! ```text
//! bit       63        48 47                      0
//! A        │ 16 bits    │ 0                       │   normalised: bit 63 is set
//! D        │ C - A of the standard, modulo 2^16,  │   prefetched code bits
//!          │ and up to 47 bits of the codeword, 1 │   the last 1 marks their end; zeros follow
//! ```
//!
//! The marker shifts with the bits, so nothing counts them. It changes no decision, because A has no bits below bit 48.
//!
//! ```text
//! decode:   a1 = A - Qe
//!           d1 = D + a1; LPS path if there is no carry, which means C < Qe:      A = Qe,  D = d1
//!           MPS path otherwise:                                                  A = a1,  D unchanged
//!           the decoded bit is the LPS if exactly one of (LPS path, a1 < Qe) holds          (conditional exchange)
//!           shift A and D left until bit 63 of A is set; replace the marker by 32 bits and a marker if it is above bit 31
//! ```
//!
//! The MPS path without a shift is `a1 ≥ max(-D, 2^63)`: one subtraction and one comparison with a value that only other
//! paths change. [`Mq::decode`] branches on it; [`Mq::decode_branch_free`] computes all paths, which is faster where
//! probabilities are near 1/2.

#![allow(clippy::indexing_slicing, reason = "tables have 256 entries, for every `u8`")]

/// Position of the probability in the state of a context.
const QE_SHIFT: u32 = 48;
const QE_MASK: u64 = 0xFFFF << QE_SHIFT;
const LPS_NEXT_SHIFT: u32 = 8;
pub(super) const NUMBER_SHIFT: u32 = 16;
const HALF: u64 = 1 << 63;
/// A refill is due when the marker is above these bits.
const MARKED_BITS: u64 = u32::MAX as u64;

/// Contexts of T.800 Table D.1 to D.5: significance 0 to 8, sign 9 to 13, refinement 14 to 16, run-length, uniform.
pub(super) const FIRST_SIGN_CONTEXT: u8 = 9;
pub(super) const FIRST_REFINEMENT_CONTEXT: u8 = 14;
pub(super) const RUN_LENGTH_CONTEXT: u8 = 17;
pub(super) const UNIFORM_CONTEXT: u8 = 18;
const CONTEXT_COUNT: usize = 19;

/// Qe, next state after an MPS, next state after an LPS, and 1 if an LPS exchanges the symbols (T.800 Table C.2).
const TRANSITIONS: [(u16, u8, u8, u8); 47] = [
    (0x5601, 1, 1, 1),
    (0x3401, 2, 6, 0),
    (0x1801, 3, 9, 0),
    (0x0AC1, 4, 12, 0),
    (0x0521, 5, 29, 0),
    (0x0221, 38, 33, 0),
    (0x5601, 7, 6, 1),
    (0x5401, 8, 14, 0),
    (0x4801, 9, 14, 0),
    (0x3801, 10, 14, 0),
    (0x3001, 11, 17, 0),
    (0x2401, 12, 18, 0),
    (0x1C01, 13, 20, 0),
    (0x1601, 29, 21, 0),
    (0x5601, 15, 14, 1),
    (0x5401, 16, 14, 0),
    (0x5101, 17, 15, 0),
    (0x4801, 18, 16, 0),
    (0x3801, 19, 17, 0),
    (0x3401, 20, 18, 0),
    (0x3001, 21, 19, 0),
    (0x2801, 22, 19, 0),
    (0x2401, 23, 20, 0),
    (0x2201, 24, 21, 0),
    (0x1C01, 25, 22, 0),
    (0x1801, 26, 23, 0),
    (0x1601, 27, 24, 0),
    (0x1401, 28, 25, 0),
    (0x1201, 29, 26, 0),
    (0x1101, 30, 27, 0),
    (0x0AC1, 31, 28, 0),
    (0x09C1, 32, 29, 0),
    (0x08A1, 33, 30, 0),
    (0x0521, 34, 31, 0),
    (0x0441, 35, 32, 0),
    (0x02A1, 36, 33, 0),
    (0x0221, 37, 34, 0),
    (0x0141, 38, 35, 0),
    (0x0111, 39, 36, 0),
    (0x0085, 40, 37, 0),
    (0x0049, 41, 38, 0),
    (0x0025, 42, 39, 0),
    (0x0015, 43, 40, 0),
    (0x0009, 44, 41, 0),
    (0x0005, 45, 42, 0),
    (0x0001, 45, 43, 0),
    (0x5601, 46, 46, 0),
];

/// Entries of [`STATES`] in use: each state of Table C.2 with MPS 0 and with MPS 1.
pub(super) const STATE_COUNT: usize = 2 * TRANSITIONS.len();

/// States of a context. State `i` of Table C.2 with MPS `m` has the number `2 i + m`:
///
/// ```text
///  63     48 47           24 23         16 15           8 7            0
/// │ Qe      │ 0             │ own number  │ number after │ number after │
/// │         │               │             │ an LPS       │ an MPS       │
/// ```
///
/// Bit 0 is the MPS, which stays the same after an MPS.
///
/// The length makes every `u8` a valid index.
pub(super) static STATES: [u64; 256] = {
    let mut states = [0; 256];
    let mut number = 0;
    while number < STATE_COUNT {
        let (qe, after_mps, after_lps, exchange) = TRANSITIONS[number / 2];
        let mps = (number % 2) as u64;
        states[number] = (qe as u64) << QE_SHIFT
            | (number as u64) << NUMBER_SHIFT
            | (2 * after_lps as u64 + (mps ^ exchange as u64)) << LPS_NEXT_SHIFT
            | (2 * after_mps as u64 + mps);
        number += 1;
    }
    states
};

/// States of the contexts; of 256, so that every `u8` is a valid index.
pub(super) type Contexts = [u64; 256];

/// Sets the contexts to their initial states (T.800 Table D.7).
#[inline(always)]
pub(super) fn reset_contexts(contexts: &mut Contexts) {
    for state in contexts.iter_mut().take(CONTEXT_COUNT) {
        *state = STATES[0];
    }
    contexts[0] = STATES[2 * 4];
    contexts[RUN_LENGTH_CONTEXT as usize] = STATES[2 * 3];
    contexts[UNIFORM_CONTEXT as usize] = STATES[2 * 46];
}

/// Registers of the decoder between two passes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MqRegisters {
    pub(super) interval: u64,
    /// With the marker.
    pub(super) distance: u64,
    /// Byte of the data at which the next refill starts.
    pub(super) position: usize,
}

/// Decoder of one codeword segment, without its stuffed bits (see [`super::codeword`]).
pub(super) struct Mq<'a> {
    registers: MqRegisters,
    /// The larger of `-distance` and 2^63.
    threshold: u64,
    /// Bytes after the last refill.
    rest: &'a [u8],
    data: &'a [u8],
}

impl<'a> Mq<'a> {
    /// Starts decoding a segment (T.800 INITDEC). Bits after the end of `data` are ones.
    #[inline(always)]
    pub(super) fn start(data: &'a [u8]) -> Self {
        // The first code bit replaces the marker.
        let registers = MqRegisters { interval: HALF, distance: HALF | HALF >> 1, position: 0 };
        let mut mq = Self { registers, threshold: HALF, rest: data, data };
        mq.refill();
        mq
    }

    /// Continues with the registers after another pass of the same segment.
    #[inline(always)]
    pub(super) fn resume(registers: MqRegisters, data: &'a [u8]) -> Self {
        let rest = data.get(registers.position..).unwrap_or_default();
        Self { registers, threshold: registers.distance.wrapping_neg().max(HALF), rest, data }
    }

    #[inline(always)]
    pub(super) fn registers(&self) -> MqRegisters {
        MqRegisters { position: self.data.len() - self.rest.len(), ..self.registers }
    }

    #[inline(always)]
    fn refill(&mut self) {
        let mut bits = u32::MAX;
        if let Some((bytes, rest)) = self.rest.split_first_chunk() {
            (bits, self.rest) = (u32::from_be_bytes(*bytes), rest);
        }
        let distance = self.registers.distance;
        let marked = u64::from(bits) << 32 | 1 << 31;
        let marker = distance.trailing_zeros();
        self.registers.distance = distance & distance.wrapping_sub(1) | marked >> (63_u32.wrapping_sub(marker) & 63);
    }

    /// Decodes one bit, fast for an MPS without renormalisation.
    #[inline(always)]
    pub(super) fn decode(&mut self, contexts: &mut Contexts, context: u8) -> u64 {
        let state = contexts[context as usize];
        let next_interval = self.registers.interval.wrapping_sub(state & QE_MASK);
        if next_interval >= self.threshold {
            self.registers.interval = next_interval;
            return state & 1;
        }
        let bit = self.decode_renormalised::<false>(contexts, context);
        self.update_threshold();
        bit
    }

    /// Decodes `count` zeros, if the MPS is 0 and all of them need no renormalisation; else returns false and changes nothing.
    #[inline(always)]
    pub(super) fn skip_zeros(&mut self, contexts: &Contexts, context: u8, count: u32) -> bool {
        let state = contexts[context as usize];
        let needed = (state >> QE_SHIFT) * u64::from(count);
        let interval = self.registers.interval;
        if state & 1 == 0 && interval.wrapping_sub(self.threshold) >> QE_SHIFT >= needed {
            self.registers.interval = interval.wrapping_sub(needed << QE_SHIFT);
            return true;
        }
        false
    }

    /// Decodes one bit without a branch that depends on it. [`Self::update_threshold`] is needed before
    /// [`Self::decode`].
    #[inline(always)]
    pub(super) fn decode_branch_free(&mut self, contexts: &mut Contexts, context: u8) -> u64 {
        self.decode_renormalised::<true>(contexts, context)
    }

    #[inline(always)]
    pub(super) fn update_threshold(&mut self) {
        self.threshold = self.registers.distance.wrapping_neg().max(HALF);
    }

    /// All paths of DECODE; with `MAY_KEEP` also the one that keeps the state of the context.
    #[inline(always)]
    fn decode_renormalised<const MAY_KEEP: bool>(&mut self, contexts: &mut Contexts, context: u8) -> u64 {
        use std::hint::select_unpredictable as select;
        let registers = &mut self.registers;
        let state = contexts[context as usize];
        let qe = state & QE_MASK;
        let mps_interval = registers.interval.wrapping_sub(qe);
        let (lps_distance, is_mps_path) = registers.distance.overflowing_add(mps_interval);
        let is_lps = !is_mps_path ^ (mps_interval < qe);
        let interval = select(is_mps_path, mps_interval, qe);
        let distance = select(is_mps_path, registers.distance, lps_distance);
        let shift = interval.leading_zeros();
        registers.interval = interval << (shift & 63);
        registers.distance = distance << (shift & 63);
        #[allow(clippy::cast_possible_truncation, reason = "the numbers of states are single bytes")]
        let next = STATES[(state >> (LPS_NEXT_SHIFT * u32::from(is_lps))) as u8 as usize];
        contexts[context as usize] = if MAY_KEEP { select(shift == 0, state, next) } else { next };
        if registers.distance & MARKED_BITS == 0 {
            self.refill();
        }
        (state ^ u64::from(is_lps)) & 1
    }
}
