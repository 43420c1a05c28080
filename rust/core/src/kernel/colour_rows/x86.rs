//! AVX2 bodies: 32 pixels per round, even and odd pixels in separate vectors of 16-bit lanes until they are interleaved.
//!
//! Doubling makes an even and an odd pixel of each chroma sample, so their order is established only once, by the shuffles
//! that interleave R, G and B:
//!
//! ```text
//! luma          32 bytes        y0 y1 y2 y3 …  → even: y0 y2 … y30 (bits 0 to 7 of each 16),  odd: y1 y3 … y31
//! half chroma   samples c -1 … 16              → even: (3 c[i] + c[i-1] + 1) / 4,  odd: (3 c[i] + c[i+1] + 2) / 4
//! convert       even and odd on their own, 16 pixels each
//! pack          R: r0 r2 … r14 r1 r3 … r15 │ r16 r18 … r30 r17 r19 … r31      (each 128-bit half: 8 even, 8 odd pixels)
//! interleave    3 × 3 shuffles; each result has bytes of R, G and B at different positions
//! ```
//!
//! Chroma is made less 128 by the rounding constants: `(s + 1) / 4 - 128 = (s + 1 - 512) / 4`.

use super::{Chroma, RgbConversion, scalar};
use crate::kernel::ybr::x86 as dicom;
use std::arch::x86_64::*;

/// Pixels of a round.
const PIXELS: usize = 32;
/// Samples of half chroma in a round, with both neighbours.
const HALF: usize = PIXELS / 2 + 2;

/// 16-bit lanes of 32 pixels: those with even indices, then those with odd indices.
type EvenOdd = [__m256i; 2];

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn write_pixels(luma: &[u8], chroma: Chroma<'_, u8>, conversion: Option<RgbConversion>, pixels: &mut [u8]) {
    match chroma {
        Chroma::Full(rows) => convert_rounds(luma, rows, conversion, pixels, |samples: &[u8; PIXELS], middle| {
            split(load(samples)).map(|lanes| _mm256_sub_epi16(lanes, _mm256_set1_epi16(middle)))
        }),
        Chroma::Half(rows) => convert_rounds(luma, rows, conversion, pixels, |samples: &[u8; HALF], middle| {
            let lanes = neighbours(samples).map(|samples| load_widened(samples));
            double(lanes, [1 - 4 * middle, 2 - 4 * middle]).map(|lanes| _mm256_srai_epi16::<2>(lanes))
        }),
        Chroma::HalfSums(rows) => convert_rounds(luma, rows, conversion, pixels, |sums: &[u16; HALF], middle| {
            let lanes = neighbours(sums).map(|sums| load(bytemuck::cast_ref(sums)));
            double(lanes, [8 - 16 * middle, 7 - 16 * middle]).map(|lanes| _mm256_srai_epi16::<4>(lanes))
        }),
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn write_pixels_12(luma: &[u16], chroma: Chroma<'_, u16>, to_rgb: bool, pixels: &mut [u8]) {
    scalar::write_rounds_12(luma, chroma, to_rgb, pixels, |planes, round| {
        let planes = planes.map(|plane| bytemuck::cast_slice(plane.as_slice()));
        let interleaved = crate::kernel::interleave::x86::interleave(&planes, 2, round);
        debug_assert_eq!(interleaved, size_of::<scalar::Plane<u16>>(), "a round is a whole number of vectors");
    });
}

/// Chooses the conversion. `lanes_of` makes the chroma of a round from `N` samples, less the middle that it gets.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn convert_rounds<T: Copy, const N: usize>(
    luma: &[u8],
    chroma: [&[T]; 2],
    conversion: Option<RgbConversion>,
    pixels: &mut [u8],
    lanes_of: impl Fn(&[T; N], i16) -> EvenOdd,
) {
    match conversion {
        None => for_each_round(luma, chroma, pixels, |samples| lanes_of(samples, 0), |y, cb, cr| [y, cb, cr]),
        Some(RgbConversion::T871) => {
            for_each_round(luma, chroma, pixels, |samples| lanes_of(samples, 128), |y, cb, cr| t871(y, cb, cr));
        }
        Some(RgbConversion::Dicom) => {
            for_each_round(luma, chroma, pixels, |samples| lanes_of(samples, 128), |y, cb, cr| full_to_rgb(y, cb, cr));
        }
    }
}

/// Writes whole rounds, and the last one through a buffer. `convert` returns R, G and B, which are clipped here.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn for_each_round<T: Copy, const N: usize>(
    luma: &[u8],
    chroma: [&[T]; 2],
    pixels: &mut [u8],
    lanes_of: impl Fn(&[T; N]) -> EvenOdd,
    convert: impl Fn(__m256i, __m256i, __m256i) -> [__m256i; 3],
) {
    // Half chroma has two neighbours more than 16 samples.
    let step = if N == PIXELS { PIXELS } else { PIXELS / 2 };
    for (index, pixels) in pixels.chunks_mut(3 * PIXELS).enumerate() {
        let [cb, cr] = chroma.map(|samples| samples.get(index * step..).and_then(|samples| samples.first_chunk()));
        let (Some(luma), Some(cb), Some(cr)) = (luma.as_chunks().0.get(index), cb, cr) else {
            debug_assert!(false, "rows are readable up to a multiple of ROUND_PIXELS");
            return;
        };
        let ([y_even, y_odd], [cb_even, cb_odd], [cr_even, cr_odd]) = (split(load(luma)), lanes_of(cb), lanes_of(cr));
        let [red_even, green_even, blue_even] = convert(y_even, cb_even, cr_even);
        let [red_odd, green_odd, blue_odd] = convert(y_odd, cb_odd, cr_odd);
        let packed = [(red_even, red_odd), (green_even, green_odd), (blue_even, blue_odd)]
            .map(|(even, odd)| _mm256_packus_epi16(even, odd));
        if let [round] = pixels.as_chunks_mut().0 {
            interleave(packed, round);
        } else {
            let mut round = [0; 3 * PIXELS];
            interleave(packed, &mut round);
            pixels.iter_mut().zip(round).for_each(|(to, from)| *to = from);
        }
    }
}

/// Converts 16 pixels by T.871, without clipping; Cb and Cr are less 128. See the façade for the factors.
///
/// `mulhrs` computes (a × b + 2^14) >> 15. For B that is exact, because -14942 is even. For R, 13173 / 2^15 rounds like
/// 26345 / 2^16 for every Cr (the test compares them all).
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn t871(y: __m256i, cb: __m256i, cr: __m256i) -> [__m256i; 3] {
    let (red, blue) = (_mm256_set1_epi16(13_173), _mm256_set1_epi16(-7_471));
    let red = _mm256_add_epi16(_mm256_add_epi16(y, cr), _mm256_mulhrs_epi16(cr, red));
    let blue = _mm256_add_epi16(_mm256_add_epi16(y, _mm256_add_epi16(cb, cb)), _mm256_mulhrs_epi16(cb, blue));
    let factors = _mm256_set1_epi32(18_734 << 16 | -22_554 & 0xFFFF);
    let [low, high] = [_mm256_unpacklo_epi16(cb, cr), _mm256_unpackhi_epi16(cb, cr)].map(|pairs| {
        let sums = _mm256_add_epi32(_mm256_madd_epi16(pairs, factors), _mm256_set1_epi32(32_768));
        _mm256_srai_epi32::<16>(sums)
    });
    let green = _mm256_add_epi16(_mm256_sub_epi16(y, cr), _mm256_packs_epi32(low, high));
    [red, green, blue]
}

/// Converts 16 pixels as `ybr::full_to_rgb`, without clipping; Cb and Cr are less 128.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn full_to_rgb(y: __m256i, cb: __m256i, cr: __m256i) -> [__m256i; 3] {
    let green = _mm256_add_epi16(dicom::green(y, cb, cr), dicom::green_less_lanes(y, cb, cr));
    [dicom::red(y, cr), green, dicom::blue(y, cb)]
}

/// Splits bytes with even and odd positions.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn split(bytes: __m256i) -> EvenOdd {
    [_mm256_and_si256(bytes, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16::<8>(bytes)]
}

/// Returns the left neighbours of 16 samples, the samples, and their right neighbours.
#[inline(always)]
fn neighbours<T>(samples: &[T; HALF]) -> [&[T; PIXELS / 2]; 3] {
    let [left @ .., _, _] = samples;
    let [_, near @ .., _] = samples;
    let [_, _, right @ ..] = samples;
    [left, near, right]
}

/// Returns 3 `near` + `left` + `constants[0]`, and 3 `near` + `right` + `constants[1]`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn double([left, near, right]: [__m256i; 3], constants: [i16; 2]) -> EvenOdd {
    let [even, odd] = constants.map(|constant| _mm256_set1_epi16(constant));
    let three = _mm256_add_epi16(near, _mm256_add_epi16(near, near));
    [_mm256_add_epi16(three, _mm256_add_epi16(left, even)), _mm256_add_epi16(three, _mm256_add_epi16(right, odd))]
}

/// Interleaves three vectors of packed pixels (in the order of the module documentation).
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn interleave(planes: [__m256i; 3], round: &mut [u8; 3 * PIXELS]) {
    const CONTROLS: [[[u8; 32]; 3]; 3] = [controls(0), controls(1), controls(2)];
    let [red, green, blue] = planes;
    let [first, second, third] = CONTROLS.map(|[red_control, green_control, blue_control]| {
        let red = _mm256_shuffle_epi8(red, load(&red_control));
        let green = _mm256_shuffle_epi8(green, load(&green_control));
        let blue = _mm256_shuffle_epi8(blue, load(&blue_control));
        _mm256_or_si256(_mm256_or_si256(red, green), blue)
    });
    // The low halves are pixels 0 to 15, the high halves 16 to 31.
    let [a, b, c] = bytemuck::cast_mut::<[u8; 96], [[u8; 32]; 3]>(round);
    store(_mm256_permute2x128_si256::<0x20>(first, second), a);
    store(_mm256_blend_epi32::<0xF0>(third, first), b);
    store(_mm256_permute2x128_si256::<0x31>(second, third), c);
}

/// Returns the shuffle controls of R, G and B for bytes 16 `part` to 16 `part` + 15 of 16 interleaved pixels.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn controls(part: u8) -> [[u8; 32]; 3] {
    // 0x80 gives a zero byte.
    let (mut controls, mut position) = ([[0x80; 32]; 3], 0);
    while position < 16 {
        let byte = 16 * part + position;
        let (pixel, plane) = (byte / 3, (byte % 3) as usize);
        let source = pixel % 2 * 8 + pixel / 2;
        controls[plane][position as usize] = source;
        controls[plane][position as usize + 16] = source;
        position += 1;
    }
    controls
}

/// Loads 16 bytes as 16-bit lanes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load_widened(bytes: &[u8; 16]) -> __m256i {
    // SAFETY:
    // - `bytes` is 16 bytes long, the size of the vector that is loaded.
    // - The load needs no alignment.
    #[allow(unsafe_code)]
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    _mm256_cvtepu8_epi16(bytes)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY:
    // - `bytes` is 32 bytes long, the size of one vector.
    // - The load needs no alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn store(vector: __m256i, bytes: &mut [u8; 32]) {
    // SAFETY:
    // - `bytes` is 32 bytes long, the size of one vector.
    // - The store needs no alignment.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector);
    }
}
