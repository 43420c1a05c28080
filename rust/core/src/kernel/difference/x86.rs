//! Up to four tasks in lock-step: scalar instructions find the symbols, AVX2 makes differences of them.
//!
//! ```text
//! lane    window of each symbol (top 32 bits) ──► stage.windows ─┐
//!         its entry                           ──► stage.entries ─┴─ 8 at once ──► differences
//! ```

#![allow(clippy::indexing_slicing, reason = "lanes and symbols count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::{INDEX_BITS, MARK, MISSED, Task, WINDOW_BITS, scalar};
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_packus_epi32, _mm256_permute4x64_epi64,
    _mm256_set1_epi32, _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_srli_epi32, _mm256_srlv_epi32,
    _mm256_storeu_si256, _mm256_sub_epi32,
};

/// Tasks in lock-step: more than four do not fit the registers.
const LANES: usize = 4;
/// Symbols of a lane that are staged before differences are made: a multiple of 16 and of every group.
const STAGED: usize = 192;
/// Slots below the last one, which the lower half of a window's store may touch, and an overlong read.
const BELOW: usize = 16;
/// Slots of a lane.
const LANE_SLOTS: usize = BELOW + STAGED;
/// A task with fewer refills left is finished alone.
const FEW: usize = 4;
/// Bits of the longest symbol: a code of 16, and 15 further ones.
const LONGEST: usize = 31;

/// What lanes have found and not yet made differences of, last symbol first.
#[repr(C, align(64))]
struct Stage {
    windows: [[u32; LANE_SLOTS]; LANES],
    entries: [[u32; LANE_SLOTS]; LANES],
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn run(tasks: &mut [Task<'_>]) {
    let mut stage = Stage { windows: [[0; LANE_SLOTS]; LANES], entries: [[0; LANE_SLOTS]; LANES] };
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(LANES);
    loop {
        lanes = lanes.into_iter().filter_map(unfinished).collect();
        let room = LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter_map(unfinished).take(room));
        match lanes.first().map(|task| task.group()) {
            None => return,
            Some(8) => batch_of::<8>(&mut lanes, &mut stage),
            Some(4) => batch_of::<4>(&mut lanes, &mut stage),
            Some(3) => batch_of::<3>(&mut lanes, &mut stage),
            Some(_) => batch_of::<2>(&mut lanes, &mut stage),
        }
    }
}

/// The task if it is long enough for a lane; else it is finished.
fn unfinished<'t, 'a>(task: &'t mut Task<'a>) -> Option<&'t mut Task<'a>> {
    if task.refills() < FEW {
        scalar::finish(task);
        return None;
    }
    Some(task)
}

/// One batch of as many lanes as there are; those with another group than the first wait.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn batch_of<const S: usize>(lanes: &mut [&mut Task<'_>], stage: &mut Stage) {
    match lanes.iter().take_while(|task| task.group() == S).count() {
        1 => batch::<1, S>(lanes, stage),
        2 => batch::<2, S>(lanes, stage),
        3 => batch::<3, S>(lanes, stage),

        _ => batch::<4, S>(lanes, stage),
    }
}

/// As many symbols of the first N lanes as all have room for.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn batch<const N: usize, const S: usize>(lanes: &mut [&mut Task<'_>], stage: &mut Stage) {
    let Some(lanes) = lanes.first_chunk_mut::<N>() else { return };
    let refills = lanes.iter().map(|task| task.refills().min(groups::<S>(task, task.at))).min().unwrap_or(0);
    let refills = refills.min(STAGED / S);
    let first = lanes[0].tables[0];
    let is_one_table = lanes.iter().all(|task| task.tables.iter().all(|table| std::ptr::eq(*table, first)));
    let done = if is_one_table {
        find::<N, S, true>(lanes, refills, stage)
    } else {
        find::<N, S, false>(lanes, refills, stage)
    };
    for (lane, task) in lanes.iter_mut().enumerate() {
        let made = task.made;
        task.made += done * S;
        let (Some(out), Some(windows), Some(entries)) =
            (task.out.get_mut(made..made + done * S), stage.windows.get(lane), stage.entries.get(lane))
        else {
            return;
        };
        make(windows, entries, out);
    }
}

/// Groups from `at` on of which every code begins before the end: the last one's, too, where all are the longest.
#[inline(always)]
fn groups<const S: usize>(task: &Task<'_>, at: usize) -> usize {
    let spare = (LONGEST * (S - 1) + 1).saturating_sub(WINDOW_BITS);
    task.end.saturating_sub(at + spare) / WINDOW_BITS
}

/// Stages the symbols of up to `refills` refills of each lane; returns how many were made.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[inline]
#[allow(unsafe_code)]
fn find<const N: usize, const S: usize, const ONE_TABLE: bool>(
    lanes: &mut [&mut Task<'_>; N],
    refills: usize,
    stage: &mut Stage,
) -> usize {
    let tables: [[*const u32; S]; N] =
        std::array::from_fn(|lane| std::array::from_fn(|symbol| lanes[lane].tables[symbol].entries.as_ptr()));
    // Positions as bits of the address space: one register a lane.
    let bases: [usize; N] = std::array::from_fn(|lane| lanes[lane].bits.as_ptr().expose_provenance() << 3);
    let mut at: [usize; N] = std::array::from_fn(|lane| bases[lane].wrapping_add(lanes[lane].at));
    let stage_at = std::ptr::from_mut(stage).cast::<u32>();
    // SAFETY: both stay within the windows of the first lane, as refills * S <= STAGED.
    let (first, mut last) =
        unsafe { (stage_at.add(LANE_SLOTS), stage_at.add(LANE_SLOTS).sub(refills.min(STAGED / S) * S)) };
    // In a register, so that a shift need not destroy what it shifts.
    let index_at = std::hint::black_box(u64::BITS - INDEX_BITS) & 63;
    let mut slot = first;
    while slot != last {
        // SAFETY: `refills` is no more than `groups`, which are counted anew after every miss, so the position is at least
        // 56 bits before the end of the task, behind which Task::new made sure of PAD_BYTES bytes.
        let mut window: [u64; N] = std::array::from_fn(|lane| unsafe {
            let from = std::ptr::with_exposed_provenance::<u64>(at[lane] >> 3);
            from.read_unaligned().swap_bytes() << (at[lane] & 7) | MARK
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
                at[lane] = at[lane].wrapping_add(taken[lane] as usize);
            }
            continue;
        }
        let mut left = STAGED;
        for lane in 0..N {
            let task = &mut *lanes[lane];
            let before = at[lane].wrapping_sub(bases[lane]);
            let behind = if taken[lane] & MISSED == 0 {
                before + taken[lane] as usize
            } else {
                // SAFETY: both pointers are into the stage.
                let staged = unsafe { first.offset_from(slot) }.unsigned_abs();
                let made = task.made + staged - S;
                // SAFETY: the lane's entries of this group, which nothing else refers to.
                let entries = unsafe { std::slice::from_raw_parts_mut(slot.add((LANES + lane) * LANE_SLOTS), S) };
                step::<S>(task, before, made, entries)
            };
            at[lane] = bases[lane].wrapping_add(behind);
            left = left.min(groups::<S>(task, behind));
        }
        // SAFETY: both pointers are into the stage; `last` only gets nearer.
        last = unsafe { slot.sub(left.min(slot.offset_from(last).unsigned_abs() / S) * S) };
    }
    for lane in 0..N {
        lanes[lane].at = at[lane].wrapping_sub(bases[lane]);
    }
    // SAFETY: both pointers are into the stage.
    unsafe { first.offset_from(slot) }.unsigned_abs() / S
}

/// The symbols of one group that cannot all be had by probes: staged as differences without further bits.
#[cold]
#[inline(never)]
fn step<const S: usize>(task: &mut Task<'_>, mut at: usize, made: usize, staged: &mut [u32]) -> usize {
    for (index, (to, table)) in staged.iter_mut().rev().zip(task.tables).enumerate().take(S) {
        let (bits, difference) = table.probe(super::window(task.bits, at)).unwrap_or_else(|| {
            task.unassigned = made + index + 1;
            (1, 0)
        });
        at += bits as usize;
        *to = u32::from(difference) << 16;
    }
    at
}

/// Differences of what is staged, first symbol first.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[inline]
#[allow(unsafe_code)]
fn make(windows: &[u32; LANE_SLOTS], entries: &[u32; LANE_SLOTS], out: &mut [u16]) {
    let mut slot = LANE_SLOTS;
    let (whole, rest) = out.as_chunks_mut::<16>();
    for chunk in whole {
        slot -= 16;
        let differences = sixteen(windows, entries, slot);
        // SAFETY: chunk is 32 bytes.
        unsafe { _mm256_storeu_si256(chunk.as_mut_ptr().cast(), differences) };
    }
    if !rest.is_empty() {
        let mut last = [0_u16; 16];
        // SAFETY: last is 32 bytes.
        unsafe { _mm256_storeu_si256(last.as_mut_ptr().cast(), sixteen(windows, entries, slot - 16)) };
        rest.iter_mut().zip(last).for_each(|(to, difference)| *to = difference);
    }
}

/// The differences of the 16 symbols of slots `slot` to `slot + 15`, last slot first.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[inline]
fn sixteen(windows: &[u32; LANE_SLOTS], entries: &[u32; LANE_SLOTS], slot: usize) -> __m256i {
    let (windows, entries) = (&windows[slot..slot + 16], &entries[slot..slot + 16]);
    let (low, high) = (eight(&windows[..8], &entries[..8]), eight(&windows[8..], &entries[8..]));
    let packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0b11_01_10_00);
    let backwards = _mm256_setr_epi8(
        14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1, 14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1,
    );
    _mm256_permute4x64_epi64(_mm256_shuffle_epi8(packed, backwards), 0b01_00_11_10)
}

/// The differences of 8 symbols, each in 32 bits.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[inline]
#[allow(unsafe_code)]
fn eight(windows: &[u32], entries: &[u32]) -> __m256i {
    let (windows, entries) = (&windows[..8], &entries[..8]);
    // SAFETY: both are 32 bytes.
    let (window, entry) =
        unsafe { (_mm256_loadu_si256(windows.as_ptr().cast()), _mm256_loadu_si256(entries.as_ptr().cast())) };
    let length = _mm256_and_si256(entry, _mm256_set1_epi32(63));
    // A shift by 32, where the length is 0, leaves the bias alone.
    let further = _mm256_srlv_epi32(window, _mm256_sub_epi32(_mm256_set1_epi32(32), length));
    let difference = _mm256_add_epi32(further, _mm256_srli_epi32(entry, 16));
    _mm256_and_si256(difference, _mm256_set1_epi32(0xFFFF))
}
