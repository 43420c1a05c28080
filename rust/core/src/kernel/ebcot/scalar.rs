//! Coding passes in portable code (T.800 D.3). They are also the bodies of the vector levels, which only compile them with
//! more instructions, except where `x86.rs` replaces them.
//!
//! ```text
//! for each stripe, for each word:
//!     set = coefficients that the pass codes, by word operations
//!     while set is not empty:
//!         p = lowest bit; remove it
//!         context = table[window of p]
//!         decode; if the coefficient becomes significant: decode the sign, update the word,
//!         and in the significance pass add its later neighbours to the set
//! ```

#![allow(clippy::indexing_slicing, reason = "indices are those of words of the grid, and of tables of 2^n entries")]
#![allow(clippy::cast_possible_truncation, reason = "contexts are single bytes")]

use super::BlockStyle;
use super::bitmaps::{Bitmaps, CORE_SHIFT, ROW_0, Stripe, Word, is_full_stripe, neighbours, with_halo};
use super::codeword::RawBits;
use super::coefficients::{self, Planes};
use super::contexts::{SIGN_CODING, ZeroCodingTable, sign_coding_index, zero_coding_index};
use super::lane::Lane;
use super::mq::{Contexts, FIRST_REFINEMENT_CONTEXT, Mq, MqRegisters, RUN_LENGTH_CONTEXT, UNIFORM_CONTEXT};

/// The lowest bit of a core word, in the word with halo.
const CENTRE: u64 = 1 << CORE_SHIFT;
/// Neighbours of the lowest bit of a core word that are coded after it: the row below, and three rows of the next column.
const LATER_NEIGHBOURS: u64 = 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7;
/// Bits in which the first row of the next column is, seen from any row of a column.
const NEXT_FIRST_ROW: u64 = 0xF << 3;
/// The four rows of a column.
const COLUMN: u64 = 0xF;

/// Source of the bits of a significance propagation pass.
trait SignificanceBits {
    /// Returns if a coefficient becomes significant.
    fn significance(&mut self, contexts: &mut Contexts, context: u8) -> u64;
    /// Returns 1 for a negative coefficient.
    fn sign(&mut self, contexts: &mut Contexts, significant: u64, negative: u64) -> u64;
}

impl SignificanceBits for Mq<'_> {
    #[inline(always)]
    fn significance(&mut self, contexts: &mut Contexts, context: u8) -> u64 {
        self.decode_branch_free(contexts, context)
    }

    #[inline(always)]
    fn sign(&mut self, contexts: &mut Contexts, significant: u64, negative: u64) -> u64 {
        decode_sign(self, contexts, significant, negative)
    }
}

impl SignificanceBits for RawBits<'_> {
    #[inline(always)]
    fn significance(&mut self, _: &mut Contexts, _: u8) -> u64 {
        self.next()
    }

    #[inline(always)]
    fn sign(&mut self, _: &mut Contexts, _: u64, _: u64) -> u64 {
        self.next()
    }
}

/// Decodes a sign (T.800 D.3.2) from windows of significance and signs. The threshold of the decoder is not updated.
#[inline(always)]
fn decode_sign(mq: &mut Mq<'_>, contexts: &mut Contexts, significant: u64, negative: u64) -> u64 {
    let coding = SIGN_CODING[sign_coding_index(significant, negative)];
    mq.decode_branch_free(contexts, coding as u8) ^ u64::from(coding >> 8)
}

/// Significance propagation pass (T.800 D.3.1). Returns the registers after it.
#[inline(always)]
pub(super) fn significance(
    mut bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
) -> MqRegisters {
    let mut mq = Mq::resume(registers, data);
    propagate(&mut bitmaps, &mut mq, table);
    mq.registers()
}

/// Significance propagation pass of a raw segment (T.800 D.6), from bit `position` of the segment; returns the bit after it.
#[inline(always)]
pub(super) fn significance_raw(mut bitmaps: Bitmaps<'_>, position: usize, data: &[u8]) -> usize {
    let mut bits = RawBits::resume(data, position);
    // Contexts have no effect.
    propagate(&mut bitmaps, &mut bits, &[0; 512]);
    bits.position()
}

#[inline(always)]
fn propagate(bitmaps: &mut Bitmaps<'_>, bits: &mut impl SignificanceBits, table: &ZeroCodingTable) {
    let grid = bitmaps.grid;
    for stripe in 0..grid.stripes {
        let rows = grid.rows(stripe);
        let is_empty = bitmaps.is_empty(stripe);
        let (mut stripe, contexts) = bitmaps.stripe(stripe);
        if is_empty {
            // No coefficient of the stripe was ever visited.
            stripe.plane.fill(0);
            continue;
        }
        let indices = stripe.indices();
        let (mut left, mut columns) = (0, stripe.columns(indices.start));
        for index in indices {
            let right = stripe.columns(index + 1);
            let mut word = with_halo(left, columns, right);
            columns = right;
            let insignificant = !stripe.words[index].significant & grid.valid(rows, index);
            let mut set = neighbours(word) & insignificant;
            let mut visited = set;
            if set != 0 {
                let mut signs = stripe.signs(index);
                let before = word;
                while set != 0 {
                    let position = set.trailing_zeros();
                    set &= set - 1;
                    let window = word >> position;
                    if bits.significance(contexts, table[zero_coding_index(window)]) != 0 {
                        let sign = bits.sign(contexts, window, signs >> position);
                        word |= CENTRE << position;
                        signs |= sign << CORE_SHIFT << position;
                        let later = LATER_NEIGHBOURS << position & insignificant;
                        set |= later;
                        visited |= later;
                    }
                }
                store_significant(&mut stripe, index, before, word, signs);
            } else {
                stripe.plane[index] = 0;
            }
            stripe.words[index].visited = visited;
            left = word;
        }
    }
}

/// Stores the coefficients of a word that became significant; `before` is the word before the pass.
#[inline(always)]
fn store_significant(stripe: &mut Stripe<'_>, index: usize, before: u64, word: u64, signs: u64) {
    let new = (word ^ before) >> CORE_SHIFT;
    let Word { significant, negative, .. } = &mut stripe.words[index];
    *significant |= new;
    *negative |= signs >> CORE_SHIFT & new;
    *stripe.occupied |= new;
    stripe.plane[index] = new;
}

/// Cleanup pass (T.800 D.3.4). Returns the registers after it. `is_first`: the first pass of a block, whose bit-plane is not
/// initialised.
#[inline(always)]
pub(super) fn cleanup(
    mut bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
    is_first: bool,
) -> MqRegisters {
    let mut mq = Mq::resume(registers, data);
    let grid = bitmaps.grid;
    for stripe in 0..grid.stripes {
        let rows = grid.rows(stripe);
        let is_empty = bitmaps.is_empty(stripe) && is_full_stripe(rows);
        let (mut stripe, contexts) = bitmaps.stripe(stripe);
        if is_empty && mq.skip_zeros(contexts, RUN_LENGTH_CONTEXT, grid.width as u32) {
            stripe.plane.fill(0);
            continue;
        }
        let indices = stripe.indices();
        let (mut left, mut columns) = (0, stripe.columns(indices.start));
        for index in indices {
            let right = stripe.columns(index + 1);
            let mut word = with_halo(left, columns, right);
            columns = right;
            let valid = grid.valid(rows, index);
            let visited_plane = if is_first { 0 } else { stripe.plane[index] };
            let mut set = !(stripe.words[index].significant | stripe.words[index].visited) & valid;
            let before = word;
            if set != 0 {
                let mut empty = if is_full_stripe(rows) { empty_columns(word) & valid } else { 0 };
                if empty == valid & ROW_0 && mq.skip_zeros(contexts, RUN_LENGTH_CONTEXT, empty.count_ones()) {
                    stripe.plane[index] = visited_plane;
                    left = word;
                    continue;
                }
                let mut signs = stripe.signs(index);
                while set != 0 {
                    let mut position = set.trailing_zeros();
                    if empty >> position & 1 != 0 {
                        if mq.decode(contexts, RUN_LENGTH_CONTEXT) == 0 {
                            set &= !(COLUMN << position);
                            continue;
                        }
                        let zeros = mq.decode(contexts, UNIFORM_CONTEXT) << 1 | mq.decode(contexts, UNIFORM_CONTEXT);
                        set &= !(((2 << zeros) - 1) << position);
                        position = (position + zeros as u32) % u64::BITS;
                    } else {
                        set &= set - 1;
                        if mq.decode(contexts, table[zero_coding_index(word >> position)]) == 0 {
                            continue;
                        }
                    }
                    let sign = decode_sign(&mut mq, contexts, word >> position, signs >> position);
                    mq.update_threshold();
                    word |= CENTRE << position;
                    signs |= sign << CORE_SHIFT << position;
                    empty &= !(NEXT_FIRST_ROW << position);
                }
                store_significant(&mut stripe, index, before, word, signs);
                stripe.plane[index] |= visited_plane;
            } else {
                stripe.plane[index] = visited_plane;
            }
            left = word;
        }
    }
    mq.registers()
}

/// Returns the first row of each column whose coefficients and their neighbours are all insignificant.
#[inline(always)]
fn empty_columns(word: u64) -> u64 {
    let occupied = neighbours(word) | word >> CORE_SHIFT;
    let pairs = occupied | occupied >> 1;
    !(pairs | pairs >> 2) & ROW_0
}

/// Decodes four bits; `None` if they are not the segmentation symbol 1010 (T.800 D.5).
pub(super) fn segmentation_symbol(contexts: &mut Contexts, registers: MqRegisters, data: &[u8]) -> Option<MqRegisters> {
    const SYMBOL: u64 = 0b1010;
    let mut mq = Mq::resume(registers, data);
    let bits = (0..4).fold(0, |bits, _| bits << 1 | mq.decode(contexts, UNIFORM_CONTEXT));
    (bits == SYMBOL).then(|| mq.registers())
}

/// Members of a magnitude refinement pass in a word.
pub(super) struct Members {
    pub(super) set: u64,
    /// Refined before, or with significant neighbours.
    pub(super) not_isolated: u64,
    /// Refined before.
    pub(super) refined: u64,
}

/// Magnitude refinement pass (T.800 D.3.3). Returns the registers after it.
#[inline(always)]
pub(super) fn refinement(mut bitmaps: Bitmaps<'_>, registers: MqRegisters, data: &[u8]) -> MqRegisters {
    let mut mq = Mq::resume(registers, data);
    refine(&mut bitmaps, |contexts, members| {
        let (mut set, mut bits) = (members.set, 0);
        while set != 0 {
            let position = set.trailing_zeros();
            set &= set - 1;
            let offset = (members.not_isolated >> position & 1) + (members.refined >> position & 1);
            bits |= mq.decode_branch_free(contexts, FIRST_REFINEMENT_CONTEXT + offset as u8) << position;
        }
        bits
    });
    mq.registers()
}

/// Magnitude refinement pass of a raw segment (T.800 D.6), from bit `position` of the segment; returns the bit after it.
#[inline(always)]
pub(super) fn refinement_raw(mut bitmaps: Bitmaps<'_>, position: usize, data: &[u8]) -> usize {
    let mut bits = RawBits::resume(data, position);
    refine(&mut bitmaps, |_, members| {
        let (mut set, mut decoded) = (members.set, 0);
        while set != 0 {
            let position = set.trailing_zeros();
            set &= set - 1;
            decoded |= bits.next() << position;
        }
        decoded
    });
    bits.position()
}

/// Calls `decode` for the members of each word, and stores the bits that it returns.
#[inline(always)]
pub(super) fn refine(bitmaps: &mut Bitmaps<'_>, mut decode: impl FnMut(&mut Contexts, &Members) -> u64) {
    let grid = bitmaps.grid;
    for stripe in 0..grid.stripes {
        let (mut stripe, contexts) = bitmaps.stripe(stripe);
        if *stripe.occupied == 0 {
            continue;
        }
        let indices = stripe.indices();
        let (mut left, mut columns) = (0, stripe.columns(indices.start));
        for index in indices {
            let right = stripe.columns(index + 1);
            let word = with_halo(left, columns, right);
            (left, columns) = (word, right);
            let Word { significant, visited, refined, .. } = stripe.words[index];
            let set = significant & !visited;
            stripe.words[index].refined = set;
            if set != 0 {
                let members = Members { set, not_isolated: neighbours(word) | refined, refined };
                stripe.plane[index] |= decode(contexts, &members);
            }
        }
    }
}

/// See [`coefficients::store`].
#[inline(always)]
pub(super) fn store(planes: &Planes<'_>, out: &mut [i32], stride: usize) {
    coefficients::store(planes, out, stride);
}

/// Returns false: portable code is not faster for several blocks at once.
pub(super) const fn refine_group(_: &mut [Lane], _: BlockStyle, _: &[u8]) -> bool {
    false
}
