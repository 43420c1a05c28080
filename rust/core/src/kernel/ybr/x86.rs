//! AVX2 bodies: pixels to planes and back by shuffles; R and B in 16-bit lanes, G in 32-bit lanes.
//!
//! 32 pixels (96 bytes) per round, 16 of them in each 128-bit half of the vectors. Sample `k` of pixel `i` is byte
//! `3 i + k` of the 48 bytes of a half, so its position in a 16-byte vector is `(3 i + k) mod 16`. For one `k` these
//! positions are all different. So the three vectors are blended first, and one shuffle then puts the pixels in order:
//!
//! ```text
//! memory        v0: y0 cb0 cr0 y1 … y5    v1: cb5 cr5 y6 … cb10    v2: cr10 y11 … cr15
//! blend for Y   positions 0 mod 3 of v0, 1 mod 3 of v2, 2 mod 3 of v1:  y0 y11 y6 y1 y12 y7 y2 …
//! shuffle       y0 y1 y2 y3 …
//! ```

use super::{
    GREEN_CB, GREEN_CR, GREEN_HALF, GREEN_LESS_CB, GREEN_LESS_CR, GREEN_LESS_FIRST_Y, GREEN_LESS_Y_SPAN, GREEN_SHIFT,
    scalar,
};
use crate::kernel::x86_memory::{load_128, store_128};
use std::arch::x86_64::*;

/// 8 pairs of pixels per round: 32 bytes of input, 48 of output. The 16 bytes of each output vector come from 16 contiguous
/// bytes of the input: 0 to 15, 8 to 23, and 16 to 31.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn expand_422_bytes(src: &[u8], out: &mut [u8]) {
    // Input bytes Y0 Y1 Cb Cr Y2 Y3 Cb Cr …; output order 0 2 3 1 2 3, 4 6 7 5 6 7, …, counted from the first input byte.
    let first = _mm_setr_epi8(0, 2, 3, 1, 2, 3, 4, 6, 7, 5, 6, 7, 8, 10, 11, 9);
    let second = _mm_setr_epi8(2, 3, 4, 6, 7, 5, 6, 7, 8, 10, 11, 9, 10, 11, 12, 14);
    let third = _mm_setr_epi8(7, 5, 6, 7, 8, 10, 11, 9, 10, 11, 12, 14, 15, 13, 14, 15);
    let (rounds, rest) = src.as_chunks::<32>();
    let (out, tail) = out.split_at_mut_checked(rounds.len() * 48).unwrap_or_default();
    for (pairs, pixels) in rounds.iter().zip(out.as_chunks_mut::<48>().0) {
        let [low, high] = bytemuck::cast_ref::<[u8; 32], [[u8; 16]; 2]>(pairs);
        let [a, b, c] = bytemuck::cast_mut::<[u8; 48], [[u8; 16]; 3]>(pixels);
        let (low, high) = (load_128(low), load_128(high));
        store_128(a, _mm_shuffle_epi8(low, first));
        store_128(b, _mm_shuffle_epi8(_mm_alignr_epi8::<8>(high, low), second));
        store_128(c, _mm_shuffle_epi8(high, third));
    }
    scalar::expand_422_bytes(rest, tail);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn full_to_rgb(pixels: &mut [u8]) {
    let (rounds, rest) = pixels.as_chunks_mut::<96>();
    for round in rounds {
        let [y, cb, cr] = planes(round);
        let [y_low, y_high] = widen(y);
        let middle = _mm256_set1_epi16(128);
        let [cb_low, cb_high] = widen(cb).map(|cb| _mm256_sub_epi16(cb, middle));
        let [cr_low, cr_high] = widen(cr).map(|cr| _mm256_sub_epi16(cr, middle));
        let red = _mm256_packus_epi16(red(y_low, cr_low), red(y_high, cr_high));
        let green = _mm256_packus_epi16(green(y_low, cb_low, cr_low), green(y_high, cb_high, cr_high));
        let blue = _mm256_packus_epi16(blue(y_low, cb_low), blue(y_high, cb_high));
        // The clipped G is at least 1 wherever `green_less` is -1, so the byte addition does not wrap.
        interleave([red, _mm256_add_epi8(green, green_less(y, cb, cr)), blue], round);
    }
    scalar::full_to_rgb(rest);
}

/// `Y + Cr + 0.402 Cr`. `mulhrs` computes (a × b + 2^14) >> 15; with 13175 / 2^15 it rounds like 0.402 for every Cr.
#[inline]
#[target_feature(enable = "avx2")]
fn red(y: __m256i, cr: __m256i) -> __m256i {
    let more = _mm256_mulhrs_epi16(cr, _mm256_set1_epi16(13_175));
    _mm256_add_epi16(y, _mm256_add_epi16(cr, more))
}

/// `Y + 2 Cb - 0.228 Cb`. With -7471 / 2^15 `mulhrs` rounds like -0.228, except for the tie at Cb = -125, which it rounds
/// down; `tie` is -1 there.
#[inline]
#[target_feature(enable = "avx2")]
fn blue(y: __m256i, cb: __m256i) -> __m256i {
    let less = _mm256_mulhrs_epi16(cb, _mm256_set1_epi16(-7_471));
    let tie = _mm256_cmpeq_epi16(cb, _mm256_set1_epi16(-125));
    let add = _mm256_sub_epi16(_mm256_add_epi16(_mm256_add_epi16(cb, cb), less), tie);
    _mm256_add_epi16(y, add)
}

/// `madd` multiplies 16-bit factors, but GREEN_CB and GREEN_CR do not fit in 16 bits. So their upper and lower 8 bits are multiplied
/// separately: sum = (madd(upper) << 8) + madd(lower).
#[inline]
#[target_feature(enable = "avx2")]
fn green(y: __m256i, cb: __m256i, cr: __m256i) -> __m256i {
    let upper = _mm256_set1_epi32((GREEN_CR >> 8) << 16 | (GREEN_CB >> 8) & 0xFFFF);
    let lower = _mm256_set1_epi32((GREEN_CR & 0xFF) << 16 | GREEN_CB & 0xFF);
    let half = _mm256_set1_epi32(GREEN_HALF);
    let add = [_mm256_unpacklo_epi16(cb, cr), _mm256_unpackhi_epi16(cb, cr)].map(|pair| {
        let sum = _mm256_slli_epi32::<8>(_mm256_madd_epi16(pair, upper));
        let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pair, lower));
        _mm256_srai_epi32::<GREEN_SHIFT>(_mm256_add_epi32(sum, half))
    });
    _mm256_add_epi16(y, _mm256_packs_epi32(add[0], add[1]))
}

/// Returns -1 for the pixels whose G is one less, otherwise 0.
#[inline]
#[target_feature(enable = "avx2")]
fn green_less(y: __m256i, cb: __m256i, cr: __m256i) -> __m256i {
    let [less_cb, less_cr, first_y, y_span] = [GREEN_LESS_CB, GREEN_LESS_CR, GREEN_LESS_FIRST_Y, GREEN_LESS_Y_SPAN]
        .map(|v| _mm256_set1_epi8(v.cast_signed()));
    let offset = _mm256_sub_epi8(y, first_y);
    let within = _mm256_cmpeq_epi8(_mm256_min_epu8(offset, y_span), offset);
    let pair = _mm256_and_si256(_mm256_cmpeq_epi8(cb, less_cb), _mm256_cmpeq_epi8(cr, less_cr));
    _mm256_and_si256(within, pair)
}

/// Extends bytes to 16-bit lanes, in the order that `packus` reverses.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(bytes: __m256i) -> [__m256i; 2] {
    let zero = _mm256_setzero_si256();
    [_mm256_unpacklo_epi8(bytes, zero), _mm256_unpackhi_epi8(bytes, zero)]
}

/// Returns the position of sample `k` of pixel `i` in its vector, `(3 i + k) mod 16`, for each `i`.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn positions(k: u8) -> [u8; 16] {
    let (mut positions, mut i) = ([0; 16], 0);
    while i < 16 {
        positions[i as usize] = (3 * i + k) % 16;
        i += 1;
    }
    positions
}

/// Returns the inverse: the pixel whose sample `k` is at each position. 11 is the inverse of 3 modulo 16.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pixels_by_position(k: u8) -> [u8; 16] {
    let (mut pixels, mut position) = ([0; 16], 0);
    while position < 16 {
        pixels[position as usize] = (position + 16 - k) % 16 * 11 % 16;
        position += 1;
    }
    pixels
}

/// Returns 0xFF at the positions that are `k` mod 3, otherwise 0.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn thirds(k: u8) -> [u8; 16] {
    let (mut thirds, mut position) = ([0; 16], k);
    while position < 16 {
        thirds[position as usize] = 0xFF;
        position += 3;
    }
    thirds
}

const POSITIONS: [[u8; 16]; 3] = [positions(0), positions(1), positions(2)];
const PIXELS_BY_POSITION: [[u8; 16]; 3] = [pixels_by_position(0), pixels_by_position(1), pixels_by_position(2)];
const THIRDS: [[u8; 16]; 3] = [thirds(0), thirds(1), thirds(2)];

/// Takes positions 0, 1, 2 mod 3 from the first, second, third vector.
#[inline]
#[target_feature(enable = "avx2")]
fn blend(vectors: [__m256i; 3]) -> __m256i {
    let [_, second, third] = THIRDS.map(|third| both(&third));
    _mm256_blendv_epi8(_mm256_blendv_epi8(vectors[0], vectors[1], second), vectors[2], third)
}

/// Splits 32 pixels into the planes Y, Cb and Cr; pixels 0 to 15 are in the low half of each vector.
#[inline]
#[target_feature(enable = "avx2")]
fn planes(round: &[u8; 96]) -> [__m256i; 3] {
    let [a, b, c, d, e, f] = bytemuck::cast_ref::<[u8; 96], [[u8; 16]; 6]>(round);
    let [a, b, c] = [(a, d), (b, e), (c, f)].map(|(low, high)| _mm256_set_m128i(load_128(high), load_128(low)));
    let [y, cb, cr] = POSITIONS.map(|order| both(&order));
    [
        _mm256_shuffle_epi8(blend([a, c, b]), y),
        _mm256_shuffle_epi8(blend([b, a, c]), cb),
        _mm256_shuffle_epi8(blend([c, b, a]), cr),
    ]
}

/// The inverse of [`planes`].
#[inline]
#[target_feature(enable = "avx2")]
fn interleave(planes: [__m256i; 3], round: &mut [u8; 96]) {
    let [a, b, c, d, e, f] = bytemuck::cast_mut::<[u8; 96], [[u8; 16]; 6]>(round);
    let [first, second, third] = PIXELS_BY_POSITION.map(|order| both(&order));
    let red = _mm256_shuffle_epi8(planes[0], first);
    let green = _mm256_shuffle_epi8(planes[1], second);
    let blue = _mm256_shuffle_epi8(planes[2], third);
    let vectors = [blend([red, green, blue]), blend([green, blue, red]), blend([blue, red, green])];
    for (vector, (low, high)) in vectors.into_iter().zip([(a, d), (b, e), (c, f)]) {
        store_128(low, _mm256_castsi256_si128(vector));
        store_128(high, _mm256_extracti128_si256::<1>(vector));
    }
}

/// Returns a vector with the same 16 bytes in both halves.
#[inline]
#[target_feature(enable = "avx2")]
fn both(bytes: &[u8; 16]) -> __m256i {
    _mm256_broadcastsi128_si256(load_128(bytes))
}
