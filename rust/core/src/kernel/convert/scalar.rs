//! Conversions to floats, and the choice of the arithmetic for conversions to integers.

use super::Rescale;
use super::integer::{Coefficients, in_floats, in_integers};
pub(super) use super::lookup::look_up;
pub(super) use super::ranges::{map_floats, map_integers};
use super::sample::{Float, Integer, Sample};
use crate::sample::SamplesMut;

#[inline(always)]
pub(super) fn from_integer<S: Integer>(src: &[u8], rescale: Option<Rescale>, out: SamplesMut<'_>) -> Result<(), usize> {
    match (out, Coefficients::new(rescale)) {
        (SamplesMut::F32(out), _) => to_f32::<S>(src, rescale, out),
        (SamplesMut::F64(out), _) => to_f64::<S>(src, rescale, out),
        (SamplesMut::U8(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::I8(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::U16(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::I16(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::U32(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::I32(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::U64(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (SamplesMut::I64(out), Some(coefficients)) => in_integers::<S, _>(src, coefficients, out),
        (integers, None) => in_floats::<S>(src, rescale, integers),
    }
}

#[inline(always)]
pub(super) fn from_float<S: Float>(src: &[u8], rescale: Option<Rescale>, out: SamplesMut<'_>) -> Result<(), usize> {
    match out {
        SamplesMut::F32(out) => to_f32::<S>(src, rescale, out),
        SamplesMut::F64(out) => to_f64::<S>(src, rescale, out),
        integers => in_floats::<S>(src, rescale, integers),
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the last rounding, and numbers that f32 holds exactly")]
fn to_f32<S: Sample>(src: &[u8], rescale: Option<Rescale>, out: &mut [f32]) -> Result<(), usize> {
    let samples = S::all(src).zip(out);
    match rescale {
        None => samples.for_each(|(x, y)| *y = x.to_f32()),
        Some(rescale) if is_exact_in_f32(rescale, S::LARGEST) => {
            let (slope, intercept) = (rescale.slope as f32, rescale.intercept as f32);
            samples.for_each(|(x, y)| *y = x.to_f32() * slope + intercept);
        }
        Some(Rescale { slope, intercept }) => {
            samples.for_each(|(x, y)| *y = (x.to_f64() * slope + intercept) as f32);
        }
    }
    Ok(())
}

#[inline(always)]
fn to_f64<S: Sample>(src: &[u8], rescale: Option<Rescale>, out: &mut [f64]) -> Result<(), usize> {
    let samples = S::all(src).zip(out);
    match rescale {
        None => samples.for_each(|(x, y)| *y = x.to_f64()),
        Some(Rescale { slope, intercept }) => samples.for_each(|(x, y)| *y = x.to_f64() * slope + intercept),
    }
    Ok(())
}

/// True if no sample with a magnitude up to `largest` is rounded in `f32` arithmetic, so that `f32` and `f64` agree.
///
/// If slope = a / 2^k and intercept = b / 2^k for integers a and b, then product and sum are integers / 2^k, and `f32`
/// holds n / 2^k exactly for |n| ≤ 2^24. For example, slope 1 and intercept -1024 with 16-bit samples (CT): k = 0 and
/// 1 × 65535 + 1024 ≤ 2^24.
fn is_exact_in_f32(rescale: Rescale, largest: f64) -> bool {
    let mut scale = 1.0;
    for _ in 0..=24 {
        let (a, b) = (rescale.slope * scale, rescale.intercept * scale);
        if a.fract() == 0.0 && b.fract() == 0.0 {
            return a.abs() * largest + b.abs() <= 16_777_216.0;
        }
        scale *= 2.0;
    }
    false
}
