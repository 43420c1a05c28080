//! AVX-512 body of three planes of bytes: blends by mask registers.

use super::x86::{self, for_each_round, shuffle_control};
use crate::kernel::x86_memory::load_256;
use std::arch::x86_64::*;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512bw,avx512vl")]
pub(super) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8]) -> usize {
    match (planes.len(), sample_bytes) {
        (3, 1) => for_each_round(planes, out, |[a, b, c]| interleave3(a, b, c)),
        _ => x86::interleave(planes, sample_bytes, out),
    }
}

/// Interleaves three vectors of bytes, as [`x86::interleave3`] does. A blend by a vector takes three micro-operations on
/// recent Intel CPUs, by a mask register one. Vectors have 32 bytes: 64 are slower in frames that are decoded once, because
/// such a CPU runs slower for some microseconds after the first instruction on 64 bytes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512bw,avx512vl")]
fn interleave3(a: __m256i, b: __m256i, c: __m256i) -> [__m256i; 3] {
    // Byte positions 1 and 2 modulo 3 of each 128-bit half.
    const SECOND: u32 = 0b0010_0100_1001_0010 * 0x1_0001;
    const THIRD: u32 = 0b0100_1001_0010_0100 * 0x1_0001;
    let a = _mm256_shuffle_epi8(a, load_256(const { &shuffle_control(0, 1) }));
    let b = _mm256_shuffle_epi8(b, load_256(const { &shuffle_control(1, 1) }));
    let c = _mm256_shuffle_epi8(c, load_256(const { &shuffle_control(2, 1) }));
    let blend = |a, b, c| _mm256_mask_blend_epi8(THIRD, _mm256_mask_blend_epi8(SECOND, a, b), c);
    [blend(a, b, c), blend(b, c, a), blend(c, a, b)]
}
