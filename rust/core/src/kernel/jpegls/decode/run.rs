//! Run mode (T.87 A.7).

#![allow(clippy::cast_possible_truncation, reason = "lengths of runs fit in 16 bits unless they exceed the line")]

use super::LineError;
use super::bits::Bits;
use super::constants::Constants;
use crate::kernel::jpegls::contexts::{MAX_K, RUN_EXPONENTS, RunContext};
use crate::kernel::jpegls::parameters::Parameters;

fn exponent(run_index: u8) -> u32 {
    RUN_EXPONENTS.get(usize::from(run_index)).copied().unwrap_or(0).into()
}

/// Decodes the length of a run, of at most `rest` pixels; returns the bit after it, the length, and the run index.
#[inline(never)]
pub(super) fn run_length(
    bits: Bits<'_>,
    start: isize,
    mut run_index: u8,
    rest: usize,
) -> Result<(isize, usize, u8), LineError> {
    let mut next = start;
    let mut length = 0_usize;
    while length < rest {
        let exponent = exponent(run_index);
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
            run_index = run_index.wrapping_add(1).min(31);
        }
        length = length.min(rest);
    }
    Ok((next, length, run_index))
}

/// Decodes a run interruption sample; returns the bit after it, and the sample. `is_similar` if the neighbours a and b
/// differ by at most NEAR.
#[inline(never)]
#[allow(clippy::too_many_arguments, reason = "values that stay in registers")]
pub(super) fn interruption(
    bits: Bits<'_>,
    start: isize,
    constants: Constants,
    parameters: &Parameters,
    contexts: &mut [RunContext; 2],
    run_index: u8,
    neighbours: [i32; 2],
    is_similar: bool,
) -> Result<(isize, i32), LineError> {
    let ([a, b], [different, similar]) = (neighbours, contexts);
    let context = if is_similar { similar } else { different };
    let k = context.golomb_parameter(is_similar);
    if k >= MAX_K {
        return Err(bits.error(start, |bit_offset| LineError::Context { bit_offset }));
    }
    let limit = constants.limit.wrapping_sub_unsigned(exponent(run_index)).wrapping_sub(1);
    let (mapped, next) = bits.long_golomb(start, k, limit, constants.range_bits)?;
    let error = context.unmap(mapped, k, is_similar);
    context.update(parameters, error, mapped, is_similar);
    let (prediction, error) = match (is_similar, b < a) {
        (true, _) => (a, error),
        (false, true) => (b, error.wrapping_neg()),
        (false, false) => (b, error),
    };
    Ok((next, constants.reconstruct(prediction, error)))
}
