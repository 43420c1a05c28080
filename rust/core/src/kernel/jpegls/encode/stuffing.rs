//! Bit stuffing (T.87 A.1): the byte after an FF has a 0 as its first bit, so that it is less than 80 and no marker.
//!
//! ```text
//! bits      … 11111111 1011 0010 …        bytes   … FF 01011001 0…
//!                                                       ▲ stuffed
//! ```
//!
//! A stuffed bit moves all bits after it. So the source is read from a bit offset, 7 bytes at a time, and one FF in 256
//! bytes of typical data ends such a group early.

/// Bytes that one read gives at any bit offset: 8, less the bits before the offset.
const GROUP_BYTES: usize = 7;

/// Reads bits and writes them as stuffed bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stuffing {
    /// Offset in the source of the next bit.
    bit_offset: usize,
    /// True if the last byte written is FF.
    after_ff: bool,
}

impl Stuffing {
    /// Returns an upper bound of the number of bytes for `bytes` bytes of source.
    pub(super) const fn max_bytes(bytes: usize) -> usize {
        bytes + bytes / GROUP_BYTES + 16
    }

    /// Writes all bits of `src` but the last ones, fewer than 64, from the start of `out` on. Returns the number of bytes
    /// written.
    ///
    /// `out` has [`Self::max_bytes`]; it may be overwritten after the result.
    #[inline(always)]
    pub(super) fn write(&mut self, src: &[u8], out: &mut [u8]) -> usize {
        let Self { mut bit_offset, mut after_ff } = *self;
        let mut written = 0_usize;
        while let Some(window) = window_at(src, bit_offset) {
            let Some(bytes) = out.get_mut(written..).and_then(|out| out.first_chunk_mut()) else { break };
            // A stuffed bit precedes the others.
            let window = window >> u32::from(after_ff);
            *bytes = window.to_be_bytes();
            // A branch, so that usually the next group does not wait for the marks.
            let marks = ff_marks(window);
            let count = if marks == 0 { GROUP_BYTES } else { GROUP_BYTES.min(marks.trailing_zeros() as usize / 8 + 1) };
            written = written.wrapping_add(count);
            bit_offset = bit_offset.wrapping_add(8_usize.wrapping_mul(count)).wrapping_sub(usize::from(after_ff));
            after_ff = out.get(written.wrapping_sub(1)) == Some(&0xFF);
        }
        *self = Self { bit_offset, after_ff };
        written
    }

    /// Removes the bytes that have been read from `src`, which has `complete` complete bytes and one that is not. Returns
    /// their number.
    pub(super) fn remove_read(&mut self, src: &mut [u8], complete: usize) -> usize {
        let read = (self.bit_offset / 8).min(complete);
        src.copy_within(read..src.len().min(complete + 1), 0);
        self.bit_offset -= 8 * read;
        read
    }

    /// Returns the last bits of `src`, up to `end_bit`, padded with zeros to a byte. After a last byte FF a zero byte
    /// follows.
    pub(super) fn finish(&mut self, src: &[u8], end_bit: usize) -> Vec<u8> {
        let bit = |offset: usize| {
            let byte = if offset < end_bit { src.get(offset / 8).copied() } else { None };
            byte.unwrap_or_default() >> (7 - offset % 8) & 1
        };
        let mut out = Vec::new();
        while self.bit_offset < end_bit || self.after_ff {
            let count = if self.after_ff { 7 } else { 8 };
            let byte = (self.bit_offset..).take(count).fold(0, |byte, offset| byte << 1 | bit(offset));
            out.push(byte);
            self.bit_offset += count;
            self.after_ff = byte == 0xFF;
        }
        out
    }
}

/// Returns 64 bits of `src` from `bit_offset` on, of which the last 7 may be 0.
#[inline(always)]
fn window_at(src: &[u8], bit_offset: usize) -> Option<u64> {
    let bytes = src.get(bit_offset / 8..)?.first_chunk()?;
    #[allow(clippy::cast_possible_truncation, reason = "less than 8")]
    let skipped_bits = (bit_offset % 8) as u32;
    Some(u64::from_be_bytes(*bytes).wrapping_shl(skipped_bits))
}

/// Returns marks, one per byte, of which the first is that of the first FF; bytes are in the reverse order.
#[inline(always)]
fn ff_marks(window: u64) -> u64 {
    const LOW_BITS: u64 = u64::MAX / 255;
    const HIGH_BITS: u64 = LOW_BITS << 7;
    // Subtracting 1 borrows from the next byte if one is 0, that is, after an FF.
    let inverted = (!window).swap_bytes();
    inverted.wrapping_sub(LOW_BITS) & !inverted & HIGH_BITS
}
