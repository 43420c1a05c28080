//! The hot loops. They see slices and numbers, never an attribute or a codestream.
//!
//! Each kernel is a façade that picks the body for a [`CpuLevel`]; every tier gives the same bytes. Raw samples
//! travel as bytes in native (little-endian) order together with the size of one sample, so that one
//! buffer serves every depth.

#[cfg(target_endian = "big")]
compile_error!("samples are moved as little-endian bytes; on a big-endian target use the NumPy backend");

pub(crate) mod bits;
pub(crate) mod convert;
pub(crate) mod cpu;
pub(crate) mod huffman;
pub(crate) mod interleave;
pub(crate) mod nontemporal;
pub(crate) mod predict;
pub(crate) mod rle;
pub(crate) mod stored_bits;
pub(crate) mod unstuff;
pub(crate) mod ybr;

pub use cpu::CpuLevel;

/// Samples of `out` before the first one from which on vector stores do not cross cache lines, where there is one and
/// enough come after it: stores that cross them took 1.3 times as long.
pub(crate) fn alignment_prefix(out: &[u8], sample_bytes: usize) -> usize {
    const VECTOR_BYTES: usize = 32;
    let ahead = out.as_ptr().align_offset(VECTOR_BYTES);
    if ahead.is_multiple_of(sample_bytes) && ahead < out.len() / 8 { ahead / sample_bytes } else { 0 }
}
