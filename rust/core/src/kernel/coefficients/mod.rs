//! Huffman decoding of DCT coefficients: sequential scans (T.81 F.2.2).
//!
//! A block is 64 coefficients. In a scan its first symbol is the DC coefficient, as the difference to the DC
//! coefficient of the component's block before; the other symbols are the AC coefficients that are not zero, in zigzag
//! order:
//!
//! ```text
//! symbol       Huffman code │ extra bits          the code identifies a value RRRRSSSS
//! DC           RRRR = 0                           SSSS extra bits give the difference (F.2.2.1)
//! AC           RRRR zeros, then a coefficient     SSSS extra bits give the coefficient
//!              SSSS = 0, RRRR = 15: 16 zeros (ZRL); RRRR < 15: the rest of the block is zero (EOB)
//! ```
//!
//! # Table look-up
//!
//! One probe: the next 11 bits of the stream index a table of 2048 entries (16 KiB). An entry has one symbol, or two if
//! the index contains all bits of the first, and code and sign of the second. At usual qualities a probe decodes 1.5
//! symbols on average. Blocks of DC and EOB alone need one probe, because the table of the first probe has pairs of a
//! DC and an AC symbol.
//!
//! ```text
//! entry   63      48 47     32 31      24 23        16 15        8   7    6  5    0
//!        │ value of │ bias of │ bits of  │ advance of │ advance  │escape│  │ bits │   bits: of all symbols,
//!        │ first    │ last    │ first    │ last       │ of first │      │  │ used │         at most 18
//!
//! value of the last symbol = (window >> (64 - bits used)) + bias       (modulo 2^16)
//! ```
//!
//! The bias can be a constant because the index contains everything up to the sign of the last symbol: the bias
//! subtracts those bits and, for a negative value, adds 1 - 2^SSSS. The remaining extra bits need not be in the index.
//! In an entry of one symbol, it is first and last, and the first value is 0; the kernel stores the first value, then
//! the last, at the same position.
//!
//! Example: code `01` has the value 0x02 (no zeros, 2 extra bits), code `1010` is EOB.
//!
//! ```text
//! bits   01 10 1010 …   bits used 8, advance of first 0, of last 0 + 1 + 80, value of first 2,
//!                       bias -0b01101010 = -106: the value of EOB is 0
//! bits   01 01 01 10…   bits used 8, advance of last 0 + 1, value of first -2, bias -(0b0101 << 4 | 01 << 2) = -84,
//!                       window >> 56 = 86, and 86 - 84 = 2
//! ```
//!
//! Positions are in zigzag order, counted from 0 in the block. An advance is added to the position of the next
//! coefficient and gives the position of the value, which [`NATURAL_ORDER`] maps to an index of the block:
//!
//! | position | index | reason |
//! |---|---|---|
//! | 0 to 63 | natural order | |
//! | 64 to 79 | 63 | a run beyond the block: libjpeg-turbo writes the last coefficient, and ends the block |
//! | 80 to 255 | 64 | EOB, an advance of 80: writes 0 to the block that follows, which is not decoded yet |
//!
//! The escape bit marks an index that does not determine a symbol: the code is longer than 11 bits (10 with a sign),
//! the symbol is longer than 18 bits, or the code is unassigned. Codes of 11 and more bits are at the upper end of the
//! code space, and have a table of their own, indexed by 16 bits.
//!
//! # Refills
//!
//! The reader has 56 to 63 valid bits after a refill, and three probes use at most 54:
//!
//! ```text
//! refill, probe DC (and one AC)
//! until the position is beyond 63:  probe, probe, refill, probe
//! ```
//!
//! # End of data
//!
//! Bits after the data are zeros. A block has at most 64 symbols of at most 31 bits, so data that end early cannot be
//! read without limit, and one test of the bit offset per call finds them.

mod bit_reader;
mod codes;
pub(crate) mod progressive;
mod scalar;
mod table;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

pub(crate) use codes::HuffmanCode;
pub(crate) use table::{BlockCodes, McuTables};

use super::CpuLevel;
use super::cpu::dispatch;

/// Coefficients of a block.
pub(crate) const BLOCK_COEFFICIENTS: usize = 64;
/// Coefficients after the last block, which [`decode_blocks`] may overwrite with 0. With them each block can be
/// accessed as an array that is indexed by a byte, which needs no bounds check.
pub(crate) const SPARE_COEFFICIENTS: usize = BLOCK_WINDOW - BLOCK_COEFFICIENTS;
/// A block and the spare coefficients.
const BLOCK_WINDOW: usize = 256;
/// Most components of a scan.
const MAX_COMPONENTS: usize = 4;
/// Longest Huffman code in bits.
const MAX_CODE_BITS: usize = 16;

/// Index in a block of each zigzag position (T.81 Figure A.6), and of positions beyond the block as the module
/// describes.
const NATURAL_ORDER: [u8; 256] = natural_order();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn natural_order() -> [u8; 256] {
    let mut order = [64; 256];
    // Diagonals from the top right to the bottom left, and back.
    let (mut position, mut row, mut column) = (0, 0_u8, 0_u8);
    while position < 64 {
        order[position] = row * 8 + column;
        position += 1;
        match ((row + column) % 2, row, column) {
            (0, _, 7) | (1, 1..=6, 0) => row += 1,
            (0, 0, _) | (1, 7, _) => column += 1,
            (1, 0, 0) => column += 1,
            (0, _, _) => (row, column) = (row - 1, column + 1),
            _ => (row, column) = (row + 1, column - 1),
        }
    }
    while position < 80 {
        order[position] = 63;
        position += 1;
    }
    order
}

/// State of decoding between two calls: position in the entropy-coded segment, and predictors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentState {
    /// Bit offset in the data of the next block.
    pub(crate) bit_offset: usize,
    /// Bit offset in the data of the end of the segment.
    pub(crate) end_bit: usize,
    /// Index in the MCU of the next block.
    pub(crate) position: usize,
    /// DC coefficient of the last block of each component, modulo 2^16.
    pub(crate) predictors: [i16; MAX_COMPONENTS],
    /// Number of the next blocks that end with EOB at once; always 0 in sequential scans.
    pub(crate) eob_run: usize,
}

impl SegmentState {
    /// Returns the state at the start of a segment: the first block of an MCU is next, predictors are 0.
    pub(crate) const fn new(bit_offset: usize, end_bit: usize) -> Self {
        Self { bit_offset, end_bit, position: 0, predictors: [0; MAX_COMPONENTS], eob_run: 0 }
    }

    /// Returns the error of an unassigned code at `bit_offset`. A code that is not whole in the segment counts as its
    /// end.
    pub(super) const fn unassigned(&self, bit_offset: usize) -> CoefficientError {
        if bit_offset + MAX_CODE_BITS <= self.end_bit {
            CoefficientError::Unassigned { bit_offset }
        } else {
            CoefficientError::Truncated
        }
    }

    /// Checks that the segment contains all bits that were used.
    pub(super) const fn check_end(&self) -> Result<(), CoefficientError> {
        if self.bit_offset > self.end_bit { Err(CoefficientError::Truncated) } else { Ok(()) }
    }
}

/// Reason why a segment cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoefficientError {
    /// No code of the table begins the bits at `bit_offset` of the data.
    Unassigned {
        /// Bit offset in the data of the first bit of the code.
        bit_offset: usize,
    },
    /// The segment ends before its last block.
    Truncated,
}

/// Decodes `coefficients.len() / 64` blocks less the [`SPARE_COEFFICIENTS`], and advances `state`.
///
/// - `data` are unstuffed bytes. At least 8 bytes that are zero follow the segment of `state`.
/// - `coefficients` are zero on entry, and have space for the [`SPARE_COEFFICIENTS`] after the last block. Afterwards
///   the blocks are in natural order (row by row), with the prediction added to DC coefficients; the spare ones are
///   zero.
/// - Blocks use the tables of the MCU cyclically, from `state.position` on.
///
/// # Errors
/// An unassigned code, or the end of the segment, whichever is first. All levels give the same error; coefficients and
/// `state` are unspecified then.
pub(crate) fn decode_blocks(
    data: &[u8],
    state: &mut SegmentState,
    tables: &McuTables,
    coefficients: &mut [i16],
    level: CpuLevel,
) -> Result<(), CoefficientError> {
    dispatch!(level, decode_blocks(data, state, tables, coefficients))
}
