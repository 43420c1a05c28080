//! Removal of the stuffing bits of the bit strings of a cleanup segment (T.814 7.1.2, 7.1.4).
//!
//! ```text
//! forward    the byte after an FF has 7 bits                                    MagSgn
//! backward   a byte with seven ones at its end has 7 bits after one above 8F    VLC
//! ```
//!
//! The first bit of a byte is its lowest one. Blocks of 32 bytes (vector instructions) or 8 bytes are copied at once up to the first
//! byte that may change the number of bits: of random data, one of 256 forward, and one of 300 (32 bytes) or 128 backward.

const WORD_BYTES: usize = 8;
/// Bytes after the bits, so that every bit can be read with those that follow it by one load of 64 bytes.
pub(super) const PADDING_BYTES: usize = 72;

/// Bytes that vector instructions copy at once.
pub(super) const BLOCK_BYTES: usize = 32;

/// Bits of the next byte, `count` of them, below 8.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub bits: u64,
    pub count: u32,
}

/// Writes bits, the first one in the lowest bit of the first byte.
struct BitWriter<'a> {
    out: &'a mut [u8],
    bytes: usize,
    pending: Pending,
}

impl<'a> BitWriter<'a> {
    #[inline(always)]
    const fn new(out: &'a mut [u8], count: u32) -> Self {
        Self { out, bytes: 0, pending: Pending { bits: 0, count } }
    }

    #[inline(always)]
    fn store(&mut self, word: u64) {
        match self.out.get_mut(self.bytes..).and_then(|out| out.first_chunk_mut::<WORD_BYTES>()) {
            Some(out) => *out = word.to_le_bytes(),
            None => debug_assert!(false, "the buffer is longer than the data"),
        }
    }

    /// Appends the lowest `count` bits of `bits`, at most 56. The others are zeros.
    #[inline(always)]
    fn append(&mut self, bits: u64, count: u32) {
        debug_assert!(count <= 56 && bits >> count == 0, "{count} bits");
        let word = self.pending.bits | bits << self.pending.count;
        self.store(word);
        let total = self.pending.count + count;
        self.bytes += (total / 8) as usize;
        self.pending.bits = word >> (total & !7);
        self.pending.count = total % 8;
    }

    #[inline(always)]
    fn append_word(&mut self, word: u64) {
        self.store(self.pending.bits | word << self.pending.count);
        self.bytes += WORD_BYTES;
        self.pending.bits = word >> 1 >> (63 - self.pending.count);
    }

    /// Calls `append` with the memory for a block. `None` if there is none, or if `append` returns it.
    #[inline(always)]
    fn append_block(&mut self, append: impl Fn(&mut [u8; BLOCK_BYTES], Pending) -> Option<u32>) -> Option<u32> {
        let pending = self.pending;
        self.out.get_mut(self.bytes..).and_then(|out| out.first_chunk_mut()).and_then(|out| append(out, pending))
    }

    /// Counts bytes, the last of which is `last`, that were written after the pending bits.
    #[inline(always)]
    fn skip(&mut self, bytes: usize, last: u8) {
        self.bytes += bytes;
        self.pending.bits = u64::from(last) >> (8 - self.pending.count);
    }

    /// Appends at least `padding` bytes that are `fill`, 0 or FF; returns the numbers of bits before them, and of bytes in all.
    fn finish(mut self, fill: u8, padding: usize) -> (usize, usize) {
        let bits = 8 * self.bytes + self.pending.count as usize;
        self.store(self.pending.bits | (u64::from(fill) * 0x0101_0101_0101_0101) << self.pending.count);
        self.bytes += WORD_BYTES;
        match self.out.get_mut(self.bytes..self.bytes + padding) {
            Some(out) => out.fill(fill),
            None => debug_assert!(false, "the buffer is longer than the data"),
        }
        (bits, self.bytes + padding)
    }
}

/// Returns a word with the highest bit of the first zero byte set, and none below it; 0 if no byte is zero.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// Writes a bit 0 and the bits of `source` to `out`, then ones. Returns the number of bits of `source`, and the number of bytes.
///
/// `out` is longer than `source` by 40 bytes and `padding`. `append_block` may write a block of bytes after pending bits, as if none
/// of them were FF, and return the mask of those that are; `None` if it does not. The bits after the first FF are overwritten.
#[inline(always)]
pub(super) fn unstuff_forward(
    source: &[u8],
    out: &mut [u8],
    padding: usize,
    append_block: impl Fn(&[u8; BLOCK_BYTES], &mut [u8; BLOCK_BYTES], Pending) -> Option<u32>,
) -> (usize, usize) {
    let mut writer = BitWriter::new(out, 1);
    let (mut rest, mut is_after_ff) = (source, false);
    while let [first, after @ ..] = rest {
        if is_after_ff {
            writer.append(u64::from(first & 0x7F), 7);
            is_after_ff = *first == 0xFF;
            rest = after;
            continue;
        }
        if let Some((block, after)) = rest.split_first_chunk()
            && let Some(mask) = writer.append_block(|out, pending| append_block(block, out, pending))
        {
            let [.., last] = *block;
            if mask == 0 {
                writer.skip(BLOCK_BYTES, last);
                rest = after;
            } else {
                let count = mask.trailing_zeros() as usize + 1;
                writer.skip(count, 0xFF);
                is_after_ff = true;
                rest = rest.get(count..).unwrap_or_default();
            }
            continue;
        }
        let Some((bytes, after)) = rest.split_first_chunk::<WORD_BYTES>() else {
            writer.append(u64::from(*first), 8);
            is_after_ff = *first == 0xFF;
            rest = after;
            continue;
        };
        let word = u64::from_le_bytes(*bytes);
        let found = zero_bytes(!word);
        if found == 0 {
            writer.append_word(word);
            rest = after;
            continue;
        }
        // The bytes up to the first FF, or seven bytes if it is the last one.
        let count = (found.trailing_zeros() / 8 + 1).min(7);
        let word = word & ((1 << (8 * count)) - 1);
        writer.append(word, 8 * count);
        is_after_ff = word >> (8 * (count - 1)) == 0xFF;
        rest = rest.get(count as usize..).unwrap_or_default();
    }
    let (bits, bytes) = writer.finish(0xFF, padding);
    (bits - 1, bytes)
}

/// Writes the bits of the VLC string of a segment of `Scup` bytes to `out`, then zeros. Returns the number of bits.
///
/// The string starts with the upper half of the last byte but one, and continues towards the first byte. `out` is longer than
/// `source` by 40 bytes and [`PADDING_BYTES`]. `append_block` may write the last 32 bytes before the last one of its input, the
/// last one first, and return the mask of those that have 7 bits; `None` if it does not.
#[inline(always)]
pub(super) fn unstuff_backward(
    source: &[u8],
    out: &mut [u8],
    append_block: impl Fn(&[u8; BLOCK_BYTES + 1], &mut [u8; BLOCK_BYTES], Pending) -> Option<u32>,
) -> usize {
    let mut writer = BitWriter::new(out, 0);
    let [rest @ .., last, _] = source else { return 0 };
    let nibble = u64::from(*last >> 4);
    writer.append(if nibble & 7 == 7 { 7 } else { nibble }, if nibble & 7 == 7 { 3 } else { 4 });
    let mut left = rest.len();
    // The bytes that are left, and the one after them, which precedes them in the string.
    while left > 0
        && let Some(bytes) = source.get(..=left)
    {
        if let Some(block) = bytes.last_chunk()
            && let Some(mask) = writer.append_block(|out, pending| append_block(block, out, pending))
        {
            let [last, ..] = *block;
            if mask == 0 {
                writer.skip(BLOCK_BYTES, last);
                left -= BLOCK_BYTES;
                continue;
            }
            let count = mask.leading_zeros() as usize & (BLOCK_BYTES - 1);
            if let Some(last) = block.get(BLOCK_BYTES - count)
                && count > 0
            {
                writer.skip(count, *last);
            }
            let byte = block.get(BLOCK_BYTES - 1 - count).copied().unwrap_or_default();
            writer.append(u64::from(byte & 0x7F), 7);
            left -= count + 1;
            continue;
        }
        let [.., byte, before] = bytes else { break };
        let is_short = *before > 0x8F && byte & 0x7F == 0x7F;
        // The first byte of the string is the last one in memory.
        if let [start @ .., _] = bytes
            && let Some(bytes) = start.last_chunk::<WORD_BYTES>()
            && !is_short
        {
            let word = u64::from_be_bytes(*bytes);
            let found = zero_bytes(!word & 0x7F7F_7F7F_7F7F_7F7F);
            if found == 0 {
                writer.append_word(word);
                left -= WORD_BYTES;
                continue;
            }
        }
        let count = if is_short { 7 } else { 8 };
        writer.append(u64::from(*byte) & ((1 << count) - 1), count);
        left -= 1;
    }
    writer.finish(0, PADDING_BYTES).0
}
