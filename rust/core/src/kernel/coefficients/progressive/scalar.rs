//! Portable bodies, which `x86.rs` compiles for BMI2.

#![allow(clippy::cast_possible_truncation, reason = "fields of entries; values are modulo 2^16")]

use super::{AcBlocks, Block, DcMcus, DcTable};
use crate::kernel::coefficients::bit_reader::BitReader;
use crate::kernel::coefficients::codes::{EOB_ADVANCE, Symbol};
use crate::kernel::coefficients::table::{ADVANCE_FIRST, NO_COEFFICIENT, SINGLE_ESCAPE, SymbolTable, index};
use crate::kernel::coefficients::{BLOCK_COEFFICIENTS, CoefficientError, NATURAL_ORDER, SegmentState};

/// Bits that are valid after [`read_symbol`]: 56 after the refill, less the longest symbol, 16 bits and 15 extra bits.
const AFTER_SYMBOL_BITS: u32 = 25;
/// Bit of the first coefficient of a block in a word of `nonzero`.
const FIRST_COEFFICIENT: u64 = 1 << 63;

/// Operations on the words of `nonzero`.
pub(super) struct BitMasks<D, S> {
    /// Spreads the lowest bits of a word, in their order, to the bits that are 1 in a mask.
    pub(super) deposit: D,
    /// Returns the mask of one bit: the bit number `rank` of those that are 1 in a word, from the top. 0 if there is
    /// none.
    pub(super) select: S,
}

pub(super) fn decode_dc_first(
    data: &[u8],
    state: &mut SegmentState,
    tables: &[DcTable],
    mcus: DcMcus<'_>,
) -> Result<(), CoefficientError> {
    decode_dc_first_body(data, state, tables, mcus)
}

pub(super) fn decode_ac_first(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    blocks: AcBlocks<'_>,
) -> Result<(), CoefficientError> {
    decode_ac_first_body(data, state, table, blocks)
}

pub(super) fn refine_ac(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    blocks: AcBlocks<'_>,
) -> Result<(), CoefficientError> {
    refine_ac_body(&BitMasks { deposit, select }, data, state, table, blocks)
}

fn deposit(mut bits: u64, mut mask: u64) -> u64 {
    let mut deposited = 0;
    while bits != 0 && mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        deposited |= if bits & 1 == 1 { lowest } else { 0 };
        bits >>= 1;
        mask ^= lowest;
    }
    deposited
}

fn select(mut mask: u64, rank: u32) -> u64 {
    for _ in 0..rank {
        mask &= !highest(mask);
    }
    highest(mask)
}

/// Returns the highest bit that is 1, 0 if there is none.
const fn highest(mask: u64) -> u64 {
    // A word of 0 has 64 leading zeros, and the shift by 64 - 64 then keeps the bit, which the mask removes.
    FIRST_COEFFICIENT.wrapping_shr(mask.leading_zeros()) & mask
}

/// Reads a symbol; returns the bit offset of an unassigned code as an error. After it at least 25 bits are valid.
#[inline(always)]
fn read_symbol(reader: &mut BitReader<'_>, table: &SymbolTable) -> Result<Symbol, usize> {
    reader.refill();
    let window = reader.window();
    let entry = table.entries.get(index(window)).copied().unwrap_or(SINGLE_ESCAPE);
    if entry & SINGLE_ESCAPE != 0 {
        let Some(symbol) = table.codes.symbol(window) else { return Err(reader.bit_offset()) };
        reader.consume(symbol.bits);
        return Ok(symbol);
    }
    let bits = entry & 63;
    let value = (window.wrapping_shr(bits.wrapping_neg()) as u16).wrapping_add((entry >> 16) as u16);
    reader.consume(bits);
    Ok(Symbol { bits, advance: (entry >> ADVANCE_FIRST) as u8, value, is_coefficient: entry & NO_COEFFICIENT == 0 })
}

#[inline(always)]
pub(super) fn decode_dc_first_body(
    data: &[u8],
    state: &mut SegmentState,
    tables: &[DcTable],
    mcus: DcMcus<'_>,
) -> Result<(), CoefficientError> {
    let DcMcus { positions, mcus, low, dc } = mcus;
    let mut reader = BitReader::new(data, state.bit_offset);
    for mcu in mcus {
        for position in positions {
            let coefficient = dc.get_mut(position.offset.wrapping_add(mcu.wrapping_mul(position.step)));
            let predictor = state.predictors.get_mut(position.component);
            let (Some(coefficient), Some(predictor), Some(table)) =
                (coefficient, predictor, tables.get(position.component))
            else {
                debug_assert!(false, "positions are inside of the frame, and have a table");
                return Err(CoefficientError::Truncated);
            };
            match read_symbol(&mut reader, &table.0) {
                Ok(symbol) => *predictor = predictor.wrapping_add(symbol.value.cast_signed()),
                Err(bit_offset) => return Err(state.unassigned(bit_offset)),
            }
            *coefficient = predictor.wrapping_shl(low.into());
        }
    }
    state.bit_offset = reader.bit_offset();
    state.check_end()
}

pub(super) fn refine_dc(data: &[u8], state: &mut SegmentState, mcus: DcMcus<'_>) -> Result<(), CoefficientError> {
    let DcMcus { positions, mcus, low, dc } = mcus;
    let mut reader = BitReader::new(data, state.bit_offset);
    for mcu in mcus {
        // An MCU has at most 10 blocks.
        reader.refill();
        for position in positions {
            let Some(coefficient) = dc.get_mut(position.offset + mcu * position.step) else {
                debug_assert!(false, "positions are inside of the frame");
                return Err(CoefficientError::Truncated);
            };
            let bit = (reader.window() >> 63) as i16;
            reader.consume(1);
            *coefficient |= bit.wrapping_shl(low.into());
        }
    }
    state.bit_offset = reader.bit_offset();
    state.check_end()
}

#[inline(always)]
pub(super) fn decode_ac_first_body(
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    blocks: AcBlocks<'_>,
) -> Result<(), CoefficientError> {
    let AcBlocks { band, blocks, nonzero } = blocks;
    let mut reader = BitReader::new(data, state.bit_offset);
    // The blocks of the run are skipped.
    let mut index = state.eob_run;
    while let (Some(block), Some(nonzero)) = (blocks.get_mut(index), nonzero.get_mut(index)) {
        index += 1;
        if *nonzero == 0 {
            *block = [0; BLOCK_COEFFICIENTS];
        }
        let mut position = band.first;
        while position <= band.last {
            let symbol = match read_symbol(&mut reader, table) {
                Ok(symbol) => symbol,
                Err(bit_offset) => return Err(state.unassigned(bit_offset)),
            };
            if symbol.is_coefficient {
                position = position.wrapping_add(symbol.advance);
                write(block, nonzero, position, symbol.value.wrapping_shl(band.low.into()));
            } else if symbol.advance == EOB_ADVANCE {
                // The run includes this block.
                index += usize::from(symbol.value).wrapping_sub(1);
                break;
            } else {
                position = position.wrapping_add(symbol.advance);
            }
            position = position.wrapping_add(1);
        }
    }
    (state.bit_offset, state.eob_run) = (reader.bit_offset(), index.saturating_sub(blocks.len()));
    state.check_end()
}

/// Writes the coefficient at a zigzag position, those beyond the block at 63, and its bit in `nonzero`.
#[inline(always)]
fn write(block: &mut Block, nonzero: &mut u64, position: u8, value: u16) {
    let position = position.min(63);
    let natural = NATURAL_ORDER.get(usize::from(position)).copied().unwrap_or(0);
    if let Some(coefficient) = block.get_mut(usize::from(natural & 63)) {
        *coefficient = value.cast_signed();
    }
    let bit = FIRST_COEFFICIENT.wrapping_shr(position.into());
    // A shift by Al can remove all bits of the value.
    *nonzero = if value == 0 { *nonzero & !bit } else { *nonzero | bit };
}

#[inline(always)]
pub(super) fn refine_ac_body<D: Fn(u64, u64) -> u64, S: Fn(u64, u32) -> u64>(
    masks: &BitMasks<D, S>,
    data: &[u8],
    state: &mut SegmentState,
    table: &SymbolTable,
    blocks: AcBlocks<'_>,
) -> Result<(), CoefficientError> {
    let AcBlocks { band, blocks, nonzero } = blocks;
    let mut reader = BitReader::new(data, state.bit_offset);
    let mut eob_run = state.eob_run;
    let in_band = band.mask();
    let mut index = 0;
    loop {
        // Blocks of the run without a coefficient have no bits in the stream.
        let rest = nonzero.get(index..).unwrap_or_default();
        let run = rest.get(..eob_run).unwrap_or(rest);
        let skipped = run.iter().position(|nonzero| nonzero & in_band != 0).unwrap_or(run.len());
        (index, eob_run) = (index + skipped, eob_run - skipped);
        let (Some(block), Some(nonzero)) = (blocks.get_mut(index), nonzero.get_mut(index)) else { break };
        index += 1;
        let before = *nonzero;
        let mut left = in_band;
        let mut ones = 0;
        if eob_run == 0 {
            if before == 0 {
                *block = [0; BLOCK_COEFFICIENTS];
            }
            while left != 0 {
                let symbol = match read_symbol(&mut reader, table) {
                    Ok(symbol) => symbol,
                    Err(bit_offset) => return Err(state.unassigned(bit_offset)),
                };
                if symbol.advance == EOB_ADVANCE {
                    eob_run = usize::from(symbol.value);
                    break;
                }
                let target = (masks.select)(left & !before, symbol.advance.into());
                let below = target.wrapping_sub(1);
                // Without a target, `below` has all bits, and all coefficients that are left are passed.
                let passed = if target == 0 { left } else { left & !below & !target };
                ones |= read_corrections(masks, &mut reader, before & passed);
                left = if target == 0 { 0 } else { left & below };
                if symbol.is_coefficient {
                    let position = if target == 0 { band.last + 1 } else { target.leading_zeros() as u8 };
                    write(block, nonzero, position, symbol.value.wrapping_shl(band.low.into()));
                    // Beyond the block, position 63 may be one that is passed: the new coefficient replaces it.
                    if position > 63 {
                        ones &= !1;
                    }
                }
            }
        }
        if eob_run > 0 {
            eob_run -= 1;
            reader.refill();
            ones |= read_corrections(masks, &mut reader, before & left);
        }
        correct(block, ones, band.low);
    }
    (state.bit_offset, state.eob_run) = (reader.bit_offset(), eob_run);
    state.check_end()
}

/// Reads one bit for each coefficient of `passed`. Returns the coefficients whose bit is 1. At least
/// [`AFTER_SYMBOL_BITS`] bits are valid.
#[inline(always)]
fn read_corrections<D: Fn(u64, u64) -> u64, S>(masks: &BitMasks<D, S>, reader: &mut BitReader<'_>, passed: u64) -> u64 {
    if passed.count_ones() <= AFTER_SYMBOL_BITS {
        return read_bits(masks, reader, passed);
    }
    // Half of the positions at a time.
    let mut ones = 0;
    for half in [passed & u64::MAX << 32, passed & u64::MAX >> 32] {
        reader.refill();
        ones |= read_bits(masks, reader, half);
    }
    ones
}

/// Reads one bit for each coefficient of `passed`, at most 56.
#[inline(always)]
fn read_bits<D: Fn(u64, u64) -> u64, S>(masks: &BitMasks<D, S>, reader: &mut BitReader<'_>, passed: u64) -> u64 {
    let count = passed.count_ones();
    // `>> 1` first, because the count may be 0. A branch for that would be hard to predict.
    let bits = reader.window() >> 1 >> (63 - count);
    reader.consume(count);
    (masks.deposit)(bits, passed)
}

/// Adds 2^low to the magnitude of the coefficients of `ones`.
#[inline(always)]
fn correct(block: &mut Block, mut ones: u64, low: u8) {
    let bit = 1_i16.wrapping_shl(low.into());
    while ones != 0 {
        let position = ones.leading_zeros();
        ones ^= FIRST_COEFFICIENT.wrapping_shr(position);
        let natural = NATURAL_ORDER.get(position as usize & 63).copied().unwrap_or(0);
        if let Some(coefficient) = block.get_mut(usize::from(natural & 63)) {
            // Not if the bit is set, which needs invalid data (libjpeg-turbo).
            let step = if *coefficient & bit == 0 { bit } else { 0 };
            let step = if *coefficient < 0 { step.wrapping_neg() } else { step };
            *coefficient = coefficient.wrapping_add(step);
        }
    }
}
