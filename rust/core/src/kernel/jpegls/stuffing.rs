//! Bit stuffing of JPEG-LS (T.87 9.1): a byte after FF has 7 bits, so that no marker occurs in entropy-coded data.
//!
//! ```text
//! bytes      12 FF 7A 34              FF and a byte of 80 or more: a marker
//! bits       00010010 11111111 1111010 00110100
//! ```
//!
//! The unstuffed bits are stored in reverse order of bytes, so that one little-endian load gives the next bits
//! left-aligned:
//!
//! ```text
//! address    0 … padding (zeros) … | last byte … second byte  first byte |
//! position                         0                          bit count     number of bits left
//! ```

/// Bytes of the output of [`unstuff`] besides those of the segment.
pub(crate) const PADDING_BYTES: usize = 32;
/// Bytes before the last byte of the data: zeros.
pub(super) const ZERO_BYTES: usize = 16;
const WORD_BYTES: usize = 8;
const ONES: u64 = u64::MAX / 0xFF;

/// Returns the index of the first FF of `src`, from index `from` on, that a byte of 80 or more follows.
pub(crate) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 64;
    let bytes = src.get(from..)?;
    let next = bytes.get(1..)?;
    let clean = |pair: &(&[u8; BLOCK], &[u8; BLOCK])| {
        !pair.0.iter().zip(pair.1).fold(false, |any, (byte, next)| any | is_marker(*byte, *next))
    };
    let pairs = bytes.as_chunks().0.iter().zip(next.as_chunks().0);
    let start = pairs.take_while(clean).count() * BLOCK;
    let rest = bytes.get(start..)?.iter().zip(next.get(start..)?);
    rest.enumerate().find(|(_, (byte, next))| is_marker(**byte, **next)).map(|(index, _)| from + start + index)
}

#[inline(always)]
fn is_marker(byte: u8, next: u8) -> bool {
    (byte == 0xFF) & (next >= 0x80)
}

/// Stores the bits of `segment` to `out` without the stuffed ones; returns their number.
///
/// `out` must be longer than `segment` by [`PADDING_BYTES`]; [`super::decode_line`] reads all of it. Bytes of 80 or more
/// after FF, which are not part of entropy-coded data, count as 7 bits.
///
/// ```text
/// 8 bytes without FF       append 64 bits
/// 8 bytes with an FF       append the bytes up to the first FF, and 7 bits of the byte after it
/// ```
pub(crate) fn unstuff(segment: &[u8], out: &mut [u8]) -> usize {
    debug_assert_eq!(out.len(), segment.len() + PADDING_BYTES, "space for the segment and the padding");
    // No byte follows the last one.
    let others = segment.split_last().map_or(&[][..], |(_, others)| others);
    let bit_count = segment.len() * 8 - count_ff(others);
    let end = (ZERO_BYTES + bit_count.div_ceil(8)).min(out.len());
    let (bytes, _) = out.split_at_mut(end);
    let mut writer = BitWriter { bytes, pending: 0, pending_bits: 0 };
    let mut rest = segment;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_be_bytes(*word);
        let ff = (!word).wrapping_sub(ONES) & word & (ONES << 7);
        if ff == 0 {
            writer.append_word(word);
            rest = after;
            continue;
        }
        // Borrows reach only bytes above an FF, so that the first FF must be searched.
        let length = word.to_be_bytes().iter().position(|byte| *byte == 0xFF).map_or(WORD_BYTES, |index| index + 1);
        #[allow(clippy::cast_possible_truncation, reason = "a word has 64 bits")]
        let bits = 8 * length as u32;
        writer.append(word & u64::MAX.wrapping_shl(64 - bits), bits);
        rest = rest.get(length..).unwrap_or_default();
        while let Some((stuffed, after)) = rest.split_first() {
            writer.append(u64::from(*stuffed) << 57, 7);
            rest = after;
            if *stuffed != 0xFF {
                break;
            }
        }
    }
    let mut is_after_ff = false;
    for byte in rest {
        let bits = 8 - u32::from(is_after_ff);
        writer.append(u64::from(*byte) << (64 - bits), bits);
        is_after_ff = *byte == 0xFF;
    }
    writer.finish();
    bit_count
}

/// Returns the number of bytes that are FF.
fn count_ff(bytes: &[u8]) -> usize {
    // Sums of up to 255 bytes fit in a byte.
    let count = |bytes: &[u8]| bytes.iter().fold(0_u8, |count, byte| count.wrapping_add(u8::from(*byte == 0xFF)));
    bytes.chunks(255).map(|bytes| usize::from(count(bytes))).sum()
}

/// Writes bits from the end of `bytes` downwards.
struct BitWriter<'a> {
    bytes: &'a mut [u8],
    /// Bits that are not yet written, left-aligned; zeros follow.
    pending: u64,
    pending_bits: u32,
}

impl BitWriter<'_> {
    #[inline(always)]
    fn append_word(&mut self, word: u64) {
        self.store(self.pending | word.wrapping_shr(self.pending_bits));
        self.pending = (word << 1).wrapping_shl(63 - self.pending_bits);
    }

    /// Appends the upper `count` bits of `bits`; the others are 0.
    #[inline(always)]
    fn append(&mut self, bits: u64, count: u32) {
        let total = self.pending_bits + count;
        if total >= 64 {
            self.append_word(bits);
            self.pending_bits = total - 64;
        } else {
            self.pending |= bits.wrapping_shr(self.pending_bits);
            self.pending_bits = total;
        }
    }

    #[inline(always)]
    fn store(&mut self, word: u64) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Some((rest, stored)) = bytes.split_last_chunk_mut() {
            *stored = word.to_le_bytes();
            self.bytes = rest;
        }
    }

    /// Writes the pending bits, and zeros to the start of `bytes`.
    fn finish(mut self) {
        self.store(self.pending);
        self.bytes.fill(0);
    }
}

/// Returns the offset in `segment` of the byte that contains an unstuffed bit.
pub(crate) fn stuffed_offset(segment: &[u8], bit_offset: usize) -> usize {
    let mut end_bit = 0;
    let mut previous = 0;
    for (offset, byte) in segment.iter().enumerate() {
        end_bit += if previous == 0xFF { 7 } else { 8 };
        if bit_offset < end_bit {
            return offset;
        }
        previous = *byte;
    }
    segment.len()
}
