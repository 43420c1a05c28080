//! Eight samples at a time, as one 64-bit word.

/// Eight bytes of 0 and 1 for every value of a packed byte.
static UNPACKED: [[u8; 8]; 256] = unpacked();

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn unpacked() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut value = 0;
    while value < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[value][bit] = (value >> bit & 1) as u8;
            bit += 1;
        }
        value += 1;
    }
    table
}

pub(super) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8]) {
    if offset_bits == 0 {
        return unpack_bytes(src, 0, out);
    }
    // Whole words first: one shift serves eight bytes. The ninth byte's low bits fill the word's top.
    let words = out.as_chunks_mut::<8>().0.as_chunks_mut::<8>().0;
    let done = words.len();
    let ninths = src.iter().skip(8).step_by(8);
    for ((word, ninth), eights) in src.as_chunks::<8>().0.iter().zip(ninths).zip(words) {
        let word = u64::from_le_bytes(*word) >> offset_bits | u64::from(*ninth) << (64 - offset_bits);
        eights.iter_mut().zip(word.to_le_bytes()).for_each(|(eight, byte)| *eight = eight_samples(byte));
    }
    unpack_bytes(src.get(done * 8..).unwrap_or_default(), offset_bits, out.get_mut(done * 64..).unwrap_or_default());
}

/// Byte by byte.
fn unpack_bytes(src: &[u8], offset_bits: u32, out: &mut [u8]) {
    let (eights, rest) = out.as_chunks_mut::<8>();
    let tail = src.get(eights.len()..).unwrap_or_default();
    if offset_bits == 0 {
        for (byte, eight) in src.iter().zip(eights) {
            *eight = eight_samples(*byte);
        }
    } else {
        let above = src.get(1..).unwrap_or_default();
        for ((low, high), eight) in src.iter().zip(above).zip(eights) {
            *eight = eight_samples(window(*low, *high, offset_bits));
        }
    }
    // At most seven samples are left, in at most two bytes.
    let mut last = tail.iter().copied().chain([0, 0]);
    if let (Some(low), Some(high)) = (last.next(), last.next()) {
        let samples = eight_samples(window(low, high, offset_bits));
        rest.iter_mut().zip(samples).for_each(|(out, sample)| *out = sample);
    }
}

/// Eight bits of two bytes, from bit `offset_bits` (0 to 7) of the lower one.
#[inline(always)]
const fn window(low: u8, high: u8, offset_bits: u32) -> u8 {
    let [window, _] = (u16::from_le_bytes([low, high]) >> (offset_bits % 8)).to_le_bytes();
    window
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
fn eight_samples(byte: u8) -> [u8; 8] {
    UNPACKED[usize::from(byte)]
}

pub(super) fn pack(src: &[u8], out: &mut [u8]) {
    let (eights, rest) = src.as_chunks::<8>();
    let mut out = out.iter_mut();
    for (eight, byte) in eights.iter().zip(out.by_ref()) {
        *byte = eight_bits(*eight);
    }
    if let (false, Some(byte)) = (rest.is_empty(), out.next()) {
        let mut eight = [0; 8];
        eight.iter_mut().zip(rest).for_each(|(padded, sample)| *padded = *sample);
        *byte = eight_bits(eight);
    }
}

/// Bit `i` is whether sample `i` is not 0.
#[inline(always)]
const fn eight_bits(samples: [u8; 8]) -> u8 {
    const LOW_SEVEN: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    /// Takes bit 8 × i to bit 56 + i.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let samples = u64::from_le_bytes(samples);
    // The top bit of a byte: set already, or carried into by any of the lower seven.
    let set = ((samples & LOW_SEVEN).wrapping_add(LOW_SEVEN) | samples) & !LOW_SEVEN;
    let [.., byte] = (set >> 7).wrapping_mul(GATHER).to_le_bytes();
    byte
}
