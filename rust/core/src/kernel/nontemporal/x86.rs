//! Four pages in turn, so that more reads and stores are under way at once; stores that are non-temporal or not.

use crate::frame::StoredBits;
use crate::kernel::stored_bits;
use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm_sfence, _mm256_loadu_si256, _mm256_sll_epi16, _mm256_sra_epi16,
    _mm256_srl_epi16, _mm256_store_si256, _mm256_stream_si256,
};

/// Half a cache line: what one store writes.
type Half = [u8; 32];
/// Streamed stores are gathered by cache lines: both halves of one have to follow each other.
const CACHE_LINE: usize = 64;
const PAGE_HALVES: usize = 4096 / size_of::<Half>();
const PAGES: usize = 4;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn copy(src: &[u8], out: &mut [u8]) {
    let unchanged = |half: __m256i| half;
    turns::<true>(src, out, unchanged, |src, out| out.copy_from_slice(src));
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn extract16(src: &[u8], out: &mut [u8], stored: StoredBits, past_caches: bool) {
    if past_caches { extract16_with::<true>(src, out, stored) } else { extract16_with::<false>(src, out, stored) }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn extract16_with<const PAST_CACHES: bool>(src: &[u8], out: &mut [u8], stored: StoredBits) {
    let count = |bits: u32| -> __m128i { _mm_cvtsi32_si128(bits.cast_signed()) };
    let (up, down) = (count(16 - stored.shift - stored.bits), count(16 - stored.bits));
    let rest =
        |src: &[u8], out: &mut [u8]| stored_bits::extract(src, out, 2, false, Some(stored), crate::CpuLevel::PORTABLE);
    if stored.signed {
        turns::<PAST_CACHES>(src, out, |half| _mm256_sra_epi16(_mm256_sll_epi16(half, up), down), rest);
    } else {
        turns::<PAST_CACHES>(src, out, |half| _mm256_srl_epi16(_mm256_sll_epi16(half, up), down), rest);
    }
}

/// Passes every whole cache line of `out`, by halves, through `whole`, and what is left at both ends through `rest`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn turns<const PAST_CACHES: bool>(
    src: &[u8],
    out: &mut [u8],
    whole: impl Fn(__m256i) -> __m256i,
    rest: impl Fn(&[u8], &mut [u8]),
) {
    assert_eq!(src.len(), out.len(), "as many bytes out as in");
    let ahead = out.as_ptr().align_offset(CACHE_LINE).min(out.len());
    let (src_head, src) = src.split_at(ahead);
    let (out_head, out) = out.split_at_mut(ahead);
    let (src_halves, src_tail) = src.as_chunks::<{ size_of::<Half>() }>();
    let (out_halves, out_tail) = out.as_chunks_mut::<{ size_of::<Half>() }>();
    let (src_turns, src_halves) = src_halves.as_chunks::<{ PAGES * PAGE_HALVES }>();
    let (out_turns, out_halves) = out_halves.as_chunks_mut::<{ PAGES * PAGE_HALVES }>();
    rest(src_head, out_head);
    for (out, src) in out_turns.iter_mut().zip(src_turns) {
        for half in (0..PAGE_HALVES).step_by(2) {
            for page in 0..PAGES {
                for place in [page * PAGE_HALVES + half, page * PAGE_HALVES + half + 1] {
                    if let (Some(out), Some(src)) = (out.get_mut(place), src.get(place)) {
                        store::<PAST_CACHES>(out, whole(load(src)));
                    }
                }
            }
        }
    }
    for (out, src) in out_halves.iter_mut().zip(src_halves) {
        store::<PAST_CACHES>(out, whole(load(src)));
    }
    rest(src_tail, out_tail);
    if PAST_CACHES {
        // Other threads may read the output next: streamed stores are not ordered with theirs.
        _mm_sfence();
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(half: &Half) -> __m256i {
    // SAFETY: a half is 32 bytes long.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(half.as_ptr().cast())
    }
}

/// Stores to an aligned half: all that `turns` hands on, as it begins with the first aligned cache line.
#[inline]
#[target_feature(enable = "avx2")]
fn store<const PAST_CACHES: bool>(half: &mut Half, value: __m256i) {
    debug_assert!(half.as_ptr().cast::<__m256i>().is_aligned(), "streamed stores are aligned");
    let place = half.as_mut_ptr().cast();
    // SAFETY: a half is 32 bytes long, and aligned: `turns` splits off what comes before the first cache line.
    #[allow(unsafe_code)]
    unsafe {
        if PAST_CACHES { _mm256_stream_si256(place, value) } else { _mm256_store_si256(place, value) }
    }
}
