//! The portable bodies compiled for BMI1 and BMI2, with PDEP for bit masks.

use super::scalar::{self, BitMasks};
use super::{AcBlocks, DcMcus, DcTable};
use crate::kernel::coefficients::table::SymbolTable;
use crate::kernel::coefficients::{CoefficientError, SegmentState};
use std::arch::x86_64::_pdep_u64;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_dc_first(
    data: &[u8],
    state: &mut SegmentState,
    tables: &[DcTable],
    mcus: DcMcus<'_>,
) -> Result<(), CoefficientError> {
    scalar::decode_dc_first_body(data, state, tables, mcus)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn decode_ac_first(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    blocks: AcBlocks<'_>,
) -> Result<(), CoefficientError> {
    scalar::decode_ac_first_body(data, state, table, blocks)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refine_ac(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    blocks: AcBlocks<'_>,
) -> Result<(), CoefficientError> {
    let masks = BitMasks {
        deposit: |bits, mask| _pdep_u64(bits, mask),
        // Bit number `rank` from the top is number `count - 1 - rank` from the bottom. A word without it has a rank of
        // at least its count; the shift then wraps, to a number that is at least the count, too.
        select: |mask: u64, rank: u32| _pdep_u64(1_u64.wrapping_shl(mask.count_ones().wrapping_sub(1 + rank)), mask),
    };
    scalar::refine_ac_body(&masks, data, state, table, blocks)
}
