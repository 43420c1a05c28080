//! Decoding of HT code-blocks (T.814 clause 7).
//!
//! A code-block has a cleanup segment, and optionally a segment of refinement passes:
//!
//! ```text
//! cleanup      │ MagSgn ─►           │ MEL ─►     ◄─ VLC │ Scup │        Lcup bytes, the last Scup of them MEL and VLC
//! refinement   │ SigProp ─►                  ◄─ MagRef │
//! ```
//!
//! The cleanup pass decodes all bits of the magnitudes above its bit-plane, in quads of 2 × 2 samples:
//!
//! ```text
//! VLC, MEL     significance ρ, residual u_q of the bound U of the quad's magnitude exponents, and bits known by it
//! MagSgn       U - k_n bits of each significant sample: magnitude - 1 and sign
//! ```
//!
//! Example: a quad in the second line has samples 0 and 2 significant, and magnitude exponents up to 5 above it.
//!
//! ```text
//! κ = 5 - 1 = 4      more than one sample is significant
//! VLC                codeword: ρ = 0101, u_off = 1, E_k = 0001, E_1 = 0001; residual u_q = 2
//! U = κ + u_q = 6    sample 0 has 5 bits and a known 1 above them, sample 2 has 6 bits
//! MagSgn  01011      sample 0: 101011 = 43: magnitude 43 / 2 + 1 = 22, sign 1: -22 × 2^p
//! MagSgn  000100     sample 2: 4: magnitude 3, sign 0: 3 × 2^p
//! ```
//!
//! Nanoseconds per sample for the blocks of lossless DICOM images, of 2.1 to 7.5 bits per sample (Zen 3): portable 8 to 11, AVX2
//! 1.8 to 2.1. Blocks whose exponent bounds exceed those of a vector body are decoded again by the next one: words of 16 bits,
//! words of 32 bits, portable. Blocks of a job that follow one with large bounds skip the first.
//!
//! | module | content |
//! |---|---|
//! | `codes`, `tables` | codewords of the standard, look-up tables made from them |
//! | `unstuff` | bits of MagSgn and VLC strings without stuffing |
//! | `mel`, `quads` | readers of MEL codewords, and of quads |
//! | `cleanup` | loop over the quads |
//! | `scalar`, `x86_narrow`, `x86` | samples of quads from the MagSgn string |
//! | `coefficients` | samples to coefficients |
//! | `refinement` | passes SigProp and MagRef |

mod cleanup;
mod codes;
mod coefficients;
mod mel;
mod quads;
mod refinement;
mod scalar;
mod tables;
mod unstuff;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_narrow;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::code_block::{
    BlockError, BlockErrorReason, CodeBlock, CodewordSegment, Dequantization, MAX_BIT_PLANES, MAX_SIDE,
};
use super::cpu::dispatch;
use cleanup::{Buffers, CODE_BUFFER, Cleanup, MAGNITUDE_BUFFER, MAX_STEPS, ROW_SAMPLES, SIGNIFICANCE_BYTES, Stop};
use coefficients::Output;
use refinement::{MAX_NIBBLES, Refinement};
use std::cell::Cell;

/// Largest value of `Scup` (T.814 7.1.1).
const MAX_CODE_BYTES: usize = 4079;

/// Words of the parts of [`Scratch`].
const MAGNITUDE_WORDS: usize = MAGNITUDE_BUFFER / 4;
const CODE_WORDS: usize = CODE_BUFFER / 4;
const NIBBLE_WORDS: usize = MAX_NIBBLES / 4;
const SIGNIFICANCE_WORDS: usize = SIGNIFICANCE_BYTES / 4;
const CLEANUP_WORDS: usize = MAGNITUDE_WORDS + CODE_WORDS + QUAD_WORDS + ROW_SAMPLES + SIGNIFICANCE_WORDS + MAX_SIDE;
const QUAD_WORDS: usize = 4 * MAX_STEPS;

/// Memory that a thread needs to decode jobs, of any content.
pub(crate) type Scratch = [u64; CLEANUP_WORDS / 2 + 1];

/// Code-blocks of one band.
pub(crate) struct Job<'a> {
    /// True if samples of the next stripe do not count as neighbours in the SigProp pass (T.800 D.7).
    pub is_vertically_causal: bool,
    pub dequantization: Dequantization,
    pub blocks: &'a [CodeBlock<'a>],
    /// Coefficients from one row to the next.
    pub stride: usize,
}

/// Decodes the blocks of a job, and writes all their coefficients to `out`.
///
/// # Errors
/// The first block that cannot be decoded. Its coefficients, and those of the blocks after it, are unspecified.
pub(crate) fn decode_job(
    job: &Job<'_>,
    out: &mut [i32],
    scratch: &mut Scratch,
    level: CpuLevel,
) -> Result<(), BlockError> {
    let was_wide = Cell::new(false);
    for (index, block) in job.blocks.iter().enumerate() {
        decode_block(job, block, &was_wide, out, scratch, level)
            .map_err(|reason| BlockError { block: index, reason })?;
    }
    Ok(())
}

fn decode_block(
    job: &Job<'_>,
    block: &CodeBlock<'_>,
    was_wide: &Cell<bool>,
    out: &mut [i32],
    scratch: &mut Scratch,
    level: CpuLevel,
) -> Result<(), BlockErrorReason> {
    let &CodeBlock { width, height, .. } = block;
    if !block.fits(job.stride, out.len()) {
        return Err(BlockErrorReason::Size);
    }
    if !(1..=MAX_BIT_PLANES).contains(&block.bit_planes) {
        return Err(BlockErrorReason::BitPlanes);
    }
    let end = block.offset + (height - 1) * job.stride + width;
    let out = out.get_mut(block.offset..end).ok_or(BlockErrorReason::Size)?;
    let (segment, refinement) = split_segments(block)?;
    let (magnitudes, codes) = split_strings(segment)?;
    let dequantization = job.dequantization;
    let output = Output {
        bit_plane: block.bit_planes - 1,
        roi_shift: block.roi_shift.min(MAX_BIT_PLANES + 1),
        dequantization: if refinement.is_some() { None } else { Some(dequantization) },
    };
    let max_bound = scalar::MAX_BOUND - output.bit_plane;
    let cleanup = Cleanup { width, height, magnitudes, codes, max_bound, output, was_wide };
    match decode_cleanup_pass(&cleanup, (out, job.stride), scratch, level) {
        Ok(()) => {}
        Err(Stop::Invalid(reason)) => return Err(reason),
        Err(Stop::Wide) => match scalar::decode_block(&cleanup, (out, job.stride), scratch) {
            Ok(()) => {}
            Err(Stop::Invalid(reason)) => return Err(reason),
            Err(Stop::Wide) => return Err(BlockErrorReason::Magnitude),
        },
    }
    if let Some((has_magnitudes, segment)) = refinement {
        let refinement = Refinement {
            width,
            height,
            stride: job.stride,
            bit_plane: output.bit_plane,
            is_vertically_causal: job.is_vertically_causal,
            has_magnitudes,
            segment,
        };
        if let Some((nibbles, _)) = scratch.split_first_chunk_mut::<{ NIBBLE_WORDS / 2 }>() {
            refinement.decode(out, bytemuck::cast_mut(nibbles));
        }
        for row in out.chunks_mut(job.stride) {
            let row = row.get_mut(..width).unwrap_or_default();
            coefficients::convert_row(dequantization, output.roi_shift, row);
        }
    }
    Ok(())
}

fn decode_cleanup_pass(
    cleanup: &Cleanup<'_>,
    out: (&mut [i32], usize),
    scratch: &mut Scratch,
    level: CpuLevel,
) -> Result<(), Stop> {
    dispatch!(level, decode_block(cleanup, out, scratch))
}

/// A cleanup segment; a refinement segment, and true if it has a MagRef pass.
type Segments<'a> = (&'a [u8], Option<(bool, &'a [u8])>);

/// Returns the cleanup segment; the refinement segment, and true if it has a MagRef pass.
///
/// An empty refinement segment counts as none, as in other decoders.
fn split_segments<'a>(block: &CodeBlock<'a>) -> Result<Segments<'a>, BlockErrorReason> {
    let (cleanup, refinement) = match *block.segments {
        [cleanup] => (cleanup, None),
        [cleanup, refinement] => (cleanup, Some(refinement)),
        _ => return Err(BlockErrorReason::Passes),
    };
    let (segment, rest) = block.data.split_at_checked(cleanup.bytes).ok_or(BlockErrorReason::Segments)?;
    let refinement = match refinement {
        Some(CodewordSegment { passes: 1 | 2, .. }) if block.bit_planes < 2 => return Err(BlockErrorReason::Passes),
        Some(CodewordSegment { passes: passes @ (1 | 2), bytes }) => {
            let segment = rest.get(..bytes).ok_or(BlockErrorReason::Segments)?;
            (bytes > 0).then_some((passes == 2, segment))
        }
        Some(_) => return Err(BlockErrorReason::Passes),
        None => None,
    };
    if cleanup.passes == 1 { Ok((segment, refinement)) } else { Err(BlockErrorReason::Passes) }
}

/// Returns the MagSgn string of a cleanup segment, and its MEL and VLC strings (T.814 7.1.1).
fn split_strings(segment: &[u8]) -> Result<(&[u8], &[u8]), BlockErrorReason> {
    let [.., low, high] = segment else { return Err(BlockErrorReason::StringLengths) };
    let code_bytes = usize::from(*high) << 4 | usize::from(*low & 0xF);
    let start = segment.len().checked_sub(code_bytes);
    match start {
        Some(start) if (2..=MAX_CODE_BYTES).contains(&code_bytes) => Ok(segment.split_at(start)),
        _ => Err(BlockErrorReason::StringLengths),
    }
}

/// Returns the memory of the cleanup pass.
#[inline(always)]
fn buffers(scratch: &mut Scratch) -> Option<Buffers<'_, u32>> {
    let (quads, rest) = scratch.split_first_chunk_mut::<{ 2 * MAX_STEPS }>()?;
    let rest: &mut [u32] = bytemuck::cast_slice_mut(rest);
    let (magnitudes, rest) = rest.split_first_chunk_mut::<MAGNITUDE_WORDS>()?;
    let (codes, rest) = rest.split_first_chunk_mut::<CODE_WORDS>()?;
    let (words, rest) = rest.split_first_chunk_mut::<ROW_SAMPLES>()?;
    let (significant, rest) = rest.split_first_chunk_mut::<SIGNIFICANCE_WORDS>()?;
    let (spare, _) = rest.split_first_chunk_mut::<MAX_SIDE>()?;
    Some(Buffers {
        magnitudes: bytemuck::cast_mut(magnitudes),
        codes: bytemuck::cast_mut(codes),
        quads: bytemuck::cast_mut(quads),
        words,
        significant: bytemuck::cast_mut(significant),
        spare: bytemuck::cast_mut(spare),
    })
}
