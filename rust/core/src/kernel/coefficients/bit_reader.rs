//! Reader of the bits of an entropy-coded segment.

#![allow(clippy::cast_possible_truncation, reason = "offsets of bits in a byte")]

/// Bytes of a word that a refill reads.
const WORD_BYTES: usize = 8;

/// A window of the next bits of `data`, left-aligned in 64 bits. Bits after the end of the data are zeros.
///
/// ```text
/// refill     window |= big-endian word at `offset` >> valid     some bits are ORed again, with equal bits
///            offset += (63 - valid) / 8                         whole bytes that the window had space for
///            valid  |= 56                                       = valid + 8 × those bytes: 56 to 63
/// consume    window <<= n;  valid -= n
/// ```
///
/// The next word can be read before the bits of the symbols are known (Fabian Giesen, 2018, on bit readers,
/// variant 4), which takes the read off the chain of dependent look-ups.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    /// Byte offset of the first byte of which the window does not have all bits.
    offset: usize,
    window: u64,
    /// Number of bits of the window that can be consumed before the next refill, 0 to 63.
    valid: u32,
}

impl<'a> BitReader<'a> {
    /// Returns a reader at `bit_offset`, refilled.
    #[inline(always)]
    pub(super) fn new(data: &'a [u8], bit_offset: usize) -> Self {
        let mut reader = Self { data, offset: bit_offset / 8, window: 0, valid: 0 };
        reader.refill();
        reader.consume((bit_offset % 8) as u32);
        reader.refill();
        reader
    }

    /// Returns the bit offset of the next bit.
    #[inline(always)]
    pub(super) fn bit_offset(&self) -> usize {
        self.offset.wrapping_mul(8).wrapping_sub(self.valid as usize)
    }

    /// Makes at least 56 bits valid.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let word = match self.data.get(self.offset..).and_then(|rest| rest.first_chunk::<WORD_BYTES>()) {
            Some(word) => *word,
            None => last_word(self.data, self.offset),
        };
        self.window |= u64::from_be_bytes(word).wrapping_shr(self.valid);
        self.offset = self.offset.wrapping_add(((63 ^ self.valid) >> 3) as usize);
        self.valid |= 56;
    }

    /// Returns the next bits, left-aligned: 56 or more right after a refill.
    #[inline(always)]
    pub(super) const fn window(&self) -> u64 {
        self.window
    }

    /// Removes `count` modulo 64 bits, at most the valid ones.
    #[inline(always)]
    pub(super) fn consume(&mut self, count: u32) {
        debug_assert!(count & 63 <= self.valid, "more bits consumed than valid");
        self.window = self.window.wrapping_shl(count);
        self.valid = self.valid.wrapping_sub(count & 63);
    }

    /// Moves back by `count` bits.
    #[inline(always)]
    pub(super) fn move_back(&mut self, count: u32) {
        *self = Self::new(self.data, self.bit_offset().wrapping_sub(count as usize));
    }
}

/// Returns the bytes from `offset` on, and zeros after the end of the data.
#[cold]
#[inline(never)]
fn last_word(data: &[u8], offset: usize) -> [u8; WORD_BYTES] {
    let mut word = [0; WORD_BYTES];
    let rest = data.get(offset..).unwrap_or_default();
    word.iter_mut().zip(rest).for_each(|(padded, byte)| *padded = *byte);
    word
}
