//! AVX2 bodies: rounds of 32 pixels.

use super::x86_body::write_pixels_body;
use super::{Chroma, RgbConversion, scalar};
use crate::kernel::interleave;
use crate::kernel::x86_memory::{load_128, load_256 as load, store_256};
use crate::kernel::ybr::{GREEN_LESS_CB, GREEN_LESS_CR, GREEN_LESS_FIRST_Y, GREEN_LESS_Y_SPAN};
use std::arch::x86_64::{
    __m256i as Vector, _mm256_add_epi16 as add_epi16, _mm256_and_si256 as and, _mm256_cmpeq_epi16 as equal,
    _mm256_cmpgt_epi16 as greater, _mm256_maddubs_epi16 as maddubs_epi16, _mm256_mulhrs_epi16 as mulhrs_epi16,
    _mm256_or_si256 as or, _mm256_packs_epi16 as packs_epi16, _mm256_packus_epi16 as packus_epi16,
    _mm256_set1_epi8 as set1_epi8, _mm256_set1_epi16 as set1_epi16, _mm256_setzero_si256 as setzero,
    _mm256_slli_epi16 as slli_epi16, _mm256_srai_epi16 as srai_epi16, _mm256_srli_epi16 as srli_epi16,
    _mm256_sub_epi16 as sub_epi16, _mm256_unpackhi_epi8 as unpackhi_epi8, _mm256_unpacklo_epi8 as unpacklo_epi8,
    _mm256_xor_si256 as xor,
};
use std::arch::x86_64::{
    _mm256_blend_epi32, _mm256_broadcastsi128_si256, _mm256_permute2x128_si256, _mm256_set_m128i, _mm256_shuffle_epi8,
    _mm256_testz_si256,
};

const PIXELS: usize = 32;
const HALF_BYTES: usize = 24;

write_pixels_body!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt");

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn write_pixels_12(luma: &[u16], chroma: Chroma<'_, u16>, to_rgb: bool, pixels: &mut [u8]) {
    scalar::write_rounds_12(luma, chroma, to_rgb, pixels, |planes, round| {
        let planes = planes.map(|plane| bytemuck::cast_slice(plane.as_slice()));
        let interleaved = interleave::x86::interleave(&planes, 2, round);
        debug_assert_eq!(interleaved, size_of::<scalar::Plane<u16>>(), "a round is a whole number of vectors");
    });
}

/// The low lane gets samples 0 to 7 with their neighbours, the high lane samples 8 to 15: bytes 0 to 9 of each.
#[inline]
#[target_feature(enable = "avx2")]
fn neighbour_pairs(samples: &[u8; HALF_BYTES]) -> [Vector; 2] {
    const LEFT: [u8; 16] = [1, 0, 2, 1, 3, 2, 4, 3, 5, 4, 6, 5, 7, 6, 8, 7];
    const RIGHT: [u8; 16] = [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9];
    let [low @ .., _, _, _, _, _, _, _, _] = samples;
    let [_, _, _, _, _, _, _, _, high @ ..] = samples;
    let lanes = _mm256_set_m128i(load_128(high), load_128(low));
    [LEFT, RIGHT].map(|control| _mm256_shuffle_epi8(lanes, _mm256_broadcastsi128_si256(load_128(&control))))
}

#[inline]
#[target_feature(enable = "avx2")]
fn is_any(vector: Vector) -> bool {
    _mm256_testz_si256(vector, vector) == 0
}

/// Each of the three results has bytes of R, G and B at different positions.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave<const IS_SPLIT: bool>([red, green, blue]: [Vector; 3], round: &mut [u8; 3 * PIXELS]) {
    let all_controls = const { [controls(0, IS_SPLIT), controls(1, IS_SPLIT), controls(2, IS_SPLIT)] };
    let [first, second, third] = all_controls.map(|controls| {
        let [red_control, green_control, blue_control] =
            controls.map(|control| _mm256_broadcastsi128_si256(load_128(&control)));
        let (red, green) = (_mm256_shuffle_epi8(red, red_control), _mm256_shuffle_epi8(green, green_control));
        or(or(red, green), _mm256_shuffle_epi8(blue, blue_control))
    });
    // The low lanes are pixels 0 to 15, the high lanes 16 to 31.
    let [a, b, c] = bytemuck::cast_mut::<[u8; 96], [[u8; 32]; 3]>(round);
    store_256(a, _mm256_permute2x128_si256::<0x20>(first, second));
    store_256(b, _mm256_blend_epi32::<0xF0>(third, first));
    store_256(c, _mm256_permute2x128_si256::<0x31>(second, third));
}

/// Returns the shuffle controls of R, G and B for bytes 16 `part` to 16 `part` + 15 of 16 interleaved pixels.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn controls(part: u8, is_split: bool) -> [[u8; 16]; 3] {
    // 0x80 gives a zero byte.
    let (mut controls, mut position) = ([[0x80; 16]; 3], 0);
    while position < 16 {
        let byte = 16 * part + position;
        let (pixel, plane) = (byte / 3, (byte % 3) as usize);
        controls[plane][position as usize] = if is_split { pixel % 2 * 8 + pixel / 2 } else { pixel };
        position += 1;
    }
    controls
}
