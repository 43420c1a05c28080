//! Self-synchronising Huffman decoding: chunks of one long segment are decoded in lock-step before it is known where
//! their first symbols start.
//!
//! A decoder that starts in the middle of a Huffman code soon reaches a position where a code starts, and from there on
//! decodes the same symbols as a decoder from the start (Klein and Wiseman 2003; for parallel decoding: Weißenberger
//! and Schmidt, ICPP 2018). So every chunk is decoded from its first bit on; afterwards, in order, the symbols before a
//! chunk are followed into it until both decoders are at the same bit, with the same table:
//!
//! ```text
//! chunk 0  ├────────────────────┼──┐ followed
//! chunk 1                       ├ ─┴────────────────┼──┐ followed
//! chunk 2                       dropped             ├ ─┴──────────────
//!
//! decode all chunks in lock-step, chunk k from bit k * chunk_bits on, as far as symbols start in it
//! verified = the symbols of chunk 0
//! for each chunk k > 0:
//!     a = cursor at the end of the verified symbols       b = cursor at the first bit of chunk k
//!     until a and b have the same state:                  `synchronise`
//!         advance the one that is behind; keep the symbols of a
//!         give up after 2000 symbols, or at the end of the chunk
//!     verified += symbols of a, then the symbols of the chunk without those of b
//! return the verified symbols; the caller decodes the rest from their end on
//! ```
//!
//! Example: code lengths 2 and 3, chunk 1 starts at bit 1000, and the last symbol of chunk 0 starts at bit 998 and ends
//! at 1001. The cursor `b` reads symbols that end at 1003, 1005, 1008; the cursor `a` at 1004, 1006, 1008: both are at
//! 1008. The three symbols of `a` are kept, the first three of chunk 1 are dropped, and everything after them is what a
//! decoder from the start would have decoded, because it depends only on the position and the table.
//!
//! Most streams synchronise within 20 symbols. Streams whose symbols all have the same length never do.

use crate::error::Result;
use crate::kernel::CpuLevel;
use crate::kernel::huffman::{self, Cursor, Prefetch, Table, Task};
use crate::limits::Limits;
use std::ops::Range;

/// Bounds of the length of a chunk in bits. Synchronisation decodes some 20 symbols twice, and the last 40 symbols of a
/// chunk are decoded alone: 10 % of 4096 bits. Six chunks of 43 Ki bits fill a window; four of 64 Ki bits were 3 % slower, five
/// 1 % (measured).
const MIN_CHUNK_BITS: usize = 4 * 1024;
const MAX_CHUNK_BITS: usize = 64 * 1024;
/// Chunks that the Huffman kernel decodes in lock-step.
const LANES: usize = 6;
/// Differences between the buffers of two chunks: 320 bytes, so that the lanes do not write to the same cache sets.
const CHUNK_GAP: usize = 5 * 32;
/// Symbols after which a chunk is given up. Streams that synchronise at all take far fewer: 1 to 24 on real frames, at
/// most 160 in all measurements.
pub(super) const MAX_SYNC_SYMBOLS: usize = 2000;

/// Memory that decoding the chunks of a window needs.
#[derive(Debug, Default)]
pub(super) struct ChunkBuffers {
    /// Differences of all chunks of a window, except for the first one, which is decoded to the output.
    differences: Vec<u16>,
    /// Memory to which the samples of the next window will be written.
    pub(super) prefetch: Prefetch,
}

impl ChunkBuffers {
    /// Makes the buffer of differences large enough for the chunks of `bits` bits.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn grow(&mut self, bits: usize, limits: &Limits) -> Result<()> {
        let chunks = chunk_count(bits);
        // A symbol has one bit at least.
        limits.grow_zeroed(&mut self.differences, chunks.saturating_sub(1) * (bits / chunks.max(1) + CHUNK_GAP))
    }
}

/// Returns the number of chunks that `bits` bits are cut into, a multiple of [`LANES`] unless the chunks would be too
/// short.
fn chunk_count(bits: usize) -> usize {
    if bits < LANES * MIN_CHUNK_BITS {
        bits / MIN_CHUNK_BITS
    } else {
        bits.div_ceil(MAX_CHUNK_BITS).next_multiple_of(LANES)
    }
}

/// The symbols at the start of a range that are known to be right: those that a decoder from its start would decode.
/// The range may contain more.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerifiedRun {
    /// Number of symbols. Their differences are at the start of `out`.
    pub(super) decoded: usize,
    /// Bit offset of the next symbol.
    pub(super) bit_offset: usize,
    /// Number of symbols up to and including the last unassigned code, 0 if there is none.
    pub(super) unassigned: usize,
}

/// Decodes symbols of `bits` that start in `range`, until `out` is full.
///
/// `is_guess` is true if it is unknown whether a symbol starts at the start of `range`. Unassigned codes in the first
/// chunk are then reported in the result, because they may come from the wrong start. Otherwise the result ends before
/// the first chunk with an unassigned code.
pub(super) fn decode_chunks(
    tables: &[&Table],
    bits: &[u8],
    range: Range<usize>,
    is_guess: bool,
    out: &mut [u16],
    buffers: &mut ChunkBuffers,
    level: CpuLevel,
) -> VerifiedRun {
    let mut verified = VerifiedRun { decoded: 0, bit_offset: range.start, unassigned: 0 };
    let count = chunk_count(range.len());
    if count < 2 {
        return verified;
    }
    let chunk_bits = range.len() / count;
    let differences = [&mut *out].into_iter().chain(buffers.differences.chunks_exact_mut(chunk_bits + CHUNK_GAP));
    let starts: Vec<usize> = (0..count).map(|index| range.start + index * chunk_bits).collect();
    let mut tasks: Vec<Task<'_>> = starts
        .iter()
        .zip(differences)
        .filter_map(|(start, buffer)| Task::new(tables, bits, *start, start + chunk_bits, buffer))
        .collect();
    huffman::decode(&mut tasks, &mut buffers.prefetch, level);
    let mut tasks = tasks.into_iter();
    let Some(first) = tasks.next().filter(|first| is_guess || first.unassigned() == 0) else { return verified };
    verified = VerifiedRun { decoded: first.decoded(), bit_offset: first.bit_offset(), unassigned: first.unassigned() };
    let out = first.into_out();
    for (task, start) in tasks.zip(starts.into_iter().skip(1)) {
        if !verified.append_chunk(&task, start, tables, bits, out) {
            break;
        }
    }
    verified.unassigned = verified.unassigned.min(verified.decoded);
    verified
}

impl VerifiedRun {
    /// Appends the symbols up to the end of the chunk that starts at bit `start`; returns `false` and appends nothing
    /// if the chunk cannot be verified.
    fn append_chunk(
        &mut self,
        chunk: &Task<'_>,
        start: usize,
        tables: &[&Table],
        bits: &[u8],
        out: &mut [u16],
    ) -> bool {
        // The chunk before this one ended early, because its buffer was full.
        if self.bit_offset < start {
            return false;
        }
        let Some(free) = out.get_mut(self.decoded..) else { return false };
        let end_bit = chunk.bit_offset();
        let phase = self.decoded % tables.len().max(1);
        let verified = Cursor::new(tables, phase, bits, self.bit_offset);
        let guessed = Cursor::new(tables, 0, bits, start);
        let Some((followed, dropped)) = synchronise(verified, guessed, end_bit, free) else { return false };
        let Some(differences) = chunk.differences().get(dropped..) else { return false };
        let appended_at = self.decoded + followed;
        if chunk.unassigned() > dropped {
            return false;
        }
        let Some(appended) = out.get_mut(appended_at..appended_at + differences.len()) else { return false };
        appended.copy_from_slice(differences);
        self.decoded = appended_at + differences.len();
        self.bit_offset = end_bit;
        true
    }
}

/// Advances two cursors until they have the same state, from which on they read the same symbols.
///
/// Returns how many symbols each of them read; those of `verified` are in `out`. Returns `None` if one of them reaches
/// `end_bit`, `verified` reads an unassigned code, `out` is full, or [`MAX_SYNC_SYMBOLS`] symbols were not enough.
pub(super) fn synchronise(
    mut verified: Cursor<'_>,
    mut guessed: Cursor<'_>,
    end_bit: usize,
    out: &mut [u16],
) -> Option<(usize, usize)> {
    while !verified.same_state(&guessed) {
        if verified.bit_offset().min(guessed.bit_offset()) >= end_bit || verified.decoded() >= MAX_SYNC_SYMBOLS {
            return None;
        }
        if verified.bit_offset() <= guessed.bit_offset() {
            let difference = out.get_mut(verified.decoded())?;
            *difference = verified.step()?;
        } else {
            guessed.step();
        }
    }
    Some((verified.decoded(), guessed.decoded()))
}

/// Returns the tables in the order of their use after `decoded` symbols: they are used cyclically, one per component.
pub(super) fn tables_from_phase<'t>(tables: &[&'t Table], decoded: usize) -> Vec<&'t Table> {
    tables.iter().cycle().skip(decoded % tables.len().max(1)).take(tables.len()).copied().collect()
}

#[cfg(test)]
mod tests;
