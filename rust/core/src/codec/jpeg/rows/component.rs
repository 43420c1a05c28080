//! One component in the ring: position of its rows, and their upsampling.

use crate::kernel::CpuLevel;
use crate::kernel::colour_rows::ROUND_PIXELS;
use crate::kernel::upsample::{self, FarRow, Sample};

/// Geometry of a component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec::jpeg) struct ComponentLayout {
    /// Columns of the frame per sample.
    pub(in crate::codec::jpeg) horizontal: usize,
    /// Rows of the frame per sample.
    pub(in crate::codec::jpeg) vertical: usize,
    /// Samples of a row, without those that only fill blocks.
    pub(in crate::codec::jpeg) width: usize,
    /// Rows, without those that only fill blocks.
    pub(in crate::codec::jpeg) height: usize,
    /// Samples of a row of all blocks.
    pub(in crate::codec::jpeg) padded_width: usize,
    /// Rows of samples per MCU row.
    pub(in crate::codec::jpeg) mcu_rows: usize,
}

/// Filter from samples to pixels; see `kernel::upsample`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// The row of samples is the row of pixels, or several of them.
    Copy,
    /// Interpolation 2:1 horizontally.
    DoubleRow,
    /// Interpolation 2:1 in both directions.
    DoubleBoth,
    /// Interpolation 2:1 vertically.
    BetweenRows,
    /// Each sample is repeated.
    Repeat,
}

/// Bytes on each side of a row. They hold the neighbours of the edges, and are read after the last sample.
const MARGIN_BYTES: usize = 32;

/// A component of a ring, and the position of the next row of pixels in it. Offsets and lengths are in samples.
///
/// The position advances without divisions: on rows of 64 pixels, ten of them would take longer than the kernels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    pub(super) layout: ComponentLayout,
    pub(super) filter: Filter,
    /// Offset of the first sample of row 0.
    first_sample: usize,
    /// Offset of one row minus that of the row before.
    pub(super) stride: usize,
    /// Readable samples of a row, from the left neighbour of the first one on.
    readable: usize,
    /// Index of the row of samples that the next row of pixels is in.
    near: usize,
    /// Index of that row in the ring.
    ring_row: usize,
    /// Index of the next row of pixels among those in that row of samples.
    phase: usize,
}

impl Component {
    /// A component whose rows are stored from `ring_samples` on, which it increases by their length.
    pub(super) fn new(
        layout: ComponentLayout,
        component_bytes: usize,
        interpolates: bool,
        ring_samples: &mut usize,
    ) -> Self {
        // libjpeg-turbo interpolates horizontally if rows have more than two samples.
        let filter = match (layout.horizontal, layout.vertical) {
            (2, 1) if interpolates && layout.width > 2 => Filter::DoubleRow,
            (2, 2) if interpolates && layout.width > 2 => Filter::DoubleBoth,
            (1, 2) if interpolates => Filter::BetweenRows,
            (1, _) => Filter::Copy,
            _ => Filter::Repeat,
        };
        let margin = MARGIN_BYTES / component_bytes.max(1);
        let samples = layout.padded_width.max(layout.width.next_multiple_of(ROUND_PIXELS));
        let stride = (samples + 2 * margin).next_multiple_of(margin);
        let first_sample = *ring_samples + margin;
        *ring_samples += stride * 2 * layout.mcu_rows;
        Self { layout, filter, first_sample, stride, readable: stride - margin, near: 0, ring_row: 0, phase: 0 }
    }

    /// Returns the offset of the first sample of an MCU row.
    pub(super) const fn offset_of(&self, mcu_row: usize) -> usize {
        self.first_sample + mcu_row % 2 * self.layout.mcu_rows * self.stride
    }

    /// Advances to the next row of pixels.
    pub(super) const fn advance(&mut self) {
        self.phase += 1;
        if self.phase == self.layout.vertical {
            self.phase = 0;
            self.near += 1;
            self.ring_row = self.ring_row_below();
        }
    }

    /// Returns the index in the ring of the row after the nearer one.
    const fn ring_row_below(&self) -> usize {
        if self.ring_row + 1 == 2 * self.layout.mcu_rows { 0 } else { self.ring_row + 1 }
    }

    /// Returns the number of rows of pixels that can be written when MCU rows 0 to `mcu_row` have been decoded, of a frame
    /// of `rows` rows.
    pub(super) const fn rows_ready(&self, mcu_row: usize, rows: usize) -> usize {
        let decoded = (mcu_row + 1) * self.layout.mcu_rows;
        match self.filter {
            _ if decoded >= self.layout.height => rows,
            Filter::BetweenRows | Filter::DoubleBoth => 2 * decoded - 1,
            Filter::Copy | Filter::DoubleRow | Filter::Repeat => self.layout.vertical * decoded,
        }
    }

    /// Stores the first and the last sample of each row of an MCU row once more, as neighbours of themselves, if they are
    /// interpolated.
    pub(super) fn repeat_edges<T: Sample>(&self, ring: &mut [T], mcu_row: usize) {
        if !matches!(self.filter, Filter::DoubleRow | Filter::DoubleBoth) {
            return;
        }
        let first = self.offset_of(mcu_row) - 1;
        let rows = ring.get_mut(first..).unwrap_or_default().chunks_mut(self.stride).take(self.layout.mcu_rows);
        for row in rows {
            if let [left, first, ..] = row {
                *left = *first;
            }
            if let Some([last, right]) = row.get_mut(self.layout.width..self.layout.width + 2) {
                *right = *last;
            }
        }
    }

    /// Returns the next row of pixels: in the ring, or upsampled to `pixels`. `sums` is scratch memory.
    pub(super) fn upsample<'p, T: Sample>(
        &self,
        ring: &'p [T],
        pixels: &'p mut [T],
        sums: &mut [u16],
        level: CpuLevel,
    ) -> &'p [T] {
        let ComponentLayout { horizontal, width, .. } = self.layout;
        let neighbours = width + 2;
        let near = self.near_row(ring);
        let samples = near.get(1..).unwrap_or_default();
        let doubled = pixels.get_mut(..2 * width);
        match self.filter {
            Filter::Copy => return samples,
            Filter::DoubleRow => {
                if let (Some(samples), Some(doubled)) = (near.get(..neighbours), doubled) {
                    upsample::double_row(samples, doubled, level);
                }
            }
            Filter::DoubleBoth => {
                self.vertical_sums(ring, sums, level);
                if let (Some(sums), Some(doubled)) = (sums.get(..neighbours), doubled) {
                    upsample::double_sums(sums, doubled, level);
                }
            }
            Filter::BetweenRows => {
                let (far, far_row) = self.far_row(ring);
                let far = far.get(1..).unwrap_or_default();
                let length = width.next_multiple_of(ROUND_PIXELS).min(pixels.len());
                if let (Some(near), Some(far), Some(pixels)) =
                    (samples.get(..length), far.get(..length), pixels.get_mut(..length))
                {
                    upsample::between_rows(near, far, far_row, pixels, level);
                }
            }
            Filter::Repeat => {
                let length = (horizontal * width).next_multiple_of(ROUND_PIXELS);
                let length = length.min(pixels.len()).min(horizontal * samples.len());
                if let Some(pixels) = pixels.get_mut(..length) {
                    upsample::repeat(samples, horizontal, pixels, level);
                }
            }
        }
        pixels
    }

    /// Stores the vertical sums of the next row of pixels, those of the two neighbours of the edges included.
    pub(super) fn vertical_sums<T: Sample>(&self, ring: &[T], sums: &mut [u16], level: CpuLevel) {
        let (near, (far, _)) = (self.near_row(ring), self.far_row(ring));
        let length = (self.layout.width + 2).next_multiple_of(MARGIN_BYTES).min(sums.len()).min(near.len());
        if let (Some(near), Some(far), Some(sums)) = (near.get(..length), far.get(..length), sums.get_mut(..length)) {
            upsample::vertical_sums(near, far, sums, level);
        }
    }

    /// Returns the row of samples that the next row of pixels is in, from its left neighbour on.
    pub(super) fn near_row<'r, T>(&self, ring: &'r [T]) -> &'r [T] {
        self.row(ring, self.ring_row)
    }

    /// Returns the other row of samples to interpolate with; at the upper and lower edge the nearer one again.
    fn far_row<'r, T>(&self, ring: &'r [T]) -> (&'r [T], FarRow) {
        let (ring_row, far_row) = if self.phase == 0 {
            let above = self.ring_row.checked_sub(1).unwrap_or(2 * self.layout.mcu_rows - 1);
            (if self.near == 0 { self.ring_row } else { above }, FarRow::Above)
        } else {
            let is_last = self.near + 1 >= self.layout.height;
            (if is_last { self.ring_row } else { self.ring_row_below() }, FarRow::Below)
        };
        (self.row(ring, ring_row), far_row)
    }

    /// Returns the row of samples with this index in the ring, from its left neighbour on.
    fn row<'r, T>(&self, ring: &'r [T], ring_row: usize) -> &'r [T] {
        let first = self.first_sample + ring_row * self.stride - 1;
        let samples = ring.get(first..first + self.readable);
        debug_assert!(samples.is_some(), "the ring holds two MCU rows");
        samples.unwrap_or_default()
    }
}
