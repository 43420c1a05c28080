//! AVX2 bodies: 128 samples per round to unpack, 32 to pack.
//!
//! ```text
//! unpack 32 samples:  packed bytes        b0 b1 b2 b3
//!                     shuffle             b0 ×8, b1 ×8, b2 ×8, b3 ×8
//!                     and 01 02 04 … 80   byte i keeps only bit i mod 8
//!                     min 1               0 or 1
//! pack 32 samples:    compare with 0, movemask: bit i is 1 if sample i is 0; the result is inverted
//! ```

use super::scalar;
use crate::kernel::x86_memory::load_128;
use std::arch::x86_64::*;

/// Samples per round of `unpack`: the bits of 16 bytes.
const ROUND_SAMPLES: usize = 128;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8]) {
    let (rounds, rest) = out.as_chunks_mut::<ROUND_SAMPLES>();
    let round_count = rounds.len();
    if offset_bits == 0 {
        for (packed, round) in src.as_chunks::<16>().0.iter().zip(rounds) {
            unpack_round(load_128(packed), round);
        }
        scalar::unpack(src.get(round_count * 16..).unwrap_or_default(), 0, rest);
        return;
    }
    // AVX2 shifts 16-bit lanes, not bytes. Lane k of `src` holds bytes 2 k (low half) and 2 k + 1 (high half):
    //   low half of lane >> offset_bits: the eight bits that start in byte 2 k.
    // Lane k of `src` one byte further holds bytes 2 k + 1 and 2 k + 2:
    //   high half of lane << (8 - offset_bits): the eight bits that start in byte 2 k + 1.
    let right = _mm_cvtsi32_si128(offset_bits.cast_signed());
    let left = _mm_cvtsi32_si128(8 - offset_bits.cast_signed());
    let low_half = _mm_set1_epi16(0x00FF);
    let next = src.get(1..).unwrap_or_default().as_chunks::<16>().0;
    for ((bytes, next), round) in src.as_chunks::<16>().0.iter().zip(next).zip(rounds) {
        let even = _mm_and_si128(_mm_srl_epi16(load_128(bytes), right), low_half);
        let odd = _mm_andnot_si128(low_half, _mm_sll_epi16(load_128(next), left));
        unpack_round(_mm_or_si128(even, odd), round);
    }
    scalar::unpack(src.get(round_count * 16..).unwrap_or_default(), offset_bits, rest);
}

/// Unpacks the bits of 16 bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn unpack_round(packed: __m128i, round: &mut [u8; ROUND_SAMPLES]) {
    let packed = _mm256_broadcastsi128_si256(packed);
    let bit_of_lane = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let one = _mm256_set1_epi8(1);
    let source_byte = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
    );
    for (samples, first_byte) in round.as_chunks_mut::<32>().0.iter_mut().zip([0, 4, 8, 12]) {
        let spread = _mm256_shuffle_epi8(packed, _mm256_add_epi8(source_byte, _mm256_set1_epi8(first_byte)));
        let unpacked = _mm256_min_epu8(_mm256_and_si256(spread, bit_of_lane), one);
        // SAFETY:
        // - `samples` is 32 bytes long, the size of one vector.
        // - The store needs no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_storeu_si256(samples.as_mut_ptr().cast(), unpacked);
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn pack(src: &[u8], out: &mut [u8]) {
    let (vectors, rest) = src.as_chunks::<32>();
    let (words, tail) = out.split_at_mut_checked(vectors.len() * 4).unwrap_or_default();
    for (samples, word) in vectors.iter().zip(words.as_chunks_mut::<4>().0) {
        // SAFETY:
        // - `samples` is 32 bytes long, the size of one vector.
        // - The load needs no alignment.
        #[allow(unsafe_code)]
        let samples = unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) };
        let zeros = _mm256_movemask_epi8(_mm256_cmpeq_epi8(samples, _mm256_setzero_si256()));
        *word = (!zeros).to_le_bytes();
    }
    scalar::pack(rest, tail);
}
