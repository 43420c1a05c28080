//! Portable bodies: eight samples at a time, as one 64-bit word or by a table of 256 entries.

/// The eight samples of each packed byte.
static SAMPLES: [[u8; 8]; 256] = sample_table();

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn sample_table() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte][bit] = (byte >> bit & 1) as u8;
            bit += 1;
        }
        byte += 1;
    }
    table
}

pub(super) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8]) {
    if offset_bits == 0 {
        return unpack_by_byte(src, 0, out);
    }
    // 64 samples at a time: one shift serves eight bytes. With bit offset 3,
    //   word = bits 3 to 63 of bytes 0 to 7, and in its top 3 bits the lowest 3 bits of byte 8.
    let blocks = out.as_chunks_mut::<8>().0.as_chunks_mut::<8>().0;
    let block_count = blocks.len();
    let next_bytes = src.iter().skip(8).step_by(8);
    for ((word, next_byte), block) in src.as_chunks::<8>().0.iter().zip(next_bytes).zip(blocks) {
        let word = u64::from_le_bytes(*word) >> offset_bits | u64::from(*next_byte) << (64 - offset_bits);
        block.iter_mut().zip(word.to_le_bytes()).for_each(|(samples, byte)| *samples = samples_of(byte));
    }
    let src = src.get(block_count * 8..).unwrap_or_default();
    unpack_by_byte(src, offset_bits, out.get_mut(block_count * 64..).unwrap_or_default());
}

/// Unpacks eight samples at a time, then the remaining ones.
fn unpack_by_byte(src: &[u8], offset_bits: u32, out: &mut [u8]) {
    let (octets, rest) = out.as_chunks_mut::<8>();
    let tail = src.get(octets.len()..).unwrap_or_default();
    if offset_bits == 0 {
        for (byte, octet) in src.iter().zip(octets) {
            *octet = samples_of(*byte);
        }
    } else {
        let high_bytes = src.get(1..).unwrap_or_default();
        for ((low, high), octet) in src.iter().zip(high_bytes).zip(octets) {
            *octet = samples_of(byte_at_bit(*low, *high, offset_bits));
        }
    }
    // At most seven samples remain, in at most two bytes.
    let mut last_bytes = tail.iter().copied().chain([0, 0]);
    if let (Some(low), Some(high)) = (last_bytes.next(), last_bytes.next()) {
        let samples = samples_of(byte_at_bit(low, high, offset_bits));
        rest.iter_mut().zip(samples).for_each(|(out, sample)| *out = sample);
    }
}

/// Returns the eight bits from bit `offset_bits` (0 to 7) of `low` on; the upper ones are the lowest bits of `high`.
#[inline(always)]
const fn byte_at_bit(low: u8, high: u8, offset_bits: u32) -> u8 {
    let [byte, _] = (u16::from_le_bytes([low, high]) >> (offset_bits % 8)).to_le_bytes();
    byte
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
fn samples_of(byte: u8) -> [u8; 8] {
    SAMPLES[usize::from(byte)]
}

pub(super) fn pack(src: &[u8], out: &mut [u8]) {
    let (octets, rest) = src.as_chunks::<8>();
    let mut out = out.iter_mut();
    for (octet, byte) in octets.iter().zip(out.by_ref()) {
        *byte = pack_octet(*octet);
    }
    if let (false, Some(byte)) = (rest.is_empty(), out.next()) {
        let mut octet = [0; 8];
        octet.iter_mut().zip(rest).for_each(|(padded, sample)| *padded = *sample);
        *byte = pack_octet(octet);
    }
}

/// Packs eight samples: bit `i` of the result is 1 if sample `i` is not 0.
///
/// ```text
/// samples          FF 00 01 00 00 80 00 00     (sample 0 first, the lowest byte of the word)
/// nonzero >> 7     01 00 01 00 00 01 00 00     bit 8 i is 1 if sample i is not 0
/// × GATHER         bit 8 i moves to bit 56 + i; all other products fall elsewhere without carries
/// top byte         0b0010_0101
/// ```
#[inline(always)]
const fn pack_octet(samples: [u8; 8]) -> u8 {
    const LOW_SEVEN: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    /// Bits 7 j + 7, for j = 0 to 7: bit 8 i × bit 56 - 7 i is bit 56 + i.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let samples = u64::from_le_bytes(samples);
    // The top bit of a byte is set if it was set before, or if adding 0x7F to the lower seven bits carries into it.
    let nonzero = ((samples & LOW_SEVEN).wrapping_add(LOW_SEVEN) | samples) & !LOW_SEVEN;
    let [.., byte] = (nonzero >> 7).wrapping_mul(GATHER).to_le_bytes();
    byte
}
