//! Run mode (T.87 A.7).

#![allow(clippy::cast_possible_truncation, reason = "lengths of runs fit in 16 bits unless they exceed the line")]

use super::LineError;
use super::bits::Bits;
use super::constants::Constants;
use crate::kernel::jpegls::contexts::{MAX_K, RUN_EXPONENTS, RunContext};

/// Largest run index.
const MAX_RUN_INDEX: u32 = 31;
/// Bits of a window of which all are valid.
const WINDOW_BITS: u32 = 56;

/// Length of the segments before the one of each run index.
const SEGMENT_STARTS: [u32; 32] = segment_starts();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn segment_starts() -> [u32; 32] {
    let mut starts = [0; 32];
    let mut index = 1;
    while index < 32 {
        starts[index] = starts[index - 1] + (1 << RUN_EXPONENTS[index - 1]);
        index += 1;
    }
    starts
}

#[inline(always)]
fn exponent(run_index: u32) -> u32 {
    RUN_EXPONENTS.get(run_index as usize).copied().unwrap_or(0).into()
}

#[inline(always)]
fn segment_start(run_index: u32) -> u32 {
    SEGMENT_STARTS.get(run_index as usize).copied().unwrap_or(0)
}

/// Decodes the length of a run, of at most `rest` pixels; returns the bit after it, the length, and the run index.
///
/// ```text
/// 1 1 1 0 e e      three complete segments, and a rest of J bits, with J of the run index after the three
/// ```
///
/// Runs that end in the line are decoded at once, without a loop whose count would be mispredicted.
#[inline(always)]
pub(super) fn run_length(
    bits: &Bits<'_>,
    start: isize,
    run_index: u8,
    rest: usize,
) -> Result<(isize, usize, u8), LineError> {
    let window = bits.window(start);
    let ones = window.leading_ones();
    let first_index = u32::from(run_index);
    let last_index = first_index + ones;
    let exponent = exponent(last_index);
    let length = segment_start(last_index)
        .wrapping_sub(segment_start(first_index))
        .wrapping_add(window.wrapping_shl(ones).wrapping_shr(63 - exponent) as u32) as usize;
    let bit_count = ones + 1 + exponent;
    if last_index <= MAX_RUN_INDEX && bit_count <= WINDOW_BITS && length < rest {
        return Ok((start.wrapping_sub(bit_count as isize), length, last_index as u8));
    }
    long_run(bits, start, run_index, rest)
}

/// Decodes the length of any run, segment by segment.
#[cold]
#[inline(never)]
fn long_run(bits: &Bits<'_>, start: isize, mut run_index: u8, rest: usize) -> Result<(isize, usize, u8), LineError> {
    let mut next = start;
    let mut length = 0_usize;
    while length < rest {
        let exponent = exponent(run_index.into());
        let window = bits.window(next);
        next = next.wrapping_sub(1);
        if window >> 63 == 0 {
            length = length.wrapping_add(window.wrapping_shr(63 - exponent) as usize);
            next = next.wrapping_sub((exponent as usize).cast_signed());
            if length > rest {
                return Err(bits.error(next, |_| LineError::RunLength { bit_offset: bits.offset(start) }));
            }
            break;
        }
        let segment = 1 << exponent;
        length = length.wrapping_add(segment);
        if length <= rest {
            run_index = run_index.wrapping_add(1).min(MAX_RUN_INDEX as u8);
        }
        length = length.min(rest);
    }
    Ok((next, length, run_index))
}

/// Stores `length` equal pixels from index `start` on. May store to further pixels of the line, which are decoded later.
#[inline(always)]
pub(super) fn fill<P: Copy>(line: &mut [P], start: usize, length: usize, pixel: P) {
    const PIXELS: usize = 16;
    // A constant number of pixels needs no loop whose count would be mispredicted.
    if length <= PIXELS
        && let Some(pixels) = line.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<PIXELS>())
    {
        pixels.fill(pixel);
    } else if let Some(pixels) = line.get_mut(start..start.wrapping_add(length)) {
        pixels.fill(pixel);
    }
}

/// Decodes a run interruption sample; returns the bit after it, and the sample. `is_similar` if the neighbours a and b
/// differ by at most NEAR.
#[inline(always)]
pub(super) fn interruption(
    bits: &Bits<'_>,
    start: isize,
    constants: &Constants,
    contexts: &mut [RunContext; 2],
    run_index: u8,
    neighbours: [i32; 2],
    is_similar: bool,
) -> Result<(isize, i32), LineError> {
    let ([a, b], [different, similar]) = (neighbours, contexts);
    let context = if is_similar { similar } else { different };
    let k = context.golomb_parameter(is_similar);
    let exponent = exponent(run_index.into());
    let window = bits.window(start);
    let zeros = window.leading_zeros();
    let (mapped, next);
    if zeros + exponent < constants.max_run_zeros && k < MAX_K {
        let suffix = window.wrapping_shl(zeros).wrapping_shr(63 - k) as u32;
        mapped = zeros.wrapping_sub(1).wrapping_shl(k).wrapping_add(suffix);
        next = start.wrapping_sub((zeros.wrapping_add(k).wrapping_add(1) as usize).cast_signed());
    } else {
        if k >= MAX_K {
            return Err(bits.error(start, |bit_offset| LineError::Context { bit_offset }));
        }
        let limit = constants.limit.wrapping_sub_unsigned(exponent).wrapping_sub(1);
        (mapped, next) = bits.long_golomb(start, k, limit, constants.range_bits)?;
    }
    let error = context.unmap(mapped, k, is_similar);
    context.adapt(constants.reset, error, mapped, is_similar);
    let sign = -i32::from(!is_similar & (b < a));
    let prediction = if is_similar { a } else { b };
    Ok((next, constants.reconstruct(prediction, (error ^ sign).wrapping_sub(sign))))
}
