//! AVX2 bodies: 32 bytes of every plane per round.
//!
//! AVX2 unpacks and shuffles work within each 128-bit half of a vector. So each half is interleaved on its own, and the
//! halves are stored separately:
//!
//! ```text
//! plane p             | bytes 0 to 15      | bytes 16 to 31     |
//! N result vectors    | v0.low … vN-1.low  | v0.high … vN-1.high|    each half: 16 elements of all planes, interleaved
//! out                   v0.low, v1.low, …, vN-1.low, v0.high, v1.high, …, vN-1.high
//! ```
//!
//! | planes | steps |
//! |---|---|
//! | 2, 4, 8 | one unpack per doubling: bytes, then 16-bit pairs, then 32-bit quads |
//! | 3 | one byte shuffle per plane, then blends |
//! | 6 | 3 × 2: pairs of planes by unpack, then 3 vectors of 16-bit elements |
//! | 12 | 3 × 4: quads of planes by unpack, then 3 vectors of 32-bit elements |

use crate::kernel::x86_memory::{load_256, store_128};
use std::arch::x86_64::*;

/// Interleaves whole vectors. Returns the number of bytes done in each plane, 0 for a number of planes without a body.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(in crate::kernel) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8]) -> usize {
    match (planes.len(), sample_bytes) {
        (2, 1) => for_each_round(planes, out, |[a, b]| unpack2(a, b)),
        (3, 1) => for_each_round(planes, out, |[a, b, c]| interleave3::<1>(a, b, c)),
        (3, 2) => for_each_round(planes, out, |[a, b, c]| interleave3::<2>(a, b, c)),
        (3, 4) => for_each_round(planes, out, |[a, b, c]| interleave3::<4>(a, b, c)),
        (4, 1) => for_each_round(planes, out, |planes| unpack4(planes)),
        (6, 1) => for_each_round(planes, out, |[a, b, c, d, e, f]| {
            let ([a, b], [c, d], [e, f]) = (unpack2(a, b), unpack2(c, d), unpack2(e, f));
            let ([a, c, e], [b, d, f]) = (interleave3::<2>(a, c, e), interleave3::<2>(b, d, f));
            [a, c, e, b, d, f]
        }),
        (8, 1) => for_each_round(planes, out, |[a, b, c, d, e, f, g, h]| {
            let ([a, b, c, d], [e, f, g, h]) = (unpack4([a, b, c, d]), unpack4([e, f, g, h]));
            let pair = |a, b| (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
            let ((a, e), (b, f), (c, g), (d, h)) = (pair(a, e), pair(b, f), pair(c, g), pair(d, h));
            [a, e, b, f, c, g, d, h]
        }),
        (12, 1) => for_each_round(planes, out, |[a, b, c, d, e, f, g, h, i, j, k, l]| {
            let ([a, b, c, d], [e, f, g, h], [i, j, k, l]) =
                (unpack4([a, b, c, d]), unpack4([e, f, g, h]), unpack4([i, j, k, l]));
            let ([a, e, i], [b, f, j]) = (interleave3::<4>(a, e, i), interleave3::<4>(b, f, j));
            let ([c, g, k], [d, h, l]) = (interleave3::<4>(c, g, k), interleave3::<4>(d, h, l));
            [a, e, i, b, f, j, c, g, k, d, h, l]
        }),
        _ => 0,
    }
}

/// Calls `interleave_round` for every 32 bytes of `N` planes, and stores the halves of its results.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn for_each_round<const N: usize>(
    planes: &[&[u8]],
    out: &mut [u8],
    interleave_round: impl Fn([__m256i; N]) -> [__m256i; N],
) -> usize {
    let mut sources: [&[[u8; 32]]; N] = [&[]; N];
    for (source, plane) in sources.iter_mut().zip(planes) {
        *source = plane.as_chunks().0;
    }
    let mut round_count = 0;
    for round in out.as_chunks_mut::<16>().0.chunks_exact_mut(2 * N) {
        let mut vectors = [_mm256_setzero_si256(); N];
        for (vector, source) in vectors.iter_mut().zip(&sources) {
            let Some(bytes) = source.get(round_count) else { return round_count * 32 };
            *vector = load_256(bytes);
        }
        let interleaved = interleave_round(vectors);
        let (lower, upper) = round.split_at_mut(N);
        for ((lower, upper), vector) in lower.iter_mut().zip(upper).zip(interleaved) {
            store_128(lower, _mm256_castsi256_si128(vector));
            store_128(upper, _mm256_extracti128_si256::<1>(vector));
        }
        round_count += 1;
    }
    round_count * 32
}

/// Interleaves the bytes of two vectors: `a0 b0 a1 b1 …`, within each half.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn unpack2(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)]
}

/// Interleaves the bytes of four vectors: `a0 b0 c0 d0 a1 b1 c1 d1 …`, within each half.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn unpack4([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let ([a, b], [c, d]) = (unpack2(a, b), unpack2(c, d));
    [_mm256_unpacklo_epi16(a, c), _mm256_unpackhi_epi16(a, c), _mm256_unpacklo_epi16(b, d), _mm256_unpackhi_epi16(b, d)]
}

/// Interleaves three vectors of elements of `SIZE` bytes, within each 128-bit half.
///
/// Element `i` of plane `p` becomes element `3 i + p` of 48 bytes. All 16 bytes of one plane go to different byte
/// positions modulo 16 (3 and 16 are coprime), so one shuffle per plane is enough, and blends choose which of the three
/// results takes each position. For `SIZE` 1:
///
/// ```text
/// byte position    0   1   2   3   4   5   6   7   8   9  10  11  12  13  14  15
/// a shuffled      a0 a11  a6  a1 a12  a7  a2 a13  a8  a3 a14  a9  a4 a15 a10  a5
/// b shuffled      b5  b0 b11  b6  b1 b12  b7  b2 b13  b8  b3 b14  b9  b4 b15 b10
/// c shuffled     c10  c5  c0 c11  c6  c1 c12  c7  c2 c13  c8  c3 c14  c9  c4 c15
/// result 0        a0  b0  c0  a1  b1  c1  a2  b2  c2  a3  b3  c3  a4  b4  c4  a5
/// result 1        b5  c5  a6  b6  c6  a7  …
/// result 2       c10 a11 b11 c11  …
/// ```
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn interleave3<const SIZE: usize>(a: __m256i, b: __m256i, c: __m256i) -> [__m256i; 3] {
    let a = _mm256_shuffle_epi8(a, load_256(const { &shuffle_control(0, SIZE) }));
    let b = _mm256_shuffle_epi8(b, load_256(const { &shuffle_control(1, SIZE) }));
    let c = _mm256_shuffle_epi8(c, load_256(const { &shuffle_control(2, SIZE) }));
    let (second, third) = (load_256(const { &position_mask(1, SIZE) }), load_256(const { &position_mask(2, SIZE) }));
    // Positions 0, 1, 2 modulo 3 from the first, second, third argument.
    let blend = |a, b, c| _mm256_blendv_epi8(_mm256_blendv_epi8(a, b, second), c, third);
    // Result v starts with an element of plane (v × elements per result) mod 3.
    if 16 / SIZE % 3 == 1 {
        [blend(a, b, c), blend(b, c, a), blend(c, a, b)]
    } else {
        [blend(a, b, c), blend(c, a, b), blend(b, c, a)]
    }
}

/// Returns the shuffle control that moves element `i` of `plane` to element `3 i + plane`, positions modulo 16 bytes.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
pub(super) const fn shuffle_control(plane: usize, size: usize) -> [u8; 32] {
    let mut table = [0; 32];
    let mut position = 0;
    while position < 16 {
        let (element, byte) = (position / size, position % size);
        let to = (3 * element + plane) * size % 16 + byte;
        table[to] = position as u8;
        table[to + 16] = position as u8;
        position += 1;
    }
    table
}

/// Returns 0xFF in the bytes of the elements `i` of each half with `i % 3 == remainder`.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn position_mask(remainder: usize, size: usize) -> [u8; 32] {
    let mut mask = [0; 32];
    let mut position = 0;
    while position < 32 {
        if position % 16 / size % 3 == remainder {
            mask[position] = 0xff;
        }
        position += 1;
    }
    mask
}
