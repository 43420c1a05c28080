//! Integer outputs: exact, or refused with the index of the first sample that is not.

use super::Rescale;
use super::sample::{Integer, Narrow, Sample, Wide};
use crate::frame::SamplesMut;

/// Samples between two looks at the range: of any type they stay in L1.
pub(super) const BLOCK: usize = 1024;
/// Up to here every integer is an `f64`; above it a result may have been rounded to one.
const EXACT_F64: f64 = 9_007_199_254_740_992.0;

/// Slope and intercept where both are integers.
#[derive(Clone, Copy)]
pub(super) struct Coefficients {
    slope: i128,
    intercept: i128,
}

impl Coefficients {
    /// The exact slope and intercept, or `None` where one of them is no integer below 2^63.
    pub(super) fn new(rescale: Option<Rescale>) -> Option<Self> {
        let integer = |value: f64| {
            let held = value.fract() == 0.0 && value.abs() < -(i64::MIN as f64);
            #[allow(clippy::cast_possible_truncation, reason = "an integer below 2^63")]
            held.then_some(value as i128)
        };
        let rescale = rescale.unwrap_or(Rescale { slope: 1.0, intercept: 0.0 });
        Some(Self { slope: integer(rescale.slope)?, intercept: integer(rescale.intercept)? })
    }

    /// Whether no sample of `S` overflows `W`. `i128` holds 2^64 × 2^63 less what an `f64` below 2^63 leaves.
    fn fit<S: Integer, W: Wide>(self) -> bool {
        let largest = S::MAX.unsigned_abs().max(S::MIN.unsigned_abs());
        largest
            .checked_mul(self.slope.unsigned_abs())
            .and_then(|product| product.checked_add(self.intercept.unsigned_abs()))
            .is_some_and(|sum| sum <= W::MAX.unsigned_abs())
    }
}

/// Integers to integers, in integers.
#[inline(always)]
pub(super) fn in_integers<S: Integer, T: Narrow>(
    src: &[u8],
    coefficients: Coefficients,
    out: &mut [T],
) -> Result<(), usize> {
    if coefficients.fit::<S, S::Wide>() {
        return blocks::<S, S::Wide, T>(src, coefficients, out);
    }
    widest::<S, T>(src, coefficients, out)
}

/// The rare coefficients that only `i128` holds; not worth a body for each set of instructions.
#[inline(never)]
fn widest<S: Integer, T: Narrow>(src: &[u8], coefficients: Coefficients, out: &mut [T]) -> Result<(), usize> {
    blocks::<S, i128, T>(src, coefficients, out)
}

#[inline(always)]
fn blocks<S: Integer, W: Wide, T: Narrow>(src: &[u8], coefficients: Coefficients, out: &mut [T]) -> Result<(), usize> {
    let (slope, intercept) = (W::from_i128(coefficients.slope), W::from_i128(coefficients.intercept));
    for (index, (src, out)) in src.chunks(BLOCK * S::BYTES).zip(out.chunks_mut(BLOCK)).enumerate() {
        // 0 is in the range of every type.
        let (mut low, mut high) = (W::ZERO, W::ZERO);
        for (x, y) in S::all(src).zip(out) {
            let value = x.widen::<W>().rescaled(slope, intercept);
            low = low.min(value);
            high = high.max(value);
            *y = value.narrow();
        }
        if low.into() < T::MIN || high.into() > T::MAX {
            let held = |x: S| (T::MIN..=T::MAX).contains(&x.widen::<W>().rescaled(slope, intercept).into());
            return Err(index * BLOCK + S::all(src).position(|x| !held(x)).unwrap_or_default());
        }
    }
    Ok(())
}

/// Anything to integers by way of `f64`.
#[inline(always)]
pub(super) fn in_floats<S: Sample>(src: &[u8], rescale: Option<Rescale>, mut out: SamplesMut<'_>) -> Result<(), usize> {
    let mut staged = [0.0; BLOCK];
    for (index, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        let start = index * BLOCK;
        let end = out.len().min(start + S::all(src).len());
        match rescale {
            Some(Rescale { slope, intercept }) => {
                S::all(src).zip(&mut staged).for_each(|(x, y)| *y = x.to_exact_f64() * slope + intercept);
            }
            None => S::all(src).zip(&mut staged).for_each(|(x, y)| *y = x.to_exact_f64()),
        }
        if let Some(out) = out.window(start, end) {
            store(&staged, out).map_err(|at| start + at)?;
        }
    }
    Ok(())
}

/// Stores as many of `values` as `out` holds.
fn store(values: &[f64; BLOCK], out: SamplesMut<'_>) -> Result<(), usize> {
    match out {
        SamplesMut::U8(out) => exact(values, out),
        SamplesMut::I8(out) => exact(values, out),
        SamplesMut::U16(out) => exact(values, out),
        SamplesMut::I16(out) => exact(values, out),
        SamplesMut::U32(out) => exact(values, out),
        SamplesMut::I32(out) => exact(values, out),
        SamplesMut::U64(out) => exact(values, out),
        SamplesMut::I64(out) => exact(values, out),
        SamplesMut::F32(_) | SamplesMut::F64(_) => Ok(()),
    }
}

/// A cast saturates, so what comes back unchanged was an integer in range, except at the ends of the
/// 64-bit types (2^63 comes back from `i64::MAX`): those are above 2^53.
fn exact<T: Integer>(values: &[f64; BLOCK], out: &mut [T]) -> Result<(), usize> {
    for (index, (value, y)) in values.iter().zip(out).enumerate() {
        *y = T::saturated(*value);
        if y.to_f64() != *value || value.abs() > EXACT_F64 {
            return Err(index);
        }
    }
    Ok(())
}
