//! Portable body, which `x86.rs` compiles for BMI2 (shifts by a register without flags).

#![allow(clippy::cast_possible_truncation, reason = "fields of entries; values are modulo 2^16")]

use super::bit_reader::BitReader;
use super::table::{
    ADVANCE_FIRST, ADVANCE_LAST, BIAS_LAST, BITS_FIRST, BlockTables, ESCAPE, Entries, PairTable, VALUE_FIRST, index,
};
use super::{
    BLOCK_COEFFICIENTS, BLOCK_WINDOW, CoefficientError, MAX_COMPONENTS, McuTables, NATURAL_ORDER, SegmentState,
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
    let result = match tables.from(0).as_slice() {
        [tables] => decode_single(&mut reader, state, tables, coefficients),
        _ => decode_mcus(&mut reader, state, tables, coefficients),
    };
    result.map_err(|bit_offset| state.unassigned(bit_offset))?;
    state.bit_offset = reader.bit_offset();
    state.check_end()
}

/// Decodes blocks of MCUs of one block. Tables and predictor stay in registers: 7 % fewer cycles than [`decode_mcus`].
#[inline(always)]
fn decode_single(
    reader: &mut BitReader<'_>,
    state: &mut SegmentState,
    tables: &BlockTables,
    mut coefficients: &mut [i16],
) -> Result<(), usize> {
    let Some(predictor) = state.predictors.get_mut(tables.component % MAX_COMPONENTS) else { return Ok(()) };
    let mut dc = *predictor;
    // Each iteration decodes the first block; the spare coefficients are not a block.
    while let Some(block) = coefficients.first_chunk_mut::<BLOCK_WINDOW>() {
        decode_block(reader, &tables.first, &tables.rest, block)?;
        dc = dc.wrapping_add(block[0]);
        block[0] = dc;
        coefficients = coefficients.get_mut(BLOCK_COEFFICIENTS..).unwrap_or_default();
    }
    *predictor = dc;
    Ok(())
}

#[inline(always)]
fn decode_mcus(
    reader: &mut BitReader<'_>,
    state: &mut SegmentState,
    tables: &McuTables,
    mut coefficients: &mut [i16],
) -> Result<(), usize> {
    let mut predictors = state.predictors;
    let mut mcu = tables.from(state.position);
    while let Some(block) = coefficients.first_chunk_mut::<BLOCK_WINDOW>() {
        let next = mcu.next().or_else(|| {
            mcu = tables.from(0);
            mcu.next()
        });
        let Some(tables) = next else {
            debug_assert!(false, "an MCU has a block");
            return Ok(());
        };
        decode_block(reader, &tables.first, &tables.rest, block)?;
        if let Some(predictor) = predictors.get_mut(tables.component % MAX_COMPONENTS) {
            *predictor = predictor.wrapping_add(block[0]);
            block[0] = *predictor;
        }
        coefficients = coefficients.get_mut(BLOCK_COEFFICIENTS..).unwrap_or_default();
    }
    state.position = if mcu.len() == 0 { 0 } else { tables.block_count() - mcu.len() };
    state.predictors = predictors;
    Ok(())
}

/// Outcome of one probe.
struct Probe {
    /// Position of the first symbol's value.
    first: u8,
    /// Position of the last symbol's value.
    last: u8,
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
    let (first_entries, entries) = (&*first.entries, &*rest.entries);
    reader.refill();
    let mut done = probe(reader, first_entries, first, 0, block)?;
    // Three probes per refill; the first was that of the DC coefficient.
    while done.last < 63 {
        done = probe(reader, entries, rest, done.last.wrapping_add(1), block)?;
        if done.last >= 63 {
            break;
        }
        done = probe(reader, entries, rest, done.last.wrapping_add(1), block)?;
        if done.last >= 63 {
            break;
        }
        reader.refill();
        done = probe(reader, entries, rest, done.last.wrapping_add(1), block)?;
    }
    // If the first symbol of a pair completed the block, the second belongs to the next one. `first` is above 79 if the
    // symbol is EOB, which is never the first of a pair.
    if done.first.wrapping_sub(63) < 17 {
        let bits_second = (done.entry as u32 & 63).wrapping_sub((done.entry >> BITS_FIRST) as u32 & 63);
        if bits_second > 0 {
            reader.move_back(bits_second);
            store(block, done.first, (done.entry >> VALUE_FIRST) as u16);
            block[BLOCK_COEFFICIENTS] = 0;
        }
    }
    Ok(())
}

/// Decodes the symbols of one probe, whose first coefficient is at or after `position`.
#[inline(always)]
fn probe(
    reader: &mut BitReader<'_>,
    entries: &Entries,
    table: &PairTable,
    position: u8,
    block: &mut [i16; BLOCK_WINDOW],
) -> Result<Probe, usize> {
    let window = reader.window();
    let entry = entries.get(index(window)).copied().unwrap_or(ESCAPE);
    if entry & ESCAPE != 0 {
        reader.refill();
        let Some(symbol) = table.codes.symbol(reader.window()) else { return Err(reader.bit_offset()) };
        reader.consume(symbol.bits);
        reader.refill();
        let first = position.wrapping_add(symbol.advance);
        store(block, first, symbol.value);
        return Ok(Probe { first, last: first, entry: 0 });
    }
    let first = position.wrapping_add((entry >> ADVANCE_FIRST) as u8);
    store(block, first, (entry >> VALUE_FIRST) as u16);
    let last = position.wrapping_add((entry >> ADVANCE_LAST) as u8);
    // Shifts are modulo 64: by 64 - bits used.
    let value = window.wrapping_shr((entry as u32).wrapping_neg()) as u16;
    store(block, last, value.wrapping_add((entry >> BIAS_LAST) as u16));
    reader.consume(entry as u32);
    Ok(Probe { first, last, entry })
}

#[inline(always)]
fn store(block: &mut [i16; BLOCK_WINDOW], position: u8, value: u16) {
    let index = NATURAL_ORDER.get(usize::from(position)).copied().unwrap_or(0);
    if let Some(coefficient) = block.get_mut(usize::from(index)) {
        *coefficient = value.cast_signed();
    }
}
