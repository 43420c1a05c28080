//! Pixels to planes and back by shuffles; 16-bit lanes for red and blue, 32-bit lanes for green.

use super::{GREEN_CB, GREEN_CR, GREEN_HALF, GREEN_LESS, GREEN_SHIFT, scalar};
use std::arch::x86_64::*;

/// 8 pairs of pixels: 32 bytes in, 48 out. Each 16 bytes out come from 16 that lie together.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn expand_422_bytes(src: &[u8], out: &mut [u8]) {
    // Within bytes 0 to 15, 8 to 23 and 16 to 31 of Y0 Y1 Cb Cr …
    let first = _mm_setr_epi8(0, 2, 3, 1, 2, 3, 4, 6, 7, 5, 6, 7, 8, 10, 11, 9);
    let second = _mm_setr_epi8(2, 3, 4, 6, 7, 5, 6, 7, 8, 10, 11, 9, 10, 11, 12, 14);
    let third = _mm_setr_epi8(7, 5, 6, 7, 8, 10, 11, 9, 10, 11, 12, 14, 15, 13, 14, 15);
    let (rounds, rest) = src.as_chunks::<32>();
    let (out, tail) = out.split_at_mut_checked(rounds.len() * 48).unwrap_or_default();
    for (pairs, pixels) in rounds.iter().zip(out.as_chunks_mut::<48>().0) {
        let ([low, high], _) = pairs.as_chunks::<16>() else { continue };
        let ([a, b, c], _) = pixels.as_chunks_mut::<16>() else { continue };
        let (low, high) = (load(low), load(high));
        store(_mm_shuffle_epi8(low, first), a);
        store(_mm_shuffle_epi8(_mm_alignr_epi8::<8>(high, low), second), b);
        store(_mm_shuffle_epi8(high, third), c);
    }
    scalar::expand_422_bytes(rest, tail);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn full_to_rgb(pixels: &mut [u8]) {
    let (rounds, rest) = pixels.as_chunks_mut::<96>();
    for round in rounds {
        let [y, cb, cr] = planes(round);
        let [y_low, y_high] = wide(y);
        let middle = _mm256_set1_epi16(128);
        let [cb_low, cb_high] = wide(cb).map(|cb| _mm256_sub_epi16(cb, middle));
        let [cr_low, cr_high] = wide(cr).map(|cr| _mm256_sub_epi16(cr, middle));
        let red = _mm256_packus_epi16(red(y_low, cr_low), red(y_high, cr_high));
        let green = _mm256_packus_epi16(green(y_low, cb_low, cr_low), green(y_high, cb_high, cr_high));
        let blue = _mm256_packus_epi16(blue(y_low, cb_low), blue(y_high, cb_high));
        // The clipped green is at least 1 where one is taken off.
        interleave([red, _mm256_add_epi8(green, green_less(y, cb, cr)), blue], round);
    }
    scalar::full_to_rgb(rest);
}

/// `Y + Cr + 0.402 Cr`: this factor rounds as the exact one does for every Cr.
#[inline]
#[target_feature(enable = "avx2")]
fn red(y: __m256i, cr: __m256i) -> __m256i {
    let more = _mm256_mulhrs_epi16(cr, _mm256_set1_epi16(13_175));
    _mm256_add_epi16(y, _mm256_add_epi16(cr, more))
}

/// `Y + 2 Cb - 0.228 Cb`: this factor rounds as the exact one does but for the tie at Cb = -125, which it takes down.
#[inline]
#[target_feature(enable = "avx2")]
fn blue(y: __m256i, cb: __m256i) -> __m256i {
    let less = _mm256_mulhrs_epi16(cb, _mm256_set1_epi16(-7_471));
    let tie = _mm256_cmpeq_epi16(cb, _mm256_set1_epi16(-125));
    let add = _mm256_sub_epi16(_mm256_add_epi16(_mm256_add_epi16(cb, cb), less), tie);
    _mm256_add_epi16(y, add)
}

/// Both factors are longer than 16 bits, so the upper and lower parts are multiplied apart.
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

/// -1 where green is one less.
#[inline]
#[target_feature(enable = "avx2")]
fn green_less(y: __m256i, cb: __m256i, cr: __m256i) -> __m256i {
    let [less_cb, less_cr, first, more] = GREEN_LESS.map(|v| _mm256_set1_epi8(v.cast_signed()));
    let above = _mm256_sub_epi8(y, first);
    let within = _mm256_cmpeq_epi8(_mm256_min_epu8(above, more), above);
    let pair = _mm256_and_si256(_mm256_cmpeq_epi8(cb, less_cb), _mm256_cmpeq_epi8(cr, less_cr));
    _mm256_and_si256(within, pair)
}

/// Bytes as 16-bit lanes: the halves that `packus` puts together again.
#[inline]
#[target_feature(enable = "avx2")]
fn wide(bytes: __m256i) -> [__m256i; 2] {
    let zero = _mm256_setzero_si256();
    [_mm256_unpacklo_epi8(bytes, zero), _mm256_unpackhi_epi8(bytes, zero)]
}

/// Where sample `k` of pixel `i` lies in its 16 bytes: (3 i + k) mod 16. No two fall on one place, so that
/// the three vectors can be blended first and then shuffled once.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn places(k: u8) -> [u8; 16] {
    let (mut places, mut i) = ([0; 16], 0);
    while i < 16 {
        places[i as usize] = (3 * i + k) % 16;
        i += 1;
    }
    places
}

/// The inverse: which pixel's sample `k` lies at a place (3 × 11 mod 16 is 1).
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pixels_at(k: u8) -> [u8; 16] {
    let (mut pixels, mut place) = ([0; 16], 0);
    while place < 16 {
        pixels[place as usize] = (place + 16 - k) % 16 * 11 % 16;
        place += 1;
    }
    pixels
}

/// 0xFF at the places that are `k` mod 3.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn thirds(k: u8) -> [u8; 16] {
    let (mut thirds, mut place) = ([0; 16], k);
    while place < 16 {
        thirds[place as usize] = 0xFF;
        place += 3;
    }
    thirds
}

const PLACES: [[u8; 16]; 3] = [places(0), places(1), places(2)];
const PIXELS_AT: [[u8; 16]; 3] = [pixels_at(0), pixels_at(1), pixels_at(2)];
const THIRDS: [[u8; 16]; 3] = [thirds(0), thirds(1), thirds(2)];

/// At places 0, 1, 2 mod 3 what `from` has there.
#[inline]
#[target_feature(enable = "avx2")]
fn blend(from: [__m256i; 3]) -> __m256i {
    let [_, one, two] = THIRDS.map(|third| both(&third));
    _mm256_blendv_epi8(_mm256_blendv_epi8(from[0], from[1], one), from[2], two)
}

/// 32 pixels as three vectors, 16 pixels a lane.
#[inline]
#[target_feature(enable = "avx2")]
fn planes(round: &[u8; 96]) -> [__m256i; 3] {
    let ([a, b, c, d, e, f], _) = round.as_chunks::<16>() else { return [_mm256_setzero_si256(); 3] };
    let [a, b, c] = [(a, d), (b, e), (c, f)].map(|(low, high)| _mm256_set_m128i(load(high), load(low)));
    let [y, cb, cr] = PLACES.map(|order| both(&order));
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
    let ([a, b, c, d, e, f], _) = round.as_chunks_mut::<16>() else { return };
    let [first, second, third] = PIXELS_AT.map(|order| both(&order));
    let red = _mm256_shuffle_epi8(planes[0], first);
    let green = _mm256_shuffle_epi8(planes[1], second);
    let blue = _mm256_shuffle_epi8(planes[2], third);
    let vectors = [blend([red, green, blue]), blend([green, blue, red]), blend([blue, red, green])];
    for (vector, (low, high)) in vectors.into_iter().zip([(a, d), (b, e), (c, f)]) {
        store(_mm256_castsi256_si128(vector), low);
        store(_mm256_extracti128_si256::<1>(vector), high);
    }
}

/// The same 16 bytes in both lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn both(bytes: &[u8; 16]) -> __m256i {
    _mm256_broadcastsi128_si256(load(bytes))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array is one vector long; the load needs no alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm_loadu_si128(bytes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: __m128i, bytes: &mut [u8; 16]) {
    // SAFETY: the array has room for one vector; the store needs no alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm_storeu_si128(bytes.as_mut_ptr().cast(), vector);
    }
}
