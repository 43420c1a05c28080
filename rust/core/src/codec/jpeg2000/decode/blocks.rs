//! Code-blocks of a tile to the coefficients of its bands, in tasks that threads share: some rows of code-blocks of one band,
//! and the coefficients that they fill.

use super::layout::TileLayout;
use crate::codec::FrameContext;
use crate::codec::jpeg2000::codestream::BlockStyle;
use crate::codec::jpeg2000::tile::{Band, CodedData, DataBuffers, DataRange, Tile, TileComponent};
use crate::error::{DecodeError, Result, limit_exceeded, malformed, unsupported};
use crate::kernel::CpuLevel;
use crate::kernel::code_block::{BlockError, BlockErrorReason, CodeBlock, MAX_BIT_PLANES};
use crate::kernel::{ebcot, ht};
use crate::limits::Limits;
use crate::output::Output;
use crate::parallel::for_each_task;
use std::ops::Range;

/// Code-blocks of a task, if the band has as many: the kernel decodes eight at once, and needs others to replace those that
/// end early.
const TASK_BLOCKS: u32 = 32;

/// Memory of one thread.
#[derive(Debug, Default)]
pub(super) struct BlockScratch {
    ebcot: ebcot::Scratch,
    /// Allocated for the first HT code-block.
    ht: Option<Box<ht::Scratch>>,
    data: DataBuffers,
}

/// Rows of code-blocks of one band.
struct Task<'t, 'c> {
    component: &'t TileComponent,
    band: &'t Band,
    rows: Range<u32>,
    coefficients: &'c mut [i32],
}

/// Input that all tasks of a tile share.
struct Blocks<'a> {
    frame: &'a [u8],
    tile: &'a Tile,
    limits: &'a Limits,
    cpu_level: CpuLevel,
}

/// Decodes all code-blocks of a tile to `coefficients`, on one thread for each of `scratch`.
///
/// # Errors
/// The error of one block, if several have one: the same on any number of threads.
pub(super) fn decode(
    frame: &[u8],
    tile: &Tile,
    layout: &TileLayout,
    coefficients: &mut [i32],
    scratch: &mut [BlockScratch],
    context: &FrameContext<'_>,
    output: &Output<'_>,
) -> Result<()> {
    let mut tasks = Vec::new();
    let mut rest = coefficients;
    for component in &tile.components {
        let resolutions = tile.resolutions.get(component.resolutions.clone()).unwrap_or_default();
        for index in resolutions.iter().filter(|resolution| resolution.is_decoded).flat_map(|found| found.bands.clone())
        {
            let (Some(band), Some(range)) = (tile.bands.get(index), layout.bands.get(index)) else { continue };
            if range.is_empty() {
                continue;
            }
            let mut words;
            (words, rest) = rest.split_at_mut(range.len());
            let row_count = (TASK_BLOCKS / band.block_columns.max(1)).max(1);
            let mut first = 0;
            while first < band.block_rows {
                let rows = first..band.block_rows.min(first + row_count);
                let height = band.block_area(0, rows.end - 1).rows.end - band.block_area(0, first).rows.start;
                let coefficients;
                (coefficients, words) = words.split_at_mut(height as usize * band.area.width() as usize);
                first = rows.end;
                tasks.push(Task { component, band, rows, coefficients });
            }
        }
    }
    let blocks = Blocks { frame, tile, limits: context.limits, cpu_level: context.options.cpu_level };
    let work = |task: Task<'_, '_>, scratch: &mut BlockScratch| blocks.decode_task(task, scratch);
    // The small tasks of low resolutions are the last, so that all threads end at the same time. By the times of single tasks,
    // two threads decode images of 1024 × 1024 pixels 2.00 times as fast as one; in the other order, 1.87 to 1.95 times.
    for_each_task(tasks.into_iter().rev(), scratch, work, || output.check_cancelled())
}

impl Blocks<'_> {
    fn decode_task(&self, task: Task<'_, '_>, scratch: &mut BlockScratch) -> Result<()> {
        let Task { component, band, rows, coefficients } = task;
        let BlockScratch { ebcot, ht, data: buffers } = scratch;
        let stride = band.area.width() as usize;
        let top = band.block_area(0, rows.start).rows.start;
        buffers.joined.clear();
        buffers.segments.clear();
        let mut coded = Vec::new();
        for row in rows {
            for (column, block) in (0..).zip(self.tile.block_row(band, row)) {
                let area = band.block_area(column, row);
                let (width, height) = (area.width() as usize, area.height() as usize);
                let offset = (area.rows.start - top) as usize * stride + area.columns.start as usize;
                match self.tile.coded_data(block, self.frame, buffers, self.limits)? {
                    Some(data) => coded.push((data, offset, width, height)),
                    None => {
                        for row in coefficients.get_mut(offset..).unwrap_or_default().chunks_mut(stride).take(height) {
                            row.get_mut(..width).unwrap_or_default().fill(0);
                        }
                    }
                }
            }
        }
        let (mut of_ebcot, mut of_ht) = (Vec::new(), Vec::new());
        for (data, offset, width, height) in coded {
            let CodedData { is_high_throughput, .. } = data;
            let block = self.code_block(component, band, &data, buffers, (offset, width, height))?;
            if is_high_throughput { &mut of_ht } else { &mut of_ebcot }.push(block);
        }
        let (kind, dequantization) = (band.kind, band.dequantization);
        if !of_ebcot.is_empty() {
            let style = ebcot_style(component.style);
            let job = ebcot::Job { band: kind, style, dequantization, blocks: &of_ebcot, stride };
            let result = ebcot::decode_job(&job, coefficients, ebcot, self.cpu_level);
            result.map_err(|error| self.block_error(error, &of_ebcot))?;
        }
        if !of_ht.is_empty() {
            let is_vertically_causal = component.style.has(BlockStyle::VERTICALLY_CAUSAL);
            let job = ht::Job { is_vertically_causal, dequantization, blocks: &of_ht, stride };
            let scratch = match ht {
                Some(scratch) => scratch,
                None => ht.insert(new_ht_scratch(self.limits)?),
            };
            let result = ht::decode_job(&job, coefficients, scratch, self.cpu_level);
            result.map_err(|error| self.block_error(error, &of_ht))?;
        }
        Ok(())
    }

    /// Returns the input of the block decoder.
    fn code_block<'b>(
        &'b self,
        component: &TileComponent,
        band: &Band,
        data: &CodedData,
        buffers: &'b DataBuffers,
        (offset, width, height): (usize, usize, usize),
    ) -> Result<CodeBlock<'b>> {
        let bytes = match &data.data {
            DataRange::Frame(range) => self.frame.get(range.clone()),
            DataRange::Joined(range) => buffers.joined.get(range.clone()),
        };
        let roi_shift = u32::from(component.roi_shift);
        let bit_planes = (u32::from(band.bit_planes) + roi_shift).saturating_sub(data.zero_bit_planes);
        if bit_planes > MAX_BIT_PLANES {
            let text = format!("code-block of {bit_planes} bit-planes found, at most {MAX_BIT_PLANES} are decoded");
            return Err(unsupported(text, "ITU-T T.800 E.1"));
        }
        let segments = buffers.segments.get(data.segments.clone()).unwrap_or_default();
        let data = bytes.unwrap_or_default();
        Ok(CodeBlock { width, height, offset, bit_planes, roi_shift, data, segments })
    }

    /// Returns the error of a block of a job, with the offset of its data in the frame.
    fn block_error(&self, error: BlockError, blocks: &[CodeBlock<'_>]) -> DecodeError {
        let (text, clause) = match error.reason {
            BlockErrorReason::Size => ("size of a code-block is out of range", "ITU-T T.800 Table A.18"),
            BlockErrorReason::BitPlanes => ("code-block has coding passes but no bit-planes", "ITU-T T.800 B.10.5"),
            BlockErrorReason::Passes => ("code-block has more coding passes than its bit-planes", "ITU-T T.800 B.10.6"),
            BlockErrorReason::Segments => ("codeword segments of a code-block are invalid", "ITU-T T.800 D.4.2"),
            BlockErrorReason::SegmentationSymbol => ("segmentation symbol is not 1010", "ITU-T T.800 D.5"),
            BlockErrorReason::StringLengths => {
                ("lengths of an HT cleanup segment are out of range", "ITU-T T.814 7.1.1")
            }
            BlockErrorReason::Codes => ("codes of an HT cleanup segment pass its end", "ITU-T T.814 7.1"),
            BlockErrorReason::Magnitude => ("magnitude of an HT cleanup pass has too many bits", "ITU-T T.814 7.3.8"),
            BlockErrorReason::Memory => return limit_exceeded("no memory for the state of a code-block", ""),
        };
        let error_of = malformed(text, clause);
        let data = blocks.get(error.block).map(|block| block.data.as_ptr_range().start);
        let offset = data.map(|start| (start as usize).wrapping_sub(self.frame.as_ptr() as usize));
        // Joined data are not in the frame.
        match offset.filter(|offset| *offset < self.frame.len()) {
            Some(offset) => error_of.at(offset),
            None => error_of,
        }
    }
}

fn new_ht_scratch(limits: &Limits) -> Result<Box<ht::Scratch>> {
    let words = limits.zeroed::<u64>(size_of::<ht::Scratch>() / size_of::<u64>())?;
    words.try_into().map_err(|_| limit_exceeded("no memory for the state of a code-block", ""))
}

/// Returns the flags that the decoder of T.800 evaluates.
fn ebcot_style(style: BlockStyle) -> ebcot::BlockStyle {
    ebcot::BlockStyle {
        bypass: style.has(BlockStyle::BYPASS),
        reset_contexts: style.has(BlockStyle::RESET_CONTEXTS),
        terminate_each_pass: style.has(BlockStyle::TERMINATE_EACH_PASS),
        vertically_causal: style.has(BlockStyle::VERTICALLY_CAUSAL),
        segmentation_symbols: style.has(BlockStyle::SEGMENTATION_SYMBOLS),
    }
}
