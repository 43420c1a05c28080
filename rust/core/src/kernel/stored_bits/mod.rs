//! Stored values out of the bits that surround them (PS3.5 8.1.1): shift to bit 0, clear or sign-extend above.
//!
//! ```text
//! bit 15   High Bit               shift   0            15                 bits     0
//!   ┌─────────┬──────────────────────┬────┐             ┌─────────────────┬────────┐
//!   │ garbage │     Bits Stored      │ …  │  ─────────► │ zeros or sign   │ value  │
//!   └─────────┴──────────────────────┴────┘             └─────────────────┴────────┘
//! ```

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::cpu::dispatch;
use super::{CpuLevel, alignment_prefix};
use crate::frame::StoredBits;

/// Puts every sample of `samples` (`sample_bytes` = 1, 2, 4 or 8 bytes each) right-aligned, in place.
pub(crate) fn extract_in_place(samples: &mut [u8], sample_bytes: usize, stored: StoredBits, tier: CpuLevel) {
    dispatch!(tier, extract_in_place(samples, sample_bytes, stored))
}

/// The same from `src` into `out` of equal length, in one pass; bytes of a sample are reversed first when `swap`.
pub(crate) fn extract(
    src: &[u8],
    out: &mut [u8],
    sample_bytes: usize,
    swap: bool,
    stored: Option<StoredBits>,
    tier: CpuLevel,
) {
    match (swap && sample_bytes > 1, stored) {
        (false, None) => out.copy_from_slice(src),
        (swap, stored) => {
            let ahead = alignment_prefix(out, sample_bytes) * sample_bytes;
            let (src_head, src) = src.split_at(ahead);
            let (head, out) = out.split_at_mut(ahead);
            scalar::extract(src_head, head, sample_bytes, swap, stored);
            extract_aligned(src, out, sample_bytes, swap, stored, tier);
        }
    }
}

fn extract_aligned(
    src: &[u8],
    out: &mut [u8],
    sample_bytes: usize,
    swap: bool,
    stored: Option<StoredBits>,
    tier: CpuLevel,
) {
    dispatch!(tier, extract(src, out, sample_bytes, swap, stored))
}

/// Reverses the bytes of every sample.
pub(crate) fn swap_bytes(samples: &mut [u8], sample_bytes: usize, tier: CpuLevel) {
    dispatch!(tier, swap_bytes(samples, sample_bytes))
}
