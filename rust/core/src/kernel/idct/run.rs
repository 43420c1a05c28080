//! Runs: the blocks of a call that have the same quantisation table and size, in the order of their samples.

use super::{BlockPosition, BlockSize, Precision, QuantizationTable};

/// Blocks at one position of the MCU, or at two positions whose samples are adjacent.
///
/// ```text
/// interval 6, width 2 (luma of 4:2:0, upper blocks)    block of the slice   0  1  6  7  12  13 …
///                                                      offset − first       0  8 16 24  32  40 …
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) table: &'a QuantizationTable,
    pub(super) size: BlockSize,
    /// Number of blocks.
    pub(super) count: usize,
    /// Index of the first block in the slice.
    first: usize,
    /// Blocks per MCU.
    interval: usize,
    /// Blocks of this run per MCU: 1 or 2.
    width: usize,
    /// Byte offset of the top left sample of the first block.
    offset: usize,
    /// Bytes from a block to the next one.
    step: usize,
    /// Bytes from a row of samples to the next row.
    pub(super) stride: usize,
}

/// Blocks that a vector kernel transforms together.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<const LANES: usize> {
    /// Position of the first block in the run.
    pub(super) first: usize,
    /// Indices of the blocks in the slice. The last block of the run fills up its last group.
    pub(super) indices: [usize; LANES],
    /// Byte offsets of the top left samples.
    pub(super) offsets: [usize; LANES],
}

impl<'a> Run<'a> {
    /// Returns the run of `positions[index]` in a slice of `block_count` blocks that starts with block `first_block` of
    /// the MCU row. Its width is 2 if `may_pair` is set and if the next position is adjacent.
    ///
    /// Returns `None` if there is no quantisation table, or if an offset is beyond the address space.
    pub(super) fn new(
        positions: &[BlockPosition],
        index: usize,
        (first_block, block_count): (usize, usize),
        tables: &'a [QuantizationTable],
        precision: Precision,
        may_pair: bool,
    ) -> Option<Self> {
        let (interval, position) = (positions.len(), positions.get(index)?);
        let block_bytes = position.size.side() * precision.sample_bytes();
        let is_whole = first_block.is_multiple_of(interval) && block_count.is_multiple_of(interval);
        let right = BlockPosition { offset: position.offset.checked_add(block_bytes)?, ..*position };
        let is_pair =
            may_pair && is_whole && position.step == 2 * block_bytes && positions.get(index + 1) == Some(&right);
        let (width, step) = if is_pair { (2, block_bytes) } else { (1, position.step) };
        let first = (index + interval - first_block % interval) % interval;
        let mcu = first_block.checked_add(first)? / interval;
        Some(Self {
            table: tables.get(position.table)?,
            size: position.size,
            count: block_count.saturating_sub(first).div_ceil(interval) * width,
            first,
            interval,
            width,
            offset: mcu.checked_mul(position.step)?.checked_add(position.offset)?,
            step,
            stride: position.stride,
        })
    }

    /// Number of positions of the MCU that the run covers.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// True if the samples of all blocks are within `sample_bytes` bytes.
    pub(super) fn is_inside(&self, precision: Precision, sample_bytes: usize) -> bool {
        let end = || {
            let last = (self.count - 1).checked_mul(self.step)?.checked_add(self.offset)?;
            let rows = (self.size.side() - 1).checked_mul(self.stride)?;
            last.checked_add(rows)?.checked_add(self.size.side() * precision.sample_bytes())
        };
        self.count == 0 || end().is_some_and(|end| end <= sample_bytes)
    }

    /// Returns the index of block `position` of the run in the slice, and the byte offset of its top left sample.
    ///
    /// Nothing wraps for blocks of the run: the façade checks their offsets.
    #[inline(always)]
    pub(super) fn block(&self, position: usize) -> (usize, usize) {
        let Self { first, interval, width, offset, step, .. } = *self;
        let index = first.wrapping_add((position / width).wrapping_mul(interval)).wrapping_add(position % width);
        (index, offset.wrapping_add(position.wrapping_mul(step)))
    }

    /// Returns the run of one block of this run.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn single(&self, position: usize) -> Self {
        let (first, offset) = self.block(position);
        Self { count: 1, first, interval: 1, width: 1, offset, ..*self }
    }

    /// Returns the groups of `LANES` blocks, a multiple of the width.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn groups<const LANES: usize>(&self) -> impl Iterator<Item = Group<LANES>> + use<LANES> {
        debug_assert!(LANES.is_multiple_of(self.width), "a group has the blocks of whole MCUs");
        let lanes: [(usize, usize); LANES] = std::array::from_fn(|lane| self.block(lane));
        let (last_index, last_offset) = self.block(self.count.wrapping_sub(1));
        let indices = (LANES / self.width).wrapping_mul(self.interval);
        let bytes = self.step.wrapping_mul(LANES);
        (0..self.count.div_ceil(LANES)).map(move |group| Group {
            first: group.wrapping_mul(LANES),
            indices: lanes.map(|(index, _)| index.wrapping_add(group.wrapping_mul(indices)).min(last_index)),
            offsets: lanes.map(|(_, offset)| offset.wrapping_add(group.wrapping_mul(bytes)).min(last_offset)),
        })
    }
}
