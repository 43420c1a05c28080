//! Samples of one bit, eight to a byte, least significant bit first (PS3.5 8.1.1).

use super::Tier;

/// Unpacks `out.len()` bits of `src`, from bit `offset_bits` (0 to 7) of its first byte, to bytes of 0 and 1.
///
/// `src` holds at least `(offset_bits + out.len()).div_ceil(8)` bytes.
pub(crate) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8], _tier: Tier) {
    for (i, bit) in (offset_bits as usize..).zip(out) {
        *bit = src[i / 8] >> (i % 8) & 1;
    }
}

/// Packs `src` (0 is 0, anything else is 1) into `out`, which holds exactly `src.len().div_ceil(8)` bytes; unused bits are 0.
pub(crate) fn pack(src: &[u8], out: &mut [u8], _tier: Tier) {
    for (byte, bits) in out.iter_mut().zip(src.chunks(8)) {
        *byte = bits.iter().enumerate().fold(0, |byte, (i, bit)| byte | u8::from(*bit != 0) << i);
    }
}
