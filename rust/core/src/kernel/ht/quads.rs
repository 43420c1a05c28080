//! Significance patterns, known bits and residuals of quads: the strings MEL and VLC of a cleanup segment.

#![allow(clippy::cast_possible_truncation, reason = "the low bits of windows")]

use super::cleanup::{CODE_BUFFER, CODE_BUFFER_MASK};
use super::mel::{MelReader, Symbols};
use super::tables::{
    CONTEXT, CodeTable, INITIAL, INITIAL_SECOND, IS_LONG, LENGTH, OTHER, OTHER_SECOND, Pair, RESIDUAL_FLAGS, RESIDUALS,
    read_residuals,
};

/// Bytes of a word that a refill reads.
const WORD_BYTES: usize = 8;
/// Bits of the codeword in the index of the tables.
const CODE_MASK: u64 = 0x7F;

/// Reader of quads. Its state is in registers, so the MEL codewords have their own reader.
///
/// ```text
/// refill     window |= word at `offset` << valid     some bits are ORed again, with equal bits
///            offset += (63 - valid) / 8;  valid |= 56
/// consume    window >>= n;  valid -= n
/// ```
///
/// A pair of quads has at most 14 bits of codewords, then 8 bits of residuals that are in a table, so that two pairs need one
/// refill. Longer residuals, of up to 24 bits, are read between two more.
pub(super) struct QuadReader<'a> {
    /// The unstuffed VLC string.
    data: &'a [u8; CODE_BUFFER],
    offset: usize,
    window: u64,
    /// Bits of the window before those that `consumed` counts.
    valid: u32,
    /// Number of bits in the lowest 6 bits.
    consumed: u32,
    symbols: Symbols,
    /// The word of the quad on the left, 0 before the first one of a line.
    left: u32,
}

impl<'a> QuadReader<'a> {
    #[inline(always)]
    pub(super) const fn new(data: &'a [u8; CODE_BUFFER]) -> Self {
        Self { data, offset: 0, window: 0, valid: 0, consumed: 0, symbols: Symbols::NONE, left: 0 }
    }

    /// Prepares for the first quad of a line.
    #[inline(always)]
    pub(super) const fn start_line(&mut self) {
        self.left = 0;
    }

    /// Returns the number of bits of the VLC string that were read.
    #[inline(always)]
    pub(super) const fn bits_read(&self) -> usize {
        let left = self.valid.wrapping_sub(self.consumed & LENGTH);
        self.offset.wrapping_mul(8).wrapping_sub(left as usize)
    }

    #[inline(always)]
    fn refill(&mut self) {
        self.valid = self.valid.wrapping_sub(self.consumed & LENGTH);
        self.consumed = 0;
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

    /// Reads the codeword of a quad. `contexts` has the contributions of the line above, for this quad in bits 7 and 9, and zeros
    /// in bit 8; it moves on to the next quad.
    #[inline(always)]
    fn quad<const IS_INITIAL: bool, Word: Copy + Default>(
        &mut self,
        mel: &mut MelReader<'_>,
        table: &CodeTable<Word>,
        contexts: &mut u32,
        low: impl Fn(Word) -> u32,
    ) -> Word {
        let context = u64::from((self.left | *contexts) & CONTEXT);
        *contexts >>= 2;
        let index = (context | self.window & CODE_MASK) as usize & (table.len() - 1);
        let mut quad = table.get(index).copied().unwrap_or_default();
        // Symbol 0: no sample is significant, and there is no codeword.
        if context == 0 && !self.symbol(mel) {
            quad = Word::default();
        }
        self.left = low(quad);
        self.window = self.window.wrapping_shr(self.left);
        self.consumed = self.consumed.wrapping_add(self.left);
        quad
    }

    /// Reads two quads, or one if `IS_SINGLE`. The first one is in the low half; the second one is 0 if there is none.
    #[inline(always)]
    fn pair<const IS_INITIAL: bool, const IS_SINGLE: bool>(
        &mut self,
        mel: &mut MelReader<'_>,
        contexts: &mut u32,
    ) -> u64 {
        let [first_flag, second_flag] = RESIDUAL_FLAGS;
        let (table, second_table) = if IS_INITIAL { (&INITIAL, &INITIAL_SECOND) } else { (&OTHER, &OTHER_SECOND) };
        let first = self.quad::<IS_INITIAL, _>(mel, table, contexts, |word| word);
        let second =
            if IS_SINGLE { 0 } else { self.quad::<IS_INITIAL, _>(mel, second_table, contexts, |word| word as u32) };
        let quads = u64::from(first) | second;
        let both = first_flag | second_flag;
        let index = (self.window & 0xFF | (quads & both) >> 2) as usize & (RESIDUALS.len() - 1);
        let mut entry = RESIDUALS.get(index).copied().unwrap_or_default();
        let is_initial_pair = IS_INITIAL && quads & both == both;
        if entry & IS_LONG != 0 || is_initial_pair {
            let pair = match is_initial_pair {
                false => Pair::Normal,
                true if self.symbol(mel) => Pair::InitialLarge,
                true => Pair::InitialSmall,
            };
            self.refill();
            entry = long_residuals(self.window as u32, quads, pair);
            self.window = self.window.wrapping_shr(entry as u32);
            self.consumed = entry as u32;
            self.refill();
        } else {
            self.window = self.window.wrapping_shr(entry as u32);
            self.consumed = self.consumed.wrapping_add(entry as u32);
        }
        quads | entry
    }

    /// Reads the four quads of a step.
    #[inline(always)]
    pub(super) fn step<const IS_INITIAL: bool>(&mut self, mel: &mut MelReader<'_>, mut contexts: u32) -> [u64; 2] {
        self.refill();
        let first = self.pair::<IS_INITIAL, false>(mel, &mut contexts);
        [first, self.pair::<IS_INITIAL, false>(mel, &mut contexts)]
    }

    /// Reads the last 1 to 4 quads of a line.
    #[inline(always)]
    pub(super) fn last_step<const IS_INITIAL: bool>(
        &mut self,
        mel: &mut MelReader<'_>,
        mut contexts: u32,
        quad_count: usize,
    ) -> [u64; 2] {
        let contexts = &mut contexts;
        self.refill();
        let first = match quad_count {
            1 => self.pair::<IS_INITIAL, true>(mel, contexts),
            _ => self.pair::<IS_INITIAL, false>(mel, contexts),
        };
        let second = match quad_count {
            3 => self.pair::<IS_INITIAL, true>(mel, contexts),
            4 => self.pair::<IS_INITIAL, false>(mel, contexts),
            _ => 0,
        };
        [first, second]
    }
}

/// Returns the residuals of two quads as an entry of [`RESIDUALS`].
#[inline(never)]
fn long_residuals(window: u32, quads: u64, pair: Pair) -> u64 {
    let [first_flag, second_flag] = RESIDUAL_FLAGS;
    read_residuals(window, [quads & first_flag != 0, quads & second_flag != 0], pair).entry()
}
