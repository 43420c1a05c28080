//! State of one block, and its coding passes in order.

use super::bitmaps::{Bitmaps, Grid, ROW_0, Word};
use super::codeword::append_bits;
use super::coefficients::{Planes, add_midpoints};
use super::contexts::zero_coding;
use super::mq::{Contexts, FIRST_REFINEMENT_CONTEXT, Mq, MqRegisters, reset_contexts};
use super::packed::{PackedMembers, RefinementLane};
use super::scalar::segmentation_symbol;
use super::{BlockStyle, Job};
use crate::kernel::CpuLevel;
use crate::kernel::code_block::{BlockErrorReason, CodeBlock, MAX_BIT_PLANES};
use std::ops::Range;

/// Coding passes before the first raw one (T.800 D.6, Table D.9).
const PASSES_BEFORE_RAW: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassKind {
    Significance,
    Refinement,
    Cleanup,
}

impl PassKind {
    /// Returns the kind of the pass with a zero-based number: the first one is a cleanup pass (T.800 D.3).
    const fn of(pass: u32) -> Self {
        match pass % 3 {
            0 => Self::Cleanup,
            1 => Self::Significance,
            _ => Self::Refinement,
        }
    }
}

/// True if a pass is not arithmetic-coded.
const fn is_raw(style: BlockStyle, pass: u32) -> bool {
    style.bypass && pass >= PASSES_BEFORE_RAW && !matches!(PassKind::of(pass), PassKind::Cleanup)
}

/// Bits of a codeword segment in the buffer of the group.
#[derive(Debug, Clone)]
struct Segment {
    passes: u32,
    bits: Range<usize>,
}

/// State of one block between two passes.
#[derive(Debug)]
pub(super) struct Lane {
    grid: Grid,
    words: Vec<Word>,
    /// See [`Bitmaps`].
    occupied: Vec<u64>,
    /// Words of plane 0, which is half of the lowest bit-plane, then those of the bit-planes from the lowest on.
    planes: Vec<u64>,
    contexts: Contexts,
    registers: MqRegisters,
    members: PackedMembers,
    /// Next bit of a raw segment.
    raw_position: usize,
    segments: Vec<Segment>,
    /// Number of segments started.
    segment_count: usize,
    /// Passes of the current segment that are not decoded yet.
    segment_passes: u32,
    bit_planes: u32,
    /// Number of the next pass, and of all passes.
    pass: u32,
    pass_count: u32,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            grid: Grid::default(),
            words: Vec::new(),
            occupied: Vec::new(),
            planes: Vec::new(),
            contexts: [0; 256],
            registers: MqRegisters::default(),
            members: PackedMembers::default(),
            raw_position: 0,
            segments: Vec::new(),
            segment_count: 0,
            segment_passes: 0,
            bit_planes: 0,
            pass: 0,
            pass_count: 0,
        }
    }
}

impl Lane {
    /// Prepares the decoding of a block. The bits of its segments are appended to `bits`.
    ///
    /// # Errors
    /// The bit-planes, passes or segments are not possible, or there is no memory.
    pub(super) fn start(
        &mut self,
        block: &CodeBlock<'_>,
        style: BlockStyle,
        bits: &mut Vec<u8>,
    ) -> Result<(), BlockErrorReason> {
        if !(1..=MAX_BIT_PLANES).contains(&block.bit_planes) {
            return Err(BlockErrorReason::BitPlanes);
        }
        self.grid = Grid::new(block.width, block.height);
        self.bit_planes = block.bit_planes;
        let word_count = self.grid.word_count();
        self.words.clear();
        resize(&mut self.words, word_count)?;
        self.occupied.clear();
        resize(&mut self.occupied, self.grid.stripes + 2)?;
        let plane_words = word_count * (block.bit_planes as usize + 1);
        if self.planes.len() < plane_words {
            resize(&mut self.planes, plane_words)?;
        }
        reset_contexts(&mut self.contexts);
        (self.pass, self.segment_count, self.segment_passes) = (0, 0, 0);
        self.add_segments(block, style, bits)
    }

    fn add_segments(
        &mut self,
        block: &CodeBlock<'_>,
        style: BlockStyle,
        bits: &mut Vec<u8>,
    ) -> Result<(), BlockErrorReason> {
        self.segments.clear();
        self.segments.try_reserve(block.segments.len()).map_err(|_| BlockErrorReason::Memory)?;
        self.pass_count = 0;
        let max_passes = 3 * block.bit_planes - 2;
        let mut data = block.data;
        for segment in block.segments {
            if segment.passes > max_passes - self.pass_count {
                return Err(BlockErrorReason::Passes);
            }
            let (first, end) = (self.pass_count, self.pass_count + segment.passes);
            let is_raw_segment = is_raw(style, first);
            let is_mixed = (first..end).any(|pass| is_raw(style, pass) != is_raw_segment);
            let is_too_long = style.terminate_each_pass && segment.passes > 1;
            let (bytes, rest) = data.split_at_checked(segment.bytes).ok_or(BlockErrorReason::Segments)?;
            if is_mixed || is_too_long {
                return Err(BlockErrorReason::Segments);
            }
            data = rest;
            self.pass_count = end;
            if segment.passes > 0 {
                let start = bits.len();
                append_bits(bytes, is_raw_segment, bits).ok_or(BlockErrorReason::Memory)?;
                self.segments.push(Segment { passes: segment.passes, bits: start..bits.len() });
            }
        }
        Ok(())
    }

    /// Returns the kind of the next pass, and whether it is raw; `None` after the last pass.
    pub(super) fn next_pass(&self, style: BlockStyle) -> Option<(PassKind, bool)> {
        (self.pass < self.pass_count).then(|| (PassKind::of(self.pass), is_raw(style, self.pass)))
    }

    /// Decodes the next pass. `bits` is the buffer that [`Lane::start`] appended to.
    ///
    /// # Errors
    /// The segmentation symbol is wrong.
    pub(super) fn decode_pass(&mut self, job: &Job<'_>, bits: &[u8], level: CpuLevel) -> Result<(), BlockErrorReason> {
        let Some((kind, is_raw)) = self.next_pass(job.style) else { return Ok(()) };
        self.start_segment(bits, is_raw);
        let data = self.segment_bits(bits);
        let (registers, raw_position, is_first) = (self.registers, self.raw_position, self.pass == 0);
        let table = zero_coding(job.band);
        let plane = self.plane_of(self.pass);
        let bitmaps = bitmaps(
            self.grid,
            &mut self.words,
            &mut self.occupied,
            &mut self.planes,
            plane,
            &mut self.contexts,
            job.style,
        );
        match (kind, is_raw) {
            (PassKind::Significance, true) => {
                self.raw_position = super::significance_raw(bitmaps, raw_position, data, level);
            }
            (PassKind::Significance, false) => {
                self.registers = super::significance(bitmaps, registers, data, table, level);
            }
            (PassKind::Refinement, true) => {
                self.raw_position = super::refinement_raw(bitmaps, raw_position, data, level);
            }
            (PassKind::Refinement, false) => {
                self.registers = super::refinement(bitmaps, registers, data, level);
            }
            (PassKind::Cleanup, _) => {
                self.registers = super::cleanup(bitmaps, registers, data, table, is_first, level);
                if job.style.segmentation_symbols {
                    self.registers = segmentation_symbol(&mut self.contexts, self.registers, data)
                        .ok_or(BlockErrorReason::SegmentationSymbol)?;
                }
            }
        }
        self.finish_pass(job.style);
        Ok(())
    }

    /// Skips the passes that are not decoded yet.
    pub(super) fn stop(&mut self) {
        (self.pass, self.pass_count) = (0, 0);
    }

    /// True if the next pass is an arithmetic-coded refinement pass.
    pub(super) fn is_refining(&self, style: BlockStyle) -> bool {
        self.next_pass(style) == Some((PassKind::Refinement, false))
    }

    /// Returns the packed members of a refinement pass, and the state for it.
    pub(super) fn members_and_bitmaps(&mut self, style: BlockStyle) -> (&mut PackedMembers, Bitmaps<'_>) {
        let plane = self.plane_of(self.pass);
        let bitmaps =
            bitmaps(self.grid, &mut self.words, &mut self.occupied, &mut self.planes, plane, &mut self.contexts, style);
        (&mut self.members, bitmaps)
    }

    /// Returns the parts that a refinement pass with other blocks changes.
    pub(super) fn refinement_lane(&mut self) -> Option<RefinementLane<'_>> {
        let segment = self.segments.get(self.segment_count.wrapping_sub(1))?.bits.clone();
        let contexts = self.contexts.get_mut(usize::from(FIRST_REFINEMENT_CONTEXT)..)?.first_chunk_mut()?;
        Some(RefinementLane { members: &mut self.members, registers: &mut self.registers, contexts, segment })
    }

    /// Starts the next segment if the current one has no pass left.
    pub(super) fn start_segment(&mut self, bits: &[u8], is_raw: bool) {
        if self.segment_passes > 0 {
            return;
        }
        self.segment_passes = self.segments.get(self.segment_count).map_or(u32::MAX, |segment| segment.passes);
        self.segment_count += 1;
        if is_raw {
            self.raw_position = 0;
        } else {
            self.registers = Mq::start(self.segment_bits(bits)).registers();
        }
    }

    /// Returns the bits of the current segment.
    pub(super) fn segment_bits<'b>(&self, bits: &'b [u8]) -> &'b [u8] {
        let segment = self.segments.get(self.segment_count.wrapping_sub(1));
        segment.and_then(|segment| bits.get(segment.bits.clone())).unwrap_or_default()
    }

    pub(super) fn finish_pass(&mut self, style: BlockStyle) {
        self.pass += 1;
        self.segment_passes -= 1;
        if style.reset_contexts {
            reset_contexts(&mut self.contexts);
        }
    }

    /// Returns the plane of a pass, 1 for the lowest bit-plane.
    const fn plane_of(&self, pass: u32) -> usize {
        (self.bit_planes - pass.div_ceil(3)) as usize
    }

    /// Stores the coefficients of the block after its last pass.
    pub(super) fn store(&mut self, job: &Job<'_>, block: &CodeBlock<'_>, out: &mut [i32], level: CpuLevel) {
        let highest = self.bit_planes as usize;
        let lowest = match self.pass.checked_sub(1) {
            None => highest + 1,
            Some(last) => {
                let is_partial = PassKind::of(last) == PassKind::Significance;
                let plane = self.plane_of(last);
                add_midpoints(&self.words, &mut self.planes, plane, is_partial, job.dequantization)
            }
        };
        let planes = Planes {
            grid: self.grid,
            words: &self.words,
            planes: &self.planes,
            lowest,
            highest,
            roi_shift: block.roi_shift,
            dequantization: job.dequantization,
        };
        super::store(&planes, out.get_mut(block.offset..).unwrap_or_default(), job.stride, level);
    }
}

/// Returns the state of a block for a pass.
fn bitmaps<'a>(
    grid: Grid,
    words: &'a mut [Word],
    occupied: &'a mut [u64],
    planes: &'a mut [u64],
    plane: usize,
    contexts: &'a mut Contexts,
    style: BlockStyle,
) -> Bitmaps<'a> {
    let start = plane * words.len();
    let plane = planes.get_mut(start..start + words.len()).unwrap_or_default();
    Bitmaps { grid, words, occupied, plane, contexts, row_below: if style.vertically_causal { 0 } else { ROW_0 } }
}

/// Sets the length of a vector; new elements are zeros.
fn resize<T: Clone + Default>(memory: &mut Vec<T>, count: usize) -> Result<(), BlockErrorReason> {
    memory.try_reserve(count.saturating_sub(memory.len())).map_err(|_| BlockErrorReason::Memory)?;
    memory.resize(count, T::default());
    Ok(())
}
