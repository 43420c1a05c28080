//! Blocks of coefficients → rows of pixels: inverse DCT into the rows of components, and from there into the output.
//!
//! | frame | inverse DCT writes to | then |
//! |---|---|---|
//! | one component of the output's sample size | the output | |
//! | the same, blocks that reach beyond the image | `edge` | the samples inside are copied |
//! | every other | a ring of component rows | `rows`: upsampling, colour, interleaving |

use super::plan::Plan;
use super::rows::{ComponentLayout, RowBuffers, RowRing};
use crate::error::{DecodeError, Result, output as output_error};
use crate::kernel::coefficients::BLOCK_COEFFICIENTS;
use crate::kernel::idct::{BlockPosition, Precision, inverse_dct};
use crate::limits::Limits;
use crate::output::Output;
use std::ops::Range;

/// Scratch buffers of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct ScratchBuffers {
    rows: RowBuffers,
    edge: Vec<u8>,
}

/// Writes the blocks of a frame, which arrive in the order of interleaved MCUs, to the output.
#[derive(Debug)]
pub(super) struct Reconstruction<'a> {
    plan: &'a Plan<'a>,
    /// Blocks of one MCU; offsets are relative to the first row of the MCU row.
    positions: Vec<BlockPosition>,
    /// Component of each block of an MCU.
    block_components: Vec<usize>,
    target: Target<'a>,
    /// MCU row of the next block.
    mcu_row: usize,
    /// Index in its MCU row of the next block.
    block: usize,
}

/// Memory that the inverse DCT writes to.
#[derive(Debug)]
enum Target<'a> {
    /// The output, and a row of blocks for those that reach beyond the image.
    Output { edge: &'a mut [u8] },
    /// A ring of component rows.
    Ring(RowRing<'a>),
}

impl<'a> Reconstruction<'a> {
    /// A reconstruction of the frame of `plan` that writes `written_rows` of it. If these are not all, the frame has several
    /// components.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn new(
        plan: &'a Plan<'a>,
        written_rows: Range<usize>,
        scratch: &'a mut ScratchBuffers,
        limits: &Limits,
        output: &mut Output<'_>,
    ) -> Result<Self> {
        output.declare_bits(match plan.precision {
            Precision::Eight => 8,
            Precision::Twelve => 12,
        });
        let ScratchBuffers { rows, edge } = scratch;
        let (mut positions, mut block_components) = (Vec::new(), Vec::new());
        let target = if writes_to_output(plan, output)? {
            let side = plan.geometry.min_side;
            let sample_bytes = plan.precision.sample_bytes();
            let stride = plan.geometry.mcu_columns * side * sample_bytes;
            limits.grow_zeroed(edge, side * stride)?;
            let size = plan.geometry.components.first().map(|component| component.block_size);
            let step = side * sample_bytes;
            positions.extend(size.map(|size| BlockPosition { table: 0, offset: 0, step, stride, size }));
            block_components.push(0);
            Target::Output { edge }
        } else {
            let geometry = &plan.geometry;
            let layouts: Vec<ComponentLayout> = geometry
                .components
                .iter()
                .map(|size| ComponentLayout {
                    horizontal: size.ratio.0,
                    vertical: size.ratio.1,
                    width: size.width,
                    height: size.height,
                    padded_width: geometry.mcu_columns * size.sampling.0 * size.block_size.side(),
                    mcu_rows: size.sampling.1 * size.block_size.side(),
                })
                .collect();
            let interpolates = geometry.min_side > 1;
            let mut ring =
                RowRing::new(&layouts, plan.precision, interpolates, geometry.columns, geometry.rows, rows, limits)?;
            ring.write_only(written_rows);
            for (index, size) in geometry.components.iter().enumerate() {
                let (_, stride) = ring.placement(index, 0);
                let side = size.block_size.side();
                let block_bytes = side * plan.precision.sample_bytes();
                for row in 0..size.sampling.1 {
                    for column in 0..size.sampling.0 {
                        positions.push(BlockPosition {
                            table: index,
                            offset: row * side * stride + column * block_bytes,
                            step: size.sampling.0 * block_bytes,
                            stride,
                            size: size.block_size,
                        });
                        block_components.push(index);
                    }
                }
            }
            Target::Ring(ring)
        };
        Ok(Self { plan, positions, block_components, target, mcu_row: 0, block: 0 })
    }

    /// Returns the number of blocks of an MCU.
    pub(super) const fn mcu_blocks(&self) -> usize {
        self.positions.len()
    }

    /// Writes the next blocks, 64 coefficients each in natural order. The coefficients are zero afterwards.
    ///
    /// # Errors
    /// The errors of `output`.
    pub(super) fn blocks(&mut self, mut coefficients: &mut [i16], output: &mut Output<'_>) -> Result<()> {
        let row_blocks = self.plan.geometry.mcu_columns * self.positions.len();
        while !coefficients.is_empty() {
            let blocks = (row_blocks - self.block).min(coefficients.len() / BLOCK_COEFFICIENTS);
            let (now, rest) =
                coefficients.split_at_mut_checked(blocks * BLOCK_COEFFICIENTS).ok_or_else(outside_frame)?;
            if blocks == 0 || self.mcu_row >= self.plan.geometry.mcu_rows {
                return Err(outside_frame());
            }
            coefficients = rest;
            self.transform(now, output)?;
            self.block += blocks;
            if self.block == row_blocks {
                self.finish_mcu_row(output)?;
                self.mcu_row += 1;
                self.block = 0;
            }
        }
        Ok(())
    }

    /// Writes the samples of blocks of the current MCU row.
    fn transform(&mut self, coefficients: &mut [i16], output: &mut Output<'_>) -> Result<()> {
        let (tables, precision, level) = (&self.plan.quantization, self.plan.precision, output.cpu_level());
        match &mut self.target {
            Target::Ring(ring) => {
                for (position, component) in self.positions.iter_mut().zip(&self.block_components) {
                    let (row_offset, _) = ring.placement(*component, self.mcu_row);
                    position.offset += row_offset;
                }
                inverse_dct(coefficients, self.block, &self.positions, tables, precision, ring.samples_mut(), level);
                for (position, component) in self.positions.iter_mut().zip(&self.block_components) {
                    let (row_offset, _) = ring.placement(*component, self.mcu_row);
                    position.offset -= row_offset;
                }
            }
            Target::Output { edge } => {
                let whole_blocks = whole_blocks(self.plan, self.mcu_row);
                let in_output = whole_blocks.saturating_sub(self.block).min(coefficients.len() / BLOCK_COEFFICIENTS);
                let (inside, outside) =
                    coefficients.split_at_mut_checked(in_output * BLOCK_COEFFICIENTS).ok_or_else(outside_frame)?;
                if !inside.is_empty() {
                    let geometry = &self.plan.geometry;
                    let stride = geometry.columns * precision.sample_bytes();
                    let rows = output.block(geometry.min_side * geometry.columns)?;
                    let positions = self.positions.first().map(|position| BlockPosition { stride, ..*position });
                    inverse_dct(inside, self.block, positions.as_slice(), tables, precision, rows, level);
                }
                if !outside.is_empty() {
                    inverse_dct(outside, self.block + in_output, &self.positions, tables, precision, edge, level);
                }
            }
        }
        Ok(())
    }

    /// Finishes the rows of pixels that are complete with the current MCU row.
    fn finish_mcu_row(&mut self, output: &mut Output<'_>) -> Result<()> {
        match &mut self.target {
            Target::Ring(ring) => ring.emit(self.mcu_row, output),
            Target::Output { edge } => {
                let geometry = &self.plan.geometry;
                let sample_bytes = self.plan.precision.sample_bytes();
                let rows = geometry.min_side.min(geometry.rows - self.mcu_row * geometry.min_side);
                let pixels = rows * geometry.columns;
                let first = whole_blocks(self.plan, self.mcu_row) * geometry.min_side * sample_bytes;
                let end = geometry.columns * sample_bytes;
                if first < end {
                    let block = output.block(pixels)?;
                    let edge_stride = geometry.mcu_columns * geometry.min_side * sample_bytes;
                    for (row, edge_row) in block.chunks_exact_mut(end).zip(edge.chunks_exact(edge_stride)) {
                        let row = row.get_mut(first..end).ok_or_else(outside_frame)?;
                        row.copy_from_slice(edge_row.get(first..end).ok_or_else(outside_frame)?);
                    }
                }
                output.commit(pixels)
            }
        }
    }
}

/// True if the inverse DCT can write to the output: there is one component, and the output lends whole rows of blocks of
/// samples of its size.
fn writes_to_output(plan: &Plan<'_>, output: &mut Output<'_>) -> Result<bool> {
    let geometry = &plan.geometry;
    let pixels = (geometry.min_side * geometry.columns).min(output.pixels_left());
    let bytes = pixels * plan.precision.sample_bytes();
    Ok(geometry.components.len() == 1
        && output.sample_bytes() == plan.precision.sample_bytes()
        && output.block(pixels)?.len() == bytes)
}

/// Blocks at the start of an MCU row that are inside the image.
fn whole_blocks(plan: &Plan<'_>, mcu_row: usize) -> usize {
    let geometry = &plan.geometry;
    let is_whole_row = (mcu_row + 1) * geometry.min_side <= geometry.rows;
    if is_whole_row { geometry.columns / geometry.min_side } else { 0 }
}

/// The error of an impossible request: blocks beyond the last one of the frame.
fn outside_frame() -> DecodeError {
    debug_assert!(false, "a scan has more blocks than the frame");
    output_error("internal error: blocks outside of the frame", "")
}
