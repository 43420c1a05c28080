//! Up to three tasks in turn, so that none waits for the look-up of another.

#![allow(clippy::indexing_slicing, reason = "lanes and symbols count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::{Entries, FIRST_AT, INDEX_BITS, LAST_AT, MARK, MISSED, PAIR, Task};

/// More lanes do not fit the registers of a baseline CPU.
const LANES: usize = 3;

pub(super) fn run(tasks: &mut [Task<'_>]) {
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(LANES);
    loop {
        lanes.retain(|task| task.has_refills(1));
        let room = LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter(|task| task.has_refills(1)).take(room));
        match lanes.first().map(|task| task.group()) {
            None => break,
            Some(8) => batch_of::<8, 16>(&mut lanes),
            Some(4) => batch_of::<4, 8>(&mut lanes),
            Some(3) => batch_of::<3, 6>(&mut lanes),
            Some(_) => batch_of::<2, 4>(&mut lanes),
        }
    }
    tasks.iter_mut().for_each(finish);
}

/// Takes a task to its end.
#[inline(always)]
pub(super) fn finish(task: &mut Task<'_>) {
    while task.has_refills(1) {
        match task.group() {
            8 => batch::<1, 8, 16>(&mut [task]),
            4 => batch::<1, 4, 8>(&mut [task]),
            3 => batch::<1, 3, 6>(&mut [task]),
            _ => batch::<1, 2, 4>(&mut [task]),
        }
    }
    while task.step() {}
}

/// One batch of as many lanes as there are; those with another group than the first wait.
fn batch_of<const S: usize, const MOST: usize>(lanes: &mut [&mut Task<'_>]) {
    match lanes.iter().take_while(|task| task.group() == S).count() {
        1 => batch::<1, S, MOST>(lanes),
        2 => batch::<2, S, MOST>(lanes),
        _ => batch::<LANES, S, MOST>(lanes),
    }
}

/// As many refills of the first N lanes as all have room for, or up to a symbol that one probe does not tell. A refill of
/// `S` probes makes up to `MOST` differences.
#[inline(always)]
fn batch<const N: usize, const S: usize, const MOST: usize>(lanes: &mut [&mut Task<'_>]) {
    let Some(lanes) = lanes.first_chunk_mut::<N>() else { return };
    let bits = lanes.each_ref().map(|task| task.bits);
    let entries: [[&Entries; N]; S] = std::array::from_fn(|symbol| lanes.each_ref().map(|task| task.entries[symbol]));
    let mut refills = lanes.iter().map(|task| task.refills::<S>()).min().unwrap_or(0);
    let mut at = lanes.each_ref().map(|task| task.at);
    let mut made = lanes.each_ref().map(|task| task.made);
    let mut missed = false;
    let mut outs: [&mut [u16]; N] = lanes.each_mut().map(|task| &mut *task.out);
    while refills > 0 {
        let mut windows: [u64; N] = std::array::from_fn(|lane| marked(bits[lane], at[lane]));
        let mut rooms = outs.iter_mut().zip(made).map(|(out, made)| out.get_mut(made..)?.first_chunk_mut::<MOST>());
        let mut rooms: [Option<&mut [u16; MOST]>; N] = std::array::from_fn(|_| rooms.next().flatten());
        let mut counts = [0; N];
        for entries in entries {
            for lane in 0..N {
                let Some(room) = &mut rooms[lane] else { return };
                let entry = entries[lane][(windows[lane] >> (64 - INDEX_BITS)) as usize];
                // Where there is no first one of two, the last is written over it.
                let first = (entry as u16).cast_signed() >> FIRST_AT;
                let further = windows[lane].wrapping_shr(entry.wrapping_neg()) as u16;
                let last = further.wrapping_add((entry >> LAST_AT) as u16);
                let count: usize = counts[lane];
                let behind = count.wrapping_add(usize::from(entry & PAIR != 0));
                if let Some(to) = room.get_mut(count) {
                    *to = first.cast_unsigned();
                }
                if let Some(to) = room.get_mut(behind) {
                    *to = last;
                }
                counts[lane] = behind.wrapping_add(1);
                windows[lane] = windows[lane].wrapping_shl(entry);
            }
        }
        let taken = windows.map(u64::trailing_zeros);
        missed = taken.iter().any(|taken| taken & MISSED != 0);
        if missed {
            break;
        }
        for lane in 0..N {
            at[lane] = at[lane] / 8 * 8 + taken[lane] as usize;
            made[lane] += counts[lane];
        }
        refills -= 1;
    }
    for lane in 0..N {
        lanes[lane].at = at[lane];
        lanes[lane].made = made[lane];
        if missed {
            (0..S).for_each(|_| _ = lanes[lane].step());
        }
    }
}

/// The bits from `at` on, left-aligned and marked.
fn marked(bits: &[u8], at: usize) -> u64 {
    let word = bits.get(at / 8..at / 8 + 8).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    (u64::from_be_bytes(word) | MARK) << (at % 8)
}
