//! Samples of one bit, eight to a byte, least significant bit first (PS3.5 8.1.1).

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::cpu::dispatch;
use super::{CpuLevel, alignment_prefix};

/// Unpacks `out.len()` bits of `src`, from bit `offset_bits` (0 to 7) of its first byte, to bytes of 0 and 1.
///
/// `src` holds at least `(offset_bits + out.len()).div_ceil(8)` bytes.
pub(crate) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8], tier: CpuLevel) {
    // A head of whole bytes leaves the offset as it is.
    let ahead = Some(alignment_prefix(out, 1)).filter(|ahead| ahead.is_multiple_of(8)).unwrap_or_default();
    let (head, out) = out.split_at_mut(ahead);
    scalar::unpack(src, offset_bits % 8, head);
    aligned(src.get(ahead / 8..).unwrap_or_default(), offset_bits % 8, out, tier);
}

fn aligned(src: &[u8], offset_bits: u32, out: &mut [u8], tier: CpuLevel) {
    dispatch!(tier, unpack(src, offset_bits, out))
}

/// Packs `src` (0 is 0, anything else is 1) into `out`, which holds exactly `src.len().div_ceil(8)` bytes; unused bits are 0.
pub(crate) fn pack(src: &[u8], out: &mut [u8], tier: CpuLevel) {
    dispatch!(tier, pack(src, out))
}
