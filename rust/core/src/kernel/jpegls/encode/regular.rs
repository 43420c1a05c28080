//! Regular mode: prediction error of one sample → code (T.87 A.4 to A.6).

use super::super::{Context, Parameters};
use super::bits::BitPosition;
use super::golomb::{self, CodeLimits};

/// Constants of a scan, copied to locals of the loops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Constants {
    pub(super) max_value: i32,
    pub(super) near: i32,
    /// 2 × NEAR + 1.
    pub(super) step: i32,
    /// 2^32 / step, rounded up.
    reciprocal: u64,
    /// Added to the error before the division: NEAR, and steps that make it positive.
    offset: i32,
    /// The steps in `offset`.
    offset_steps: i32,
    range: i32,
    reset: i32,
    /// Bits above a sample of a lossless scan in 32 bits: shifts by it reduce modulo RANGE.
    unused_bits: u32,
    pub(super) limits: CodeLimits,
}

impl Constants {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let step = parameters.step.unsigned_abs().max(1);
        let offset_steps = parameters.max_value / parameters.step.max(1) + 1;
        Self {
            max_value: parameters.max_value,
            near: parameters.near,
            step: parameters.step,
            reciprocal: (1_u64 << 32).div_ceil(u64::from(step)),
            offset: parameters.near + offset_steps * parameters.step,
            offset_steps,
            range: parameters.range,
            reset: parameters.reset,
            unused_bits: u32::BITS - parameters.precision,
            limits: CodeLimits::new(parameters.limit.unsigned_abs(), parameters.range_bits.unsigned_abs()),
        }
    }

    /// Reduces the prediction error of a lossless scan modulo RANGE, to -RANGE / 2 … RANGE / 2 - 1.
    #[inline(always)]
    pub(super) fn reduce_lossless(&self, error: i32) -> i32 {
        error.wrapping_shl(self.unused_bits).wrapping_shr(self.unused_bits)
    }

    /// Returns the quantized prediction error of a near-lossless scan, before the reduction modulo RANGE (T.87 A.4.4).
    ///
    /// That is error / step, rounded to the nearest integer. An offset, a multiple of the step, makes the dividend positive.
    /// The reciprocal is too large by less than 1, and the dividend is less than 2^18: the quotient is exact.
    #[inline(always)]
    pub(super) fn quantize(&self, sample: i32, prediction: i32) -> i32 {
        let dividend = sample.wrapping_add(self.offset).wrapping_sub(prediction);
        let product = u64::from(dividend.cast_unsigned()).wrapping_mul(self.reciprocal);
        #[allow(clippy::cast_possible_truncation, reason = "the quotient has at most 18 bits")]
        let quotient = ((product >> 32) as u32).cast_signed();
        quotient.wrapping_sub(self.offset_steps)
    }

    /// Reduces a quantized error modulo RANGE (T.87 A.4.5).
    #[inline(always)]
    pub(super) fn reduce(&self, error: i32) -> i32 {
        let error = if error < 0 { error.wrapping_add(self.range) } else { error };
        if error >= self.range.wrapping_add(1) >> 1 { error.wrapping_sub(self.range) } else { error }
    }

    /// Limits a prediction or reconstruction to sample values.
    #[inline(always)]
    pub(super) fn clamp(&self, value: i32) -> i32 {
        value.max(0).min(self.max_value)
    }
}

/// Negates `value` if `sign` is -1, not if it is 0.
#[inline(always)]
fn negate_if(value: i32, sign: i32) -> i32 {
    (value ^ sign).wrapping_sub(sign)
}

/// Appends one sample of a lossless scan. `sign` is that of the context, 0 or -1.
#[inline(always)]
pub(super) fn append_lossless(
    bits: BitPosition,
    context: &mut Context,
    sign: i32,
    prediction: i32,
    sample: i32,
    constants: &Constants,
    buffer: &mut [u8],
) -> BitPosition {
    let corrected = prediction.wrapping_add(negate_if(context.correction, sign));
    let error = if corrected.cast_unsigned() <= constants.max_value.cast_unsigned() {
        negate_if(sample.wrapping_sub(prediction), sign).wrapping_sub(context.correction)
    } else {
        clamped_error(sample, corrected, sign, constants.max_value)
    };
    let error = constants.reduce_lossless(error);
    let k = golomb::parameter(context.sum, context.count.cast_unsigned());
    // With k = 0, errors are mapped in inverted order if 2 × B <= -N.
    let is_negative = context.bias.wrapping_mul(2).wrapping_add(context.count).wrapping_sub(1);
    let inversion = (is_negative.cast_unsigned() & k.wrapping_sub(1)) >> 31;
    let mapped = map(error) ^ inversion;
    update::<true>(context, error, constants);
    golomb::append(bits, mapped, k, constants.limits, buffer)
}

/// Returns the prediction error with the prediction limited to sample values.
#[cold]
#[inline(never)]
fn clamped_error(sample: i32, prediction: i32, sign: i32, max_value: i32) -> i32 {
    negate_if(sample.wrapping_sub(prediction.max(0).min(max_value)), sign)
}

/// Appends one sample of a near-lossless scan. Returns its reconstruction too.
#[inline(always)]
pub(super) fn append_near(
    bits: BitPosition,
    context: &mut Context,
    sign: i32,
    prediction: i32,
    sample: i32,
    constants: &Constants,
    buffer: &mut [u8],
) -> (BitPosition, u16) {
    let prediction = constants.clamp(prediction.wrapping_add(negate_if(context.correction, sign)));
    let error = constants.quantize(sample, prediction);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to MAXVAL")]
    let reconstructed = constants.clamp(prediction.wrapping_add(error.wrapping_mul(constants.step))) as u16;
    let error = constants.reduce(negate_if(error, sign));
    let k = golomb::parameter(context.sum, context.count.cast_unsigned());
    update::<false>(context, error, constants);
    (golomb::append(bits, map(error), k, constants.limits, buffer), reconstructed)
}

/// Maps prediction errors to 0, 1, 2, …: 0, -1, 1, -2, 2, … (T.87 A.5.2).
#[inline(always)]
fn map(error: i32) -> u32 {
    (error.wrapping_shl(1) ^ (error >> 31)).cast_unsigned()
}

/// Adapts a context to a prediction error (T.87 A.6). Branches are rarely taken.
#[inline(always)]
fn update<const LOSSLESS: bool>(context: &mut Context, error: i32, constants: &Constants) {
    let Context { sum, bias, count, correction } = *context;
    let step = if LOSSLESS { 1 } else { constants.step };
    let sum = sum.wrapping_add(error.unsigned_abs());
    let bias = bias.wrapping_add(error.wrapping_mul(step));
    let halves = count == constants.reset;
    let (sum, bias, count) = if !LOSSLESS {
        let shift = u32::from(halves);
        (sum.wrapping_shr(shift), bias.wrapping_shr(shift), count.wrapping_shr(shift))
    } else if halves {
        halve(sum, bias, count)
    } else {
        (sum, bias, count)
    };
    let count = count.wrapping_add(1);
    // -1 if the bias is at most -N, or positive. Then N is added or subtracted, once.
    let low = bias.wrapping_add(count).wrapping_sub(1) >> 31;
    let high = bias.wrapping_neg() >> 31;
    let bias = bias.wrapping_add(count & low).wrapping_sub(count & high);
    let bias = bias.max(1_i32.wrapping_sub(count)).min(0);
    let mut correction = correction.wrapping_add(low).wrapping_sub(high);
    if !(-128..=127).contains(&correction) {
        correction = limit_correction(correction);
    }
    *context = Context { sum, bias, count, correction };
}

/// Halves the counters of a context, so that it forgets earlier samples.
#[cold]
#[inline(never)]
fn halve(sum: u32, bias: i32, count: i32) -> (u32, i32, i32) {
    (sum >> 1, bias >> 1, count >> 1)
}

/// Limits the correction of a prediction, which is rarely needed.
#[cold]
#[inline(never)]
fn limit_correction(correction: i32) -> i32 {
    correction.clamp(-128, 127)
}
