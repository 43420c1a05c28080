//! Up to three tasks in lock-step, in plain Rust.
//!
//! ```text
//! lanes = the first three tasks with at least one refill left
//! loop:
//!     n = refills that all lanes have left              no lane reaches its end, or the end of its output, within these
//!     repeat n times:
//!         refill the windows of all lanes
//!         for each probe of a refill, for each lane:    independent look-ups: the lanes hide each other's latency
//!             write one or two differences, shift the window
//!         if a sentinel was shifted out: leave
//!     after an overrun: decode the symbols of one refill one by one, in every lane
//!     replace the lanes that have no refill left
//! decode the remaining symbols of each task one by one
//! ```

#![allow(clippy::indexing_slicing, reason = "lanes and probes count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::table::Entries;
use super::{BIAS_SHIFT, FIRST_SHIFT, INDEX_BITS, OVERRUN, PAIR, Prefetch, SENTINEL, Task};

/// Maximum number of tasks in lock-step. With a fourth, the windows, bit offsets and output pointers of all tasks would
/// not fit the 16 registers of baseline x86-64.
const MAX_LANES: usize = 3;

pub(super) fn decode(tasks: &mut [Task<'_>], _: &mut Prefetch) {
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(MAX_LANES);
    loop {
        lanes.retain(|task| task.has_refills(1));
        let free = MAX_LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter(|task| task.has_refills(1)).take(free));
        match lanes.first().map(|task| task.probes_per_refill()) {
            None => break,
            Some(8) => decode_lanes::<8, 16>(&mut lanes),
            Some(4) => decode_lanes::<4, 8>(&mut lanes),
            Some(3) => decode_lanes::<3, 6>(&mut lanes),
            Some(_) => decode_lanes::<2, 4>(&mut lanes),
        }
    }
    tasks.iter_mut().for_each(finish);
}

/// Decodes a task to its end.
#[inline(always)]
pub(super) fn finish(task: &mut Task<'_>) {
    while task.has_refills(1) {
        match task.probes_per_refill() {
            8 => decode_refills::<1, 8, 16>(&mut [task]),
            4 => decode_refills::<1, 4, 8>(&mut [task]),
            3 => decode_refills::<1, 3, 6>(&mut [task]),
            _ => decode_refills::<1, 2, 4>(&mut [task]),
        }
    }
    while task.step() {}
}

/// Decodes refills of the leading lanes that have `PROBES` probes per refill; the others wait.
fn decode_lanes<const PROBES: usize, const MAX_SYMBOLS: usize>(lanes: &mut [&mut Task<'_>]) {
    match lanes.iter().take_while(|task| task.probes_per_refill() == PROBES).count() {
        1 => decode_refills::<1, PROBES, MAX_SYMBOLS>(lanes),
        2 => decode_refills::<2, PROBES, MAX_SYMBOLS>(lanes),
        _ => decode_refills::<MAX_LANES, PROBES, MAX_SYMBOLS>(lanes),
    }
}

/// Decodes the first `LANES` lanes until one of them has no refill left, or a refill overruns its window. A refill of
/// `PROBES` probes decodes up to `MAX_SYMBOLS` = 2 * `PROBES` symbols per lane.
///
/// Every call makes progress: the callers' loops end only because of that.
#[inline(always)]
fn decode_refills<const LANES: usize, const PROBES: usize, const MAX_SYMBOLS: usize>(lanes: &mut [&mut Task<'_>]) {
    let Some(lanes) = lanes.first_chunk_mut::<LANES>() else {
        debug_assert!(false, "fewer lanes than the caller counted");
        return lanes.iter_mut().for_each(|task| while task.step() {});
    };
    let bits = lanes.each_ref().map(|task| task.bits);
    let entries: [[&Entries; LANES]; PROBES] =
        std::array::from_fn(|probe| lanes.each_ref().map(|task| task.entries[probe]));
    let mut refills = lanes.iter().map(|task| task.refill_count::<PROBES>()).min().unwrap_or(0);
    let mut bit_offsets = lanes.each_ref().map(|task| task.bit_offset);
    let mut decoded = lanes.each_ref().map(|task| task.decoded);
    let mut has_overrun = refills == 0;
    debug_assert!(!has_overrun, "the caller chooses lanes with a refill left");
    let mut outs: [&mut [u16]; LANES] = lanes.each_mut().map(|task| &mut *task.out);
    'refills: while refills > 0 {
        let mut windows: [u64; LANES] = std::array::from_fn(|lane| refill(bits[lane], bit_offsets[lane]));
        let mut slots =
            outs.iter_mut().zip(decoded).map(|(out, decoded)| out.get_mut(decoded..)?.first_chunk_mut::<MAX_SYMBOLS>());
        let mut slots: [Option<&mut [u16; MAX_SYMBOLS]>; LANES] = std::array::from_fn(|_| slots.next().flatten());
        let mut counts = [0; LANES];
        for entries in entries {
            for lane in 0..LANES {
                let Some(slots) = &mut slots[lane] else {
                    debug_assert!(false, "refill_count leaves space for MAX_SYMBOLS differences");
                    has_overrun = true;
                    break 'refills;
                };
                let entry = entries[lane][(windows[lane] >> (64 - INDEX_BITS)) as usize];
                // For an entry of one symbol both stores go to the same slot, and the second one remains.
                let first = (entry as u16).cast_signed() >> FIRST_SHIFT;
                let symbols = windows[lane].wrapping_shr(entry.wrapping_neg()) as u16;
                let last = symbols.wrapping_add((entry >> BIAS_SHIFT) as u16);
                let count: usize = counts[lane];
                let last_slot = count.wrapping_add(usize::from(entry & PAIR != 0));
                if let Some(slot) = slots.get_mut(count) {
                    *slot = first.cast_unsigned();
                }
                if let Some(slot) = slots.get_mut(last_slot) {
                    *slot = last;
                }
                counts[lane] = last_slot.wrapping_add(1);
                windows[lane] = windows[lane].wrapping_shl(entry);
            }
        }
        let consumed = windows.map(u64::trailing_zeros);
        has_overrun = consumed.iter().any(|consumed| consumed & OVERRUN != 0);
        if has_overrun {
            break;
        }
        for lane in 0..LANES {
            bit_offsets[lane] = bit_offsets[lane] / 8 * 8 + consumed[lane] as usize;
            decoded[lane] += counts[lane];
        }
        refills -= 1;
    }
    for lane in 0..LANES {
        lanes[lane].bit_offset = bit_offsets[lane];
        lanes[lane].decoded = decoded[lane];
        if has_overrun {
            (0..PROBES).for_each(|_| _ = lanes[lane].step());
        }
    }
}

/// Returns the window at `bit_offset`, with its sentinel.
fn refill(bits: &[u8], bit_offset: usize) -> u64 {
    let word = bits.get(bit_offset / 8..bit_offset / 8 + 8).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    (u64::from_be_bytes(word) | SENTINEL) << (bit_offset % 8)
}
