//! Up to three tasks in turn, so that none waits for the look-up of another.

#![allow(clippy::indexing_slicing, reason = "lanes and symbols count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "differences are modulo 2^16, an index is 12 bits")]

use super::{Table, Task, WINDOW_BITS, window};

/// More lanes do not fit the registers of a baseline CPU.
const LANES: usize = 3;

pub(super) fn run(tasks: &mut [Task<'_>]) {
    let mut waiting = tasks.iter_mut();
    let mut lanes: Vec<&mut Task<'_>> = Vec::with_capacity(LANES);
    loop {
        lanes.retain(|task| task.refills() > 0);
        let room = LANES - lanes.len();
        lanes.extend(waiting.by_ref().filter(|task| task.refills() > 0).take(room));
        match lanes.first().map(|task| task.group()) {
            None => break,
            Some(8) => batch_of::<8>(&mut lanes),
            Some(4) => batch_of::<4>(&mut lanes),
            Some(3) => batch_of::<3>(&mut lanes),
            Some(_) => batch_of::<2>(&mut lanes),
        }
    }
    tasks.iter_mut().for_each(finish);
}

/// Takes a task to its end.
#[inline(always)]
pub(super) fn finish(task: &mut Task<'_>) {
    while task.refills() > 0 {
        match task.group() {
            8 => batch::<1, 8>(&mut [task]),
            4 => batch::<1, 4>(&mut [task]),
            3 => batch::<1, 3>(&mut [task]),
            _ => batch::<1, 2>(&mut [task]),
        }
    }
    while task.step() {}
}

/// One batch of as many lanes as there are; those with another group than the first wait.
fn batch_of<const S: usize>(lanes: &mut [&mut Task<'_>]) {
    match lanes.iter().take_while(|task| task.group() == S).count() {
        1 => batch::<1, S>(lanes),
        2 => batch::<2, S>(lanes),
        _ => batch::<LANES, S>(lanes),
    }
}

/// As many groups of the first N lanes as all have room for, or up to a symbol that one probe does not tell.
#[inline(always)]
fn batch<const N: usize, const S: usize>(lanes: &mut [&mut Task<'_>]) {
    let Some(lanes) = lanes.first_chunk_mut::<N>() else { return };
    let refills = lanes.iter().map(|task| task.refills()).min().unwrap_or(0);
    let mut done = 0;
    let mut missed = false;
    {
        let mut at = lanes.each_ref().map(|task| task.at);
        let bits = lanes.each_ref().map(|task| task.bits);
        let tables: [[&Table; S]; N] =
            lanes.each_ref().map(|task| task.tables.first_chunk().copied().unwrap_or([task.tables[0]; S]));
        let outs: [&mut [[u16; S]]; N] =
            lanes.each_mut().map(|task| task.out.get_mut(task.made..).unwrap_or_default().as_chunks_mut().0);
        let refills = outs.iter().map(|out| out.len()).min().unwrap_or(0).min(refills);
        while done < refills && !missed {
            let mut windows: [u64; N] = std::array::from_fn(|lane| window(bits[lane], at[lane]));
            let mut taken = [0_u32; N];
            for symbol in 0..S {
                for lane in 0..N {
                    let entry = tables[lane][symbol].entries[(windows[lane] >> 52) as usize];
                    let length = entry & 63;
                    let further = windows[lane].wrapping_shr(length.wrapping_neg()) as u16;
                    outs[lane][done][symbol] = further.wrapping_add((entry >> 16) as u16);
                    windows[lane] = windows[lane].wrapping_shl(length);
                    taken[lane] = taken[lane].wrapping_add(length);
                }
            }
            missed = taken.iter().any(|taken| *taken as usize > WINDOW_BITS);
            if !missed {
                for lane in 0..N {
                    at[lane] += taken[lane] as usize;
                }
                done += 1;
            }
        }
        for (lane, at) in lanes.iter_mut().zip(at) {
            lane.at = at;
        }
    }
    for lane in lanes {
        lane.made += done * S;
        if missed {
            (0..S).for_each(|_| _ = lane.step());
        }
    }
}
