//! The portable body compiled for BMI2: shifts by a register need one instruction and leave the flags alone.

use super::{CoefficientError, McuTables, SegmentState, scalar};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_blocks(
    data: &[u8],
    state: &mut SegmentState,
    tables: &McuTables,
    coefficients: &mut [i16],
) -> Result<(), CoefficientError> {
    scalar::decode(data, state, tables, coefficients)
}
