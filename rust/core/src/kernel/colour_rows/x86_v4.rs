//! AVX-512 body: rounds of 64 pixels. Permutations of bytes across all lanes (VBMI) replace the shuffles within lanes.

use super::x86_body::write_pixels_body;
use super::{Chroma, RgbConversion};
use crate::kernel::x86_memory::{load_512 as load, store_512};
use crate::kernel::ybr::{GREEN_LESS_CB, GREEN_LESS_CR, GREEN_LESS_FIRST_Y, GREEN_LESS_Y_SPAN};
use std::arch::x86_64::{
    __m512i as Vector, _mm512_add_epi16 as add_epi16, _mm512_and_si512 as and, _mm512_maddubs_epi16 as maddubs_epi16,
    _mm512_mulhrs_epi16 as mulhrs_epi16, _mm512_or_si512 as or, _mm512_packs_epi16 as packs_epi16,
    _mm512_packus_epi16 as packus_epi16, _mm512_set1_epi8 as set1_epi8, _mm512_set1_epi16 as set1_epi16,
    _mm512_setzero_si512 as setzero, _mm512_srli_epi16 as srli_epi16, _mm512_sub_epi16 as sub_epi16,
    _mm512_unpackhi_epi8 as unpackhi_epi8, _mm512_unpacklo_epi8 as unpacklo_epi8, _mm512_xor_si512 as xor,
};
use std::arch::x86_64::{
    _mm_cvtsi32_si128, _mm512_cmpeq_epi16_mask, _mm512_cmpgt_epi16_mask, _mm512_mask_permutexvar_epi8,
    _mm512_movm_epi16, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8, _mm512_sll_epi16, _mm512_sra_epi16,
    _mm512_test_epi16_mask,
};

const PIXELS: usize = 64;
const HALF_BYTES: usize = 64;

write_pixels_body!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512vbmi");

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn neighbour_pairs(samples: &[u8; HALF_BYTES]) -> [Vector; 2] {
    const CONTROLS: [[u8; 64]; 2] = [pair_controls(0), pair_controls(2)];
    let samples = load(samples);
    CONTROLS.map(|control| _mm512_permutexvar_epi8(load(&control), samples))
}

/// Returns the indices of the pairs (sample, neighbour). Sample `i` is byte `i` + 1, its neighbour byte `i` + `neighbour`.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pair_controls(neighbour: u8) -> [u8; 64] {
    let (mut controls, mut sample) = ([0; 64], 0);
    while sample < 32 {
        controls[2 * sample as usize] = sample + 1;
        controls[2 * sample as usize + 1] = sample + neighbour;
        sample += 1;
    }
    controls
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn srai_epi16<const BITS: i32>(lanes: Vector) -> Vector {
    _mm512_sra_epi16(lanes, _mm_cvtsi32_si128(BITS))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn slli_epi16<const BITS: i32>(lanes: Vector) -> Vector {
    _mm512_sll_epi16(lanes, _mm_cvtsi32_si128(BITS))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn is_any(vector: Vector) -> bool {
    _mm512_test_epi16_mask(vector, vector) != 0
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn equal(a: Vector, b: Vector) -> Vector {
    _mm512_movm_epi16(_mm512_cmpeq_epi16_mask(a, b))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn greater(a: Vector, b: Vector) -> Vector {
    _mm512_movm_epi16(_mm512_cmpgt_epi16_mask(a, b))
}

/// Each result takes bytes of R and G by one permutation, and those of B by another one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn interleave<const IS_SPLIT: bool>([red, green, blue]: [Vector; 3], round: &mut [u8; 3 * PIXELS]) {
    let all_controls: &[([u8; 64], u64); 3] =
        const { &[controls(0, IS_SPLIT), controls(1, IS_SPLIT), controls(2, IS_SPLIT)] };
    let parts = bytemuck::cast_mut::<[u8; 192], [[u8; 64]; 3]>(round);
    for (part, (control, blue_mask)) in parts.iter_mut().zip(all_controls) {
        let control = load(control);
        let red_green = _mm512_permutex2var_epi8(red, control, green);
        store_512(part, _mm512_mask_permutexvar_epi8(red_green, *blue_mask, control, blue));
    }
}

/// Returns the indices for bytes 64 `part` to 64 `part` + 63 of 64 interleaved pixels, 64 more for G, and the mask of those
/// that are B.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn controls(part: u8, is_split: bool) -> ([u8; 64], u64) {
    let (mut controls, mut blue_mask, mut position) = ([0; 64], 0, 0);
    while position < 64 {
        let byte = 64 * part + position;
        let (pixel, plane) = (byte / 3, byte % 3);
        let packed = if is_split { pixel / 16 * 16 + pixel % 2 * 8 + pixel % 16 / 2 } else { pixel };
        controls[position as usize] = if plane == 1 { 64 + packed } else { packed };
        blue_mask |= if plane == 2 { 1 << position } else { 0 };
        position += 1;
    }
    (controls, blue_mask)
}
