//! Significance patterns, known bits and residuals of quads: the strings MEL and VLC of a cleanup segment.

#![allow(clippy::cast_possible_truncation, reason = "the low bits of windows")]

use super::mel::{MelReader, Symbols};
use super::tables::{
    CONTEXT, INITIAL, IS_LONG, LENGTH, OTHER, Pair, RESIDUAL_FLAG, RESIDUAL_MASK, RESIDUAL_SHIFT, RESIDUALS,
    read_residuals,
};

/// Bytes of a word that a refill reads.
const WORD_BYTES: usize = 8;
/// Bits of the codeword in the index of the tables.
const CODE_MASK: u64 = 0x7F;
/// Contributions of the line above to the index of the tables: bits 1 and 4 of the context.
const ABOVE: u64 = 0x280;
/// Most symbols that two quads need.
const PAIR_SYMBOLS: u32 = 3;

/// Reader of quads.
///
/// ```text
/// refill     window |= word at `offset` << valid     some bits are ORed again, with equal bits
///            offset += (63 - valid) / 8;  valid |= 56
/// consume    window >>= n;  valid -= n
/// ```
///
/// A pair of quads has at most 38 bits: 2 × 7 bits of codewords, and residuals of 12 bits each.
pub(super) struct QuadReader<'a> {
    /// The unstuffed VLC string, with padding.
    data: &'a [u8],
    offset: usize,
    window: u64,
    valid: u32,
    symbols: Symbols,
    mel: MelReader<'a>,
    /// The word of the quad on the left, 0 before the first one of a line.
    left: u32,
}

impl<'a> QuadReader<'a> {
    #[inline(always)]
    pub(super) fn new(data: &'a [u8], mel: MelReader<'a>) -> Self {
        Self { data, offset: 0, window: 0, valid: 0, symbols: Symbols { bits: 0, count: 0 }, mel, left: 0 }
    }

    /// Prepares for the first quad of a line.
    #[inline(always)]
    pub(super) fn start_line(&mut self) {
        self.left = 0;
    }

    /// Returns the number of bits of the VLC string that were read.
    #[inline(always)]
    pub(super) fn bits_read(&self) -> usize {
        8 * self.offset - self.valid as usize
    }

    #[inline(always)]
    fn refill(&mut self) {
        let word = self.data.get(self.offset..).and_then(|rest| rest.first_chunk::<WORD_BYTES>());
        self.window |= u64::from_le_bytes(*word.unwrap_or(&[0; WORD_BYTES])).wrapping_shl(self.valid);
        self.offset += ((63 ^ self.valid) >> 3) as usize;
        self.valid |= 56;
        if self.symbols.count < PAIR_SYMBOLS {
            self.symbols = self.mel.refill(self.symbols);
        }
    }

    #[inline(always)]
    fn consume(&mut self, count: u32) {
        self.window = self.window.wrapping_shr(count);
        self.valid = self.valid.wrapping_sub(count);
    }

    #[inline(always)]
    fn symbol(&mut self) -> u32 {
        let symbol = self.symbols.bits as u32 & 1;
        self.symbols.bits >>= 1;
        self.symbols.count -= 1;
        symbol
    }

    /// Reads the codeword of a quad. `contexts` has the contributions of the line above, for this quad in bits 7 and 9, and
    /// moves on to the next quad.
    #[inline(always)]
    fn quad<const IS_INITIAL: bool>(&mut self, contexts: &mut u64) -> u32 {
        let above = if IS_INITIAL { 0 } else { *contexts & ABOVE };
        *contexts >>= 2;
        let context = u64::from(self.left & CONTEXT) | above;
        let table = if IS_INITIAL { &INITIAL } else { &OTHER };
        let index = (context | self.window & CODE_MASK) as usize & (table.len() - 1);
        let mut quad = table.get(index).copied().unwrap_or_default();
        if context == 0 {
            // Symbol 0: no sample is significant, and there is no codeword.
            quad &= 0_u32.wrapping_sub(self.symbol());
        }
        self.consume(quad & LENGTH);
        self.left = quad;
        quad
    }

    /// Reads up to two quads; the second one is 0 if there are fewer.
    #[inline(always)]
    fn pair<const IS_INITIAL: bool>(&mut self, contexts: &mut u64, quad_count: usize) -> [u32; 2] {
        self.refill();
        let first = self.quad::<IS_INITIAL>(contexts);
        let second = if quad_count > 1 { self.quad::<IS_INITIAL>(contexts) } else { 0 };
        let flags = (first & RESIDUAL_FLAG) << 5 | (second & RESIDUAL_FLAG) << 6;
        let index = (self.window & 0xFF | u64::from(flags)) as usize & (RESIDUALS.len() - 1);
        let entry = RESIDUALS.get(index).copied().unwrap_or_default();
        let is_initial_pair = IS_INITIAL && first & second & RESIDUAL_FLAG != 0;
        if entry & IS_LONG != 0 || is_initial_pair {
            let pair = match is_initial_pair {
                false => Pair::Normal,
                true if self.symbol() == 0 => Pair::InitialSmall,
                true => Pair::InitialLarge,
            };
            let [first_residual, second_residual, length] = long_residuals(self.window as u32, [first, second], pair);
            self.consume(length);
            return [first | first_residual << RESIDUAL_SHIFT, second | second_residual << RESIDUAL_SHIFT];
        }
        self.consume(entry & 0xF);
        let mask = RESIDUAL_MASK << RESIDUAL_SHIFT;
        [first | entry & mask, second | entry << 8 & mask]
    }

    /// Reads up to four quads, at least one; the others are 0.
    #[inline(always)]
    pub(super) fn quads<const IS_INITIAL: bool>(&mut self, contexts: &mut u64, quad_count: usize) -> [u32; 4] {
        let [first, second] = self.pair::<IS_INITIAL>(contexts, quad_count);
        let [third, fourth] = if quad_count > 2 { self.pair::<IS_INITIAL>(contexts, quad_count - 2) } else { [0; 2] };
        [first, second, third, fourth]
    }
}

/// Returns the residuals of two quads, and the number of bits read.
#[inline(never)]
fn long_residuals(window: u32, [first, second]: [u32; 2], pair: Pair) -> [u32; 3] {
    let residuals = read_residuals(window, [first & RESIDUAL_FLAG != 0, second & RESIDUAL_FLAG != 0], pair);
    let [first, second] = residuals.values;
    [first, second, residuals.length]
}
