//! Chunks of one long segment, decoded in lock-step before it is known where their first code begins.
//!
//! Huffman codes fall into step by themselves (Klein and Wiseman 2003): a decoder that starts in the middle of a code
//! soon stands where a code begins. So each chunk is decoded from its first bit on; then, from first to last, the
//! codes of the chunk before are followed into it until both ways meet. All before that place is dropped, and
//! all behind it is what a decoder from the start would have made.
//!
//! ```text
//! chunk 0  ├─────────────────┼──┐ followed
//! chunk 1                    ├ ─┴──────────────┼──┐
//! chunk 2                      dropped         ├ ─┴───────────
//! ```

use super::stream::grow;
use crate::kernel::CpuLevel;
use crate::kernel::huffman::{self, Table, Task, Walk};
use crate::limits::Limits;
use std::ops::Range;

/// Bits of a chunk: short ones cost more in following, long ones leave lanes idle at the end.
const LEAST_CHUNK_BITS: usize = 4 * 1024;
const MOST_CHUNK_BITS: usize = 32 * 1024;
/// Lanes that the chunks are for.
const LANES: usize = 4;
/// Differences between the regions of two chunks, so that they don't compete for the same cache sets.
const APART: usize = 5 * 32;
/// Codes that are followed until the chunk is given up: most meet within 20.
pub(super) const MOST_FOLLOWED: usize = 2000;

/// Room for the differences of chunks.
#[derive(Debug, Default)]
pub(super) struct ChunkBuffers(Vec<u16>);

impl ChunkBuffers {
    /// Makes room for the chunks of so many bits; `false` where the budget does not allow it.
    pub(super) fn grow(&mut self, bits: usize, limits: &Limits) -> bool {
        let chunks = chunks(bits);
        let needed = chunks * (bits / chunks.max(1) + APART);
        grow(&mut self.0, needed, limits).is_ok()
    }
}

/// How many chunks so many bits are cut into: whole rounds of the lanes.
fn chunks(bits: usize) -> usize {
    if bits < LANES * LEAST_CHUNK_BITS {
        bits / LEAST_CHUNK_BITS
    } else {
        bits.div_ceil(MOST_CHUNK_BITS).next_multiple_of(LANES)
    }
}

/// What chunks have come to, as a decoder from the start of the first one would have, though not always all that there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerifiedRun {
    /// Differences, first to last in `out`.
    pub(super) made: usize,
    /// Position of the next code.
    pub(super) at: usize,
    /// Differences made when the last unassigned code had been met, 0 if none was.
    pub(super) unassigned: usize,
}

/// Decodes the codes of `bits` that begin within `range`, at most as many as `out` holds. Where the first chunk is as much
/// a guess as the others (`is_guess`), unassigned codes are met in it without being errors, and are told of.
pub(super) fn speculate(
    tables: &[&Table],
    bits: &[u8],
    range: Range<usize>,
    is_guess: bool,
    out: &mut [u16],
    regions: &mut ChunkBuffers,
    tier: CpuLevel,
) -> VerifiedRun {
    let mut proven = VerifiedRun { made: 0, at: range.start, unassigned: 0 };
    let count = chunks(range.len());
    if count < 2 {
        return proven;
    }
    let chunk_bits = range.len() / count;
    // As many differences as a chunk of one-bit codes has.
    let regions = regions.0.chunks_exact_mut(chunk_bits + APART);
    let starts: Vec<usize> = (0..count).map(|index| range.start + index * chunk_bits).collect();
    let mut tasks: Vec<Task<'_>> = starts
        .iter()
        .zip(regions)
        .filter_map(|(start, region)| Task::new(tables, bits, *start, start + chunk_bits, region))
        .collect();
    huffman::run(&mut tasks, tier);
    if let (true, Some(first)) = (is_guess, tasks.first()) {
        proven.unassigned = first.unassigned();
    }
    for (task, start) in tasks.iter().zip(starts) {
        if !proven.join(task, start, tables, bits, out) {
            break;
        }
    }
    proven.unassigned = proven.unassigned.min(proven.made);
    proven
}

impl VerifiedRun {
    /// Goes on to the end of the chunk that starts at `start`; `false` if it is not known to be right.
    fn join(&mut self, chunk: &Task<'_>, start: usize, tables: &[&Table], bits: &[u8], out: &mut [u16]) -> bool {
        // The chunk before was cut.
        if self.at < start {
            return false;
        }
        let Some(room) = out.get_mut(self.made..) else { return false };
        let end = chunk.at();
        let phase = self.made % tables.len().max(1);
        let (ours, theirs) = (Walk::new(tables, phase, bits, self.at), Walk::new(tables, 0, bits, start));
        let Some((followed, skipped)) = meet(ours, theirs, end, room) else { return false };
        let Some(right) = chunk.differences().get(skipped..) else { return false };
        let from = self.made + followed;
        let allowed = if self.made == 0 { self.unassigned } else { 0 };
        if chunk.unassigned() > skipped.max(allowed) {
            return false;
        }
        let Some(to) = out.get_mut(from..from + right.len()) else { return false };
        to.copy_from_slice(right);
        self.made = from + right.len();
        self.at = end;
        true
    }
}

/// Takes both on until they meet: where they have the same codes before them, they stay together. Returns how many codes
/// each of them took, `ours` into `out`, or `None` where they don't meet before `end`, or not soon.
pub(super) fn meet(mut ours: Walk<'_>, mut theirs: Walk<'_>, end: usize, out: &mut [u16]) -> Option<(usize, usize)> {
    while !ours.is_where(&theirs) {
        if ours.at().min(theirs.at()) >= end || ours.made() >= MOST_FOLLOWED {
            return None;
        }
        if ours.at() <= theirs.at() {
            let to = out.get_mut(ours.made())?;
            *to = ours.step()?;
        } else {
            theirs.step();
        }
    }
    Some((ours.made(), theirs.made()))
}

/// The tables in the order in which they are next after `made` symbols.
pub(super) fn rotated<'t>(tables: &[&'t Table], made: usize) -> Vec<&'t Table> {
    tables.iter().cycle().skip(made % tables.len().max(1)).take(tables.len()).copied().collect()
}

#[cfg(test)]
mod tests;
