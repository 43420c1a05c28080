//! Decodes a frame tile by tile into the output stage.
//!
//! ```text
//! tile ─► packets ─► blocks ─► coefficients ─► levels ─► rows ─► component transform ─► output stage
//! ```
//!
//! Several threads share the code-blocks, then the rows of each level. Rows of the last level are not stored: each goes to the
//! output as soon as it is computed. If components are subsampled, rows go to planes first, from which pixels are made when
//! all tiles are decoded.

mod blocks;
mod layout;
mod levels;
mod planes;

use super::codestream::Component;
use super::packet::{self, PacketBuffers};
use super::plan::Plan;
use super::tile::Tile;
use crate::codec::FrameContext;
use crate::error::Result;
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use crate::kernel::component_rows::{ComponentFormat, ComponentTransform, MAX_COMPONENTS, RowFormat, store_row};
use crate::kernel::wavelet::{LevelGeometry, Wavelet};
use crate::limits::Limits;
use crate::output::{Band, Output, ScratchBlock};
use crate::parallel::for_each_task;
use blocks::BlockScratch;
use layout::{ComponentLayout, TileLayout};
use levels::{LevelScratch, TileWords, for_each_row, store_levels};
use planes::Planes;
use std::ops::Range;

/// Samples of a tile below which a second thread costs more than it gains.
const MIN_THREAD_SAMPLES: usize = 1 << 16;

/// Memory that is reused from tile to tile and from frame to frame.
#[derive(Debug, Default)]
pub(super) struct ScratchBuffers {
    tile: Tile,
    packets: PacketBuffers,
    coefficients: Vec<i32>,
    lowpass: Vec<i32>,
    /// One for each thread.
    blocks: Vec<BlockScratch>,
    /// One for each thread.
    levels: Vec<LevelScratch>,
    planes: Planes,
}

/// Decodes all tiles of a frame. Returns the deviations of its packets.
///
/// # Errors
/// `Truncated`, `Malformed`, `Unsupported`, `LimitExceeded`, and the errors of `output`.
pub(super) fn decode_frame(
    plan: &Plan<'_>,
    buffers: &mut ScratchBuffers,
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Result<Vec<Deviation>> {
    let mut deviations = Vec::new();
    let limits = context.limits;
    // Signed samples have copies of their sign above the precision.
    if plan.components().iter().all(|component| component.is_signed) {
        output.declare_signed_bits(plan.max_precision());
    } else if !plan.components().iter().any(|component| component.is_signed) {
        output.declare_bits(plan.max_precision());
    }
    if plan.is_subsampled() {
        buffers.planes.start(plan, limits)?;
    }
    for index in 0..plan.header.main.size.tile_count() {
        buffers.tile.build(plan.header, index, plan.reduce, limits)?;
        let ScratchBuffers { tile, packets, .. } = buffers;
        deviations.extend(packet::read(plan.header, index, plan.frame, tile, packets, limits)?);
        decode_tile(plan, buffers, context, output)?;
    }
    if plan.is_subsampled() {
        buffers.planes.write(plan, output)?;
    }
    Ok(deviations)
}

/// Decodes the tile of `buffers`, whose packets are read.
fn decode_tile(
    plan: &Plan<'_>,
    buffers: &mut ScratchBuffers,
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Result<()> {
    let ScratchBuffers { tile, coefficients, lowpass, blocks, levels, planes, .. } = buffers;
    let (limits, cpu_level) = (context.limits, context.options.cpu_level);
    let layout = TileLayout::new(tile);
    limits.grow_zeroed(coefficients, layout.coefficient_count)?;
    limits.grow_zeroed(lowpass, layout.lowpass_count)?;
    let threads = context.options.threads.min(layout.coefficient_count / MIN_THREAD_SAMPLES).max(1);
    blocks.resize_with(threads.max(blocks.len()), BlockScratch::default);
    levels.resize_with(threads.max(levels.len()), LevelScratch::default);
    let (blocks, levels) = (blocks.get_mut(..threads), levels.get_mut(..threads));
    let (blocks, levels) = (blocks.unwrap_or_default(), levels.unwrap_or_default());

    blocks::decode(plan.frame, tile, &layout, coefficients, blocks, context, output)?;
    for component in &layout.components {
        output.check_cancelled()?;
        store_levels(component, coefficients, lowpass, levels, limits, cpu_level)?;
    }
    let words = TileWords { coefficients, lowpass };
    if plan.is_subsampled() {
        store_planes(plan, tile, &layout, words, levels, context, planes)
    } else {
        write_rows(plan, tile, &layout, words, levels, context, output)
    }
}

/// Writes the rows of a tile, on as many threads as there are scratch buffers if it is the whole image.
fn write_rows(
    plan: &Plan<'_>,
    tile: &Tile,
    layout: &TileLayout,
    words: TileWords<'_>,
    scratch: &mut [LevelScratch],
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Result<()> {
    let [ComponentLayout { geometry: LevelGeometry { columns, rows }, .. }, ..] = &layout.components[..] else {
        return Ok(());
    };
    let (row_count, column_count) = (rows.len(), columns.len());
    if column_count == 0 {
        return Ok(());
    }
    let (first_row, column) = (rows.start - plan.image.rows.start, columns.start - plan.image.columns.start);
    let tile_rows = TileRows {
        components: &layout.components,
        words,
        format: row_format(plan, tile, plan.sample_bytes),
        column: column as usize,
        column_count,
        limits: context.limits,
        cpu_level: context.options.cpu_level,
    };
    let is_whole = (row_count, column_count) == (plan.image.rows.len(), plan.image.columns.len());
    if is_whole
        && scratch.len() > 1
        && let Some(result) = write_bands(&tile_rows, row_count, scratch, output)
    {
        return result;
    }
    let [scratch, ..] = scratch else { return Ok(()) };
    tile_rows.write(0..row_count, first_row as usize, scratch, output)
}

/// Returns the conversion of a tile's rows to samples of `sample_bytes` bytes.
fn row_format(plan: &Plan<'_>, tile: &Tile, sample_bytes: usize) -> RowFormat {
    let wavelet = |is_reversible| if is_reversible { Wavelet::Reversible53 } else { Wavelet::Irreversible97 };
    let unused = ComponentFormat { wavelet: Wavelet::Reversible53, precision: 1, is_signed: false };
    let mut components = [unused; MAX_COMPONENTS];
    for ((format, size), coding) in components.iter_mut().zip(plan.components()).zip(&tile.components) {
        let Component { precision, is_signed, .. } = *size;
        *format = ComponentFormat { wavelet: wavelet(coding.is_reversible), precision: precision.into(), is_signed };
    }
    let transform = match tile.components.first() {
        Some(first) if tile.has_component_transform => match first.is_reversible {
            true => ComponentTransform::Reversible,
            false => ComponentTransform::Irreversible,
        },
        _ => ComponentTransform::None,
    };
    RowFormat { transform, components, sample_bytes }
}

/// Rows of a tile whose components all have the size of the tile.
struct TileRows<'a> {
    components: &'a [ComponentLayout],
    words: TileWords<'a>,
    format: RowFormat,
    /// Column of the image at which the tile starts.
    column: usize,
    column_count: usize,
    limits: &'a Limits,
    cpu_level: CpuLevel,
}

impl TileRows<'_> {
    /// Computes the rows `rows` of the tile, and writes them to `output` from its row `first_row` on.
    fn write(
        &self,
        rows: Range<usize>,
        first_row: usize,
        scratch: &mut LevelScratch,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let start = rows.start;
        let pixel_bytes = self.components.len() * self.format.sample_bytes;
        let store = |index: usize, words: &[&[i32]]| {
            let row = first_row + index - start;
            let mut first = 0;
            while first < self.column_count {
                let block = output.row_block(row, self.column + first, self.column_count - first)?;
                let pixels = block.len() / pixel_bytes;
                let mut part: [&[i32]; MAX_COMPONENTS] = [&[]; MAX_COMPONENTS];
                for (part, words) in part.iter_mut().zip(words) {
                    *part = words.get(first..first + pixels).unwrap_or_default();
                }
                let part = part.get(..words.len()).unwrap_or_default();
                store_row(&self.format, part, block, self.cpu_level);
                output.commit(pixels)?;
                first += pixels;
            }
            Ok(())
        };
        for_each_row(self.components, self.words, rows, scratch, self.limits, self.cpu_level, store)
    }
}

/// Stores the samples of a tile in the planes of subsampled components.
fn store_planes(
    plan: &Plan<'_>,
    tile: &Tile,
    layout: &TileLayout,
    words: TileWords<'_>,
    scratch: &mut [LevelScratch],
    context: &FrameContext<'_>,
    planes: &mut Planes,
) -> Result<()> {
    let [scratch, ..] = scratch else { return Ok(()) };
    let (limits, cpu_level) = (context.limits, context.options.cpu_level);
    let format = row_format(plan, tile, size_of::<i32>());
    // Components with a transform have one size, and their rows are converted together.
    let joined = if tile.has_component_transform { 3 } else { 1 };
    let (first, others) = layout.components.split_at(joined.min(layout.components.len()));
    let groups = std::iter::once((0, first)).chain((joined..).zip(others.chunks(1)));
    for (first_component, group) in groups {
        let Some(ComponentLayout { geometry: LevelGeometry { columns, rows }, .. }) = group.first() else { continue };
        let mut format = format;
        format.components.rotate_left(first_component);
        let mut samples = vec![0_i32; columns.len() * group.len()];
        for_each_row(group, words, 0..rows.len(), scratch, limits, cpu_level, |index, words| {
            store_row(&format, words, bytemuck::cast_slice_mut(&mut samples), cpu_level);
            let row = rows.start + u32::try_from(index).unwrap_or(u32::MAX);
            for component in 0..group.len() {
                let samples = samples.iter().skip(component).step_by(group.len());
                let plane = planes.row_mut(first_component + component, row, columns.start, columns.len());
                plane.unwrap_or_default().iter_mut().zip(samples).for_each(|(out, sample)| *out = *sample);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Writes the rows of a tile that is the whole image, on as many threads as there are scratch buffers. `None` if the output
/// cannot be divided.
fn write_bands(
    tile_rows: &TileRows<'_>,
    row_count: usize,
    scratch: &mut [LevelScratch],
    output: &mut Output<'_>,
) -> Option<Result<()>> {
    let band_rows = row_count.div_ceil(scratch.len());
    let starts = (0..row_count).step_by(band_rows);
    let ranges: Vec<Range<usize>> = starts.map(|start| start..(start + band_rows).min(row_count)).collect();
    let row_counts: Vec<usize> = ranges.iter().map(ExactSizeIterator::len).collect();
    let cancel = output.cancel();
    let bands = output.bands(&row_counts)?;
    let write = |(rows, band): (Range<usize>, Band<'_>), scratch: &mut LevelScratch| {
        // Samples of bands have the type of the output.
        let mut block = ScratchBlock::default();
        tile_rows.write(rows, 0, scratch, &mut band.into_output(&mut block, None))
    };
    let result = for_each_task(ranges.into_iter().zip(bands), scratch, write, || cancel.check());
    if result.is_ok() {
        output.finish_bands();
    }
    Some(result)
}
