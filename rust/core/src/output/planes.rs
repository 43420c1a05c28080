//! Samples that a decoder produces one component at a time: rectangles of coefficients (JPEG 2000 tiles).
//!
//! ```text
//! tile(rect, planes) ─► component transform ─► level shift, clamp ─► interleave ─► row by row, as `commit`
//! ```

use super::{Output, outside_output};
use crate::error::{Result, output};

/// Maximum number of samples of a pixel (`FrameInfo` allows no more).
const MAX_COMPONENTS: usize = 4;

/// A rectangle of pixels of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Index of the first row.
    pub row: usize,
    /// Index of the first column.
    pub column: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
}

/// Inverse multiple component transform (ITU-T T.800 Annex G). It applies to the first three components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentTransform {
    /// Components are independent.
    None,
    /// Reversible (RCT, G.2): integers.
    Reversible,
    /// Irreversible (ICT, G.3): each product and each sum rounded to `f32`, in the order of the formulas.
    Irreversible,
}

/// Coefficients of one rectangle: a plane for each component, each of rect rows × rect columns, row by row.
#[derive(Debug, Clone, Copy)]
pub enum TilePlanes<'a> {
    /// Coefficients of a reversible wavelet.
    Integer(&'a [&'a [i32]]),
    /// Coefficients of an irreversible wavelet; rounded to the nearest integer, ties to even.
    Float(&'a [&'a [f32]]),
}

/// Conversion of coefficients to samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileFormat {
    /// Bits of a sample, 1 to 31. Samples are clamped to them.
    pub precision: u32,
    /// True for two's complement; else 2^(precision - 1) is added to each coefficient (T.800 G.1).
    pub is_signed: bool,
    /// Component transform, which is inverted.
    pub transform: ComponentTransform,
}

impl Output<'_> {
    /// Converts the coefficients of a rectangle to samples and finishes them. Rectangles may come in any order; together
    /// they cover each pixel once.
    ///
    /// # Errors
    /// As [`Self::commit`]; an internal error for a rectangle outside of the image, or planes of another number or
    /// length than the rectangle's.
    pub fn tile(&mut self, rect: Rect, planes: TilePlanes<'_>, format: TileFormat) -> Result<()> {
        let image_rows = self.out.len() / self.samples_per_pixel / self.columns;
        let is_inside = rect.row.checked_add(rect.rows).is_some_and(|end| end <= image_rows)
            && rect.column.checked_add(rect.columns).is_some_and(|end| end <= self.columns);
        let area = rect.rows * rect.columns;
        let has_planes = match planes {
            TilePlanes::Integer(planes) => {
                planes.len() == self.samples_per_pixel && planes.iter().all(|plane| plane.len() == area)
            }
            TilePlanes::Float(planes) => {
                planes.len() == self.samples_per_pixel && planes.iter().all(|plane| plane.len() == area)
            }
        };
        if !is_inside || !has_planes || area > self.pixels_left() || !(1..=31).contains(&format.precision) {
            return Err(outside_output());
        }
        if format.precision as usize > self.sample_type.bytes() * 8 {
            return Err(output(format!("samples of {} bits do not fit the output", format.precision), ""));
        }
        for row in 0..rect.rows {
            self.position = ((rect.row + row) * self.columns + rect.column) * self.samples_per_pixel;
            let mut first = row * rect.columns;
            let end = first + rect.columns;
            while first < end {
                let pixels = self.block_pixels().min(end - first);
                self.tile_run(first, pixels, planes, format)?;
                self.commit(pixels)?;
                first += pixels;
            }
        }
        Ok(())
    }

    /// Stores `pixels` pixels from index `first` of the planes as the next block.
    fn tile_run(&mut self, first: usize, pixels: usize, planes: TilePlanes<'_>, format: TileFormat) -> Result<()> {
        let (components, sample_bytes) = (self.samples_per_pixel, self.sample_type.bytes());
        let block = self.window(pixels * components)?;
        let indices = first..first + pixels;
        let pixels = block.chunks_exact_mut(components * sample_bytes);
        for (index, pixel) in indices.zip(pixels) {
            let values = match planes {
                TilePlanes::Integer(planes) => integer_pixel(planes, index, format.transform),
                TilePlanes::Float(planes) => float_pixel(planes, index, format.transform),
            };
            for (sample, value) in pixel.chunks_exact_mut(sample_bytes).zip(values) {
                let bytes = format.sample(value).to_le_bytes();
                sample.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
            }
        }
        Ok(())
    }
}

impl TileFormat {
    /// Applies level shift and clamp (T.800 G.1).
    fn sample(self, value: i64) -> i64 {
        let half = 1_i64 << (self.precision - 1);
        if self.is_signed { value.clamp(-half, half - 1) } else { (value + half).clamp(0, 2 * half - 1) }
    }
}

/// Returns the coefficients of one pixel after the inverse component transform.
fn integer_pixel(planes: &[&[i32]], index: usize, transform: ComponentTransform) -> [i64; MAX_COMPONENTS] {
    let mut values = [0; MAX_COMPONENTS];
    for (value, plane) in values.iter_mut().zip(planes) {
        *value = plane.get(index).copied().map_or(0, i64::from);
    }
    match (transform, planes.len(), values) {
        (ComponentTransform::None, ..) | (_, ..3, _) => values,
        (_, _, [y, u, v, other]) => {
            // T.800 G.2: the division rounds down.
            let green = y - ((u + v) >> 2);
            [v + green, green, u + green, other]
        }
    }
}

/// Returns the coefficients of one pixel after the inverse component transform, rounded.
fn float_pixel(planes: &[&[f32]], index: usize, transform: ComponentTransform) -> [i64; MAX_COMPONENTS] {
    let mut values = [0.0_f32; MAX_COMPONENTS];
    for (value, plane) in values.iter_mut().zip(planes) {
        *value = plane.get(index).copied().unwrap_or(0.0);
    }
    let values = match (transform, planes.len(), values) {
        (ComponentTransform::None, ..) | (_, ..3, _) => values,
        // T.800 G.3.
        (_, _, [y, cb, cr, other]) => [y + 1.402 * cr, y - 0.344_13 * cb - 0.714_14 * cr, y + 1.772 * cb, other],
    };
    // Saturates beyond the range of i64, and gives 0 for NaN.
    #[allow(clippy::cast_possible_truncation, reason = "clamped to the precision next")]
    values.map(|value| value.round_ties_even() as i64)
}
