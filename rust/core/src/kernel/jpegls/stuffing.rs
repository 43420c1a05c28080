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
pub(crate) fn unstuff(segment: &[u8], out: &mut [u8]) -> usize {
    // No byte follows the last one.
    let others = segment.split_last().map_or(&[][..], |(_, others)| others);
    let total_bits = segment.len() * 8 - others.iter().filter(|byte| **byte == 0xFF).count();
    debug_assert_eq!(out.len(), segment.len() + PADDING_BYTES, "space for the segment and the padding");
    out.fill(0);
    // The bytes of the bit string end at the highest address that is used.
    let mut index = ZERO_BYTES + total_bits.div_ceil(8);
    let (mut pending, mut pending_bits) = (0_u32, 0);
    let mut previous = 0;
    for byte in segment {
        let bits = if previous == 0xFF { 7 } else { 8 };
        pending = pending << bits | u32::from(byte & if bits == 7 { 0x7F } else { 0xFF });
        pending_bits += bits;
        if pending_bits >= 8 {
            pending_bits -= 8;
            index = index.saturating_sub(1);
            if let Some(out) = out.get_mut(index) {
                *out = (pending >> pending_bits & 0xFF) as u8;
            }
        }
        previous = *byte;
    }
    if pending_bits > 0
        && let Some(out) = out.get_mut(index.saturating_sub(1))
    {
        *out = (pending << (8 - pending_bits) & 0xFF) as u8;
    }
    total_bits
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
