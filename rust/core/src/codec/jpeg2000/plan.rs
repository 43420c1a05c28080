//! Header and attributes of a frame → everything that the loop over the tiles needs.

use super::codestream::{Component, Header, Rectangle};
use crate::error::{Result, unsupported};
use crate::frame::FrameInfo;
use std::ops::Range;

/// Bytes of SOC, SIZ without components, COD, QCD, SOT and SOD (T.800 Annex A).
const MIN_HEADER_BYTES: u64 = 2 + 40 + 14 + 6 + 12 + 2;
/// Bytes of a component in SIZ.
const COMPONENT_BYTES: u64 = 3;

/// Samples per byte above which the header is read before memory is allocated for the samples: it may claim another size.
const MAX_UNCHECKED_SAMPLES_PER_BYTE: u64 = 1024;

/// Returns the number of bytes of a frame that is not checked before it is decoded. Frames may have less: a tile of any size
/// may have a single packet of one byte.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let header = MIN_HEADER_BYTES + COMPONENT_BYTES * info.samples_per_pixel() as u64;
    header + info.samples() as u64 / MAX_UNCHECKED_SAMPLES_PER_BYTE
}

/// Everything about a frame that its tiles have in common.
pub(super) struct Plan<'a> {
    pub(super) frame: &'a [u8],
    pub(super) header: &'a Header,
    /// Resolutions that are discarded.
    pub(super) reduce: u8,
    /// Columns and rows of the decoded image on the reference grid, which is reduced with it.
    pub(super) image: Rectangle,
    /// Bytes of a stored sample.
    pub(super) sample_bytes: usize,
}

/// Divides coordinates by 2^`reduce`, rounded up (T.800 B-14).
fn reduced(range: &Range<u32>, reduce: u8) -> Range<u32> {
    let of = |position: u32| u32::try_from(u64::from(position).div_ceil(1 << reduce)).unwrap_or(u32::MAX);
    of(range.start)..of(range.end)
}

/// Divides the coordinates of a rectangle by 2^`reduce`, rounded up.
pub(super) fn reduced_area(area: &Rectangle, reduce: u8) -> Rectangle {
    Rectangle { columns: reduced(&area.columns, reduce), rows: reduced(&area.rows, reduce) }
}

impl<'a> Plan<'a> {
    /// Plans the decoding of a frame whose header agrees with the attributes. `output` has those of the decoded image.
    ///
    /// # Errors
    /// `Unsupported` if the resolution of an image that does not start at 0 has another size than images that do, a component
    /// has no samples because of its subsampling, or samples have more than 32 bits.
    pub(super) fn new(
        frame: &'a [u8],
        header: &'a Header,
        reduce: u32,
        output: &FrameInfo,
        sample_bytes: usize,
    ) -> Result<Self> {
        let size = &header.main.size;
        // Levels are at most 32, and the header has as many as are discarded.
        let reduce = u8::try_from(reduce).unwrap_or(u8::MAX).min(32);
        let image = reduced_area(&size.image, reduce);
        let attributes = output.attributes();
        if (image.width(), image.height()) != (attributes.columns, attributes.rows) {
            let (rows, columns) = (image.height(), image.width());
            let text = format!(
                "resolution of {rows} × {columns} pixels found, {} × {} expected",
                attributes.rows, attributes.columns
            );
            return Err(unsupported(text, "ITU-T T.800 B.5").at(size.offset));
        }
        if sample_bytes > 4 {
            return Err(unsupported(format!("samples of {sample_bytes} bytes in JPEG 2000"), "PS3.5 8.2.4"));
        }
        let plan = Self { frame, header, reduce, image, sample_bytes };
        let is_empty = |area: &Rectangle| area.columns.is_empty() || area.rows.is_empty();
        if plan.components().iter().any(|component| is_empty(&plan.component_area(component))) {
            return Err(unsupported("component without samples", "ITU-T T.800 B.2").at(size.offset));
        }
        Ok(plan)
    }

    /// Returns the components of the image.
    pub(super) fn components(&self) -> &'a [Component] {
        &self.header.main.size.components
    }

    /// True if some component has fewer columns or rows than the image.
    pub(super) fn is_subsampled(&self) -> bool {
        self.components().iter().any(|component| (component.column_step, component.row_step) != (1, 1))
    }

    /// Returns the largest precision of a component, in bits.
    pub(super) fn max_precision(&self) -> u32 {
        self.components().iter().map(|component| u32::from(component.precision)).max().unwrap_or(0)
    }

    /// Returns columns and rows of a component of the decoded image, in its own coordinates.
    pub(super) fn component_area(&self, component: &Component) -> Rectangle {
        let area = self.header.main.size.image.divide(component.column_step.into(), component.row_step.into());
        reduced_area(&area, self.reduce)
    }
}
