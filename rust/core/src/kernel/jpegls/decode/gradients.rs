//! Gradients of a line: the part of each context that the line above determines, before the line is decoded.

#![allow(clippy::cast_possible_truncation, reason = "thresholds have 16 bits, offsets 15")]

use super::{Gradients, MAX_COMPONENTS, RowAhead};
use crate::kernel::jpegls::context_table::{ZERO_COLUMN, column_of, row_of};
use crate::kernel::jpegls::contexts::quantize_gradient;
use crate::kernel::jpegls::parameters::Parameters;

/// Largest magnitude of a gradient in the table.
pub(super) const MAX_GRADIENT: i32 = 4095;
/// Length of the table for gradients of 8-bit samples: a power of two, to which indices are masked.
const BYTE_COLUMNS: usize = 2048;

/// Column of a context, and its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// Column in the table of contexts, or [`ZERO_COLUMN`].
    pub(super) column: u8,
    /// -1 if the context is used with opposite sign, otherwise 0.
    pub(super) sign: i8,
}

/// Columns for each gradient D3, in three tables: for contexts whose first gradients are negative, zero, or positive.
///
/// ```text
/// offset + gradient      offset    (1 + 2 × table) × half, as the table has gradients of -half to half - 1
/// ```
#[derive(Debug, Clone)]
pub(super) struct ColumnTable {
    columns: Vec<Column>,
    half: u16,
    parameters: Parameters,
}

impl ColumnTable {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let half = parameters.max_value.min(MAX_GRADIENT) + 1;
        let mut columns = Vec::with_capacity(6 * half.unsigned_abs() as usize);
        let [first, second, third] = parameters.thresholds;
        // Gradients from each bound on, up to the next one, have one column.
        let bounds = [-third, -second, -first, -parameters.near, parameters.near + 1, first, second, third];
        for sign in -1..=1 {
            let mut start = -half;
            let ends = bounds.iter().enumerate().map(|(index, bound)| bound + i32::from(index < 3));
            for end in ends.chain([half]) {
                let end = end.clamp(start, half);
                let column = Column::new(parameters, sign, start);
                columns.extend(std::iter::repeat_n(column, (end - start).unsigned_abs() as usize));
                start = end;
            }
        }
        if columns.len() < BYTE_COLUMNS {
            columns.resize(BYTE_COLUMNS, Column::ZERO);
        }
        Self { columns, half: half as u16, parameters: *parameters }
    }

    /// Returns the columns of a lossless scan of 8 bits. Other scans have no such columns.
    #[inline(always)]
    pub(super) fn byte_columns(&self) -> ByteColumns<'_> {
        ByteColumns(self.columns.first_chunk().unwrap_or(&[Column::ZERO; BYTE_COLUMNS]))
    }

    /// Returns the column for gradient `c` - `a`. `offset` is from [`quantize_row`], and `origin` is `offset` + `c`.
    #[inline(always)]
    pub(super) fn at<G: Gradients>(&self, origin: i32, offset: u16, c: i32, a: i32) -> Column {
        let gradient = c.wrapping_sub(a);
        let index = origin.wrapping_sub(a);
        if G::WIDE && gradient.wrapping_add(MAX_GRADIENT).cast_unsigned() > 2 * MAX_GRADIENT.cast_unsigned() {
            return self.wide(offset, gradient);
        }
        self.columns.get(index.cast_unsigned() as usize).copied().unwrap_or(Column::ZERO)
    }

    #[cold]
    #[inline(never)]
    fn wide(&self, offset: u16, gradient: i32) -> Column {
        let sign = i32::from(offset / self.half / 2) - 1;
        Column::new(&self.parameters, sign, gradient)
    }
}

/// Columns of 8-bit samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByteColumns<'a>(&'a [Column; BYTE_COLUMNS]);

impl ByteColumns<'_> {
    /// Returns the column as [`ColumnTable::at`] does.
    #[inline(always)]
    pub(super) fn at(self, origin: i32, a: i32) -> Column {
        #[allow(clippy::indexing_slicing, reason = "the index is below BYTE_COLUMNS")]
        self.0[origin.wrapping_sub(a).cast_unsigned() as usize % BYTE_COLUMNS]
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
pub(super) fn quantize_row(table: &ColumnTable, above: &[u16], stride: usize, ahead: RowAhead<'_>) {
    let ColumnTable { parameters, half, .. } = table;
    let half = half.cast_signed();
    // A level is counted if the magnitude exceeds one of these.
    let [first, second, third] = parameters.thresholds.map(|threshold| (threshold as u16).wrapping_sub(1));
    let bounds = [parameters.near as u16, first, second, third];
    let mut above = above;
    for (rows, offsets) in ahead.rows.chunks_mut(BLOCK).zip(ahead.offsets.chunks_mut(BLOCK)) {
        let count = rows.len() + stride;
        let (left, right) = (above, above.get(stride..).unwrap_or_default());
        above = above.get(BLOCK..).unwrap_or_default();
        if left.get(..count) == right.get(..count) {
            // All pixels are equal, and all gradients 0. A comparison takes a fifth of the time.
            rows.fill(0);
            offsets.fill((3 * half).cast_unsigned());
            continue;
        }
        let mut levels = [0; BLOCK + MAX_COMPONENTS];
        for ((level, left), right) in levels.iter_mut().zip(left).zip(right).take(count) {
            *level = quantize(*right, *left, bounds);
        }
        let second = levels.get(stride..).unwrap_or_default();
        for (((first, second), row), offset) in second.iter().zip(&levels).zip(rows).zip(offsets) {
            let context = first.wrapping_mul(81).wrapping_add(second.wrapping_mul(9));
            *row = row_of(context);
            let sign = context.clamp(-1, 1);
            *offset = half.wrapping_mul(sign.wrapping_mul(2).wrapping_add(3)).cast_unsigned();
        }
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
