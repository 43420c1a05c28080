//! Up to four tasks in lock-step: scalar instructions find the symbols, AVX2 computes their differences.
//!
//! Finding symbols is a chain of dependent look-ups; computing differences is not. So the chain only stores what the
//! differences need, and vectors compute eight of them at once:
//!
//! ```text
//! repeat until one lane is at its end:
//!     find:  up to 192 probes per lane; per probe store the top 32 bits of the window, and the entry
//!     make:  per lane, for 8 probes at once:
//!                last  = (window >> (32 - bits used)) + bias       32-bit lanes, low or high half as needed
//!                first = entry >> 7                                if the entry is a pair
//!                compact: drop the `first` of entries that are no pairs
//! ```
//!
//! Both arrays are filled from the end to the start. One 64-bit store writes a whole window; its upper half is the slot
//! wanted, and its lower half goes to the slot below, which the next probe overwrites. That saves a shift per probe.
//!
//! ```text
//! stage.windows   lane 0 │ unused (16) │ … probe 2 │ probe 1 │ probe 0 │ lane 1 │ …       LANE_SLOTS = 208 words each
//! stage.entries   lane 0 │ unused (16) │ … probe 2 │ probe 1 │ probe 0 │ lane 1 │ …
//! ```

#![allow(clippy::indexing_slicing, reason = "lanes and probes count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::task::window_at;
use super::{
    BIAS_SHIFT, FIRST_SHIFT, INDEX_BITS, MAX_PROBES_PER_REFILL, MAX_WINDOW_BITS, OVERRUN, PAIR, SENTINEL, Task,
    UNASSIGNED, scalar,
};
use std::arch::x86_64::*;

/// Maximum number of tasks in lock-step. Each needs registers for a window and the address of a bit. More tasks hide more
/// latency, but the 16 registers do not hold theirs: five were up to 2 % faster on an idle core, and 4 % slower on one
/// whose other hardware thread was busy; six were slower (measured).
const MAX_LANES: usize = 4;
/// Probes of a lane that are staged before differences are computed: a multiple of 16 and of each number of probes per
/// refill. 4 lanes × 208 slots × 8 bytes = 6.5 KiB stay in the first-level cache together with a 16 KiB table.
pub(super) const STAGED: usize = 192;
/// Unused slots before those of a lane. The 64-bit store of the last staged window touches one of them.
const UNUSED_SLOTS: usize = 16;
pub(super) const LANE_SLOTS: usize = UNUSED_SLOTS + STAGED;
/// A task with fewer refills left is decoded alone: staging costs more than lock-step saves.
const MIN_REFILLS: usize = 4;
/// Bits of the longest symbol: a code of 16 bits and 15 extra bits.
const MAX_SYMBOL_BITS: usize = 31;
/// Probes per vector of 32-bit lanes.
const VECTOR_PROBES: usize = 8;

// `find` makes progress on every lane that has MIN_REFILLS refills left: see `safe_refills`.
const _: () = assert!(MIN_REFILLS * MAX_WINDOW_BITS > MAX_SYMBOL_BITS * (MAX_PROBES_PER_REFILL - 1));

/// Probes whose differences are not computed yet, last probe first.
#[repr(C, align(64))]
pub(super) struct Stage {
    /// Top 32 bits of the window at each probe.
    pub(super) windows: [[u32; LANE_SLOTS]; MAX_LANES],
    /// Table entry of each probe.
    pub(super) entries: [[u32; LANE_SLOTS]; MAX_LANES],
}

impl Stage {
    /// Returns a pointer to the end of the windows of a lane, valid for the whole stage.
    pub(super) fn windows_end(&self, lane: usize) -> Option<*const u32> {
        let end = self.windows.get(lane)?.as_ptr_range().end;
        Some(std::ptr::from_ref(self).cast::<u32>().with_addr(end.addr()))
    }

    /// Distance in words from the window of a probe to its entry.
    pub(super) const ENTRY_DISTANCE: usize = MAX_LANES * LANE_SLOTS;
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode(tasks: &mut [Task<'_>]) {
    decode_with(tasks, make);
}

/// Computes the differences of the first `probes` staged probes of a lane: `make(stage, lane, probes, out)` returns their
/// number, for which `out` has space.
pub(super) type Make = unsafe fn(&Stage, usize, usize, &mut [u16]) -> usize;

/// Decodes each of `tasks` to its end. The caller passes a `make` that this CPU runs.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_with(tasks: &mut [Task<'_>], make: Make) {
    let mut stage = Stage { windows: [[0; LANE_SLOTS]; MAX_LANES], entries: [[0; LANE_SLOTS]; MAX_LANES] };
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(MAX_LANES);
    loop {
        lanes = lanes.into_iter().filter_map(unfinished).collect();
        let free = MAX_LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter_map(unfinished).take(free));
        match lanes.first().map(|task| task.probes_per_refill()) {
            None => return,
            Some(8) => decode_lanes::<8>(&mut lanes, &mut stage, make),
            Some(4) => decode_lanes::<4>(&mut lanes, &mut stage, make),
            Some(3) => decode_lanes::<3>(&mut lanes, &mut stage, make),
            Some(_) => decode_lanes::<2>(&mut lanes, &mut stage, make),
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
fn decode_lanes<const PROBES: usize>(lanes: &mut [&mut Task<'_>], stage: &mut Stage, make: Make) {
    match lanes.iter().take_while(|task| task.probes_per_refill() == PROBES).count() {
        1 => decode_staged::<1, PROBES>(lanes, stage, make),
        2 => decode_staged::<2, PROBES>(lanes, stage, make),
        3 => decode_staged::<3, PROBES>(lanes, stage, make),
        _ => decode_staged::<4, PROBES>(lanes, stage, make),
    }
}

/// Fills the stage with probes of the first `LANES` lanes and computes their differences.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn decode_staged<const LANES: usize, const PROBES: usize>(lanes: &mut [&mut Task<'_>], stage: &mut Stage, make: Make) {
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
        unsafe {
            task.decoded += make(stage, lane, staged_refills * PROBES, out);
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
/// Not inlined: the loop needs all registers for itself.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline(never)]
#[allow(unsafe_code)]
fn find<const LANES: usize, const PROBES: usize, const ONE_TABLE: bool>(
    lanes: &mut [&mut Task<'_>; LANES],
    refills: usize,
    stage: &mut Stage,
) -> usize {
    let tables: [[*const u32; PROBES]; LANES] =
        std::array::from_fn(|lane| std::array::from_fn(|probe| lanes[lane].entries[probe].as_ptr()));
    let starts = lanes.each_ref().map(|task| task.bits.as_ptr());
    let start_bits = starts.map(|start| 8 * start.addr() as u64);
    // Per lane: the address of the next bit, which is 8 * the address of its byte + the bit in that byte (0 is the highest).
    // With two variables for byte and bit, the loop would need more than the 16 registers.
    let mut next_bits: [u64; LANES] = std::array::from_fn(|lane| start_bits[lane] + lanes[lane].bit_offset as u64);
    let stage_words = std::ptr::from_mut(stage).cast::<u32>();
    // SAFETY: both stay within the windows of the first lane, as refills * PROBES <= STAGED.
    let (first, mut last) = unsafe {
        (stage_words.add(LANE_SLOTS), stage_words.add(LANE_SLOTS).sub(refills.min(STAGED / PROBES) * PROBES))
    };
    // `black_box` keeps the shift count in a register: a shift by a constant would overwrite the window it shifts, and
    // so need a copy of it.
    let index_shift = std::hint::black_box(u64::BITS - INDEX_BITS) & 63;
    // `black_box` keeps the compiler from setting the sentinel before it swaps bytes, so that load and swap are one MOVBE.
    let sentinel = std::hint::black_box(SENTINEL);
    let mut slot = first;
    while slot != last {
        // SAFETY: `refills` is no more than `safe_refills`, which is computed anew after every overrun, so the position
        // is before the end of the task, and PAD_BYTES bytes follow that (see `Task::new`).
        let mut window: [u64; LANES] = std::array::from_fn(|lane| unsafe {
            let byte = starts[lane].with_addr((next_bits[lane] / 8) as usize);
            let word = byte.cast::<u64>().read_unaligned().swap_bytes();
            (word | sentinel) << (next_bits[lane] % 8)
        });
        for probe in 0..PROBES {
            for lane in 0..LANES {
                let table = if ONE_TABLE { tables[0][0] } else { tables[lane][probe] };
                // SAFETY: 12 bits are left, and a table has as many entries.
                let entry = unsafe { *table.add((window[lane] >> index_shift) as usize) };
                // SAFETY: `slot` counts down from the end of a lane's UNUSED_SLOTS + STAGED slots by STAGED at most, so that
                // it and the slot below, which takes the window's lower half and is staged next, belong to the lane.
                unsafe {
                    slot.add(lane * LANE_SLOTS).sub(probe + 2).cast::<u64>().write_unaligned(window[lane]);
                    slot.add((MAX_LANES + lane) * LANE_SLOTS).sub(probe + 1).write(entry);
                }
                window[lane] <<= entry & 63;
            }
        }
        // SAFETY: as above; it ends at `last`.
        slot = unsafe { slot.sub(PROBES) };
        let consumed: [u32; LANES] = std::array::from_fn(|lane| window[lane].trailing_zeros());
        if consumed.iter().fold(0, |all, consumed| all | consumed) & OVERRUN == 0 {
            for lane in 0..LANES {
                next_bits[lane] = (next_bits[lane] / 8 * 8).wrapping_add(consumed[lane].into());
            }
            continue;
        }
        // SAFETY: both pointers are into the stage.
        let staged = unsafe { first.offset_from(slot) }.unsigned_abs();
        let mut refills_left = STAGED;
        for lane in 0..LANES {
            let refill_offset = (next_bits[lane] - start_bits[lane]) as usize;
            let bit_offset = if consumed[lane] & OVERRUN == 0 {
                refill_offset / 8 * 8 + consumed[lane] as usize
            } else {
                // SAFETY: the lane's entries up to this refill, which nothing else refers to.
                let entries =
                    unsafe { std::slice::from_raw_parts_mut(slot.add((MAX_LANES + lane) * LANE_SLOTS), staged) };
                restage_refill::<PROBES>(&mut *lanes[lane], refill_offset, entries)
            };
            next_bits[lane] = start_bits[lane] + bit_offset as u64;
            refills_left = refills_left.min(safe_refills::<PROBES>(lanes[lane], bit_offset));
        }
        // SAFETY: both pointers are into the stage; `last` only moves towards `slot`.
        last = unsafe { slot.sub(refills_left.min(slot.offset_from(last).unsigned_abs() / PROBES) * PROBES) };
    }
    for lane in 0..LANES {
        lanes[lane].bit_offset = (next_bits[lane] - start_bits[lane]) as usize;
    }
    // SAFETY: both pointers are into the stage.
    unsafe { first.offset_from(slot) }.unsigned_abs() / PROBES
}

/// Decodes the symbols of a refill that overran its window one by one, and replaces its entries, which are the first of
/// `staged`. The new entries use 0 bits, so that their bias is the difference. Returns the bit offset after the symbols.
#[cold]
#[inline(never)]
fn restage_refill<const PROBES: usize>(task: &mut Task<'_>, mut bit_offset: usize, staged: &mut [u32]) -> usize {
    for (probe, table) in task.tables.iter().enumerate().take(PROBES) {
        let (bits, difference) = table.probe(window_at(task.bits, bit_offset)).unwrap_or_else(|| {
            task.unassigned = task.decoded + probe + 1 + symbol_count(&staged[PROBES..]);
            UNASSIGNED
        });
        bit_offset += bits as usize;
        staged[PROBES - 1 - probe] = u32::from(difference) << BIAS_SHIFT;
    }
    bit_offset
}

/// Returns the number of symbols of staged entries.
pub(super) fn symbol_count(entries: &[u32]) -> usize {
    entries.iter().map(|entry| 1 + usize::from(*entry & PAIR != 0)).sum()
}

/// Defines `make` for a CPU level: `$vector` computes the differences of `$probes` probes.
macro_rules! define_make {
    ($features:literal, $probes:ident, $vector:ident) => {
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        fn make(stage: &Stage, lane: usize, probes: usize, out: &mut [u16]) -> usize {
            // A probe decodes two symbols at most.
            let whole = (probes.min(STAGED) / $probes).min(out.len() / (2 * $probes));
            let Some(mut windows) = stage.windows_end(lane) else {
                debug_assert!(false, "more lanes than the stage has");
                return 0;
            };
            let mut next_out = out.as_mut_ptr();
            for _ in 0..whole {
                // SAFETY: the slots count down from the end of a lane, by STAGED at most; `out` has space for two
                // differences per probe.
                unsafe {
                    windows = windows.sub($probes);
                    next_out = next_out.add($vector(windows, next_out));
                }
            }
            // SAFETY: `next_out` is in `out`, or at its end.
            let mut decoded = unsafe { next_out.offset_from(out.as_ptr()) }.unsigned_abs();
            let mut done = whole * $probes;
            while done < probes.min(STAGED) {
                let mut padded = [0; 2 * $probes];
                // SAFETY: as above; `padded` has space for two differences per probe.
                unsafe {
                    windows = windows.sub($probes);
                    $vector(windows, padded.as_mut_ptr());
                }
                let (end, count) = (LANE_SLOTS - done, (probes - done).min($probes));
                let symbols = symbol_count(&stage.entries[lane][end - count..end]);
                out[decoded..decoded + symbols].copy_from_slice(&padded[..symbols]);
                decoded += symbols;
                done += count;
            }
            decoded
        }
    };
}
pub(super) use define_make;

define_make!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt", VECTOR_PROBES, make_eight);

/// Computes the differences of eight probes, stored last probe first, and returns their number.
///
/// ```text
/// per 32-bit lane       high half                                  low half
/// last   = (window >> 1 >> (31 - bits used)) << 16 + entry         garbage    the bias is the high half of an entry
/// first  = garbage                                                 entry >> 7, arithmetic
/// both   = high half of last, low half of first                    in little-endian order: first, then last
/// ```
///
/// A byte shuffle per four lanes reverses the probes and drops the `first` of entries that are no pairs.
///
/// # Safety
/// `windows` points to eight windows of a stage, whose entries follow at `ENTRY_DISTANCE`; `out` has space for 16.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline]
#[allow(unsafe_code)]
unsafe fn make_eight(windows: *const u32, out: *mut u16) -> usize {
    // SAFETY: the caller's promise.
    let (window, entry) =
        unsafe { (_mm256_loadu_si256(windows.cast()), _mm256_loadu_si256(windows.add(Stage::ENTRY_DISTANCE).cast())) };
    // By 32 less the length, in two steps: a length of 0 leaves only the bias, and the longest length is 31.
    let rest = _mm256_andnot_si256(entry, _mm256_set1_epi32(31));
    let last = _mm256_srlv_epi32(_mm256_srli_epi32::<1>(window), rest);
    let last = _mm256_add_epi32(_mm256_slli_epi32::<16>(last), entry);
    let first = _mm256_srai_epi16::<{ FIRST_SHIFT.cast_signed() }>(entry);
    let both = _mm256_blend_epi16::<0b1010_1010>(first, last);
    let pairs = _mm256_slli_epi32::<{ 31 - PAIR.trailing_zeros().cast_signed() }>(entry);
    let pairs = _mm256_movemask_ps(_mm256_castsi256_ps(pairs)).cast_unsigned() as usize;
    let (earlier, later) = (pairs >> 4 & 15, pairs & 15);
    let earlier_count = 4 + earlier.count_ones() as usize;
    // SAFETY: a shuffle is 16 bytes. The first four probes decode 4 to 8 symbols, and the last four as many after those.
    unsafe {
        let shuffle = _mm_load_si128(SHUFFLES[earlier].0.as_ptr().cast());
        _mm_storeu_si128(out.cast(), _mm_shuffle_epi8(_mm256_extracti128_si256::<1>(both), shuffle));
        let shuffle = _mm_load_si128(SHUFFLES[later].0.as_ptr().cast());
        _mm_storeu_si128(out.add(earlier_count).cast(), _mm_shuffle_epi8(_mm256_castsi256_si128(both), shuffle));
    }
    VECTOR_PROBES + pairs.count_ones() as usize
}

/// Byte shuffle of a vector of four probes.
#[repr(C, align(16))]
struct Shuffle([u8; 16]);

/// `SHUFFLES[pairs]` compacts four probes, stored last probe first, of which those with a bit in `pairs` are pairs.
static SHUFFLES: [Shuffle; 16] = {
    let mut shuffles = [const { Shuffle([0x80; 16]) }; 16];
    let mut pairs = 0;
    while pairs < 16 {
        let mut out_byte = 0;
        let mut probe = 4_u8;
        while probe > 0 {
            probe -= 1;
            let mut half = if pairs >> probe & 1 == 1 { 0 } else { 2 };
            while half < 4 {
                shuffles[pairs].0[out_byte] = probe * 4 + half;
                shuffles[pairs].0[out_byte + 1] = probe * 4 + half + 1;
                out_byte += 2;
                half += 2;
            }
        }
        pairs += 1;
    }
    shuffles
};
