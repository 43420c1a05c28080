//! Samples of subsampled components, which become pixels when all tiles are decoded: a pixel can need a sample of the tile
//! before it.

use crate::codec::jpeg2000::codestream::Rectangle;
use crate::codec::jpeg2000::plan::Plan;
use crate::error::Result;
use crate::kernel::component_rows::replicate_columns;
use crate::limits::Limits;
use crate::output::Output;
use std::ops::Range;

/// Samples of all components.
#[derive(Debug, Default)]
pub(super) struct Planes {
    /// One plane after the other.
    samples: Vec<i32>,
    planes: Vec<Plane>,
    /// One row of the image of each component.
    row: Vec<i32>,
}

/// One component.
#[derive(Debug)]
struct Plane {
    area: Rectangle,
    range: Range<usize>,
}

impl Planes {
    /// Prepares the planes of an image.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn start(&mut self, plan: &Plan<'_>, limits: &Limits) -> Result<()> {
        self.planes.clear();
        let mut start = 0;
        for component in plan.components() {
            let area = plan.component_area(component);
            let end = start + area.width() as usize * area.height() as usize;
            self.planes.push(Plane { area, range: start..end });
            start = end;
        }
        limits.grow_zeroed(&mut self.samples, start)?;
        limits.grow_zeroed(&mut self.row, plan.image.width() as usize * plan.components().len())
    }

    /// Returns the samples of row `row` of a component from column `column` on, in its own coordinates.
    pub(super) fn row_mut(&mut self, component: usize, row: u32, column: u32, width: usize) -> Option<&mut [i32]> {
        let Plane { area, range } = self.planes.get(component)?;
        let row = row.checked_sub(area.rows.start)? as usize;
        let column = column.checked_sub(area.columns.start)? as usize;
        let start = row * area.width() as usize + column;
        self.samples.get_mut(range.clone())?.get_mut(start..start + width)
    }

    /// Writes all pixels: each has the samples of its components that are at its position or next before it.
    ///
    /// # Errors
    /// Those of `output`.
    pub(super) fn write(&mut self, plan: &Plan<'_>, output: &mut Output<'_>) -> Result<()> {
        let (image, components) = (&plan.image, plan.components());
        let width = image.width() as usize;
        for row in image.rows.clone() {
            let steps = components.iter().map(|component| (component.column_step, component.row_step));
            for ((Plane { area, range }, (column_step, row_step)), out) in
                self.planes.iter().zip(steps).zip(self.row.chunks_exact_mut(width.max(1)))
            {
                let first = area.rows.start;
                let index = (row / u32::from(row_step)).saturating_sub(first) as usize;
                let plane_width = area.width() as usize;
                let samples = self.samples.get(range.clone()).unwrap_or_default();
                let samples = samples.get(index * plane_width..(index + 1) * plane_width).unwrap_or_default();
                replicate_columns(samples, column_step.into(), image.columns.clone(), out);
            }
            let mut first = 0;
            while first < width {
                let block = output.block(width - first)?;
                let pixel_bytes = components.len() * plan.sample_bytes;
                let pixels = block.len() / pixel_bytes;
                for (pixel, block) in (first..).zip(block.chunks_exact_mut(pixel_bytes)) {
                    let samples = self.row.iter().skip(pixel).step_by(width);
                    for (bytes, sample) in block.chunks_exact_mut(plan.sample_bytes).zip(samples) {
                        store(bytes, *sample);
                    }
                }
                output.commit(pixels)?;
                first += pixels;
            }
        }
        Ok(())
    }
}

/// Stores the lowest bytes of a sample in native byte order.
fn store(out: &mut [u8], sample: i32) {
    let low = sample.to_le_bytes();
    let low = low.get(..out.len()).unwrap_or_default();
    out.iter_mut().zip(low).for_each(|(out, byte)| *out = *byte);
    if cfg!(target_endian = "big") {
        out.reverse();
    }
}
