//! Codeword segments without their stuffed bits, and the reader of raw segments.
//!
//! After a byte FF the next byte has only seven new bits (T.800 C.2.3, D.6), so that no marker occurs in the data:
//!
//! ```text
//! bytes     …  FF  │ c xxxxxxx │ …      MQ: c is a carry, added to the bits before it; raw: c is ignored
//! bits      …  1111 1111 + c   xxxxxxx …
//! ```
//!
//! A byte above 8F after FF ends the segment: the decoders then read ones (T.800 C.3.4). Adding all carries in advance is
//! exact, because C is a sum: an encoder's codeword is in the interval with all carries added.

/// Bytes of ones after the bits of each segment.
pub(super) const PADDING_BYTES: usize = 12;

/// Appends the bits of a segment to `out`, then ones up to a byte boundary and [`PADDING_BYTES`] bytes of ones. Returns
/// `None`, with `out` unchanged, if there is no memory.
#[allow(clippy::cast_possible_truncation, reason = "bits leave the accumulator byte by byte")]
pub(super) fn append_bits(segment: &[u8], is_raw: bool, out: &mut Vec<u8>) -> Option<()> {
    const WORD: usize = size_of::<u64>();
    out.try_reserve(segment.len().checked_add(PADDING_BYTES + 1)?).ok()?;
    let start = out.len();
    // The lowest `pending` bits of the accumulator, less than 8, are not in `out` yet; its other bits are 0.
    let (mut accumulator, mut pending) = (0_u64, 0_u32);
    let mut is_after_ff = false;
    let mut rest = segment;
    while let Some((&byte, bytes)) = rest.split_first() {
        if !is_after_ff
            && let Some(word) = rest.first_chunk::<WORD>().map(|word| u64::from_be_bytes(*word))
            && !has_ff(word)
        {
            // Eight bytes without FF.
            let shifted = if pending == 0 { word } else { accumulator << (64 - pending) | word >> pending };
            out.extend_from_slice(&shifted.to_be_bytes());
            accumulator = word & ((1 << pending) - 1);
            rest = rest.get(WORD..).unwrap_or_default();
            continue;
        }
        let bit_count = 8 - u32::from(is_after_ff);
        if is_after_ff {
            if byte > 0x8F {
                break;
            }
            if byte & 0x80 != 0 && !is_raw {
                accumulator += 1;
                if accumulator >> pending != 0 {
                    accumulator = 0;
                    add_carry(out.get_mut(start..).unwrap_or_default());
                }
            }
        }
        accumulator = accumulator << bit_count | u64::from(byte) & ((1 << bit_count) - 1);
        pending += bit_count;
        is_after_ff = byte == 0xFF;
        if pending >= 8 {
            pending -= 8;
            out.push((accumulator >> pending) as u8);
            accumulator &= (1 << pending) - 1;
        }
        rest = bytes;
    }
    if pending > 0 {
        out.push((accumulator << (8 - pending)) as u8 | 0xFF >> pending);
    }
    out.extend_from_slice(&[0xFF; PADDING_BYTES]);
    Some(())
}

/// True if a byte of the word is FF, and for some words without.
fn has_ff(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xFF;
    (!word).wrapping_sub(ONES) & word & (ONES << 7) != 0
}

/// Adds 1 to the last bit of a number, modulo its length.
fn add_carry(number: &mut [u8]) {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
}

/// Reader of a raw segment (T.800 D.6), whose bits are the output of [`append_bits`].
pub(super) struct RawBits<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> RawBits<'a> {
    /// Continues at bit `position`. Bits after the end of `data` are ones.
    #[inline(always)]
    pub(super) const fn resume(data: &'a [u8], position: usize) -> Self {
        Self { data, position }
    }

    #[inline(always)]
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> u64 {
        let byte = self.data.get(self.position / 8).copied().unwrap_or(0xFF);
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position = self.position.wrapping_add(1);
        u64::from(bit)
    }
}
