//! x86-64-v3: 32 bytes of every plane a turn.
//!
//! Unpacks and shuffles work in each half of a vector apart, so the halves are woven as two streams: the lower
//! halves of the woven vectors, in order, are the first 16 bytes of every plane, the upper halves the last 16.

use std::arch::x86_64::*;

/// Bytes of each plane that were put into `out`: all whole vectors, or none where there is no body.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8]) -> usize {
    match (planes.len(), sample_bytes) {
        (2, 1) => each(planes, out, |[a, b]| two(a, b)),
        (3, 1) => each(planes, out, |[a, b, c]| three::<1>(a, b, c)),
        (3, 2) => each(planes, out, |[a, b, c]| three::<2>(a, b, c)),
        (3, 4) => each(planes, out, |[a, b, c]| three::<4>(a, b, c)),
        (4, 1) => each(planes, out, |planes| four(planes)),
        (6, 1) => each(planes, out, |[a, b, c, d, e, f]| {
            let ([a, b], [c, d], [e, f]) = (two(a, b), two(c, d), two(e, f));
            let ([a, c, e], [b, d, f]) = (three::<2>(a, c, e), three::<2>(b, d, f));
            [a, c, e, b, d, f]
        }),
        (8, 1) => each(planes, out, |[a, b, c, d, e, f, g, h]| {
            let ([a, b, c, d], [e, f, g, h]) = (four([a, b, c, d]), four([e, f, g, h]));
            let pair = |a, b| (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
            let ((a, e), (b, f), (c, g), (d, h)) = (pair(a, e), pair(b, f), pair(c, g), pair(d, h));
            [a, e, b, f, c, g, d, h]
        }),
        (12, 1) => each(planes, out, |[a, b, c, d, e, f, g, h, i, j, k, l]| {
            let ([a, b, c, d], [e, f, g, h], [i, j, k, l]) =
                (four([a, b, c, d]), four([e, f, g, h]), four([i, j, k, l]));
            let ([a, e, i], [b, f, j]) = (three::<4>(a, e, i), three::<4>(b, f, j));
            let ([c, g, k], [d, h, l]) = (three::<4>(c, g, k), three::<4>(d, h, l));
            [a, e, i, b, f, j, c, g, k, d, h, l]
        }),
        _ => 0,
    }
}

/// Weaves whole vectors of `N` planes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn each<const N: usize>(planes: &[&[u8]], out: &mut [u8], weave: impl Fn([__m256i; N]) -> [__m256i; N]) -> usize {
    let mut sources: [&[[u8; 32]]; N] = [&[]; N];
    for (source, plane) in sources.iter_mut().zip(planes) {
        *source = plane.as_chunks().0;
    }
    let mut done = 0;
    for pieces in out.as_chunks_mut::<16>().0.chunks_exact_mut(2 * N) {
        let mut vectors = [_mm256_setzero_si256(); N];
        for (vector, source) in vectors.iter_mut().zip(&sources) {
            let Some(bytes) = source.get(done) else { return done * 32 };
            *vector = load(bytes);
        }
        let woven = weave(vectors);
        let (lower, upper) = pieces.split_at_mut(N);
        for ((lower, upper), vector) in lower.iter_mut().zip(upper).zip(woven) {
            store(lower, _mm256_castsi256_si128(vector));
            store(upper, _mm256_extracti128_si256::<1>(vector));
        }
        done += 1;
    }
    done * 32
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn two(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)]
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn four([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let ([a, b], [c, d]) = (two(a, b), two(c, d));
    [_mm256_unpacklo_epi16(a, c), _mm256_unpackhi_epi16(a, c), _mm256_unpacklo_epi16(b, d), _mm256_unpackhi_epi16(b, d)]
}

/// Elements of `SIZE` bytes. One shuffle brings every element of a plane to its place in a 16-byte piece; which of
/// the three pieces it is for is left to blends, as the places of all are different.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn three<const SIZE: usize>(a: __m256i, b: __m256i, c: __m256i) -> [__m256i; 3] {
    let a = _mm256_shuffle_epi8(a, load(const { &spread(0, SIZE) }));
    let b = _mm256_shuffle_epi8(b, load(const { &spread(1, SIZE) }));
    let c = _mm256_shuffle_epi8(c, load(const { &spread(2, SIZE) }));
    let (second, third) = (load(const { &slots(1, SIZE) }), load(const { &slots(2, SIZE) }));
    let choose = |a, b, c| _mm256_blendv_epi8(_mm256_blendv_epi8(a, b, second), c, third);
    // Piece v begins with the element of plane (v x elements a piece) mod 3.
    if 16 / SIZE % 3 == 1 {
        [choose(a, b, c), choose(b, c, a), choose(c, a, b)]
    } else {
        [choose(a, b, c), choose(c, a, b), choose(b, c, a)]
    }
}

/// The shuffle that brings element i of `plane` to element 3i + `plane` of 48 bytes, modulo 16 bytes.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn spread(plane: usize, size: usize) -> [u8; 32] {
    let mut table = [0; 32];
    let mut at = 0;
    while at < 16 {
        let (element, byte) = (at / size, at % size);
        let to = (3 * element + plane) * size % 16 + byte;
        table[to] = at as u8;
        table[to + 16] = at as u8;
        at += 1;
    }
    table
}

/// All bits of the elements i of a 16-byte piece with i mod 3 = `remainder`.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn slots(remainder: usize, size: usize) -> [u8; 32] {
    let mut mask = [0; 32];
    let mut at = 0;
    while at < 32 {
        if at % 16 / size % 3 == remainder {
            mask[at] = 0xff;
        }
        at += 1;
    }
    mask
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn store(out: &mut [u8; 16], vector: __m128i) {
    // SAFETY: the array has the 16 bytes that are written; no alignment is asked for.
    #[allow(unsafe_code)]
    unsafe {
        _mm_storeu_si128(out.as_mut_ptr().cast(), vector);
    }
}
