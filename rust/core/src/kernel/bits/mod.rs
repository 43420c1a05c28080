//! Packed samples of 1 bit, least significant bit first (PS3.5 8.1.1), to and from bytes of 0 and 1.
//!
//! ```text
//! packed byte  0b0000_1101, bits 0 to 7   1 0 1 1 0 0 0 0
//! samples                                 1,0,1,1,0,0,0,0
//! ```
//!
//! A frame may start within a byte. With a bit offset of 3, sample `i` is bit `(3 + i) % 8` of byte `(3 + i) / 8`.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::cpu::dispatch;
use super::{CpuLevel, alignment_prefix};

/// Unpacks `out.len()` samples, starting at bit `offset_bits` (0 to 7) of `src`, into bytes of 0 and 1.
///
/// `src.len() >= (offset_bits + out.len()).div_ceil(8)`.
pub(crate) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8], level: CpuLevel) {
    // A prefix of whole bytes leaves the bit offset of the remaining samples unchanged.
    let prefix = Some(alignment_prefix(out, 1)).filter(|prefix| prefix.is_multiple_of(8)).unwrap_or_default();
    let (head, out) = out.split_at_mut(prefix);
    scalar::unpack(src, offset_bits % 8, head);
    unpack_aligned(src.get(prefix / 8..).unwrap_or_default(), offset_bits % 8, out, level);
}

fn unpack_aligned(src: &[u8], offset_bits: u32, out: &mut [u8], level: CpuLevel) {
    dispatch!(level, unpack(src, offset_bits, out))
}

/// Packs `src` into `out`: 0 becomes bit 0, any other byte becomes bit 1. Unused bits of the last byte are 0.
///
/// `out.len() == src.len().div_ceil(8)`.
pub(crate) fn pack(src: &[u8], out: &mut [u8], level: CpuLevel) {
    dispatch!(level, pack(src, out))
}
