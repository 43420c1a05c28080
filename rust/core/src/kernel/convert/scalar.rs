//! The loops to floats, and the choice between those to integers.

use super::Rescale;
use super::integer::{Coefficients, in_floats, in_integers};
use super::sample::{Float, Integer, Sample};
use crate::frame::SamplesMut;

#[inline(always)]
pub(super) fn from_integer<S: Integer>(src: &[u8], rescale: Option<Rescale>, out: SamplesMut<'_>) -> Result<(), usize> {
    let out = match out {
        SamplesMut::F32(out) => return to_f32::<S>(src, rescale, out),
        SamplesMut::F64(out) => return to_f64::<S>(src, rescale, out),
        integers => integers,
    };
    let Some(coefficients) = Coefficients::new(rescale) else {
        return in_floats::<S>(src, rescale, out);
    };
    match out {
        SamplesMut::U8(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::I8(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::U16(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::I16(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::U32(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::I32(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::U64(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::I64(out) => in_integers::<S, _>(src, coefficients, out),
        SamplesMut::F32(_) | SamplesMut::F64(_) => Ok(()),
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
        Some(rescale) if exact_in_f32(rescale, S::LARGEST) => {
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

/// Whether no sample up to `largest` is rounded on the way, in `f64` or `f32`: both then give the same number.
///
/// With slope = a / 2^k and intercept = b / 2^k for integers a and b, product and sum are integers / 2^k,
/// which `f32` holds up to 2^24 / 2^k. Slope 1 with an intercept of -1024 is the common case (CT).
fn exact_in_f32(rescale: Rescale, largest: f64) -> bool {
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
