//! Stretches of entropy-coded data, and what is found of one without knowing what lies before it.

use super::super::plan::{Plan, ScanPlan};
use super::super::self_sync::{ChunkBuffers, VerifiedRun, rotated, speculate};
use super::super::stream::{HELD_BACK_BITS, WINDOW_BYTES};
use crate::kernel::huffman::{self, PAD_BYTES, Table, Task};
use crate::kernel::{CpuLevel, unstuff};
use std::ops::Range;

/// Bytes of a stretch.
pub(super) const STRETCH_BYTES: usize = WINDOW_BYTES;
/// Segments up to this many bytes are decoded side by side, whole.
pub(super) const SHORT_BYTES: usize = STRETCH_BYTES / 4;
/// Bytes behind a stretch, stuffing among them, that its last code may reach into: it has 32 bits at most.
const BEHIND_BYTES: usize = 2 * size_of::<u32>() + 1;
/// Room for the bytes of a stretch: a 00 may come with its last FF, and vectors are moved.
pub(super) const BITS_BYTES: usize = STRETCH_BYTES + BEHIND_BYTES + 4 * PAD_BYTES;
/// Room for the differences of a stretch: a code has one bit at least.
pub(super) const DIFFERENCES: usize = STRETCH_BYTES * 8;

/// A stretch of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// Whole segments.
    Segments(Range<usize>),
    /// Bytes of the frame that belong to one segment.
    Part { segment: usize, bytes: Range<usize> },
}

/// A stretch, decoded.
#[derive(Debug)]
pub(super) struct BlockBuffer {
    pub(super) bits: Vec<u8>,
    pub(super) differences: Vec<u16>,
    /// Bytes in `bits`, padding among them, and the position behind the stretch's own.
    pub(super) filled: usize,
    pub(super) end: usize,
    /// What was found of a part from its first bit on.
    pub(super) found: VerifiedRun,
    /// What was found of whole segments.
    pub(super) segments: Vec<Segment>,
}

/// A whole segment, decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) made: usize,
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) is_assigned: bool,
}

/// What all threads know.
#[derive(Clone, Copy)]
pub(super) struct BlockResult<'w> {
    pub(super) recipe: &'w Plan<'w>,
    pub(super) scan: &'w ScanPlan,
    pub(super) tables: &'w [&'w Table],
    pub(super) stretches: &'w [Block],
    pub(super) tier: CpuLevel,
}

/// Cuts segments into stretches of about the same size; short ones are put together.
pub(super) fn cut(frame: &[u8], segments: &[Range<usize>]) -> Vec<Block> {
    let mut stretches = Vec::new();
    let mut room = 0;
    for (segment, bytes) in segments.iter().enumerate() {
        if bytes.len() <= SHORT_BYTES {
            match stretches.last_mut() {
                Some(Block::Segments(group)) if bytes.len() + PAD_BYTES <= room => group.end = segment + 1,
                _ => {
                    stretches.push(Block::Segments(segment..segment + 1));
                    room = STRETCH_BYTES;
                }
            }
            room -= bytes.len() + PAD_BYTES;
            continue;
        }
        let parts = bytes.len().div_ceil(STRETCH_BYTES);
        let (least, longer) = (bytes.len() / parts, bytes.len() % parts);
        let mut start = bytes.start;
        for part in 1..=parts {
            let mut end = bytes.start + part * least + part.min(longer);
            if part < parts && frame.get(..end).is_some_and(|data| data.ends_with(&[0xFF])) {
                // The 00 behind it comes with it.
                end += 1;
            }
            stretches.push(Block::Part { segment, bytes: start..end });
            start = end;
        }
    }
    stretches
}

impl BlockBuffer {
    pub(super) fn new() -> Self {
        Self {
            bits: vec![0; BITS_BYTES],
            differences: vec![0; DIFFERENCES],
            filled: 0,
            end: 0,
            found: VerifiedRun { made: 0, at: 0, unassigned: 0 },
            segments: Vec::new(),
        }
    }

    /// Decodes a stretch from its first bit on.
    pub(super) fn decode(&mut self, work: &BlockResult<'_>, index: usize, regions: &mut ChunkBuffers) {
        match work.stretches.get(index) {
            Some(Block::Segments(segments)) => self.decode_segments(work, segments.clone()),
            Some(Block::Part { segment, bytes }) => self.decode_part(work, *segment, bytes.clone(), regions),
            None => {}
        }
    }

    /// Decodes whole segments, whose lengths and beginnings are known.
    fn decode_segments(&mut self, work: &BlockResult<'_>, segments: Range<usize>) {
        let Self { bits, differences, filled, segments: found, .. } = self;
        found.clear();
        *filled = 0;
        for bytes in work.scan.segments.get(segments.clone()).unwrap_or_default() {
            let at = *filled * 8;
            *filled += work.unstuff(bytes.clone(), bits, *filled);
            found.push(Segment { made: 0, at, end: *filled * 8, is_assigned: true });
            *filled += pad(bits, *filled);
        }
        let mut room = differences.as_mut_slice();
        let bits = bits.as_slice();
        let mut tasks: Vec<Task<'_>> = Vec::with_capacity(found.len());
        for (index, segment) in segments.zip(found.iter()) {
            // More than there are bits are missing anyway.
            let symbols = work.recipe.symbols(work.scan, index).min(segment.end - segment.at);
            let Some((out, rest)) = std::mem::take(&mut room).split_at_mut_checked(symbols) else { break };
            room = rest;
            tasks.extend(Task::new(work.tables, bits, segment.at, segment.end, out));
        }
        huffman::run(&mut tasks, work.tier);
        for (segment, task) in found.iter_mut().zip(&tasks) {
            (segment.made, segment.at, segment.is_assigned) = (task.made(), task.at(), task.unassigned() == 0);
        }
    }

    /// Decodes a part of a segment as if a code began at its first bit.
    fn decode_part(&mut self, work: &BlockResult<'_>, segment: usize, bytes: Range<usize>, regions: &mut ChunkBuffers) {
        let is_guess = !work.is_first(segment, &bytes);
        let is_last = self.fill(work, segment, bytes);
        let bits = self.bits.get(..self.filled).unwrap_or_default();
        let end = end_of_codes(self.end, is_last);
        let out = &mut self.differences;
        self.found = speculate(work.tables, bits, 0..end, is_guess, out, regions, work.tier);
        let found = &mut self.found;
        let room = out.get_mut(found.made..).unwrap_or_default();
        if let Some(mut task) = Task::new(&rotated(work.tables, found.made), bits, found.at, end, room) {
            huffman::run(std::slice::from_mut(&mut task), work.tier);
            if task.unassigned() > 0 {
                found.unassigned = found.made + task.unassigned();
            }
            found.made += task.made();
            found.at = task.at();
        }
    }

    /// Brings a part of a segment in, and what its last code may reach into; says whether the segment ends with it.
    pub(super) fn fill(&mut self, work: &BlockResult<'_>, segment: usize, bytes: Range<usize>) -> bool {
        let end_of_data = work.scan.segments.get(segment).map_or(bytes.end, |segment| segment.end);
        let behind = bytes.end..end_of_data.min(bytes.end + BEHIND_BYTES);
        let is_last = behind.is_empty();
        let own = work.unstuff(bytes, &mut self.bits, 0);
        self.end = own * 8;
        let filled = own + work.unstuff(behind, &mut self.bits, own);
        self.filled = filled + pad(&mut self.bits, filled);
        is_last
    }
}

impl BlockResult<'_> {
    fn unstuff(&self, bytes: Range<usize>, out: &mut [u8], to: usize) -> usize {
        let (Some(src), Some(out)) = (self.recipe.frame.get(bytes), out.get_mut(to..)) else { return 0 };
        unstuff::unstuff(src, out, self.tier)
    }

    /// Whether a segment begins with `bytes`.
    pub(super) fn is_first(&self, segment: usize, bytes: &Range<usize>) -> bool {
        self.scan.segments.get(segment).is_some_and(|segment| segment.start == bytes.start)
    }
}

/// Zeros behind what has been unstuffed.
fn pad(bits: &mut [u8], from: usize) -> usize {
    if let Some(pad) = bits.get_mut(from..from + PAD_BYTES) {
        pad.fill(0);
    }
    PAD_BYTES
}

/// Where no code is guessed to begin any more: the last bits of a segment are none, perhaps.
pub(super) const fn end_of_codes(end: usize, is_last: bool) -> usize {
    if is_last { end.saturating_sub(HELD_BACK_BITS) } else { end }
}
