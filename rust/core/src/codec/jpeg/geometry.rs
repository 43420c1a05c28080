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

/// Sizes of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ComponentSize {
    /// H and V: blocks per interleaved MCU, horizontally and vertically.
    pub(super) sampling: (usize, usize),
    /// Hmax / H and Vmax / V: pixels per sample, horizontally and vertically.
    pub(super) ratio: (usize, usize),
    /// Samples of a row.
    pub(super) width: usize,
    /// Rows of samples.
    pub(super) height: usize,
}

impl ComponentSize {
    /// Blocks that a scan of this component alone codes, per row.
    pub(super) const fn block_columns(&self) -> usize {
        self.width.div_ceil(8)
    }

    /// Rows of blocks that a scan of this component alone codes.
    pub(super) const fn block_rows(&self) -> usize {
        self.height.div_ceil(8)
    }
}

/// Sizes of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) components: Vec<ComponentSize>,
    /// Interleaved MCUs of a row.
    pub(super) mcu_columns: usize,
    /// Rows of interleaved MCUs.
    pub(super) mcu_rows: usize,
    /// Hmax and Vmax.
    pub(super) max_sampling: (usize, usize),
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
        let (columns, rows) = (usize::from(frame.columns), usize::from(lines));
        let (max_horizontal, max_vertical) = max_sampling(frame);
        let is_single = frame.components.len() == 1;
        let components = frame.components.iter().map(|component| {
            let (horizontal, vertical) =
                if is_single { (1, 1) } else { (component.sampling.0.into(), component.sampling.1.into()) };
            ComponentSize {
                sampling: (horizontal, vertical),
                ratio: (max_horizontal / horizontal, max_vertical / vertical),
                width: (columns * horizontal).div_ceil(max_horizontal),
                height: (rows * vertical).div_ceil(max_vertical),
            }
        });
        Self {
            columns,
            rows,
            components: components.collect(),
            mcu_columns: columns.div_ceil(8 * max_horizontal),
            mcu_rows: rows.div_ceil(8 * max_vertical),
            max_sampling: (max_horizontal, max_vertical),
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
            [index] => self.components.get(*index).map_or((0, 0), |size| (size.block_columns(), size.block_rows())),
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
