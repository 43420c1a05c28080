//! Huffman decoding of DCT coefficients: progressive scans (T.81 Annex G).
//!
//! A scan codes some bits of one band of coefficients, and several scans complete a frame. Between the scans there are,
//! for each block of the frame:
//!
//! | data | content |
//! |---|---|
//! | `dc` | the DC coefficient |
//! | `blocks` | the AC coefficients, in natural order; valid only if `nonzero` is not 0 |
//! | `nonzero` | bit 63 - k is 1 if the coefficient at zigzag position k is not zero |
//!
//! So DC scans, and AC scans of blocks without coefficients, do not touch `blocks`, which are the largest data by far;
//! and `blocks` need not be cleared before a frame.
//!
//! | scan | per block |
//! |---|---|
//! | first of DC | difference, as in sequential scans; shifted left by Al |
//! | refinement of DC | one bit |
//! | first of AC | as in sequential scans, but EOB has a run: the band is zero in this block and in the next ones |
//! | refinement of AC | see below |
//!
//! # Refinement of AC coefficients
//!
//! A symbol is a run of zeros, and a new coefficient of ±2^Al with its sign. The run counts only coefficients that are
//! zero before this scan. For each other coefficient that it passes, one correction bit follows: 1 adds 2^Al to the
//! magnitude.
//!
//! ```text
//! position      1   2   3   4   5       run 1, new coefficient 1, Al = 0
//! before        0   6   0   0  -3       position 1 is skipped, position 2 is passed: one correction bit
//! after         0   7   1   0  -3       correction bit 1; the next symbol starts at position 4
//! ```
//!
//! With `nonzero` as a word whose highest bit is the first coefficient, a symbol takes a few instructions:
//!
//! ```text
//! left         positions of the band that are not decoded yet
//! target     = the bit number `run` of left & !nonzero, from the top         select: PDEP
//! passed     = bits of left above target
//! ones      |= the next popcount(passed & nonzero) bits of the stream,
//!              spread to the positions of passed & nonzero                    deposit: PDEP
//! left       = bits of left below target
//! ```
//!
//! Corrections are applied at the end of the block, to the positions of `ones`.
//!
//! # Invalid data
//!
//! As libjpeg-turbo: a run beyond the band writes a coefficient there, at most at position 63; in a refinement scan,
//! directly after the band. The size of a new coefficient in a refinement scan is ignored.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::codes::Class;
use super::table::SymbolTable;
use super::{BLOCK_COEFFICIENTS, CoefficientError, HuffmanCode, SegmentState};
use crate::kernel::CpuLevel;
use crate::kernel::cpu::dispatch;
use std::ops::Range;

/// Coefficients of a block in natural order.
pub(crate) type Block = [i16; BLOCK_COEFFICIENTS];

/// The coefficients of a scan of AC coefficients, and their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AcBand {
    /// Ss: first position in zigzag order, 1 to 63.
    pub(crate) first: u8,
    /// Se: last position, `first` to 63.
    pub(crate) last: u8,
    /// Al: position of the lowest bit that is coded, 0 to 13.
    pub(crate) low: u8,
}

impl AcBand {
    /// Returns the bits of the band in a word of `nonzero`.
    fn mask(self) -> u64 {
        (u64::MAX >> (self.first & 63)) & (u64::MAX << (63 - self.last.min(63)))
    }
}

/// DC coefficients of one block of an MCU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DcPosition {
    /// Index of the predictor, and of the table of the scan, 0 to 3.
    pub(crate) component: usize,
    /// Index in `dc` of the coefficient in the first MCU of the row.
    pub(crate) offset: usize,
    /// Distance to the coefficient in the next MCU.
    pub(crate) step: usize,
}

/// Look-up table of the first scan of DC coefficients.
#[derive(Debug)]
pub(crate) struct DcTable(SymbolTable);

impl DcTable {
    /// Builds the table. The values of `code` are categories, at most 15; larger ones count modulo 16.
    pub(crate) fn new(code: HuffmanCode<'_>) -> Self {
        Self(SymbolTable::new(Class::Dc, code))
    }
}

/// Look-up table of a scan of AC coefficients.
#[derive(Debug)]
pub(crate) struct AcTable {
    symbols: SymbolTable,
    is_refinement: bool,
}

impl AcTable {
    /// Builds the table for the first scan of a band, or for its refinement.
    pub(crate) fn new(code: HuffmanCode<'_>, is_refinement: bool) -> Self {
        Self { symbols: SymbolTable::new(Class::ProgressiveAc { is_refinement }, code), is_refinement }
    }
}

/// DC coefficients of MCUs of one row.
#[derive(Debug)]
pub(crate) struct DcMcus<'a> {
    /// Blocks of an MCU.
    pub(crate) positions: &'a [DcPosition],
    /// Indices in the row of the MCUs.
    pub(crate) mcus: Range<usize>,
    /// Al: position of the lowest bit that is coded, 0 to 13.
    pub(crate) low: u8,
    /// The coefficients of all blocks of the frame.
    pub(crate) dc: &'a mut [i16],
}

/// AC coefficients of consecutive blocks.
#[derive(Debug)]
pub(crate) struct AcBlocks<'a> {
    pub(crate) band: AcBand,
    pub(crate) blocks: &'a mut [Block],
    /// One word per block.
    pub(crate) nonzero: &'a mut [u64],
}

/// Decodes DC coefficients in their first scan. Blocks use `tables` by component. `data` are as for
/// [`super::decode_blocks`], with the same errors.
pub(crate) fn decode_dc_first(
    data: &[u8],
    state: &mut SegmentState,
    tables: &[DcTable],
    mcus: DcMcus<'_>,
    level: CpuLevel,
) -> Result<(), CoefficientError> {
    dispatch!(level, decode_dc_first(data, state, tables, mcus))
}

/// Decodes one more bit of DC coefficients, as [`decode_dc_first`].
pub(crate) fn refine_dc(data: &[u8], state: &mut SegmentState, mcus: DcMcus<'_>) -> Result<(), CoefficientError> {
    scalar::refine_dc(data, state, mcus)
}

/// Decodes AC coefficients in the first scan of a band or in its refinement, as `table` is for. `data` are as for
/// [`super::decode_blocks`], with the same errors.
pub(crate) fn decode_ac(
    data: &[u8],
    state: &mut SegmentState,
    table: &AcTable,
    blocks: AcBlocks<'_>,
    level: CpuLevel,
) -> Result<(), CoefficientError> {
    debug_assert!(blocks.blocks.len() == blocks.nonzero.len(), "one word per block");
    if table.is_refinement {
        dispatch!(level, refine_ac(data, state, &table.symbols, blocks))
    } else {
        dispatch!(level, decode_ac_first(data, state, &table.symbols, blocks))
    }
}
