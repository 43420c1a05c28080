//! Gradients of a line: the part of each context that the line above determines, before the line is decoded.

#![allow(clippy::cast_possible_truncation, reason = "thresholds have 16 bits, offsets 15")]

use super::{Gradients, MAX_COMPONENTS, RowAhead};
use crate::kernel::jpegls::context_table::{ZERO_COLUMN, column_of, row_of};
use crate::kernel::jpegls::contexts::quantize_gradient;
use crate::kernel::jpegls::parameters::Parameters;

/// Largest magnitude of a gradient in the table.
pub(super) const MAX_GRADIENT: i32 = 4095;
/// Entries for gradients of -4096 to 4095.
const GRADIENTS: usize = 8192;

/// Column of a context, and its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// Column in the table of contexts, or [`ZERO_COLUMN`].
    pub(super) column: u8,
    /// -1 if the context is used with opposite sign, otherwise 0.
    pub(super) sign: i8,
}

/// Columns for each gradient D3, in three tables: for contexts whose first gradients are negative, zero, or positive.
#[derive(Debug, Clone)]
pub(super) struct ColumnTable {
    columns: Box<[Column]>,
    parameters: Parameters,
}

impl ColumnTable {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let mut columns = vec![Column::ZERO; 4 * GRADIENTS].into_boxed_slice();
        let largest = parameters.max_value.min(MAX_GRADIENT);
        for (sign, columns) in (-1..=1).zip(columns.chunks_exact_mut(GRADIENTS)) {
            let centre = GRADIENTS / 2;
            let range = centre - largest.unsigned_abs() as usize..=centre + largest.unsigned_abs() as usize;
            let columns = columns.get_mut(range).unwrap_or_default();
            for (gradient, column) in (-largest..).zip(columns) {
                *column = Column::new(parameters, sign, gradient);
            }
        }
        Self { columns, parameters: *parameters }
    }

    /// Returns the column for gradient `c` - `a`. `offset` is from [`quantize_row`].
    #[inline(always)]
    pub(super) fn at<G: Gradients>(&self, offset: u16, c: i32, a: i32) -> Column {
        let gradient = c.wrapping_sub(a);
        let index = i32::from(offset).wrapping_add(c).wrapping_sub(a);
        if G::WIDE && gradient.wrapping_add(MAX_GRADIENT).cast_unsigned() > 2 * MAX_GRADIENT.cast_unsigned() {
            return self.wide(offset, gradient);
        }
        self.columns.get(index.cast_unsigned() as usize).copied().unwrap_or(Column::ZERO)
    }

    #[cold]
    #[inline(never)]
    fn wide(&self, offset: u16, gradient: i32) -> Column {
        let sign = i32::from(offset) / GRADIENTS as i32 - 1;
        Column::new(&self.parameters, sign, gradient)
    }
}

impl Column {
    /// All gradients are 0.
    pub(super) const ZERO: Self = Self { column: ZERO_COLUMN, sign: 0 };

    /// Returns the column for a gradient; `sign` is that of the first gradients of the context.
    fn new(parameters: &Parameters, sign: i32, gradient: i32) -> Self {
        let (column, sign) = column_of(sign, quantize_gradient(parameters, gradient));
        Self { column, sign }
    }

    /// True if all gradients are 0.
    #[inline(always)]
    pub(super) fn is_zero(self) -> bool {
        self.column == ZERO_COLUMN
    }
}

/// Pixels whose gradients are quantized before they are combined.
const BLOCK: usize = 128;

/// Quantizes the gradients D1 and D2 of all samples of a line. `above` starts one pixel before the line, and ends one after
/// it; neighbours are `stride` samples apart.
///
/// D1 of a sample is D2 of its right neighbour, so that each difference is quantized once. All operations are those of
/// vectors of 16-bit numbers, also saturating ones.
#[inline(always)]
pub(super) fn quantize_row(parameters: &Parameters, above: &[u16], stride: usize, ahead: RowAhead<'_>) {
    // A level is counted if the magnitude exceeds one of these.
    let [first, second, third] = parameters.thresholds.map(|threshold| (threshold as u16).wrapping_sub(1));
    let bounds = [parameters.near as u16, first, second, third];
    let mut above = above;
    for (rows, offsets) in ahead.rows.chunks_mut(BLOCK).zip(ahead.offsets.chunks_mut(BLOCK)) {
        let mut levels = [0; BLOCK + MAX_COMPONENTS];
        let right = above.get(stride..).unwrap_or_default();
        for ((level, left), right) in levels.iter_mut().zip(above).zip(right).take(rows.len() + stride) {
            *level = quantize(*right, *left, bounds);
        }
        let second = levels.get(stride..).unwrap_or_default();
        for (((first, second), row), offset) in second.iter().zip(&levels).zip(rows).zip(offsets) {
            let context = first.wrapping_mul(81).wrapping_add(second.wrapping_mul(9));
            *row = row_of(context);
            let sign = context.clamp(-1, 1);
            *offset = sign.wrapping_mul(GRADIENTS as i16).wrapping_add(GRADIENTS as i16 / 2 * 3).cast_unsigned();
        }
        above = above.get(BLOCK..).unwrap_or_default();
    }
}

/// Returns the number of `bounds` that the magnitude of `x` - `y` exceeds, with the sign of the difference.
#[inline(always)]
fn quantize(x: u16, y: u16, bounds: [u16; 4]) -> i16 {
    let (positive, negative) = (x.saturating_sub(y), y.saturating_sub(x));
    let magnitude = positive | negative;
    let level: u16 = bounds.iter().fold(0, |level, bound| level + magnitude.saturating_sub(*bound).min(1));
    let is_negative = negative.min(1);
    (level ^ is_negative.wrapping_neg()).wrapping_add(is_negative).cast_signed()
}
