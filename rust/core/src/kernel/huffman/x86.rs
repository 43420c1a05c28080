//! Up to four tasks in lock-step: scalar instructions find the symbols, AVX2 makes differences of them.
//!
//! ```text
//! lane    window of each symbol (top 32 bits) ──► stage.windows ─┐
//!         its entry                           ──► stage.entries ─┴─ 8 at once ──► differences
//! ```

#![allow(clippy::indexing_slicing, reason = "lanes and symbols count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::{FIRST_AT, INDEX_BITS, LAST_AT, MARK, MISSED, PAIR, Task, UNASSIGNED, WINDOW_BITS, scalar};
use std::arch::x86_64::*;

/// Tasks in lock-step: more than four do not fit the registers.
const LANES: usize = 4;
/// Symbols of a lane that are staged before differences are made: a multiple of 16 and of every group.
pub(super) const STAGED: usize = 192;
/// Slots below the last one, of which the lower half of a window's store touches one.
const BELOW: usize = 16;
/// Slots of a lane.
pub(super) const LANE_SLOTS: usize = BELOW + STAGED;
/// A task with fewer refills left is finished alone.
const FEW: usize = 4;
/// Bits of the longest symbol: a code of 16, and 15 further ones.
const LONGEST: usize = 31;
/// Probes of a vector.
const EIGHT: usize = 8;

/// What lanes have found and not yet made differences of, last symbol first.
#[repr(C, align(64))]
pub(super) struct Stage {
    pub(super) windows: [[u32; LANE_SLOTS]; LANES],
    pub(super) entries: [[u32; LANE_SLOTS]; LANES],
}

impl Stage {
    /// Where the windows of a lane end, as a place in all of the stage.
    pub(super) fn end(&self, lane: usize) -> Option<*const u32> {
        let end = self.windows.get(lane)?.as_ptr_range().end;
        Some(std::ptr::from_ref(self).cast::<u32>().with_addr(end.addr()))
    }

    /// Where the entry of a slot is, from its window on.
    pub(super) const ENTRY: usize = LANES * LANE_SLOTS;
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn run(tasks: &mut [Task<'_>]) {
    run_with(tasks, make);
}

/// Makes the differences of the first so many probes of a lane: their number, which there is room for.
pub(super) type Make = unsafe fn(&Stage, usize, usize, &mut [u16]) -> usize;

/// As [`run`], but for what makes differences, which this CPU runs.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn run_with(tasks: &mut [Task<'_>], make: Make) {
    let mut stage = Stage { windows: [[0; LANE_SLOTS]; LANES], entries: [[0; LANE_SLOTS]; LANES] };
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(LANES);
    loop {
        lanes = lanes.into_iter().filter_map(unfinished).collect();
        let room = LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter_map(unfinished).take(room));
        match lanes.first().map(|task| task.group()) {
            None => return,
            Some(8) => batch_of::<8>(&mut lanes, &mut stage, make),
            Some(4) => batch_of::<4>(&mut lanes, &mut stage, make),
            Some(3) => batch_of::<3>(&mut lanes, &mut stage, make),
            Some(_) => batch_of::<2>(&mut lanes, &mut stage, make),
        }
    }
}

/// The task if it is long enough for a lane; else it is finished.
fn unfinished<'t, 'a>(task: &'t mut Task<'a>) -> Option<&'t mut Task<'a>> {
    if !task.has_refills(FEW) {
        scalar::finish(task);
        return None;
    }
    Some(task)
}

/// One batch of as many lanes as there are; those with another group than the first wait.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn batch_of<const S: usize>(lanes: &mut [&mut Task<'_>], stage: &mut Stage, make: Make) {
    match lanes.iter().take_while(|task| task.group() == S).count() {
        1 => batch::<1, S>(lanes, stage, make),
        2 => batch::<2, S>(lanes, stage, make),
        3 => batch::<3, S>(lanes, stage, make),
        _ => batch::<4, S>(lanes, stage, make),
    }
}

/// As many probes of the first N lanes as all have room for.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn batch<const N: usize, const S: usize>(lanes: &mut [&mut Task<'_>], stage: &mut Stage, make: Make) {
    let Some(lanes) = lanes.first_chunk_mut::<N>() else { return };
    let refills = lanes.iter().map(|task| task.refills::<S>().min(groups::<S>(task, task.at))).min().unwrap_or(0);
    let refills = refills.min(STAGED / S);
    let first = lanes[0].entries[0];
    let is_one_table = lanes.iter().all(|task| task.entries.iter().all(|entries| std::ptr::eq(*entries, first)));
    let done = if is_one_table {
        find::<N, S, true>(lanes, refills, stage)
    } else {
        find::<N, S, false>(lanes, refills, stage)
    };
    for (lane, task) in lanes.iter_mut().enumerate() {
        let Some(out) = task.out.get_mut(task.made..) else { return };
        // SAFETY: what is made with is what this CPU runs.
        #[allow(unsafe_code)]
        unsafe {
            task.made += make(stage, lane, done * S, out);
        }
    }
}

/// Groups from `at` on of which every code begins before the end: the last one's, too, where all are the longest.
#[inline(always)]
fn groups<const S: usize>(task: &Task<'_>, at: usize) -> usize {
    let spare = (LONGEST * (S - 1) + 1).saturating_sub(WINDOW_BITS);
    task.end.saturating_sub(at + spare) / WINDOW_BITS
}

/// Stages the symbols of up to `refills` refills of each lane; returns how many were made. Never inlined, so that all
/// registers are its own.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline(never)]
#[allow(unsafe_code)]
fn find<const N: usize, const S: usize, const ONE_TABLE: bool>(
    lanes: &mut [&mut Task<'_>; N],
    refills: usize,
    stage: &mut Stage,
) -> usize {
    let tables: [[*const u32; S]; N] =
        std::array::from_fn(|lane| std::array::from_fn(|symbol| lanes[lane].entries[symbol].as_ptr()));
    let starts = lanes.each_ref().map(|task| task.bits.as_ptr());
    // Of each lane, the byte and the bit in it at which the next refill begins.
    let mut byte: [*const u8; N] = std::array::from_fn(|lane| starts[lane].wrapping_add(lanes[lane].at / 8));
    let mut bit: [u32; N] = std::array::from_fn(|lane| (lanes[lane].at % 8) as u32);
    let stage_at = std::ptr::from_mut(stage).cast::<u32>();
    // SAFETY: both stay within the windows of the first lane, as refills * S <= STAGED.
    let (first, mut last) =
        unsafe { (stage_at.add(LANE_SLOTS), stage_at.add(LANE_SLOTS).sub(refills.min(STAGED / S) * S)) };
    // In a register, so that a shift need not destroy what it shifts.
    let index_at = std::hint::black_box(u64::BITS - INDEX_BITS) & 63;
    // Not known to the compiler, which would set it before it swaps bytes, and not load and swap in one.
    let mark = std::hint::black_box(MARK);
    let mut slot = first;
    while slot != last {
        // SAFETY: `refills` is no more than `groups`, which are counted anew after every miss, so the position is before
        // the end of the task, behind which Task::new made sure of PAD_BYTES bytes.
        let mut window: [u64; N] = std::array::from_fn(|lane| unsafe {
            let word = byte[lane].cast::<u64>().read_unaligned().swap_bytes();
            (word | mark) << bit[lane]
        });
        for symbol in 0..S {
            for lane in 0..N {
                let table = if ONE_TABLE { tables[0][0] } else { tables[lane][symbol] };
                // SAFETY: 12 bits are left, and a table has as many entries.
                let entry = unsafe { *table.add((window[lane] >> index_at) as usize) };
                // SAFETY: `slot` goes down from the end of a lane's BELOW + STAGED slots by STAGED at most, so that it and
                // the slot below, which takes the window's lower half and is staged next, belong to the lane.
                unsafe {
                    slot.add(lane * LANE_SLOTS).sub(symbol + 2).cast::<u64>().write_unaligned(window[lane]);
                    slot.add((LANES + lane) * LANE_SLOTS).sub(symbol + 1).write(entry);
                }
                window[lane] <<= entry & 63;
            }
        }
        // SAFETY: as above; it ends at `last`.
        slot = unsafe { slot.sub(S) };
        let taken: [u32; N] = std::array::from_fn(|lane| window[lane].trailing_zeros());
        if taken.iter().fold(0, |all, taken| all | taken) & MISSED == 0 {
            for lane in 0..N {
                byte[lane] = byte[lane].wrapping_add((taken[lane] >> 3) as usize);
                bit[lane] = taken[lane] & 7;
            }
            continue;
        }
        // SAFETY: both pointers are into the stage.
        let staged = unsafe { first.offset_from(slot) }.unsigned_abs();
        let mut left = STAGED;
        for lane in 0..N {
            let at = 8 * (byte[lane].addr() - starts[lane].addr());
            let behind = if taken[lane] & MISSED == 0 {
                at + taken[lane] as usize
            } else {
                // SAFETY: the lane's entries up to this group, which nothing else refers to.
                let entries = unsafe { std::slice::from_raw_parts_mut(slot.add((LANES + lane) * LANE_SLOTS), staged) };
                step::<S>(&mut *lanes[lane], at + bit[lane] as usize, entries)
            };
            byte[lane] = starts[lane].wrapping_add(behind / 8);
            bit[lane] = (behind % 8) as u32;
            left = left.min(groups::<S>(lanes[lane], behind));
        }
        // SAFETY: both pointers are into the stage; `last` only gets nearer.
        last = unsafe { slot.sub(left.min(slot.offset_from(last).unsigned_abs() / S) * S) };
    }
    for lane in 0..N {
        lanes[lane].at = 8 * (byte[lane].addr() - starts[lane].addr()) + bit[lane] as usize;
    }
    // SAFETY: both pointers are into the stage.
    unsafe { first.offset_from(slot) }.unsigned_abs() / S
}

/// The symbols of a group that cannot all be had by its probes, one a probe: staged as differences without further bits.
/// The group is the first of `staged`.
#[cold]
#[inline(never)]
fn step<const S: usize>(task: &mut Task<'_>, mut at: usize, staged: &mut [u32]) -> usize {
    for (symbol, table) in task.tables.iter().enumerate().take(S) {
        let (bits, difference) = table.probe(super::window(task.bits, at)).unwrap_or_else(|| {
            task.unassigned = task.made + symbol + 1 + symbols(&staged[S..]);
            UNASSIGNED
        });
        at += bits as usize;
        staged[S - 1 - symbol] = u32::from(difference) << LAST_AT;
    }
    at
}

/// Symbols of staged entries.
pub(super) fn symbols(entries: &[u32]) -> usize {
    entries.iter().map(|entry| 1 + usize::from(*entry & PAIR != 0)).sum()
}

/// `make` by `$vector`, which makes the differences of `$probes` probes.
macro_rules! make_by {
    ($features:literal, $probes:ident, $vector:ident) => {
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        fn make(stage: &Stage, lane: usize, probes: usize, out: &mut [u16]) -> usize {
            // A probe makes two at most.
            let whole = (probes.min(STAGED) / $probes).min(out.len() / (2 * $probes));
            let Some(mut windows) = stage.end(lane) else { return 0 };
            let mut to = out.as_mut_ptr();
            for _ in 0..whole {
                // SAFETY: the slots go down from the end of a lane, by STAGED at most; `out` has room for two a probe.
                unsafe {
                    windows = windows.sub($probes);
                    to = to.add($vector(windows, to));
                }
            }
            // SAFETY: `to` is into `out`, or at its end.
            let mut made = unsafe { to.offset_from(out.as_ptr()) }.unsigned_abs();
            let mut done = whole * $probes;
            while done < probes.min(STAGED) {
                let mut some = [0; 2 * $probes];
                // SAFETY: as above; `some` is as long as it has to be.
                unsafe {
                    windows = windows.sub($probes);
                    $vector(windows, some.as_mut_ptr());
                }
                let (from, count) = (LANE_SLOTS - done, (probes - done).min($probes));
                let symbols = symbols(&stage.entries[lane][from - count..from]);
                out[made..made + symbols].copy_from_slice(&some[..symbols]);
                made += symbols;
                done += count;
            }
            made
        }
    };
}
pub(super) use make_by;

make_by!("avx2,bmi1,bmi2,lzcnt,movbe,popcnt", EIGHT, eight);

/// The differences of eight probes, last one first: their number.
///
/// # Safety
/// `windows` are eight of a stage, whose entries are behind all windows; `out` has room for 16.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[inline]
#[allow(unsafe_code)]
unsafe fn eight(windows: *const u32, out: *mut u16) -> usize {
    // SAFETY: as promised.
    let (window, entry) =
        unsafe { (_mm256_loadu_si256(windows.cast()), _mm256_loadu_si256(windows.add(Stage::ENTRY).cast())) };
    // By 32 less the length, in two steps: a length of 0 leaves the bias alone, and 31 is the longest.
    let rest = _mm256_andnot_si256(entry, _mm256_set1_epi32(31));
    let last = _mm256_srlv_epi32(_mm256_srli_epi32::<1>(window), rest);
    let last = _mm256_add_epi32(_mm256_slli_epi32::<16>(last), entry);
    let first = _mm256_srai_epi16::<{ FIRST_AT.cast_signed() }>(entry);
    let both = _mm256_blend_epi16::<0b1010_1010>(first, last);
    let pairs = _mm256_slli_epi32::<{ 31 - PAIR.trailing_zeros().cast_signed() }>(entry);
    let pairs = _mm256_movemask_ps(_mm256_castsi256_ps(pairs)).cast_unsigned() as usize;
    let (earlier, later) = (pairs >> 4 & 15, pairs & 15);
    let made = 4 + earlier.count_ones() as usize;
    // SAFETY: an order is 16 bytes; the first four make 4 to 8, and as many are behind those.
    unsafe {
        let order = _mm_load_si128(ORDERS[earlier].0.as_ptr().cast());
        _mm_storeu_si128(out.cast(), _mm_shuffle_epi8(_mm256_extracti128_si256::<1>(both), order));
        let order = _mm_load_si128(ORDERS[later].0.as_ptr().cast());
        _mm_storeu_si128(out.add(made).cast(), _mm_shuffle_epi8(_mm256_castsi256_si128(both), order));
    }
    EIGHT + pairs.count_ones() as usize
}

/// Sixteen bytes, aligned.
#[repr(C, align(16))]
struct Order([u8; 16]);

/// For each set of pairs among four probes, last probe first, where the bytes of their differences are.
static ORDERS: [Order; 16] = {
    let mut orders = [const { Order([0x80; 16]) }; 16];
    let mut pairs = 0;
    while pairs < 16 {
        let mut made = 0;
        let mut probe = 4_u8;
        while probe > 0 {
            probe -= 1;
            let mut half = if pairs >> probe & 1 == 1 { 0 } else { 2 };
            while half < 4 {
                orders[pairs].0[made] = probe * 4 + half;
                orders[pairs].0[made + 1] = probe * 4 + half + 1;
                made += 2;
                half += 2;
            }
        }
        pairs += 1;
    }
    orders
};
