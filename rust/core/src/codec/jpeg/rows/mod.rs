//! From component samples to rows of pixels: a ring of component rows, which the inverse DCT fills MCU row by MCU row, and
//! from which finished rows of pixels are written.
//!
//! ```text
//! MCU row 0 │ rows of Y, Cb, Cr ─┐      upsample, convert, interleave     ┌─► rows 0 to 14 of the image
//! MCU row 1 │ rows of Y, Cb, Cr ─┴─► (kernel::upsample, colour_rows) ─────┴─► rows 15 to 30
//! MCU row 2   in the memory of MCU row 0
//! ```
//!
//! Vertical interpolation needs the rows above and below. So the last row of an MCU row is written together with the next
//! MCU row (the example is 4:2:0, with 16 rows of pixels per MCU row), and memory of two MCU rows is enough.
//!
//! Blocks reach beyond the edges of a component. Interpolation does not use the samples there but repeats the last sample
//! of the component: [`RowRing::emit`] overwrites the left and right neighbours of each row, and clamps row indices.

mod component;
#[cfg(test)]
mod tests;

use crate::error::{DecodeError, ErrorKind, Result};
use crate::kernel::colour_rows::{self, Chroma, ROUND_PIXELS};
use crate::kernel::idct::Precision;
use crate::kernel::upsample::Sample;
use crate::kernel::ybr::RgbConversion;
use crate::kernel::{CpuLevel, interleave};
use crate::limits::Limits;
use crate::output::Output;
pub(super) use component::ComponentLayout;
use component::{Component, Filter};
use std::ops::Range;

/// Maximum number of components of a frame.
const MAX_COMPONENTS: usize = 4;

/// Memory of a [`RowRing`], reused from frame to frame. Words keep the samples aligned.
#[derive(Debug, Default)]
pub(super) struct RowBuffers {
    /// Rows of all components, of two MCU rows.
    ring: Vec<u64>,
    /// One row of pixels of each component that is upsampled on its own.
    upsampled: Vec<u64>,
    /// One row of vertical sums of each chroma component.
    sums: Vec<u64>,
    /// One row of interleaved pixels whose samples have the size of component samples.
    pixels: Vec<u64>,
}

/// Component rows of two MCU rows, and the state of writing them.
#[derive(Debug)]
pub(super) struct RowRing<'a> {
    components: Vec<Component>,
    columns: usize,
    rows: usize,
    precision: Precision,
    /// Samples from one row to the next one in `buffers.upsampled` and `buffers.sums`.
    row_stride: usize,
    buffers: &'a mut RowBuffers,
    /// Conversion that the output stage has left to this ring.
    conversion: Option<RgbConversion>,
    /// Rows of pixels that are written. Those before are only neighbours of the first one.
    written: Range<usize>,
    /// Index of the next row of pixels.
    next_row: usize,
}

impl<'a> RowRing<'a> {
    /// A ring for a frame of `rows` × `columns` pixels. Without `interpolates`, samples are repeated for all ratios, as
    /// libjpeg-turbo does at an eighth of the resolution.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn new(
        components: &[ComponentLayout],
        precision: Precision,
        interpolates: bool,
        columns: usize,
        rows: usize,
        buffers: &'a mut RowBuffers,
        limits: &Limits,
    ) -> Result<Self> {
        debug_assert!(matches!(components.len(), 1..=MAX_COMPONENTS), "a frame has one to four components");
        let component_bytes = precision.sample_bytes();
        let mut ring_samples = 0;
        let components: Vec<Component> = components
            .iter()
            .map(|layout| Component::new(*layout, component_bytes, interpolates, &mut ring_samples))
            .collect();
        // Interpolation gives an even number of pixels.
        let row_stride = (columns + 2).next_multiple_of(ROUND_PIXELS);
        let words = |samples: usize, bytes: usize| (samples * bytes).div_ceil(8);
        limits.grow_zeroed(&mut buffers.ring, words(ring_samples, component_bytes))?;
        limits.grow_zeroed(&mut buffers.upsampled, words(row_stride * MAX_COMPONENTS, component_bytes))?;
        limits.grow_zeroed(&mut buffers.sums, words(row_stride * 2, 2))?;
        limits.grow_zeroed(&mut buffers.pixels, words(columns * components.len(), component_bytes))?;
        Ok(Self {
            components,
            columns,
            rows,
            precision,
            row_stride,
            buffers,
            conversion: None,
            written: 0..rows,
            next_row: 0,
        })
    }

    /// Limits the rows of pixels that [`Self::emit`] writes.
    pub(super) fn write_only(&mut self, rows: Range<usize>) {
        self.written = rows;
    }

    /// The memory that [`Self::placement`] gives offsets of.
    pub(super) fn samples_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.buffers.ring)
    }

    /// Returns the byte offset of the first sample of `component` (zero-based) in an MCU row, and the bytes from one row
    /// of samples to the next.
    pub(super) fn placement(&self, component: usize, mcu_row: usize) -> (usize, usize) {
        let Some(component) = self.components.get(component) else {
            debug_assert!(false, "the frame has the component");
            return (0, 0);
        };
        let offset = component.offset_of(mcu_row);
        let component_bytes = self.precision.sample_bytes();
        (offset * component_bytes, component.stride * component_bytes)
    }

    /// Writes the rows of pixels that are complete when the MCU row has been decoded. MCU rows come in their order.
    ///
    /// # Errors
    /// Those of the output stage.
    pub(super) fn emit(&mut self, mcu_row: usize, output: &mut Output<'_>) -> Result<()> {
        self.conversion = self.conversion.or(output.take_rgb_conversion());
        match self.precision {
            Precision::Eight => self.emit_samples::<u8>(mcu_row, output),
            Precision::Twelve => self.emit_samples::<u16>(mcu_row, output),
        }
    }

    fn emit_samples<T: RowSample>(&mut self, mcu_row: usize, output: &mut Output<'_>) -> Result<()> {
        for component in &self.components {
            component.repeat_edges(samples_of_mut::<T>(&mut self.buffers.ring), mcu_row);
        }
        let end = self.components.iter().map(|component| component.rows_ready(mcu_row, self.rows)).min();
        let end = end.unwrap_or(0).min(self.written.end);
        while self.next_row < end.min(self.written.start) {
            self.advance();
        }
        let (sample_bytes, level) = (output.sample_bytes(), output.cpu_level());
        let row_bytes = self.columns * self.components.len() * sample_bytes;
        while self.next_row < end {
            if sample_bytes != size_of::<T>() {
                self.emit_row_in_parts::<T>(output)?;
                continue;
            }
            let block = output.block((end - self.next_row) * self.columns)?;
            let row_count = block.len() / row_bytes;
            if row_count == 0 {
                self.emit_row_in_parts::<T>(output)?;
                continue;
            }
            for pixels in block.chunks_exact_mut(row_bytes) {
                self.write_row::<T>(pixels, level);
            }
            output.commit(row_count * self.columns)?;
        }
        Ok(())
    }

    /// Writes the next row through `buffers.pixels`: output samples are wider than those of the components, or the output
    /// stage takes less than a row at once.
    fn emit_row_in_parts<T: RowSample>(&mut self, output: &mut Output<'_>) -> Result<()> {
        let pixel_bytes = self.components.len() * size_of::<T>();
        let mut memory = std::mem::take(&mut self.buffers.pixels);
        let row = bytemuck::cast_slice_mut(&mut memory).get_mut(..self.columns * pixel_bytes).unwrap_or_default();
        self.write_row::<T>(row, output.cpu_level());
        let written = write_in_parts(row, pixel_bytes, size_of::<T>(), output);
        self.buffers.pixels = memory;
        written
    }

    /// Writes the next row of pixels, in samples of the size of `T`, and advances.
    fn write_row<T: RowSample>(&mut self, pixels: &mut [u8], level: CpuLevel) {
        let ring = samples_of::<T>(&self.buffers.ring);
        let mut scratch = samples_of_mut::<T>(&mut self.buffers.upsampled);
        let mut scratch_row = || scratch.split_off_mut(..self.row_stride).unwrap_or_default();
        let mut sums = samples_of_mut::<u16>(&mut self.buffers.sums);
        let mut sums_row = || sums.split_off_mut(..self.row_stride).unwrap_or_default();
        let (first_sums, second_sums) = (sums_row(), sums_row());
        if let [luma, cb, cr] = self.components.as_slice() {
            let luma = luma.upsample(ring, scratch_row(), first_sums, level);
            let chroma = match (cb.filter, cr.filter) {
                (Filter::DoubleRow, Filter::DoubleRow) => {
                    Chroma::Half([cb, cr].map(|component| component.near_row(ring)))
                }
                (Filter::DoubleBoth, Filter::DoubleBoth) => {
                    cb.vertical_sums(ring, first_sums, level);
                    cr.vertical_sums(ring, second_sums, level);
                    Chroma::HalfSums([first_sums, second_sums])
                }
                _ => Chroma::Full([cb, cr].map(|component| component.upsample(ring, scratch_row(), first_sums, level))),
            };
            T::write_pixels(luma, chroma, self.conversion, pixels, level);
        } else {
            let mut planes: [&[u8]; MAX_COMPONENTS] = [&[]; MAX_COMPONENTS];
            for (plane, component) in planes.iter_mut().zip(&self.components) {
                let samples = component.upsample(ring, scratch_row(), first_sums, level);
                *plane = bytemuck::cast_slice(samples.get(..self.columns).unwrap_or_default());
            }
            match planes.get(..self.components.len()) {
                Some([plane]) if plane.len() == pixels.len() => pixels.copy_from_slice(plane),
                Some(planes) => interleave::interleave(planes, size_of::<T>(), pixels, level),
                None => debug_assert!(false, "a frame has at most {MAX_COMPONENTS} components"),
            }
        }
        self.advance();
    }

    /// Continues with the next row of pixels.
    fn advance(&mut self) {
        self.components.iter_mut().for_each(Component::advance);
        self.next_row += 1;
    }
}

/// The kernel that writes pixels of three components.
trait RowSample: Sample {
    fn write_pixels(
        luma: &[Self],
        chroma: Chroma<'_, Self>,
        conversion: Option<RgbConversion>,
        pixels: &mut [u8],
        level: CpuLevel,
    );
}

impl RowSample for u8 {
    fn write_pixels(
        luma: &[Self],
        chroma: Chroma<'_, Self>,
        conversion: Option<RgbConversion>,
        pixels: &mut [u8],
        level: CpuLevel,
    ) {
        colour_rows::write_pixels(luma, chroma, conversion, pixels, level);
    }
}

impl RowSample for u16 {
    /// Converts by T.871: the output stage refuses the conversion of DICOM for samples of more than 8 bits.
    fn write_pixels(
        luma: &[Self],
        chroma: Chroma<'_, Self>,
        conversion: Option<RgbConversion>,
        pixels: &mut [u8],
        level: CpuLevel,
    ) {
        debug_assert!(conversion != Some(RgbConversion::Dicom), "refused by Output::new");
        colour_rows::write_pixels_12(luma, chroma, conversion.is_some(), pixels, level);
    }
}

/// Writes pixels of `pixel_bytes` bytes, whose samples have `component_bytes` bytes, in as many blocks as the output needs.
fn write_in_parts(
    mut pixels: &[u8],
    pixel_bytes: usize,
    component_bytes: usize,
    output: &mut Output<'_>,
) -> Result<()> {
    let sample_bytes = output.sample_bytes();
    while !pixels.is_empty() {
        let block = output.block(pixels.len() / pixel_bytes)?;
        let count = block.len() / (pixel_bytes / component_bytes * sample_bytes);
        let Some((part, rest)) = pixels.split_at_checked(count * pixel_bytes).filter(|(part, _)| !part.is_empty())
        else {
            return Err(no_space());
        };
        widen(part, component_bytes, block, sample_bytes);
        output.commit(count)?;
        pixels = rest;
    }
    Ok(())
}

/// Copies samples of `from_bytes` bytes to samples of `to_bytes` bytes; the upper bytes are 0.
fn widen(from: &[u8], from_bytes: usize, to: &mut [u8], to_bytes: usize) {
    if (from_bytes, to_bytes) == (1, 2) {
        for (to, from) in to.as_chunks_mut::<2>().0.iter_mut().zip(from) {
            *to = [*from, 0];
        }
        return;
    }
    to.fill(0);
    for (to, from) in to.chunks_exact_mut(to_bytes).zip(from.chunks_exact(from_bytes)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// The samples in `words`, of whose size a word is a multiple.
fn samples_of<T: Sample>(words: &[u64]) -> &[T] {
    bytemuck::try_cast_slice(words).unwrap_or_default()
}

fn samples_of_mut<T: Sample>(words: &mut [u64]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}

/// The error of an impossible request: the output has other pixels than the frame.
fn no_space() -> DecodeError {
    debug_assert!(false, "output and frame have equal numbers of pixels");
    DecodeError::new(ErrorKind::Output, "output has no space for the decoded rows", "")
}
