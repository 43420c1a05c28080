//! Rows of pixels, from the lines of all scans to the output stage.

use super::plan::{Plan, ScanPlan};
use crate::codec::t81::headers::MAX_SCAN_COMPONENTS;
use crate::error::{DecodeError, ErrorKind, Result};
use crate::kernel::{CpuLevel, interleave, predict};
use crate::limits::Limits;
use crate::output::Output;
use std::ops::Range;

/// A decoded line of one scan.
#[derive(Clone, Copy)]
pub(super) struct ScanLine<'a> {
    plan: &'a ScanPlan,
    rows: [&'a [u16]; MAX_SCAN_COMPONENTS],
}

impl<'a> ScanLine<'a> {
    /// Returns the line with these rows: one per component, or one of interleaved pixels.
    pub(super) fn new(plan: &'a ScanPlan, rows: impl Iterator<Item = &'a [u16]>) -> Self {
        let mut line = Self { plan, rows: [&[]; MAX_SCAN_COMPONENTS] };
        line.rows.iter_mut().zip(rows).for_each(|(slot, row)| *slot = row);
        line
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &'a [u16]> {
        self.rows.into_iter().take(self.plan.kernel.rows_per_line())
    }

    /// Stores some pixels of the line.
    fn store(&self, pixels: &Range<usize>, block: &mut Block<'_>) {
        let components = &self.plan.components;
        if !self.plan.is_interleaved {
            for (component, row) in components.iter().zip(&self.rows) {
                block.store_component(*component, part(row, pixels, 1));
            }
            return;
        }
        let [row, ..] = self.rows;
        let samples = part(row, pixels, components.len());
        if components.len() == block.components {
            block.store_pixels(samples);
            return;
        }
        // Interleaved scans of some of the components are rare: one sample at a time.
        for (index, component) in components.iter().enumerate() {
            let samples = samples.iter().skip(index).step_by(components.len());
            for (pixel, sample) in samples.enumerate() {
                block.store(&[*sample], pixel * block.components + component, 1);
            }
        }
    }

    /// Copies the line to a row of pixels of `frame_components` samples.
    fn copy_to(&self, row: &mut [u16], frame_components: usize) {
        let components = &self.plan.components;
        let (step, [first_row, ..]) = (components.len(), self.rows);
        for (index, (component, line)) in components.iter().zip(self.rows).enumerate() {
            let out = row.iter_mut().skip(*component).step_by(frame_components);
            if self.plan.is_interleaved {
                let samples = first_row.iter().skip(index).step_by(step);
                out.zip(samples).for_each(|(out, sample)| *out = *sample);
            } else {
                out.zip(line).for_each(|(out, sample)| *out = *sample);
            }
        }
    }
}

/// Writes rows of pixels to the output stage.
pub(super) struct RowWriter<'a> {
    plan: &'a Plan<'a>,
    /// A row of interleaved pixels; empty if the lines of the scans are stored without it.
    row: &'a mut [u16],
    /// True if there are three components, and all scans have a row per component.
    is_planar: bool,
}

impl<'a> RowWriter<'a> {
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn new(plan: &'a Plan<'_>, row: &'a mut Vec<u16>, limits: &Limits) -> Result<Self> {
        let is_planar = plan.components == 3 && plan.scans.iter().all(|scan| !scan.is_interleaved);
        let samples = if is_planar || plan.transform.is_some() { plan.columns * plan.components } else { 0 };
        limits.grow_zeroed(row, samples)?;
        Ok(Self { plan, row: row.get_mut(..samples).unwrap_or_default(), is_planar })
    }

    /// Stores the lines of all scans to the row of pixels.
    ///
    /// Interleaving samples and storing pixels both use vectors. Storing the bytes of one component at a time does not.
    fn interleave<'l>(&mut self, lines: impl Iterator<Item = ScanLine<'l>>, level: CpuLevel) {
        if !self.is_planar || !level.is_v3() {
            return lines.for_each(|line| line.copy_to(self.row, self.plan.components));
        }
        let mut planes: [&[u8]; MAX_SCAN_COMPONENTS] = [&[]; MAX_SCAN_COMPONENTS];
        for line in lines {
            for (component, row) in line.plan.components.iter().zip(line.rows()) {
                if let Some(plane) = planes.get_mut(*component) {
                    *plane = bytemuck::cast_slice(row);
                }
            }
        }
        let planes = planes.get(..self.plan.components).unwrap_or_default();
        interleave::interleave(planes, size_of::<u16>(), bytemuck::cast_slice_mut(self.row), level);
    }

    /// Writes a row of pixels: the next line of each scan.
    ///
    /// # Errors
    /// Those of `output`.
    pub(super) fn write<'l>(
        &mut self,
        lines: impl Iterator<Item = ScanLine<'l>> + Clone,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let plan = self.plan;
        let level = output.cpu_level();
        // Level v3 has vectors of three planes of 16 bits.
        let has_row = plan.transform.is_some() || (self.is_planar && level.is_v3());
        if has_row {
            self.interleave(lines.clone(), level);
        }
        if let Some(transform) = plan.transform {
            transform.invert(self.row, plan.components, plan.precision);
        }
        let mut first_pixel = 0;
        while first_pixel < plan.columns {
            let block = output.block(plan.columns - first_pixel)?;
            let pixels = block.len() / (plan.components * plan.sample_bytes);
            if pixels == 0 {
                debug_assert!(false, "output and plan have equal numbers of pixels");
                return Err(DecodeError::new(ErrorKind::Output, "output has no space for the decoded rows", ""));
            }
            if plan.sample_bytes > 2 {
                // Decoded samples have 16 bits; the bits above them are 0.
                block.fill(0);
            }
            let mut block = Block { bytes: block, components: plan.components, sample_bytes: plan.sample_bytes, level };
            let range = first_pixel..first_pixel + pixels;
            if has_row {
                block.store_pixels(part(self.row, &range, plan.components));
            } else {
                lines.clone().for_each(|line| line.store(&range, &mut block));
            }
            output.commit(pixels)?;
            first_pixel += pixels;
        }
        Ok(())
    }
}

/// Returns the samples of some pixels of a row that has `samples` samples per pixel.
fn part<'r>(row: &'r [u16], pixels: &Range<usize>, samples: usize) -> &'r [u16] {
    row.get(pixels.start * samples..pixels.end * samples).unwrap_or_default()
}

/// Pixels of a block of the output, with interleaved samples.
struct Block<'a> {
    bytes: &'a mut [u8],
    /// Samples of a pixel.
    components: usize,
    /// Bytes of a sample. One of 4 or 8 bytes is stored as 2 bytes, followed by the zeros that are there.
    sample_bytes: usize,
    level: CpuLevel,
}

impl Block<'_> {
    /// Stores all samples of the pixels.
    fn store_pixels(&mut self, samples: &[u16]) {
        self.store(samples, 0, 1);
    }

    /// Stores one component of the pixels.
    fn store_component(&mut self, component: usize, samples: &[u16]) {
        self.store(samples, component, self.components);
    }

    /// Stores samples from sample `first` on, every `stride` samples.
    fn store(&mut self, samples: &[u16], first: usize, stride: usize) {
        let stored_bytes = self.sample_bytes.min(2);
        let sample_stride = self.sample_bytes / stored_bytes;
        let out = self.bytes.get_mut(first * self.sample_bytes..).unwrap_or_default();
        predict::store(samples, 0, u16::MAX, out, stored_bytes, stride * sample_stride, self.level);
    }
}
