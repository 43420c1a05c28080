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

/// A component of a ring. Offsets and lengths are in samples.
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
        Self { layout, filter, first_sample, stride, readable: stride - margin }
    }

    /// Returns the offset of the first sample of a row.
    pub(super) const fn row_offset(&self, row: usize) -> usize {
        self.first_sample + row % (2 * self.layout.mcu_rows) * self.stride
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
        let first = self.row_offset(mcu_row * self.layout.mcu_rows) - 1;
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

    /// Returns the row of pixels with index `row`: in the ring, or upsampled to `pixels`. `sums` is scratch memory.
    pub(super) fn upsample<'p, T: Sample>(
        &self,
        ring: &'p [T],
        row: usize,
        pixels: &'p mut [T],
        sums: &mut [u16],
        level: CpuLevel,
    ) -> &'p [T] {
        let ComponentLayout { horizontal, width, .. } = self.layout;
        let neighbours = width + 2;
        let near = self.near_row(ring, row);
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
                self.vertical_sums(ring, row, sums, level);
                if let (Some(sums), Some(doubled)) = (sums.get(..neighbours), doubled) {
                    upsample::double_sums(sums, doubled, level);
                }
            }
            Filter::BetweenRows => {
                let (far, far_row) = self.far_row(ring, row);
                let far = far.get(1..).unwrap_or_default();
                let length = width.next_multiple_of(ROUND_PIXELS).min(pixels.len());
                if let (Some(near), Some(far), Some(pixels)) =
                    (samples.get(..length), far.get(..length), pixels.get_mut(..length))
                {
                    upsample::between_rows(near, far, far_row, pixels, level);
                }
            }
            Filter::Repeat => {
                let length = pixels.len().min(horizontal * width);
                if let Some(pixels) = pixels.get_mut(..length) {
                    upsample::repeat(samples, horizontal, pixels, level);
                }
            }
        }
        pixels
    }

    /// Stores the vertical sums of the row of pixels with index `row`, those of the two neighbours of the edges included.
    pub(super) fn vertical_sums<T: Sample>(&self, ring: &[T], row: usize, sums: &mut [u16], level: CpuLevel) {
        let (near, (far, _)) = (self.near_row(ring, row), self.far_row(ring, row));
        let length = (self.layout.width + 2).next_multiple_of(MARGIN_BYTES).min(sums.len()).min(near.len());
        if let (Some(near), Some(far), Some(sums)) = (near.get(..length), far.get(..length), sums.get_mut(..length)) {
            upsample::vertical_sums(near, far, sums, level);
        }
    }

    /// Returns the row of samples that the row of pixels with index `row` is in, from its left neighbour on.
    pub(super) fn near_row<'r, T>(&self, ring: &'r [T], row: usize) -> &'r [T] {
        self.row(ring, row / self.layout.vertical)
    }

    /// Returns the other row of samples to interpolate with; at the upper and lower edge the nearer one again.
    fn far_row<'r, T>(&self, ring: &'r [T], row: usize) -> (&'r [T], FarRow) {
        let near = row / self.layout.vertical;
        if row.is_multiple_of(2) {
            (self.row(ring, near.saturating_sub(1)), FarRow::Above)
        } else {
            (self.row(ring, (near + 1).min(self.layout.height.saturating_sub(1))), FarRow::Below)
        }
    }

    /// Returns the row of samples with index `row`, from its left neighbour on.
    fn row<'r, T>(&self, ring: &'r [T], row: usize) -> &'r [T] {
        let first = self.row_offset(row) - 1;
        let samples = ring.get(first..first + self.readable);
        debug_assert!(samples.is_some(), "the ring holds two MCU rows");
        samples.unwrap_or_default()
    }
}
