//! Run mode: run lengths and run interruption samples (T.87 A.7).
//!
//! ```text
//! while the run has 2^J samples:   a one; the run index grows, and with it J
//! end of the line:                 a one, if samples are left
//! interruption:                    a zero, the rest of the run in J bits, the error of the next sample; the index shrinks
//! ```
//!
//! These functions are not inlined: runs are long or rare, and regular mode needs the registers.

use super::super::{Parameters, RUN_EXPONENTS, RunContext};
use super::bits::BitPosition;
use super::golomb;
use super::model::Line;
use super::regular::Constants;

/// Returns J for a run index.
fn run_exponent(run_index: usize) -> u32 {
    RUN_EXPONENTS.get(run_index).map_or(0, |exponent| u32::from(*exponent))
}

/// Appends a run of `length` samples, or pixels if samples are interleaved.
#[inline(never)]
pub(super) fn append_length(
    bits: BitPosition,
    length: usize,
    ends_line: bool,
    run_index: &mut usize,
    buffer: &mut [u8],
) -> BitPosition {
    let mut rest = length;
    // At most 32 segments: run index 31 stands for 2^15 samples, and a line has fewer than 2^16.
    let mut ones = 0;
    while rest >= 1 << run_exponent(*run_index) {
        rest -= 1 << run_exponent(*run_index);
        ones += 1;
        *run_index = (*run_index + 1).min(RUN_EXPONENTS.len() - 1);
    }
    if ends_line {
        ones += u32::from(rest > 0);
    }
    let ones_code = (1 << ones) - 1;
    if ends_line {
        return bits.append(ones_code, ones, buffer);
    }
    // A zero and the rest, of which the zero is the first of J + 1 bits.
    let rest_bits = run_exponent(*run_index) + 1;
    bits.append(ones_code << rest_bits | rest as u64, ones + rest_bits, buffer)
}

/// Neighbours of a run interruption sample: the samples to the left and above.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbours {
    pub(super) a: u16,
    pub(super) b: u16,
}

impl Neighbours {
    /// Returns the neighbours of sample `x` of a line.
    pub(super) fn new(line: &Line, x: usize) -> Self {
        let sample = |samples: &[u16], index: usize| samples.get(index).copied().unwrap_or_default();
        Self { a: sample(&line.row, x), b: sample(&line.above, x + 1) }
    }
}

/// Contexts of run interruption samples, and what their codes depend on.
pub(super) struct Interruptions<'m> {
    pub(super) contexts: &'m mut [RunContext; 2],
    pub(super) parameters: &'m Parameters,
    pub(super) constants: &'m Constants,
}

impl Interruptions<'_> {
    /// Appends a run interruption sample and replaces it by its reconstruction. `is_similar` is `RItype`: the prediction
    /// is a, not b.
    #[inline(never)]
    pub(super) fn append(
        &mut self,
        bits: BitPosition,
        sample: &mut u16,
        neighbours: Neighbours,
        is_similar: bool,
        run_index: usize,
        buffer: &mut [u8],
    ) -> BitPosition {
        let Self { contexts: [different, similar], parameters, constants } = self;
        let Neighbours { a, b } = neighbours;
        let (prediction, context) = if is_similar { (i32::from(a), similar) } else { (i32::from(b), different) };
        let error = constants.quantize(i32::from(*sample), prediction);
        let reconstructed = constants.clamp(prediction + error * constants.step);
        let error = constants.reduce(if !is_similar && b < a { -error } else { error });
        let k = context.golomb_parameter(is_similar);
        let is_odd = error != 0 && (error < 0) == context.is_negative_odd(k);
        let mapped = (2 * error.unsigned_abs()).wrapping_sub(u32::from(is_similar)).wrapping_sub(u32::from(is_odd));
        context.update(parameters, error, mapped, is_similar);
        *sample = u16::try_from(reconstructed).unwrap_or(*sample);
        let limits = constants.limits.shortened(run_exponent(run_index) + 1);
        golomb::append(bits, mapped, k, limits, buffer)
    }
}
