//! Portable body, which `x86.rs` compiles for BMI2 (shifts by a register without flags).

#![allow(clippy::cast_possible_truncation, reason = "fields of entries; values are modulo 2^16")]

use super::bit_reader::BitReader;
use super::table::{ADVANCE_BOTH, ADVANCE_FIRST, BIAS_FIRST, ESCAPE, PairTable, SHIFT_FIRST, VALUE_SECOND, index};
use super::{
    BLOCK_COEFFICIENTS, BLOCK_WINDOW, CoefficientError, McuTables, NATURAL_ORDER, SPARE_COEFFICIENTS, SegmentState,
};

pub(super) fn decode_blocks(
    data: &[u8],
    state: &mut SegmentState,
    tables: &McuTables,
    coefficients: &mut [i16],
) -> Result<(), CoefficientError> {
    decode(data, state, tables, coefficients)
}

#[inline(always)]
pub(super) fn decode(
    data: &[u8],
    state: &mut SegmentState,
    tables: &McuTables,
    coefficients: &mut [i16],
) -> Result<(), CoefficientError> {
    let mut reader = BitReader::new(data, state.bit_offset);
    let (mut position, block_count) = (state.position, tables.block_count());
    let mut predictors = state.predictors;
    let end = coefficients.len().saturating_sub(SPARE_COEFFICIENTS);
    for start in (0..end).step_by(BLOCK_COEFFICIENTS) {
        let block = coefficients.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<BLOCK_WINDOW>());
        let (Some(block), Some(tables)) = (block, tables.block(position)) else {
            debug_assert!(false, "blocks have spare coefficients after them, and a position in the MCU");
            return Err(CoefficientError::Truncated);
        };
        if let Err(bit_offset) = decode_block(&mut reader, &tables.first, &tables.rest, block) {
            return Err(state.unassigned(bit_offset));
        }
        if let Some(predictor) = predictors.get_mut(tables.component) {
            *predictor = predictor.wrapping_add(block[0]);
            block[0] = *predictor;
        }
        position += 1;
        if position == block_count {
            position = 0;
        }
    }
    state.bit_offset = reader.bit_offset();
    state.position = position;
    state.predictors = predictors;
    state.check_end()
}

/// Outcome of one probe.
struct Probe {
    /// Position of the first symbol's value.
    first: u8,
    /// Position after the last symbol.
    next: u8,
    /// Entry of the table, or 0 if there was none.
    entry: u64,
}

/// Decodes one block; returns the bit offset of an unassigned code as an error.
#[inline(always)]
fn decode_block(
    reader: &mut BitReader<'_>,
    first: &PairTable,
    rest: &PairTable,
    block: &mut [i16; BLOCK_WINDOW],
) -> Result<(), usize> {
    reader.refill();
    let mut last = probe(reader, first, 0, block)?;
    // Three probes per refill; the first was that of the DC coefficient.
    while last.next < 64 {
        last = probe(reader, rest, last.next, block)?;
        if last.next >= 64 {
            break;
        }
        last = probe(reader, rest, last.next, block)?;
        if last.next >= 64 {
            break;
        }
        reader.refill();
        last = probe(reader, rest, last.next, block)?;
    }
    // If the first symbol of a pair completed the block, the second belongs to the next one. `first` is above 79 if the
    // symbol is EOB, which is never the first of a pair.
    let bits_first = 64_u32.wrapping_sub((last.entry >> SHIFT_FIRST) as u8 as u32);
    let bits_second = (last.entry as u32).wrapping_sub(bits_first) & 63;
    if (last.first.wrapping_sub(63) < 17) & (bits_second > 0) {
        reader.move_back(bits_second);
    }
    Ok(())
}

/// Decodes the symbols of one probe, whose first coefficient is at or after `position`.
#[inline(always)]
fn probe(
    reader: &mut BitReader<'_>,
    table: &PairTable,
    position: u8,
    block: &mut [i16; BLOCK_WINDOW],
) -> Result<Probe, usize> {
    let window = reader.window();
    let entry = table.entries.get(index(window)).copied().unwrap_or(ESCAPE);
    if entry & ESCAPE != 0 {
        reader.refill();
        let Some(symbol) = table.codes.symbol(reader.window()) else { return Err(reader.bit_offset()) };
        reader.consume(symbol.bits);
        reader.refill();
        let first = position.wrapping_add(symbol.advance);
        store(block, first, symbol.value);
        return Ok(Probe { first, next: first.wrapping_add(1), entry: 0 });
    }
    let second = position.wrapping_add((entry >> ADVANCE_BOTH) as u8);
    store(block, second, (entry >> VALUE_SECOND) as u16);
    let first = position.wrapping_add((entry >> ADVANCE_FIRST) as u8);
    let value = (window.wrapping_shr((entry >> SHIFT_FIRST) as u32) as u16).wrapping_add((entry >> BIAS_FIRST) as u16);
    store(block, first, value);
    reader.consume(entry as u32);
    Ok(Probe { first, next: second.wrapping_add(1), entry })
}

#[inline(always)]
fn store(block: &mut [i16; BLOCK_WINDOW], position: u8, value: u16) {
    let index = NATURAL_ORDER.get(usize::from(position)).copied().unwrap_or(0);
    if let Some(coefficient) = block.get_mut(usize::from(index)) {
        *coefficient = value.cast_signed();
    }
}
