//! Extraction of stored values (PS3.5 8.1.1): shifts the value to bit 0, and clears or sign-extends the bits above it.
//!
//! ```text
//! bit 15   High Bit               shift   0            15               bits       0
//!   ┌─────────┬──────────────────────┬────┐             ┌─────────────────┬────────┐
//!   │ unused  │     Bits Stored      │ …  │  ─────────► │ zeros or sign   │ value  │
//!   └─────────┴──────────────────────┴────┘             └─────────────────┴────────┘
//! ```
//!
//! For example, Bits Allocated 16, Bits Stored 8, High Bit 11 (so shift 4): 0xF8A5 holds 0x8A, which is 138, or -118 if
//! signed.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::cpu::dispatch;
use super::{CpuLevel, alignment_prefix};
use crate::sample::StoredBits;

/// Extracts the stored value of every sample in place. `sample_bytes` is 1, 2, 4 or 8.
pub(crate) fn extract_in_place(samples: &mut [u8], sample_bytes: usize, stored: StoredBits, level: CpuLevel) {
    dispatch!(level, extract_in_place(samples, sample_bytes, stored))
}

/// Copies the samples of `src` to `out` in one pass: reverses the bytes of each if `swap`, then extracts its stored value
/// if `stored` is given.
///
/// `src.len() == out.len()`; `sample_bytes` is 1, 2, 4 or 8.
pub(crate) fn extract(
    src: &[u8],
    out: &mut [u8],
    sample_bytes: usize,
    swap: bool,
    stored: Option<StoredBits>,
    level: CpuLevel,
) {
    match (swap && sample_bytes > 1, stored) {
        (false, None) => out.copy_from_slice(src),
        (swap, stored) => {
            let prefix_bytes = alignment_prefix(out, sample_bytes) * sample_bytes;
            let (src_head, src) = src.split_at(prefix_bytes);
            let (head, out) = out.split_at_mut(prefix_bytes);
            scalar::extract(src_head, head, sample_bytes, swap, stored);
            extract_aligned(src, out, sample_bytes, swap, stored, level);
        }
    }
}

fn extract_aligned(
    src: &[u8],
    out: &mut [u8],
    sample_bytes: usize,
    swap: bool,
    stored: Option<StoredBits>,
    level: CpuLevel,
) {
    dispatch!(level, extract(src, out, sample_bytes, swap, stored))
}

/// Reverses the bytes of every sample in place. `sample_bytes` is 1, 2, 4 or 8.
pub(crate) fn swap_bytes(samples: &mut [u8], sample_bytes: usize, level: CpuLevel) {
    dispatch!(level, swap_bytes(samples, sample_bytes))
}
