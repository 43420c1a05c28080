//! Inner loops. They work on slices and numbers, and know neither DICOM attributes nor codestreams.
//!
//! One folder per kernel:
//!
//! | file | content |
//! |---|---|
//! | `mod.rs` | façade: the contract (slice lengths, layouts), and the choice by [`CpuLevel`] |
//! | `scalar.rs` | portable body, without intrinsics |
//! | `x86.rs` | x86-64-v3 (AVX2, BMI2) |
//! | `x86_v4.rs` | x86-64-v4 (AVX-512 with VBMI and VBMI2), only for kernels that it makes faster |
//! | `x86_sse2.rs` | SSE2, which every x86-64 CPU has: the portable level, where the compiler does not vectorise `scalar.rs` |
//!
//! Vectors are loaded and stored by `x86_memory.rs`.
//!
//! All bodies of a kernel give the same bytes and the same errors. Samples are passed as bytes in native (little-endian)
//! order together with `sample_bytes`, the size of one sample in bytes, so that one buffer serves every sample type.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_mut, reason = "only the bodies of x86-64 use it"))]

#[cfg(target_endian = "big")]
compile_error!("samples are moved as little-endian bytes; on a big-endian target use the NumPy backend");

pub(crate) mod bits;
pub(crate) mod code_block;
pub(crate) mod coefficients;
pub(crate) mod colour_rows;
pub(crate) mod component_rows;
pub(crate) mod convert;
pub(crate) mod cpu;
pub(crate) mod ebcot;
pub(crate) mod ht;
pub(crate) mod huffman;
pub(crate) mod idct;
pub(crate) mod interleave;
pub(crate) mod jpegls;
pub(crate) mod nontemporal;
pub(crate) mod predict;
pub(crate) mod render;
pub(crate) mod rle;
pub(crate) mod stored_bits;
pub(crate) mod unstuff;
pub(crate) mod upsample;
pub(crate) mod wavelet;
#[cfg(target_arch = "x86_64")]
mod x86_memory;
pub(crate) mod ybr;

pub use cpu::CpuLevel;

/// Returns the number of leading samples of `out` to process separately, so that the stores of the remaining samples are
/// aligned to 32 bytes.
///
/// Returns 0 if no sample boundary is aligned, or if the prefix would be an eighth of `out` or more. Stores that cross
/// cache lines took 1.3 times as long.
pub(crate) fn alignment_prefix(out: &[u8], sample_bytes: usize) -> usize {
    const VECTOR_BYTES: usize = 32;
    let prefix_bytes = out.as_ptr().align_offset(VECTOR_BYTES);
    let is_usable = prefix_bytes.is_multiple_of(sample_bytes) && prefix_bytes < out.len() / 8;
    if is_usable { prefix_bytes / sample_bytes } else { 0 }
}
