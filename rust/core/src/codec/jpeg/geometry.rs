//! Sizes of components, blocks and MCUs (T.81 A.1.1, A.2).
//!
//! ```text
//! component    width = ceil(X × H / Hmax) samples, height = ceil(Y × V / Vmax)
//! blocks       8 × 8 samples
//! MCU          interleaved scan: H × V blocks of each component;  scan of one component: one block
//! ```
//!
//! The sampling factors of a frame with a single component have no effect (A.2.2): they count as 1.

use crate::codec::t81::headers::FrameHeader;
use crate::error::{Result, unsupported};
use crate::kernel::idct::BlockSize;
use std::ops::Range;

/// Coefficients per side of a block.
const BLOCK_SIDE: usize = 8;
/// Resolutions that can be discarded: a block then is one sample.
pub(super) const MAX_REDUCE: u32 = 3;

/// Sizes of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ComponentSize {
    /// H and V: blocks per interleaved MCU, horizontally and vertically.
    pub(super) sampling: (usize, usize),
    /// Blocks per row, and rows of blocks, of a scan of this component alone.
    pub(super) blocks: (usize, usize),
    /// Samples per side of a decoded block: 8, or fewer if resolutions are discarded.
    pub(super) block_size: BlockSize,
    /// Pixels per sample, horizontally and vertically.
    pub(super) ratio: (usize, usize),
    /// Samples of a row.
    pub(super) width: usize,
    /// Rows of samples.
    pub(super) height: usize,
}

impl ComponentSize {
    /// Sizes of a component of a `columns` × `rows` image, whose blocks are decoded to at least `min_side` samples per side.
    fn new(
        (columns, rows): (usize, usize),
        sampling: (usize, usize),
        max_sampling: (usize, usize),
        min_side: usize,
    ) -> Self {
        let (horizontal, vertical) = sampling;
        let (max_horizontal, max_vertical) = max_sampling;
        let mut side = min_side;
        while side < BLOCK_SIDE
            && (max_horizontal * min_side).is_multiple_of(horizontal * side * 2)
            && (max_vertical * min_side).is_multiple_of(vertical * side * 2)
        {
            side *= 2;
        }
        let samples =
            |pixels: usize, factor: usize, max: usize, side: usize| (pixels * factor * side).div_ceil(max * BLOCK_SIDE);
        let full_size = (
            samples(columns, horizontal, max_horizontal, BLOCK_SIDE),
            samples(rows, vertical, max_vertical, BLOCK_SIDE),
        );
        Self {
            sampling,
            blocks: (full_size.0.div_ceil(BLOCK_SIDE), full_size.1.div_ceil(BLOCK_SIDE)),
            block_size: match side {
                8.. => BlockSize::Full,
                4 => BlockSize::Half,
                2 => BlockSize::Quarter,
                _ => BlockSize::Eighth,
            },
            ratio: (max_horizontal * min_side / (horizontal * side), max_vertical * min_side / (vertical * side)),
            width: samples(columns, horizontal, max_horizontal, side),
            height: samples(rows, vertical, max_vertical, side),
        }
    }
}

/// Sizes of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Columns of pixels.
    pub(super) columns: usize,
    /// Rows of pixels.
    pub(super) rows: usize,
    pub(super) components: Vec<ComponentSize>,
    /// Interleaved MCUs of a row.
    pub(super) mcu_columns: usize,
    /// Rows of interleaved MCUs.
    pub(super) mcu_rows: usize,
    /// Rows of pixels of an interleaved MCU.
    pub(super) mcu_pixel_rows: usize,
    /// Samples per side of the smallest decoded blocks.
    pub(super) min_side: usize,
}

impl Geometry {
    /// Checks that samples of each component cover whole numbers of pixels.
    ///
    /// # Errors
    /// `Unsupported` for ratios such as 3 : 2, which libjpeg-turbo does not decode either.
    pub(super) fn check_sampling(frame: &FrameHeader) -> Result<()> {
        let (max_horizontal, max_vertical) = max_sampling(frame);
        for component in &frame.components {
            let (horizontal, vertical) = component.sampling;
            let is_integral =
                max_horizontal.is_multiple_of(horizontal.into()) && max_vertical.is_multiple_of(vertical.into());
            if frame.components.len() > 1 && !is_integral {
                let text = format!(
                    "sampling factors {horizontal} and {vertical} found, divisors of {max_horizontal} and {max_vertical} expected"
                );
                return Err(unsupported(text, "ITU-T T.81 A.1.1").at(component.offset + 1));
            }
        }
        Ok(())
    }

    /// Returns the sizes of a frame of `lines` lines that [`Self::check_sampling`] accepts.
    pub(super) fn new(frame: &FrameHeader, lines: u16) -> Self {
        Self::reduced(frame, lines, 0)
    }

    /// Returns the sizes with `reduce` resolutions discarded, 0 to 3. Each halves the samples per side of a block.
    ///
    /// As in libjpeg-turbo, blocks of subsampled components are halved less often if that saves their upsampling: for 4:2:0
    /// and `reduce` 1, luminance has 4 × 4 samples per block, and colour differences have 8 × 8.
    pub(super) fn reduced(frame: &FrameHeader, lines: u16, reduce: u32) -> Self {
        let (columns, rows) = (usize::from(frame.columns), usize::from(lines));
        let max_sampling = max_sampling(frame);
        let is_single = frame.components.len() == 1;
        let min_side = BLOCK_SIDE >> reduce.min(MAX_REDUCE);
        let components = frame.components.iter().map(|component| {
            let (horizontal, vertical) = component.sampling;
            let sampling = if is_single { (1, 1) } else { (horizontal.into(), vertical.into()) };
            ComponentSize::new((columns, rows), sampling, max_sampling, min_side)
        });
        let (max_horizontal, max_vertical) = max_sampling;
        Self {
            columns: (columns * min_side).div_ceil(BLOCK_SIDE),
            rows: (rows * min_side).div_ceil(BLOCK_SIDE),
            components: components.collect(),
            mcu_columns: columns.div_ceil(BLOCK_SIDE * max_horizontal),
            mcu_rows: rows.div_ceil(BLOCK_SIDE * max_vertical),
            mcu_pixel_rows: min_side * max_vertical,
            min_side,
        }
    }

    /// Returns the sizes of some of the rows of interleaved MCUs, as if they were a frame.
    pub(super) fn band(&self, mcu_rows: &Range<usize>) -> Self {
        let band = |row_count: usize, mcu_row_rows: usize| {
            (mcu_rows.end * mcu_row_rows).min(row_count).saturating_sub(mcu_rows.start * mcu_row_rows)
        };
        let components = self.components.iter().map(|size| {
            let (_, vertical) = size.sampling;
            ComponentSize {
                blocks: (size.blocks.0, band(size.blocks.1, vertical)),
                height: band(size.height, vertical * size.block_size.side()),
                ..*size
            }
        });
        Self {
            rows: band(self.rows, self.mcu_pixel_rows),
            components: components.collect(),
            mcu_rows: mcu_rows.len(),
            ..*self
        }
    }

    /// Blocks of the interleaved MCU of `components`.
    pub(super) fn mcu_blocks(&self, components: &[usize]) -> usize {
        let sampling = components.iter().filter_map(|index| self.components.get(*index)).map(|size| size.sampling);
        sampling.map(|(horizontal, vertical)| horizontal * vertical).sum()
    }

    /// MCUs of a scan of `components`: per row, and rows.
    pub(super) fn scan_mcus(&self, components: &[usize]) -> (usize, usize) {
        match components {
            [index] => self.components.get(*index).map_or((0, 0), |size| size.blocks),
            _ => (self.mcu_columns, self.mcu_rows),
        }
    }
}

/// Returns Hmax and Vmax.
fn max_sampling(frame: &FrameHeader) -> (usize, usize) {
    if frame.components.len() == 1 {
        return (1, 1);
    }
    let sampling = frame.components.iter().map(|component| component.sampling);
    let (horizontal, vertical) = sampling.fold((1, 1), |max, factors| (factors.0.max(max.0), factors.1.max(max.1)));
    (horizontal.into(), vertical.into())
}
