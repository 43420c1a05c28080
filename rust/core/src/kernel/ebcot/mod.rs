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
//! The blocks of a job are independent. At x86-64-v3, eight of them are decoded pass by pass, and their refinement passes
//! together ([`packed`]), one block in each 32-bit lane.
//!
//! Any bytes are decoded: bits after the end of a segment are ones. Bytes of an encoder's termination procedure are not
//! checked, also not with predictable termination (T.800 D.4.2).

mod bitmaps;
mod codeword;
mod coefficients;
mod contexts;
mod lane;
mod mq;
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only vectors refine several blocks at once"))]
mod packed;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::code_block::{BandKind, BlockError, BlockErrorReason, CodeBlock, CodewordSegment, Dequantization};
use super::cpu::dispatch;
use bitmaps::Bitmaps;
use coefficients::Planes;
use contexts::ZeroCodingTable;
use lane::Lane;
use mq::MqRegisters;
use packed::LANES;

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

/// Minimum number of blocks whose refinement passes are decoded together.
const MIN_REFINING: usize = 3;

/// Memory that a thread reuses between jobs.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    lanes: Vec<Lane>,
    /// Bits of the segments of the blocks being decoded.
    bits: Vec<u8>,
    /// Indices of blocks.
    order: Vec<usize>,
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
    let Scratch { lanes, bits, order } = scratch;
    let group_size = if level.is_v3() && is_dense(job.blocks) { LANES } else { 1 };
    let memory_error = |_| BlockError { block: 0, reason: BlockErrorReason::Memory };
    order.clear();
    order.try_reserve(job.blocks.len()).map_err(memory_error)?;
    order.extend(0..job.blocks.len());
    lanes.try_reserve(group_size.saturating_sub(lanes.len())).map_err(memory_error)?;
    lanes.resize_with(group_size, Lane::default);
    if group_size > 1 {
        // Lanes of one group are to have as many passes.
        let passes = |index: &usize| job.blocks.get(*index).map(|block| block.segments.iter().map(pass_count).sum());
        order.sort_by_key(|index| std::cmp::Reverse(passes(index).unwrap_or(0_u64)));
    }
    let mut first_error: Option<BlockError> = None;
    for group in order.chunks(group_size) {
        if let Err(error) = decode_group(job, group, out, (lanes, bits), level)
            && first_error.is_none_or(|first| error.block < first.block)
        {
            first_error = Some(error);
        }
        if first_error.is_some() && group_size == 1 {
            break;
        }
    }
    first_error.map_or(Ok(()), Err)
}

fn pass_count(segment: &CodewordSegment) -> u64 {
    segment.passes.into()
}

/// True if blocks have at least a quarter of a byte per coefficient, so that refinement passes are a large part of the time.
fn is_dense(blocks: &[CodeBlock<'_>]) -> bool {
    let bytes: usize = blocks.iter().map(|block| block.data.len()).fold(0, usize::saturating_add);
    let area = blocks.iter().map(|block| block.width.saturating_mul(block.height)).fold(0, usize::saturating_add);
    blocks.len() >= MIN_REFINING && bytes >= area / 4
}

/// Decodes blocks in lock-step, pass by pass; returns the error of the first one.
fn decode_group(
    job: &Job<'_>,
    group: &[usize],
    out: &mut [i32],
    (lanes, bits): (&mut [Lane], &mut Vec<u8>),
    level: CpuLevel,
) -> Result<(), BlockError> {
    let style = job.style;
    let mut first_error: Option<BlockError> = None;
    let mut fail = |block: usize, reason| {
        if first_error.is_none_or(|first| block < first.block) {
            first_error = Some(BlockError { block, reason });
        }
    };
    let blocks = || group.iter().filter_map(|index| Some((*index, job.blocks.get(*index)?)));
    bits.clear();
    lanes.iter_mut().for_each(Lane::stop);
    for (lane, (index, block)) in lanes.iter_mut().zip(blocks()) {
        let started = if block.fits(job.stride, out.len()) {
            lane.start(block, style, bits)
        } else {
            Err(BlockErrorReason::Size)
        };
        if let Err(reason) = started {
            lane.stop();
            fail(index, reason);
        }
    }
    loop {
        let refining = lanes.iter().filter(|lane| lane.is_refining(style)).count();
        if refining >= MIN_REFINING && refine_group(lanes, style, bits, level) {
            continue;
        }
        let mut is_done = true;
        for (lane, index) in lanes.iter_mut().zip(group) {
            if lane.next_pass(style).is_some() {
                is_done = false;
                if let Err(reason) = lane.decode_pass(job, bits, level) {
                    lane.stop();
                    fail(*index, reason);
                }
            }
        }
        if is_done {
            break;
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    for (lane, (_, block)) in lanes.iter_mut().zip(blocks()) {
        lane.store(job, block, out, level);
    }
    Ok(())
}

/// Decodes the refinement passes of all lanes whose next pass is one. Returns false, and changes nothing, if the lanes are
/// to be decoded one by one.
fn refine_group(lanes: &mut [Lane], style: BlockStyle, bits: &[u8], level: CpuLevel) -> bool {
    dispatch!(level, refine_group(lanes, style, bits))
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
