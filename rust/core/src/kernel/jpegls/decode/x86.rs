//! The portable bodies compiled for AVX2, which quantizes gradients of 16 samples at once, and for BMI2 and LZCNT.

use super::gradients::ColumnTable;
use super::{Errors, Gradients, Line, LineError, RowAhead, scalar};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn prepare(table: &ColumnTable, above: &[u16], stride: usize, ahead: RowAhead<'_>) {
    super::gradients::quantize_row(table, above, stride, ahead);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn line<E: Errors, G: Gradients>(line: Line<'_>) -> Result<(isize, u8), LineError> {
    scalar::decode_samples::<E, G>(line)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn pixels<E: Errors, G: Gradients, const N: usize>(line: Line<'_>) -> Result<(isize, u8), LineError> {
    scalar::decode_pixels::<E, G, N>(line)
}
