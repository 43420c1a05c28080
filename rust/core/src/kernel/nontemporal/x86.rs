//! AVX2 bodies.
//!
//! ```text
//! out   | head |  group of 4 pages             | …  | half lines | tail |
//!       |      | line 0 of pages 0, 1, 2, 3    |    |            |      |
//!       |      | line 1 of pages 0, 1, 2, 3, … |    |            |      |
//! ```
//!
//! `head` ends at the first cache line of `out`, so that all vector stores are aligned. A cache line is stored as two
//! 32-byte halves, one after the other: the CPU combines them into one write of the line.

use crate::kernel::stored_bits;
use crate::kernel::x86_memory::load_256;
use crate::sample::StoredBits;
use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm_sfence, _mm256_sll_epi16, _mm256_sra_epi16, _mm256_srl_epi16,
    _mm256_store_si256, _mm256_stream_si256,
};

/// Half a cache line, the size of one store.
type Half = [u8; 32];
/// Size of a cache line in bytes.
const CACHE_LINE: usize = 64;
/// Half lines per page.
const PAGE_HALVES: usize = 4096 / size_of::<Half>();
/// Pages that are read concurrently.
const GROUP_PAGES: usize = 4;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn copy(src: &[u8], out: &mut [u8]) {
    let identity = |half: __m256i| half;
    map_lines::<true>(src, out, identity, |src, out| out.copy_from_slice(src));
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn extract16(src: &[u8], out: &mut [u8], stored: StoredBits, is_nontemporal: bool) {
    if is_nontemporal { extract16_with::<true>(src, out, stored) } else { extract16_with::<false>(src, out, stored) }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn extract16_with<const NONTEMPORAL: bool>(src: &[u8], out: &mut [u8], stored: StoredBits) {
    // The left shift drops the bits above the stored value, the right shift those below it:
    //   | unused | value | unused | ── << left ──► | value | 0 … | ── >> right ──► | zeros or sign | value |
    let count = |bits: u32| -> __m128i { _mm_cvtsi32_si128(bits.cast_signed()) };
    let (left, right) = (count(16 - stored.shift - stored.bits), count(16 - stored.bits));
    let rest = |src: &[u8], out: &mut [u8]| {
        stored_bits::extract(src, out, 2, false, Some(stored), crate::kernel::CpuLevel::PORTABLE)
    };
    if stored.signed {
        map_lines::<NONTEMPORAL>(src, out, |half| _mm256_sra_epi16(_mm256_sll_epi16(half, left), right), rest);
    } else {
        map_lines::<NONTEMPORAL>(src, out, |half| _mm256_srl_epi16(_mm256_sll_epi16(half, left), right), rest);
    }
}

/// Writes `map(src)` to `out` in half lines, in the order that the module describes, and calls `rest` for the bytes before
/// the first cache line and after the last half line.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn map_lines<const NONTEMPORAL: bool>(
    src: &[u8],
    out: &mut [u8],
    map: impl Fn(__m256i) -> __m256i,
    rest: impl Fn(&[u8], &mut [u8]),
) {
    assert_eq!(src.len(), out.len(), "input and output have equal lengths");
    let head_bytes = out.as_ptr().align_offset(CACHE_LINE).min(out.len());
    let (src_head, src) = src.split_at(head_bytes);
    let (out_head, out) = out.split_at_mut(head_bytes);
    let (src_halves, src_tail) = src.as_chunks::<{ size_of::<Half>() }>();
    let (out_halves, out_tail) = out.as_chunks_mut::<{ size_of::<Half>() }>();
    let (src_groups, src_halves) = src_halves.as_chunks::<{ GROUP_PAGES * PAGE_HALVES }>();
    let (out_groups, out_halves) = out_halves.as_chunks_mut::<{ GROUP_PAGES * PAGE_HALVES }>();
    rest(src_head, out_head);
    for (out, src) in out_groups.iter_mut().zip(src_groups) {
        for half in (0..PAGE_HALVES).step_by(2) {
            for page in 0..GROUP_PAGES {
                for index in [page * PAGE_HALVES + half, page * PAGE_HALVES + half + 1] {
                    // The index is within the group; the compiler removes the check.
                    if let (Some(out), Some(src)) = (out.get_mut(index), src.get(index)) {
                        store::<NONTEMPORAL>(out, map(load_256(src)));
                    } else {
                        debug_assert!(false, "half line {index} of a group of {}", src.len());
                    }
                }
            }
        }
    }
    for (out, src) in out_halves.iter_mut().zip(src_halves) {
        store::<NONTEMPORAL>(out, map(load_256(src)));
    }
    rest(src_tail, out_tail);
    if NONTEMPORAL {
        // Non-temporal stores are weakly ordered: other threads may only read the output after a fence.
        _mm_sfence();
    }
}

/// Stores to a half line, which must be aligned to 32 bytes: `map_lines` starts at a cache line and passes no other ones.
#[inline]
#[target_feature(enable = "avx2")]
fn store<const NONTEMPORAL: bool>(half: &mut Half, value: __m256i) {
    debug_assert!(half.as_ptr().cast::<__m256i>().is_aligned(), "half lines start at multiples of 32 bytes");
    let address = half.as_mut_ptr().cast();
    // SAFETY:
    // - `half` is 32 bytes long, the size of one vector.
    // - It is aligned to 32 bytes: `map_lines`, the only caller, splits off the bytes before the first cache line and then
    //   steps by 32 bytes.
    #[allow(unsafe_code)]
    unsafe {
        if NONTEMPORAL { _mm256_stream_si256(address, value) } else { _mm256_store_si256(address, value) }
    }
}
