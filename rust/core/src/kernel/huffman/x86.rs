//! Up to six tasks in lock-step: scalar instructions find the symbols, AVX2 computes their differences.
//!
//! Finding symbols is a chain of dependent look-ups; computing differences is not. So the chain only stores what the
//! differences need, and vectors compute eight of them at once:
//!
//! ```text
//! repeat until one lane is at its end:
//!     find:  up to 192 probes per lane; per probe store the window and the entry
//!     make:  per lane, for 8 probes at once:
//!                last  = (window >> (32 - bits used)) + bias       32-bit lanes, low or high half as needed
//!                first = entry >> 7                                if the entry is a pair
//!                compact: drop the `first` of entries that are no pairs
//! ```
//!
//! A probe is staged by two stores to one slot, so that both go to the same cache line:
//!
//! ```text
//! slot        63           32 31            0
//!            | top 32 bits   | entry         |       the 64-bit store of the window, then the 32-bit store of the entry
//!            | of the window |               |
//! ```
//!
//! # Refills
//!
//! A window always has 63 valid bits after a refill, and the sentinel below them. The bits of the next refill start at a
//! position that is known one refill ahead, so their load is not part of the chain: 6 cycles of latency per refill instead
//! of 14 if the window was loaded again.
//!
//! ```text
//! consumed = trailing_zeros(window)                      position of the sentinel, as in `kernel::huffman`
//! rest     = 8 big-endian bytes at next_bit / 8 << (next_bit % 8)
//! window   = window without its sentinel | rest >> (63 - consumed) | SENTINEL
//! next_bit = next_bit + consumed
//! if consumed + next_bit % 8 (of before) >= 64: the sentinel was shifted out, or `rest` had too few bits
//! ```
//!
//! The loop needs all registers for windows and temporary values: bit addresses are in memory, where each is read and
//! written once per refill.

#![allow(clippy::indexing_slicing, reason = "lanes and probes count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::stage::{MAX_LANES, STAGED, Stage, symbol_count};
use super::task::window_at;
use super::{
    BIAS_SHIFT, FIRST_SHIFT, INDEX_BITS, MAX_PROBES_PER_REFILL, MAX_WINDOW_BITS, MIN_WINDOW_BITS, OVERRUN, PAIR,
    Prefetch, SENTINEL, Task, UNASSIGNED, scalar,
};
use std::arch::x86_64::*;
use std::ops::Range;

/// Probes per vector of 32-bit lanes.
const VECTOR_PROBES: usize = 8;
/// A task with fewer refills left is decoded alone: staging costs more than lock-step saves.
const MIN_REFILLS: usize = 4;
/// Bits of the longest symbol: a code of 16 bits and 15 extra bits.
const MAX_SYMBOL_BITS: usize = 31;

// `find` makes progress on every lane that has MIN_REFILLS refills left: see `safe_refills`.
const _: () = assert!(MIN_REFILLS * MAX_WINDOW_BITS > MAX_SYMBOL_BITS * (MAX_PROBES_PER_REFILL - 1));

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode(tasks: &mut [Task<'_>], prefetch: &mut Prefetch) {
    decode_with(tasks, prefetch, make);
}

/// Computes the differences of the first `probes` staged probes of a lane: `make(stage, lane, probes, out)` returns their
/// number, for which `out` has space.
pub(super) type Make = unsafe fn(&Stage, usize, usize, &mut [u16]) -> usize;

/// Decodes each of `tasks` to its end. The caller passes a `make` that this CPU runs.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_with(tasks: &mut [Task<'_>], prefetch: &mut Prefetch, make: Make) {
    let mut stage = Stage::new();
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(MAX_LANES);
    loop {
        lanes = lanes.into_iter().filter_map(unfinished).collect();
        let free = MAX_LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter_map(unfinished).take(free));
        match lanes.first().map(|task| task.probes_per_refill()) {
            None => return,
            Some(8) => decode_lanes::<8>(&mut lanes, &mut stage, prefetch, make),
            Some(4) => decode_lanes::<4>(&mut lanes, &mut stage, prefetch, make),
            Some(3) => decode_lanes::<3>(&mut lanes, &mut stage, prefetch, make),
            Some(_) => decode_lanes::<2>(&mut lanes, &mut stage, prefetch, make),
        }
    }
}

/// Returns the task if it is long enough for a lane; otherwise decodes it to its end and returns `None`.
fn unfinished<'t, 'a>(task: &'t mut Task<'a>) -> Option<&'t mut Task<'a>> {
    if !task.has_refills(MIN_REFILLS) {
        scalar::finish(task);
        return None;
    }
    Some(task)
}

/// Decodes probes of the leading lanes that have `PROBES` probes per refill; the others wait.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn decode_lanes<const PROBES: usize>(
    lanes: &mut [&mut Task<'_>],
    stage: &mut Stage,
    prefetch: &mut Prefetch,
    make: Make,
) {
    match lanes.iter().take_while(|task| task.probes_per_refill() == PROBES).count() {
        1 => decode_staged::<1, PROBES>(lanes, stage, prefetch, make),
        2 => decode_staged::<2, PROBES>(lanes, stage, prefetch, make),
        3 => decode_staged::<3, PROBES>(lanes, stage, prefetch, make),
        4 => decode_staged::<4, PROBES>(lanes, stage, prefetch, make),
        5 => decode_staged::<5, PROBES>(lanes, stage, prefetch, make),
        _ => decode_staged::<6, PROBES>(lanes, stage, prefetch, make),
    }
}

/// Fills the stage with probes of the first `LANES` lanes and computes their differences.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn decode_staged<const LANES: usize, const PROBES: usize>(
    lanes: &mut [&mut Task<'_>],
    stage: &mut Stage,
    prefetch: &mut Prefetch,
    make: Make,
) {
    let Some(lanes) = lanes.first_chunk_mut::<LANES>() else {
        debug_assert!(false, "fewer lanes than the caller counted");
        return lanes.iter_mut().for_each(|task| scalar::finish(task));
    };
    let refills = lanes
        .iter()
        .map(|task| task.refill_count::<PROBES>().min(safe_refills::<PROBES>(task, task.bit_offset)))
        .min()
        .unwrap_or(0)
        .min(STAGED / PROBES);
    let first = lanes[0].entries[0];
    let is_one_table = lanes.iter().all(|task| task.entries.iter().all(|entries| std::ptr::eq(*entries, first)));
    let staged_refills = if is_one_table {
        find::<LANES, PROBES, true>(lanes, refills, stage)
    } else {
        find::<LANES, PROBES, false>(lanes, refills, stage)
    };
    for (lane, task) in lanes.iter_mut().enumerate() {
        let Some(out) = task.out.get_mut(task.decoded..) else {
            debug_assert!(false, "more differences than the output holds");
            // The caller finds that differences are missing.
            task.end_bit = 0;
            continue;
        };
        // SAFETY: the caller of `decode_with` passes a `make` that this CPU runs.
        #[allow(unsafe_code)]
        let made = unsafe { make(stage, lane, staged_refills * PROBES, out) };
        task.decoded += made;
        prefetch_lines(prefetch.lines(made));
    }
}

/// Prefetches the cache lines that start at `addresses`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline]
fn prefetch_lines(addresses: impl Iterator<Item = usize>) {
    // Miri does not prefetch.
    for address in addresses.filter(|_| !cfg!(miri)) {
        // SAFETY: a prefetch of any address has no effect but on caches.
        #[allow(unsafe_code, unused_unsafe, reason = "unsafe in older versions of Rust")]
        unsafe {
            _mm_prefetch::<_MM_HINT_ET0>(std::ptr::without_provenance(address));
        }
    }
}

/// Returns the number of refills from `bit_offset` on after which no symbol can have started at or after the end, even
/// if all symbols of the last refill overrun its window and have the maximum length.
#[inline(always)]
fn safe_refills<const PROBES: usize>(task: &Task<'_>, bit_offset: usize) -> usize {
    let reserve = (MAX_SYMBOL_BITS * (PROBES - 1) + 1).saturating_sub(MAX_WINDOW_BITS);
    task.end_bit.saturating_sub(bit_offset + reserve) / MAX_WINDOW_BITS
}

/// Stages the probes of up to `refills` refills of each lane, and returns how many refills it staged.
///
/// A refill that overruns its window is decoded symbol by symbol; that changes how many refills are safe.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline(never)]
fn find<const LANES: usize, const PROBES: usize, const ONE_TABLE: bool>(
    lanes: &mut [&mut Task<'_>; LANES],
    refills: usize,
    stage: &mut Stage,
) -> usize {
    for (lane, task) in lanes.iter().enumerate() {
        stage.open(lane, task.bits, task.bit_offset);
    }
    let (mut staged, mut end) = (0, refills.min(STAGED / PROBES));
    while staged < end {
        let has_overrun;
        (staged, has_overrun) = find_until_overrun::<LANES, PROBES, ONE_TABLE>(lanes, stage, staged..end);
        if !has_overrun {
            break;
        }
        for (lane, task) in lanes.iter_mut().enumerate() {
            let mut bit_offset = stage.bit_offset(lane, task.bits);
            let (before, probes) = stage.probes[lane][..staged * PROBES].split_at_mut((staged - 1) * PROBES);
            let bits: usize = probes.iter().map(|probe| (probe & 63) as usize).sum();
            if bits <= MIN_WINDOW_BITS {
                continue;
            }
            if bits > MAX_WINDOW_BITS {
                // The loop counted as many bits as a window without sentinel has trailing zeros.
                let refill_offset = bit_offset - u64::BITS as usize;
                bit_offset = restage_refill(task, refill_offset, before, probes);
                end = end.min(staged + safe_refills::<PROBES>(task, bit_offset));
            }
            stage.open(lane, task.bits, bit_offset);
        }
    }
    for (lane, task) in lanes.iter_mut().enumerate() {
        task.bit_offset = stage.bit_offset(lane, task.bits);
    }
    staged
}

/// Stages the probes of the refills `refills` of each lane, whose windows are open. Returns the number of refills that are
/// then staged, and `true` if it ended early because the last of them overran a window: windows of which more than
/// `MIN_WINDOW_BITS` bits were consumed are not valid.
///
/// Not inlined: the loop needs all registers for itself.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline(never)]
#[allow(unsafe_code)]
fn find_until_overrun<const LANES: usize, const PROBES: usize, const ONE_TABLE: bool>(
    lanes: &[&mut Task<'_>; LANES],
    stage: &mut Stage,
    refills: Range<usize>,
) -> (usize, bool) {
    let tables: [[*const u32; PROBES]; LANES] =
        std::array::from_fn(|lane| std::array::from_fn(|probe| lanes[lane].entries[probe].as_ptr()));
    let starts = lanes.each_ref().map(|task| task.bits.as_ptr());
    let mut windows: [u64; LANES] = std::array::from_fn(|lane| stage.windows[lane]);
    let stage = std::ptr::from_mut(stage);
    // SAFETY: `stage` comes from a reference.
    let next_bit = |lane: usize| unsafe { &raw mut (*stage).next_bits[lane] };
    // The first slot of a refill in the first lane.
    let first = stage.cast::<u64>();
    // SAFETY: both stay within the slots of the first lane.
    let (mut slot, end) = unsafe {
        let end = refills.end.min(STAGED / PROBES);
        (first.add(refills.start.min(end) * PROBES), first.add(end * PROBES))
    };
    // `black_box` keeps the shift count in a register: a shift by a constant would overwrite the window it shifts, and
    // so need a copy of it.
    let index_shift = std::hint::black_box(u64::BITS - INDEX_BITS) & 63;
    let mut overruns = 0;
    while slot != end && overruns & u64::from(OVERRUN) == 0 {
        for probe in 0..PROBES {
            for lane in 0..LANES {
                let table = if ONE_TABLE { tables[0][0] } else { tables[lane][probe] };
                // SAFETY: 12 bits are left, and a table has as many entries.
                let entry = unsafe { *table.add((windows[lane] >> index_shift) as usize) };
                // SAFETY: `slot` is at least PROBES slots before the end of the first lane.
                unsafe {
                    let slot = slot.add(lane * STAGED + probe);
                    slot.write(windows[lane]);
                    slot.cast::<u32>().write(entry);
                }
                windows[lane] <<= entry & 63;
            }
        }
        // SAFETY: as above; it ends at `end`.
        slot = unsafe { slot.add(PROBES) };
        overruns = 0;
        for lane in 0..LANES {
            let consumed = u64::from(windows[lane].trailing_zeros());
            // SAFETY: `stage` comes from a reference.
            let next = unsafe { next_bit(lane).read() };
            // SAFETY: `next` is 63 bits after the start of the refill, which is before the end of the task: the callers stage no
            // more than `safe_refills`. PAD_BYTES bytes follow the end (see `Task::new`), which hold these bits and the 8 bytes.
            let word = unsafe {
                let byte = starts[lane].with_addr((next / 8) as usize);
                byte.cast::<u64>().read_unaligned().swap_bytes()
            };
            let rest = word << (next % 8) >> (!consumed & 63);
            let window = windows[lane] & windows[lane].wrapping_sub(1);
            windows[lane] = compute_now(window | rest | SENTINEL);
            // SAFETY: as above.
            unsafe { next_bit(lane).write(next.wrapping_add(consumed)) };
            overruns |= consumed + next % 8;
        }
    }
    for (lane, window) in windows.into_iter().enumerate() {
        // SAFETY: `stage` comes from a reference.
        unsafe { (*stage).windows[lane] = window };
    }
    // SAFETY: both pointers are into the stage.
    let staged = unsafe { slot.offset_from(first) }.unsigned_abs() / PROBES;
    (staged, overruns & u64::from(OVERRUN) != 0)
}

/// Returns `value`. The compiler computes it before the next call of this function, and not at its first use: otherwise, it
/// would keep more temporary values of all lanes than there are registers.
#[inline(always)]
#[allow(unsafe_code)]
fn compute_now(value: u64) -> u64 {
    #[cfg(not(miri))]
    // SAFETY: no instruction, only a comment.
    unsafe {
        std::arch::asm!("/* {0} */", in(reg) value, options(nomem, nostack, preserves_flags));
    }
    value
}

/// Decodes the symbols of a refill that overran its window one by one, and replaces its staged `probes`; `before` are those
/// of earlier refills. The new entries use 0 bits, so that their bias is the difference. Returns the bit offset after the
/// symbols.
#[cold]
#[inline(never)]
fn restage_refill(task: &mut Task<'_>, mut bit_offset: usize, before: &[u64], probes: &mut [u64]) -> usize {
    for (index, (table, probe)) in task.tables.iter().zip(probes).enumerate() {
        let (bits, difference) = table.probe(window_at(task.bits, bit_offset)).unwrap_or_else(|| {
            task.unassigned = task.decoded + index + 1 + symbol_count(before);
            UNASSIGNED
        });
        bit_offset += bits as usize;
        *probe = u64::from(difference) << BIAS_SHIFT;
    }
    bit_offset
}

/// Defines `make` for a CPU level: `$vector` computes the differences of `$probes` probes.
macro_rules! define_make {
    ($features:literal, $probes:ident, $vector:ident) => {
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        fn make(stage: &Stage, lane: usize, probes: usize, out: &mut [u16]) -> usize {
            // A probe decodes two symbols at most.
            let whole = (probes / $probes).min(out.len() / (2 * $probes));
            let (vectors, rest) = stage.vectors(lane, probes).split_at(whole);
            let mut next_out = out.as_mut_ptr();
            for vector in vectors {
                // SAFETY: `out` has space for two differences per probe of `whole` vectors.
                unsafe { next_out = next_out.add($vector(vector, next_out)) };
            }
            // SAFETY: `next_out` is in `out`, or at its end.
            let mut decoded = unsafe { next_out.offset_from(out.as_ptr()) }.unsigned_abs();
            let mut probes_left = probes - whole * $probes;
            for vector in rest {
                let mut padded = [0; 2 * $probes];
                // SAFETY: `padded` has space for two differences per probe.
                unsafe { $vector(vector, padded.as_mut_ptr()) };
                let count = probes_left.min($probes);
                let symbols = symbol_count(&vector[..count]);
                out[decoded..decoded + symbols].copy_from_slice(&padded[..symbols]);
                decoded += symbols;
                probes_left -= count;
            }
            decoded
        }
    };
}
pub(super) use define_make;

define_make!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt", VECTOR_PROBES, make_eight);

/// Computes the differences of eight staged probes, and returns their number.
///
/// ```text
/// per 32-bit lane       high half                                  low half
/// last   = (window >> 1 >> (31 - bits used)) << 16 + entry         garbage    the bias is the high half of an entry
/// first  = garbage                                                 entry >> 7, arithmetic
/// both   = high half of last, low half of first                    in little-endian order: first, then last
/// ```
///
/// A byte shuffle per four lanes drops the `first` of entries that are no pairs.
///
/// # Safety
/// `out` has space for 16 differences.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline]
#[allow(unsafe_code)]
unsafe fn make_eight(probes: &[u64; VECTOR_PROBES], out: *mut u16) -> usize {
    // SAFETY: two probes of eight each.
    let [probes01, probes23, probes45, probes67] =
        std::array::from_fn(|pair| unsafe { _mm_loadu_si128(probes.as_ptr().add(2 * pair).cast()) });
    // `shuffle_ps` works in halves of 4 lanes.
    let probes0145 = _mm256_castsi256_ps(_mm256_set_m128i(probes45, probes01));
    let probes2367 = _mm256_castsi256_ps(_mm256_set_m128i(probes67, probes23));
    let entry = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(probes0145, probes2367));
    let window = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(probes0145, probes2367));
    // By 32 less the length, in two steps: a length of 0 leaves only the bias, and the longest length is 31.
    let rest = _mm256_andnot_si256(entry, _mm256_set1_epi32(31));
    let last = _mm256_srlv_epi32(_mm256_srli_epi32::<1>(window), rest);
    let last = _mm256_add_epi32(_mm256_slli_epi32::<16>(last), entry);
    let first = _mm256_srai_epi16::<{ FIRST_SHIFT.cast_signed() }>(entry);
    let both = _mm256_blend_epi16::<0b1010_1010>(first, last);
    let pairs = _mm256_slli_epi32::<{ 31 - PAIR.trailing_zeros().cast_signed() }>(entry);
    let pairs = _mm256_movemask_ps(_mm256_castsi256_ps(pairs)).cast_unsigned() as usize;
    let (earlier, later) = (pairs & 15, pairs >> 4);
    let earlier_count = 4 + earlier.count_ones() as usize;
    // SAFETY: a shuffle is 16 bytes. The first four probes decode 4 to 8 symbols, and the last four as many after those.
    unsafe {
        let shuffle = _mm_load_si128(SHUFFLES[earlier].0.as_ptr().cast());
        _mm_storeu_si128(out.cast(), _mm_shuffle_epi8(_mm256_castsi256_si128(both), shuffle));
        let shuffle = _mm_load_si128(SHUFFLES[later].0.as_ptr().cast());
        _mm_storeu_si128(out.add(earlier_count).cast(), _mm_shuffle_epi8(_mm256_extracti128_si256::<1>(both), shuffle));
    }
    VECTOR_PROBES + pairs.count_ones() as usize
}

/// Byte shuffle of a vector of four probes.
#[repr(C, align(16))]
struct Shuffle([u8; 16]);

/// `SHUFFLES[pairs]` compacts four probes, of which those with a bit in `pairs` are pairs.
static SHUFFLES: [Shuffle; 16] = {
    let mut shuffles = [const { Shuffle([0x80; 16]) }; 16];
    let mut pairs = 0;
    while pairs < 16 {
        let mut out_byte = 0;
        let mut probe = 0_u8;
        while probe < 4 {
            let mut half = if pairs >> probe & 1 == 1 { 0 } else { 2 };
            while half < 4 {
                shuffles[pairs].0[out_byte] = probe * 4 + half;
                shuffles[pairs].0[out_byte + 1] = probe * 4 + half + 1;
                out_byte += 2;
                half += 2;
            }
            probe += 1;
        }
        pairs += 1;
    }
    shuffles
};
