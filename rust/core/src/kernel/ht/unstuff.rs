//! Removal of the stuffing bits of the bit strings of a cleanup segment (T.814 7.1.2, 7.1.4).
//!
//! ```text
//! forward    the byte after an FF has 7 bits                                    MagSgn
//! backward   a byte with seven ones at its end has 7 bits after one above 8F    VLC
//! ```
//!
//! The first bit of a byte is its lowest one. Eight bytes are copied at once if none of them can change the number of bits:
//! of random data, that is 31 of 32 words forward, and 15 of 16 backward.

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
    const fn new(out: &'a mut [u8]) -> Self {
        Self { out, bytes: 0, pending: Pending { bits: 0, count: 0 } }
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

    /// Appends bits that are equal to the lowest one of `fill`, and returns the number of bytes with them.
    fn finish(mut self, fill: u8) -> usize {
        self.store(self.pending.bits | (u64::from(fill) * 0x0101_0101_0101_0101) << self.pending.count);
        self.bytes += WORD_BYTES;
        if let Some(padding) = self.out.get_mut(self.bytes..self.bytes + PADDING_BYTES) {
            padding.fill(fill);
        }
        self.bytes + PADDING_BYTES
    }
}

/// Returns a word with the highest bit of the first zero byte set, and none below it; 0 if no byte is zero.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// Writes the bits of `source` to `out`, then ones. Returns the number of bytes.
///
/// `out` is longer than `source` by 8 bytes and [`PADDING_BYTES`]. `append_bytes` may write a block of bytes after pending bits and
/// return the bits then pending, whose number is the same; `None` if it does not, and if one of the bytes is FF.
#[inline(always)]
pub(super) fn unstuff_forward(
    source: &[u8],
    out: &mut [u8],
    append_bytes: impl Fn(&[u8; BLOCK_BYTES], &mut [u8; BLOCK_BYTES], Pending) -> Option<u64>,
) -> usize {
    let mut writer = BitWriter::new(out);
    let (mut rest, mut is_after_ff) = (source, false);
    while let Some((bytes, after)) = rest.split_first_chunk::<WORD_BYTES>() {
        if !is_after_ff
            && let Some((bytes, after)) = rest.split_first_chunk()
            && let Some(out) = writer.out.get_mut(writer.bytes..).and_then(|out| out.first_chunk_mut())
            && let Some(pending) = append_bytes(bytes, out, writer.pending)
        {
            writer.bytes += BLOCK_BYTES;
            writer.pending.bits = pending;
            rest = after;
            continue;
        }
        let word = u64::from_le_bytes(*bytes);
        let found = zero_bytes(!word);
        if found == 0 && !is_after_ff {
            writer.append_word(word);
            rest = after;
            continue;
        }
        // The bytes up to the first FF; without an FF, or if it is the last one, seven bytes.
        let count = (found.trailing_zeros() / 8 + 1).min(7);
        let word = word & ((1 << (8 * count)) - 1);
        if is_after_ff {
            writer.append((word & 0x7F) | word >> 8 << 7, 8 * count - 1);
        } else {
            writer.append(word, 8 * count);
        }
        is_after_ff = word >> (8 * (count - 1)) == 0xFF;
        rest = rest.get(count as usize..).unwrap_or_default();
    }
    for byte in rest {
        let count = 8 - u32::from(is_after_ff);
        writer.append(u64::from(*byte) & ((1 << count) - 1), count);
        is_after_ff = *byte == 0xFF;
    }
    writer.finish(0xFF)
}

/// Writes the bits of the VLC string of a segment of `Scup` bytes to `out`, then zeros. Returns the number of bits.
///
/// The string starts with the upper half of the last byte but one, and continues towards the first byte. `out` is longer than
/// `source` by 8 bytes and [`PADDING_BYTES`].
#[inline(always)]
pub(super) fn unstuff_backward(source: &[u8], out: &mut [u8]) -> usize {
    let mut writer = BitWriter::new(out);
    let [rest @ .., last, _] = source else { return 0 };
    let mut rest = rest;
    let nibble = u64::from(*last >> 4);
    writer.append(if nibble & 7 == 7 { 7 } else { nibble }, if nibble & 7 == 7 { 3 } else { 4 });
    let mut is_after_high = *last | 0xF > 0x8F;
    while let Some((before, bytes)) = rest.split_last_chunk::<WORD_BYTES>() {
        // The first byte of the string is the last one in memory.
        let word = u64::from_be_bytes(*bytes);
        let found = zero_bytes(!word & 0x7F7F_7F7F_7F7F_7F7F);
        if found == 0 {
            writer.append_word(word);
            is_after_high = word >> 56 > 0x8F;
            rest = before;
            continue;
        }
        // The bytes before the first one that may have 7 bits.
        let count = found.trailing_zeros() / 8;
        if count > 0 {
            let word = word & ((1 << (8 * count)) - 1);
            writer.append(word, 8 * count);
            is_after_high = word >> (8 * (count - 1)) > 0x8F;
        }
        let byte = word >> (8 * count) & 0xFF;
        writer.append(byte & if is_after_high { 0x7F } else { 0xFF }, 8 - u32::from(is_after_high));
        is_after_high = byte > 0x8F;
        rest = rest.get(..rest.len() - count as usize - 1).unwrap_or_default();
    }
    for byte in rest.iter().rev() {
        let count = if is_after_high && byte & 0x7F == 0x7F { 7 } else { 8 };
        writer.append(u64::from(*byte) & ((1 << count) - 1), count);
        is_after_high = *byte > 0x8F;
    }
    let bits = 8 * writer.bytes + writer.pending.count as usize;
    writer.finish(0);
    bits
}
