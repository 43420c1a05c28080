//! The portable bodies compiled for BMI1 and BMI2, with PDEP for bit masks.

use super::scalar::{self, BitMasks};
use super::{AcBand, Block, DcPosition, DcTable};
use crate::kernel::coefficients::table::SymbolTable;
use crate::kernel::coefficients::{CoefficientError, SegmentState};
use std::arch::x86_64::_pdep_u64;
use std::ops::Range;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_dc_first(
    data: &[u8],
    state: &mut SegmentState,
    tables: &[DcTable],
    positions: &[DcPosition],
    mcus: Range<usize>,
    low: u8,
    dc: &mut [i16],
) -> Result<(), CoefficientError> {
    scalar::decode_dc_first_body(data, state, tables, positions, mcus, low, dc)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_ac_first(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    band: AcBand,
    blocks: &mut [Block],
    nonzero: &mut [u64],
) -> Result<(), CoefficientError> {
    scalar::decode_ac_first_body(data, state, table, band, blocks, nonzero)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refine_ac(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    band: AcBand,
    blocks: &mut [Block],
    nonzero: &mut [u64],
) -> Result<(), CoefficientError> {
    let masks = BitMasks {
        deposit: |bits, mask| _pdep_u64(bits, mask),
        // Bit number `rank` from the top is number `count - 1 - rank` from the bottom. A word without it has a rank of
        // at least its count; the shift then wraps, to a number that is at least the count, too.
        select: |mask: u64, rank: u32| _pdep_u64(1_u64.wrapping_shl(mask.count_ones().wrapping_sub(1 + rank)), mask),
    };
    scalar::refine_ac_body(&masks, data, state, table, band, blocks, nonzero)
}
