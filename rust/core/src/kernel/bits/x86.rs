//! 32 samples a vector: a byte is copied to eight lanes, and each lane keeps its own bit.

use super::scalar;
use std::arch::x86_64::*;

/// Samples of one round: the bits of 16 bytes.
const ROUND: usize = 128;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn unpack(src: &[u8], offset_bits: u32, out: &mut [u8]) {
    let (rounds, rest) = out.as_chunks_mut::<ROUND>();
    let whole = rounds.len();
    if offset_bits == 0 {
        for (packed, round) in src.as_chunks::<16>().0.iter().zip(rounds) {
            spread(load(packed), round);
        }
        scalar::unpack(src.get(whole * 16..).unwrap_or_default(), 0, rest);
        return;
    }
    // As 16-bit lanes, the low byte of `even >> offset_bits` is the window of an even byte and the one above
    // it; the same bytes read one further give the windows of the odd bytes.
    let down = _mm_cvtsi32_si128(offset_bits.cast_signed());
    let up = _mm_cvtsi32_si128(8 - offset_bits.cast_signed());
    let low = _mm_set1_epi16(0x00FF);
    let above = src.get(1..).unwrap_or_default().as_chunks::<16>().0;
    for ((even, odd), round) in src.as_chunks::<16>().0.iter().zip(above).zip(rounds) {
        let even = _mm_and_si128(_mm_srl_epi16(load(even), down), low);
        let odd = _mm_andnot_si128(low, _mm_sll_epi16(load(odd), up));
        spread(_mm_or_si128(even, odd), round);
    }
    scalar::unpack(src.get(whole * 16..).unwrap_or_default(), offset_bits, rest);
}

/// The bits of 16 bytes as samples.
#[inline]
#[target_feature(enable = "avx2")]
fn spread(packed: __m128i, round: &mut [u8; ROUND]) {
    let packed = _mm256_broadcastsi128_si256(packed);
    let own_bit = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let one = _mm256_set1_epi8(1);
    let first = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
    );
    for (part, bytes) in round.as_chunks_mut::<32>().0.iter_mut().zip([0, 4, 8, 12]) {
        let copied = _mm256_shuffle_epi8(packed, _mm256_add_epi8(first, _mm256_set1_epi8(bytes)));
        let samples = _mm256_min_epu8(_mm256_and_si256(copied, own_bit), one);
        // SAFETY: the array has room for one vector; the store needs no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_storeu_si256(part.as_mut_ptr().cast(), samples);
        }
    }
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

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn pack(src: &[u8], out: &mut [u8]) {
    let (vectors, rest) = src.as_chunks::<32>();
    let (words, tail) = out.split_at_mut_checked(vectors.len() * 4).unwrap_or_default();
    for (samples, word) in vectors.iter().zip(words.as_chunks_mut::<4>().0) {
        // SAFETY: the array is one vector long; the load needs no alignment.
        #[allow(unsafe_code)]
        let samples = unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) };
        let zeros = _mm256_movemask_epi8(_mm256_cmpeq_epi8(samples, _mm256_setzero_si256()));
        *word = (!zeros).to_le_bytes();
    }
    scalar::pack(rest, tail);
}
