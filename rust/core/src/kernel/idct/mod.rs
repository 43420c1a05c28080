//! Inverse DCT of JPEG blocks (T.81 A.3.3), with dequantisation (A.3.4), level shift (A.3.1) and limitation to the sample
//! range.
//!
//! T.81 does not fix the rounding of the inverse DCT. The definition here is libjpeg-turbo's default on x86-64, the
//! "accurate integer" method of Loeffler, Ligtenberg and Moschytz (1989) with constants of 13 fractional bits. Its samples
//! are reproduced for all coefficients and quantisers, also for those that no encoder writes:
//!
//! | | 8-bit samples: vector code (`jidctint`, `jidctred`) | 12-bit samples: C code |
//! |---|---|---|
//! | coefficient × quantiser | wraps to 16 bits | exact |
//! | sums of two inputs | wrap to 16 bits | exact |
//! | sums of products | wrap to 32 bits | exact |
//! | fractional bits between the passes | 2 | 1 |
//! | values between the passes | saturate to 16 bits | wrap to 32 bits |
//! | samples before the level shift | saturate to 8 bits | wrap to 14 bits, then saturate to 12 bits |
//!
//! With two exceptions for 8-bit samples. If all rows but the first are zero, the first pass only shifts row 0, and that
//! wraps to 16 bits. It is visible where the product in row 0 is outside -8192 … 8191. And one sample per block is
//! computed by C code, which wraps to 10 bits before it saturates to 8.
//!
//! Blocks of half, quarter and eighth size are libjpeg's reduced-size transforms: of 8×8 coefficients they make 4×4, 2×2
//! or 1×1 samples, so that an image can be decoded at a lower resolution.

mod run;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_body;
#[cfg(target_arch = "x86_64")]
mod x86_passes;
#[cfg(target_arch = "x86_64")]
mod x86_reduced;
#[cfg(target_arch = "x86_64")]
mod x86_sse2;
#[cfg(target_arch = "x86_64")]
mod x86_v4;
#[cfg(target_arch = "x86_64")]
mod x86_wide;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;
use run::Run;

/// Number of samples per side of a decoded block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockSize {
    /// 8×8 samples, the size of the image.
    Full,
    /// 4×4 samples.
    Half,
    /// 2×2 samples.
    Quarter,
    /// One sample: the rounded mean of the block.
    Eighth,
}

impl BlockSize {
    /// Returns the samples per side.
    pub(crate) const fn side(self) -> usize {
        match self {
            Self::Full => 8,
            Self::Half => 4,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }
}

/// Sample precision (P of the frame header, T.81 B.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// 8 bits; a sample is one byte.
    Eight,
    /// 12 bits; a sample is two bytes in native order.
    Twelve,
}

impl Precision {
    /// Returns the bytes of one sample.
    pub(crate) const fn sample_bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Twelve => 2,
        }
    }
}

/// One block of an MCU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPosition {
    /// Index of the quantisation table.
    pub(crate) table: usize,
    /// Byte offset of the top left sample in MCU 0 of the MCU row.
    pub(crate) offset: usize,
    /// Bytes from a block of an MCU to the same block of the next MCU.
    pub(crate) step: usize,
    /// Bytes from a row of samples to the next row.
    pub(crate) stride: usize,
    /// Number of samples per side.
    pub(crate) size: BlockSize,
}

/// Coefficients of a block, or quantisers: natural order, row by row.
type Block = [i16; 64];

/// A quantisation table (T.81 B.2.4.1) in the form that the kernels use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuantizationTable {
    /// Quantisers in natural order, as bits: 12-bit samples have unsigned ones, 8-bit samples do not depend on the sign.
    quantizers: Block,
}

impl QuantizationTable {
    /// Returns the table of 64 quantisers in natural order (not in zigzag order).
    pub(crate) fn new(values: &[u16; 64]) -> Self {
        Self { quantizers: values.map(u16::cast_signed) }
    }
}

/// Transforms blocks of coefficients into samples, and sets the coefficients to zero.
///
/// `coefficients` has 64 values per block, in natural order. Block `i` of the slice is block `first_block + i` of the MCU
/// row: block `(first_block + i) % positions.len()` of MCU `(first_block + i) / positions.len()`. Its samples are written
/// to the byte offset `offset + step × MCU` of `samples`, as its position describes.
///
/// Table indices and destinations are valid. Blocks from the first invalid position on are not transformed.
pub(crate) fn inverse_dct(
    coefficients: &mut [i16],
    first_block: usize,
    positions: &[BlockPosition],
    tables: &[QuantizationTable],
    precision: Precision,
    samples: &mut [u8],
    level: CpuLevel,
) {
    let blocks = coefficients.as_chunks_mut::<64>().0;
    let slice = (first_block, blocks.len());
    // Runs, not MCUs: the blocks that a vector kernel transforms together have one quantisation table and similar
    // numbers of coefficients.
    let mut index = 0;
    while index < positions.len() {
        let run = Run::new(positions, index, slice, tables, precision, level.is_v3());
        let Some(run) = run.filter(|run| run.is_inside(precision, samples.len())) else {
            debug_assert!(false, "a block has no quantisation table, or is outside the samples");
            return;
        };
        transform(blocks, &run, precision, samples, level);
        index += run.width();
    }
}

fn transform(blocks: &mut [Block], run: &Run<'_>, precision: Precision, samples: &mut [u8], level: CpuLevel) {
    #[cfg(target_arch = "x86_64")]
    if !level.is_v3() {
        use x86_sse2::baseline;
        return match precision {
            Precision::Eight => baseline::transform_8_bit(blocks, run, samples),
            Precision::Twelve => baseline::transform_12_bit(blocks, run, samples),
        };
    }
    match precision {
        Precision::Eight => dispatch!(level, v4 transform_8_bit(blocks, run, samples)),
        Precision::Twelve => dispatch!(level, v4 transform_12_bit(blocks, run, samples)),
    }
}
