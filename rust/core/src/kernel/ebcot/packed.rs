//! Members of a magnitude refinement pass, packed without gaps.
//!
//! The members and their contexts are known before the pass, because no coefficient becomes significant in it. So several
//! blocks are refined in lock-step: their bits are packed in coding order, decoded, and unpacked to the bit-plane.

#![allow(clippy::indexing_slicing, reason = "a block has at most 4096 members, 64 words")]

use super::bitmaps::{Bitmaps, Word};
use super::mq::MqRegisters;
use super::scalar::refine;
use crate::kernel::code_block::MAX_AREA;
use std::ops::Range;

/// Blocks that are refined together.
pub(super) const LANES: usize = 8;
/// Words of packed bits, and one that only shifts touch.
const WORDS: usize = MAX_AREA / 64 + 1;

/// Members of the pass of one block, and the decoded bits; bit `i % 64` of word `i / 64` is member `i`.
#[derive(Debug, Clone)]
pub(super) struct PackedMembers {
    pub(super) count: usize,
    /// Refined before, or with significant neighbours.
    pub(super) not_isolated: [u64; WORDS],
    /// Refined before.
    pub(super) refined: [u64; WORDS],
    pub(super) bits: [u64; WORDS],
}

impl Default for PackedMembers {
    fn default() -> Self {
        Self { count: 0, not_isolated: [0; WORDS], refined: [0; WORDS], bits: [0; WORDS] }
    }
}

/// Block of a group of lanes: its members, decoder and refinement contexts.
#[derive(Debug)]
pub(super) struct RefinementLane<'a> {
    pub(super) members: &'a mut PackedMembers,
    pub(super) registers: &'a mut MqRegisters,
    /// Contexts 14 to 16.
    pub(super) contexts: &'a mut [u64; 3],
    /// Bits of the segment in the buffer of the group.
    pub(super) segment: Range<usize>,
}

impl PackedMembers {
    /// Packs the members of a pass. `extract` packs the bits of its first argument that the second selects.
    #[inline(always)]
    pub(super) fn pack(&mut self, mut bitmaps: Bitmaps<'_>, extract: impl Fn(u64, u64) -> u64) {
        self.count = 0;
        (self.not_isolated[0], self.refined[0]) = (0, 0);
        refine(&mut bitmaps, |_, members| {
            let (word, offset) = (self.count / 64 % WORDS, self.count % 64);
            for (packed, bits) in [(&mut self.not_isolated, members.not_isolated), (&mut self.refined, members.refined)]
            {
                let bits = extract(bits, members.set);
                packed[word] |= bits << offset;
                // Zero if the bits fit into the word.
                packed[(word + 1) % WORDS] = bits >> 1 >> (63 - offset);
            }
            self.count += members.set.count_ones() as usize;
            0
        });
    }

    /// Stores the decoded bits in the bit-plane. `deposit` is the inverse of `extract`.
    #[inline(always)]
    pub(super) fn unpack(&self, mut bitmaps: Bitmaps<'_>, deposit: impl Fn(u64, u64) -> u64) {
        let mut position = 0;
        for stripe in 0..bitmaps.grid.stripes {
            let (mut stripe, _) = bitmaps.stripe(stripe);
            for index in stripe.indices() {
                let Word { refined: set, .. } = stripe.words[index];
                let (word, offset) = (position / 64 % WORDS, position % 64);
                let bits = self.bits[word] >> offset | self.bits[(word + 1) % WORDS] << 1 << (63 - offset);
                stripe.plane[index] |= deposit(bits, set);
                position += set.count_ones() as usize;
            }
        }
    }
}
