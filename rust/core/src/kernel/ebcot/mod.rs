//! Decoding of code-blocks: EBCOT, the tier-1 coder of JPEG 2000 (T.800 Annexes C and D).
//!
//! A block is a matrix of signed integers. Its magnitudes are coded bit-plane by bit-plane, from the highest one that is
//! not zero. Each bit-plane has three coding passes; the first only the third:
//!
//! ```text
//! significance propagation   insignificant coefficients with a significant neighbour: 0 or 1, then the sign
//! magnitude refinement       significant coefficients: the next bit
//! cleanup                    all others: as the first pass, but four zeros at once where a column is empty
//! ```
//!
//! Each bit is decoded in a context, made of the significance of its eight neighbours. The data are arithmetic-coded, by
//! codeword segments; in *bypass* mode the first two passes of the lower bit-planes are raw bits.
//!
//! ```text
//! segments ─► codeword: bits without stuffing ─► mq, or raw bits ─► scalar: passes ─► bitmaps ─► coefficients
//! ```
//!
//! All sets of coefficients are bitmaps in coding order ([`bitmaps`]), so a pass visits only the coefficients that it codes.
//! Magnitudes stay bit-planes until the last pass is decoded.
//!
//! Any bytes are decoded: bits after the end of a segment are ones. Bytes of an encoder's termination procedure are not
//! checked, also not with predictable termination (T.800 D.4.2).

mod bitmaps;
mod codeword;
mod coefficients;
mod contexts;
mod lane;
mod mq;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::code_block::{BandKind, BlockError, BlockErrorReason, CodeBlock, Dequantization};
use super::cpu::dispatch;
use bitmaps::Bitmaps;
use coefficients::Planes;
use contexts::ZeroCodingTable;
use lane::Lane;
use mq::MqRegisters;

/// Code-block style (T.800 Table A.19). Predictable termination has no flag: it changes nothing for the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BlockStyle {
    /// Selective arithmetic coding bypass.
    pub(crate) bypass: bool,
    /// Contexts are reset after each pass.
    pub(crate) reset_contexts: bool,
    /// Each pass has a codeword segment of its own.
    pub(crate) terminate_each_pass: bool,
    /// Contexts do not use the stripe below.
    pub(crate) vertically_causal: bool,
    /// Each cleanup pass ends with four bits 1010.
    pub(crate) segmentation_symbols: bool,
}

/// Code-blocks of one band that have the same parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) band: BandKind,
    pub(crate) style: BlockStyle,
    pub(crate) dequantization: Dequantization,
    pub(crate) blocks: &'a [CodeBlock<'a>],
    /// Coefficients from row to row.
    pub(crate) stride: usize,
}

/// Memory that a thread reuses between jobs.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    lane: Lane,
    /// Bits of the segments of the blocks being decoded.
    bits: Vec<u8>,
}

/// Decodes the blocks of a job to `out`, a slice of the matrix of its band. Every coefficient of the blocks is written.
///
/// # Errors
/// The error of the first block that has one. The coefficients are unspecified then.
pub(crate) fn decode_job(
    job: &Job<'_>,
    out: &mut [i32],
    scratch: &mut Scratch,
    level: CpuLevel,
) -> Result<(), BlockError> {
    for (index, block) in job.blocks.iter().enumerate() {
        decode_block(job, block, out, scratch, level).map_err(|reason| BlockError { block: index, reason })?;
    }
    Ok(())
}

fn decode_block(
    job: &Job<'_>,
    block: &CodeBlock<'_>,
    out: &mut [i32],
    scratch: &mut Scratch,
    level: CpuLevel,
) -> Result<(), BlockErrorReason> {
    if !block.fits(job.stride, out.len()) {
        return Err(BlockErrorReason::Size);
    }
    let Scratch { lane, bits } = scratch;
    bits.clear();
    lane.start(block, job.style, bits)?;
    while lane.next_pass(job.style).is_some() {
        lane.decode_pass(job, bits, level)?;
    }
    lane.store(job, block, out, level);
    Ok(())
}

fn significance(
    bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
    level: CpuLevel,
) -> MqRegisters {
    dispatch!(level, significance(bitmaps, registers, data, table))
}

fn significance_raw(bitmaps: Bitmaps<'_>, position: usize, data: &[u8], level: CpuLevel) -> usize {
    dispatch!(level, significance_raw(bitmaps, position, data))
}

fn refinement(bitmaps: Bitmaps<'_>, registers: MqRegisters, data: &[u8], level: CpuLevel) -> MqRegisters {
    dispatch!(level, refinement(bitmaps, registers, data))
}

fn refinement_raw(bitmaps: Bitmaps<'_>, position: usize, data: &[u8], level: CpuLevel) -> usize {
    dispatch!(level, refinement_raw(bitmaps, position, data))
}

fn cleanup(
    bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
    is_first: bool,
    level: CpuLevel,
) -> MqRegisters {
    dispatch!(level, cleanup(bitmaps, registers, data, table, is_first))
}

fn store(planes: &Planes<'_>, out: &mut [i32], stride: usize, level: CpuLevel) {
    dispatch!(level, store(planes, out, stride))
}
