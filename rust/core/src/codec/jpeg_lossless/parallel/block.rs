//! Blocks of entropy-coded data, and their decoding without knowledge of the data before them.

use super::super::plan::{Plan, ScanPlan};
use super::super::self_sync::{ChunkBuffers, VerifiedRun, decode_chunks, tables_from_phase};
use super::super::stream::{HELD_BACK_BITS, WINDOW_BYTES};
use crate::error::Result;
use crate::kernel::huffman::{self, PAD_BYTES, Prefetch, Table, Task};
use crate::kernel::{CpuLevel, unstuff};
use crate::limits::Limits;
use std::ops::Range;

/// Bytes of a block before unstuffing.
pub(super) const BLOCK_BYTES: usize = WINDOW_BYTES;
/// Segments of up to this many bytes are decoded whole, several per block.
pub(super) const MAX_SHORT_SEGMENT_BYTES: usize = BLOCK_BYTES / 4;
/// Bytes after a block, stuffed ones included, that its last symbol may reach into: it has at most 31 bits.
const LOOKAHEAD_BYTES: usize = 2 * size_of::<u32>() + 1;
/// Bytes of a block's bit buffer. A block may be one byte longer, because FF and its
/// stuffed 00 stay together, and unstuffing stores whole vectors.
const BITS_BYTES: usize = BLOCK_BYTES + LOOKAHEAD_BYTES + 4 * PAD_BYTES;
/// Differences of a block: a symbol has one bit at least.
pub(super) const BLOCK_DIFFERENCES: usize = BLOCK_BYTES * 8;

/// The data that one thread decodes at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// Indices of whole segments.
    Segments(Range<usize>),
    /// Bytes of the frame that are a part of one segment.
    Part { segment: usize, bytes: Range<usize> },
}

/// A decoded block.
#[derive(Debug)]
pub(super) struct BlockBuffer {
    /// Unstuffed bytes.
    pub(super) bits: Vec<u8>,
    pub(super) differences: Vec<u16>,
    /// Bytes of `bits` in use, lookahead and padding included.
    pub(super) filled_bytes: usize,
    /// Bit offset of the end of the block's own bits.
    pub(super) end_bit: usize,
    /// Symbols of a part, decoded from its first bit on.
    pub(super) run: VerifiedRun,
    /// Whole segments, whose differences are consecutive.
    pub(super) segments: Vec<SegmentResult>,
}

/// Outcome of a whole segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentResult {
    /// Number of symbols.
    pub(super) decoded: usize,
    /// Bit offset after the last symbol.
    pub(super) bit_offset: usize,
    /// Bit offset of the end of the segment.
    pub(super) end_bit: usize,
    /// True if all codes are assigned.
    pub(super) is_assigned: bool,
}

/// The scan and its blocks, shared by all threads.
#[derive(Clone, Copy)]
pub(super) struct ScanContext<'s> {
    pub(super) plan: &'s Plan<'s>,
    pub(super) scan: &'s ScanPlan,
    pub(super) tables: &'s [&'s Table],
    pub(super) blocks: &'s [Block],
    pub(super) level: CpuLevel,
}

/// Cuts segments into blocks of similar size: short segments are grouped, long ones divided into equal parts.
pub(super) fn split(frame: &[u8], segments: &[Range<usize>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut free_bytes = 0;
    for (segment, bytes) in segments.iter().enumerate() {
        if bytes.len() <= MAX_SHORT_SEGMENT_BYTES {
            match blocks.last_mut() {
                Some(Block::Segments(group)) if bytes.len() + PAD_BYTES <= free_bytes => group.end = segment + 1,
                _ => {
                    blocks.push(Block::Segments(segment..segment + 1));
                    free_bytes = BLOCK_BYTES;
                }
            }
            free_bytes -= bytes.len() + PAD_BYTES;
            continue;
        }
        let parts = bytes.len().div_ceil(BLOCK_BYTES);
        let (part_bytes, longer_parts) = (bytes.len() / parts, bytes.len() % parts);
        let mut start = bytes.start;
        for part in 1..=parts {
            let mut end = bytes.start + part * part_bytes + part.min(longer_parts);
            if part < parts && frame.get(..end).is_some_and(|data| data.ends_with(&[0xFF])) {
                // FF and its stuffed 00 stay together.
                end += 1;
            }
            blocks.push(Block::Part { segment, bytes: start..end });
            start = end;
        }
    }
    blocks
}

impl BlockBuffer {
    /// Bytes that a buffer allocates.
    pub(super) const BYTES: usize = BITS_BYTES + BLOCK_DIFFERENCES * size_of::<u16>();

    /// Allocates a buffer.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn new(limits: &Limits) -> Result<Self> {
        Ok(Self {
            bits: limits.zeroed(BITS_BYTES)?,
            differences: limits.zeroed(BLOCK_DIFFERENCES)?,
            filled_bytes: 0,
            end_bit: 0,
            run: VerifiedRun { decoded: 0, bit_offset: 0, unassigned: 0 },
            segments: Vec::new(),
        })
    }

    /// Decodes the block at `index`.
    pub(super) fn decode(&mut self, scan: &ScanContext<'_>, index: usize, chunks: &mut ChunkBuffers) {
        match scan.blocks.get(index) {
            Some(Block::Segments(segments)) => self.decode_segments(scan, segments.clone()),
            Some(Block::Part { segment, bytes }) => self.decode_part(scan, *segment, bytes.clone(), chunks),
            None => debug_assert!(false, "the queue has the indices of all blocks"),
        }
    }

    /// Decodes whole segments in lock-step.
    fn decode_segments(&mut self, scan: &ScanContext<'_>, segments: Range<usize>) {
        let Self { bits, differences, filled_bytes, segments: results, .. } = self;
        results.clear();
        *filled_bytes = 0;
        for bytes in scan.scan.segments.get(segments.clone()).unwrap_or_default() {
            let bit_offset = *filled_bytes * 8;
            *filled_bytes += scan.unstuff(bytes.clone(), bits, *filled_bytes);
            results.push(SegmentResult { decoded: 0, bit_offset, end_bit: *filled_bytes * 8, is_assigned: true });
            *filled_bytes += pad(bits, *filled_bytes);
        }
        let mut free = differences.as_mut_slice();
        let bits = bits.as_slice();
        let mut tasks: Vec<Task<'_>> = Vec::with_capacity(results.len());
        for (index, segment) in segments.zip(results.iter()) {
            // A segment with fewer bits than symbols fails; its missing symbols need no space.
            let bit_count = segment.end_bit - segment.bit_offset;
            let symbols = scan.plan.segment_symbols(scan.scan, index).min(bit_count);
            let Some((out, rest)) = std::mem::take(&mut free).split_at_mut_checked(symbols) else { break };
            free = rest;
            tasks.extend(Task::new(scan.tables, bits, segment.bit_offset, segment.end_bit, out));
        }
        huffman::decode(&mut tasks, &mut Prefetch::default(), scan.level);
        for (segment, task) in results.iter_mut().zip(&tasks) {
            (segment.decoded, segment.bit_offset) = (task.decoded(), task.bit_offset());
            segment.is_assigned = task.unassigned() == 0;
        }
    }

    /// Decodes a part of a segment as if a symbol started at its first bit.
    fn decode_part(&mut self, scan: &ScanContext<'_>, segment: usize, bytes: Range<usize>, chunks: &mut ChunkBuffers) {
        let is_guess = !scan.is_start(segment, &bytes);
        let is_last = self.fill(scan, segment, bytes);
        let bits = self.bits.get(..self.filled_bytes).unwrap_or_default();
        let end_bit = end_of_symbols(self.end_bit, is_last);
        let out = &mut self.differences;
        self.run = decode_chunks(scan.tables, bits, 0..end_bit, is_guess, out, chunks, scan.level);
        let run = &mut self.run;
        let free = out.get_mut(run.decoded..).unwrap_or_default();
        if let Some(mut task) =
            Task::new(&tables_from_phase(scan.tables, run.decoded), bits, run.bit_offset, end_bit, free)
        {
            huffman::decode(std::slice::from_mut(&mut task), &mut Prefetch::default(), scan.level);
            if task.unassigned() > 0 {
                run.unassigned = run.decoded + task.unassigned();
            }
            run.decoded += task.decoded();
            run.bit_offset = task.bit_offset();
        }
    }

    /// Unstuffs a part of a segment, and the bytes after it that its last symbol may reach into. Returns `true` if the
    /// segment ends with the part.
    pub(super) fn fill(&mut self, scan: &ScanContext<'_>, segment: usize, bytes: Range<usize>) -> bool {
        let data_end = scan.scan.segments.get(segment).map_or(bytes.end, |segment| segment.end);
        let lookahead = bytes.end..data_end.min(bytes.end + LOOKAHEAD_BYTES);
        let is_last = lookahead.is_empty();
        let part_bytes = scan.unstuff(bytes, &mut self.bits, 0);
        self.end_bit = part_bytes * 8;
        let filled_bytes = part_bytes + scan.unstuff(lookahead, &mut self.bits, part_bytes);
        self.filled_bytes = filled_bytes + pad(&mut self.bits, filled_bytes);
        is_last
    }
}

impl ScanContext<'_> {
    /// Unstuffs bytes of the frame to `out` from `offset` on; returns the number of bytes written.
    fn unstuff(&self, bytes: Range<usize>, out: &mut [u8], offset: usize) -> usize {
        let (Some(src), Some(out)) = (self.plan.frame.get(bytes), out.get_mut(offset..)) else {
            debug_assert!(false, "a range outside of the frame or the buffer");
            return 0;
        };
        unstuff::unstuff(src, out, self.level)
    }

    /// True if a segment starts with `bytes`.
    pub(super) fn is_start(&self, segment: usize, bytes: &Range<usize>) -> bool {
        self.scan.segments.get(segment).is_some_and(|segment| segment.start == bytes.start)
    }
}

/// Writes zeros after unstuffed bytes, and returns their number.
fn pad(bits: &mut [u8], offset: usize) -> usize {
    match bits.get_mut(offset..offset + PAD_BYTES) {
        Some(pad) => pad.fill(0),
        None => debug_assert!(false, "the buffer has space for padding"),
    }
    PAD_BYTES
}

/// Returns the bit offset from which on no symbol is decoded speculatively: the last bits of a segment may be padding.
pub(super) const fn end_of_symbols(end_bit: usize, is_last: bool) -> usize {
    if is_last { end_bit.saturating_sub(HELD_BACK_BITS) } else { end_bit }
}
