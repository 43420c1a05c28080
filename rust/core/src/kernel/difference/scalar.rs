//! One task at a time.

use super::{LENGTH, MISSES, Task, window};

pub(super) fn run(tasks: &mut [Task<'_>]) {
    for task in tasks {
        finish(task);
    }
}

/// Takes a task to its end.
#[inline(always)]
pub(super) fn finish(task: &mut Task<'_>) {
    match task.group() {
        4 => groups::<4>(task),
        3 => groups::<3>(task),
        _ => groups::<2>(task),
    }
    while task.step() {}
}

/// Groups of symbols, one refill each.
#[inline(always)]
fn groups<const S: usize>(task: &mut Task<'_>) {
    let Some(tables) = task.tables.first_chunk::<S>().copied() else { return };
    loop {
        let refills = task.refills();
        if refills == 0 {
            return;
        }
        let bits = task.bits;
        let Some(out) = task.out.get_mut(task.made..).map(|out| out.as_chunks_mut::<S>().0) else { return };
        let mut at = task.at;
        let mut done = 0;
        for differences in out.iter_mut().take(refills) {
            let mut window = window(bits, at);
            let mut sum = 0_u32;
            for (difference, table) in differences.iter_mut().zip(tables) {
                // The index is 12 bits, as the table has entries.
                let entry = table.entries.get((window >> 52) as usize).copied().unwrap_or(0);
                #[expect(clippy::cast_possible_truncation, reason = "differences are modulo 2^16")]
                let further = window.wrapping_shr(entry.wrapping_neg() & 63) as u16;
                #[expect(clippy::cast_possible_truncation, reason = "16 bits are left")]
                let bias = (entry >> 16) as u16;
                *difference = further.wrapping_add(bias);
                window = window.wrapping_shl(entry & 63);
                sum = sum.wrapping_add(entry);
            }
            if sum & MISSES != 0 {
                break;
            }
            at += (sum & LENGTH) as usize;
            done += S;
        }
        task.at = at;
        task.made += done;
        if done < refills * S {
            for _ in 0..S {
                task.step();
            }
        }
    }
}
