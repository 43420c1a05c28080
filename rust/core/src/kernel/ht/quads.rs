//! Significance patterns, known bits and residuals of quads: the strings MEL and VLC of a cleanup segment.

#![allow(clippy::cast_possible_truncation, reason = "the low bits of windows")]

use super::cleanup::{CODE_BUFFER, CODE_BUFFER_MASK};
use super::mel::{MelReader, Symbols};
use super::tables::{CONTEXT, INITIAL, IS_LONG, LENGTH, OTHER, Pair, RESIDUAL_FLAGS, RESIDUALS, read_residuals};

/// Bytes of a word that a refill reads.
const WORD_BYTES: usize = 8;
/// Bits of the codeword in the index of the tables.
const CODE_MASK: u64 = 0x7F;
/// Contributions of the line above to the index of the tables: bits 1 and 4 of the context.
const ABOVE: u64 = 0x280;

/// Reader of quads. Its state is in registers, so the MEL codewords have their own reader.
///
/// ```text
/// refill     window |= word at `offset` << valid     some bits are ORed again, with equal bits
///            offset += (63 - valid) / 8;  valid |= 56
/// consume    window >>= n;  valid -= n
/// ```
///
/// A pair of quads has at most 38 bits: 2 × 7 bits of codewords, and residuals of 12 bits each.
pub(super) struct QuadReader<'a> {
    /// The unstuffed VLC string.
    data: &'a [u8; CODE_BUFFER],
    offset: usize,
    window: u64,
    valid: u32,
    symbols: Symbols,
    /// The word of the quad on the left, 0 before the first one of a line.
    left: u32,
}

impl<'a> QuadReader<'a> {
    #[inline(always)]
    pub(super) const fn new(data: &'a [u8; CODE_BUFFER]) -> Self {
        Self { data, offset: 0, window: 0, valid: 0, symbols: Symbols::NONE, left: 0 }
    }

    /// Prepares for the first quad of a line.
    #[inline(always)]
    pub(super) const fn start_line(&mut self) {
        self.left = 0;
    }

    /// Returns the number of bits of the VLC string that were read.
    #[inline(always)]
    pub(super) const fn bits_read(&self) -> usize {
        self.offset.wrapping_mul(8).wrapping_sub(self.valid as usize)
    }

    #[inline(always)]
    fn refill(&mut self) {
        let start = self.offset & CODE_BUFFER_MASK;
        let word = self.data.get(start..).and_then(|rest| rest.first_chunk::<WORD_BYTES>());
        self.window |= u64::from_le_bytes(*word.unwrap_or(&[0; WORD_BYTES])).wrapping_shl(self.valid);
        self.offset = self.offset.wrapping_add(((63 ^ self.valid) >> 3) as usize);
        self.valid |= 56;
    }

    /// Returns the next MEL symbol.
    #[inline(always)]
    fn symbol(&mut self, mel: &mut MelReader<'_>) -> bool {
        if self.symbols.is_empty() {
            self.symbols = mel.refill();
        }
        self.symbols.next()
    }

    /// Reads the codeword of a quad. `contexts` has the contributions of the line above, for this quad in bits 7 and 9, and
    /// moves on to the next quad.
    #[inline(always)]
    fn quad<const IS_INITIAL: bool>(&mut self, mel: &mut MelReader<'_>, contexts: &mut u64) -> u32 {
        let above = if IS_INITIAL { 0 } else { *contexts & ABOVE };
        *contexts >>= 2;
        let context = u64::from(self.left & CONTEXT) | above;
        let table = if IS_INITIAL { &INITIAL } else { &OTHER };
        let index = (context | self.window & CODE_MASK) as usize & (table.len() - 1);
        let mut quad = table.get(index).copied().unwrap_or_default();
        // Symbol 0: no sample is significant, and there is no codeword.
        if context == 0 && !self.symbol(mel) {
            quad = 0;
        }
        self.window = self.window.wrapping_shr(quad);
        self.left = quad;
        quad
    }

    /// Reads two quads, or one if `IS_SINGLE`. The first one is in the low half; the second one is 0 if there is none.
    #[inline(always)]
    pub(super) fn pair<const IS_INITIAL: bool, const IS_SINGLE: bool>(
        &mut self,
        mel: &mut MelReader<'_>,
        contexts: &mut u64,
    ) -> u64 {
        let [first_flag, second_flag] = RESIDUAL_FLAGS;
        self.refill();
        let first = self.quad::<IS_INITIAL>(mel, contexts);
        let second = if IS_SINGLE { 0 } else { self.quad::<IS_INITIAL>(mel, contexts) };
        let flags = u64::from(first & first_flag | second & second_flag) >> 2;
        let index = (self.window & 0xFF | flags) as usize & (RESIDUALS.len() - 1);
        let mut entry = RESIDUALS.get(index).copied().unwrap_or_default();
        let is_initial_pair = IS_INITIAL && first & second & first_flag != 0;
        if entry & IS_LONG != 0 || is_initial_pair {
            let pair = match is_initial_pair {
                false => Pair::Normal,
                true if self.symbol(mel) => Pair::InitialLarge,
                true => Pair::InitialSmall,
            };
            entry = long_residuals(self.window as u32, [first, second], pair);
        }
        self.window = self.window.wrapping_shr(entry as u32);
        // The sum of the lengths, at most 38.
        let length = first.wrapping_add(second).wrapping_add(entry as u32) & LENGTH;
        self.valid = self.valid.wrapping_sub(length);
        u64::from(first) | u64::from(second) << 32 | entry
    }
}

/// Returns the residuals of two quads as an entry of [`RESIDUALS`].
#[inline(never)]
fn long_residuals(window: u32, [first, second]: [u32; 2], pair: Pair) -> u64 {
    let [first_flag, second_flag] = RESIDUAL_FLAGS;
    read_residuals(window, [first & first_flag != 0, second & second_flag != 0], pair).entry()
}
