//! Integer outputs: exact, otherwise the error is the index of the first sample that is not.

use super::Rescale;
use super::sample::{Integer, Narrow, Sample, Wide};
use crate::sample::SamplesMut;

/// Samples between two range checks: small enough that input and output stay in the L1 cache for every type.
pub(super) const BLOCK: usize = 1024;
/// 2^53: up to here `f64` holds every integer; above, a result may have been rounded to an integer.
const EXACT_F64: f64 = 9_007_199_254_740_992.0;

/// Slope and intercept, if both are integers.
#[derive(Clone, Copy)]
pub(super) struct Coefficients {
    slope: i128,
    intercept: i128,
}

impl Coefficients {
    /// Returns slope and intercept, or `None` if one of them is not an integer with a magnitude below 2^63.
    pub(super) fn new(rescale: Option<Rescale>) -> Option<Self> {
        let integer = |value: f64| {
            let is_integer = value.fract() == 0.0 && value.abs() < -(i64::MIN as f64);
            #[allow(clippy::cast_possible_truncation, reason = "an integer below 2^63")]
            is_integer.then_some(value as i128)
        };
        let rescale = rescale.unwrap_or(Rescale { slope: 1.0, intercept: 0.0 });
        Some(Self { slope: integer(rescale.slope)?, intercept: integer(rescale.intercept)? })
    }

    /// True if |x| × |slope| + |intercept| fits in `W` for every sample x of type `S`.
    ///
    /// `i128` always fits: |x| ≤ 2^64 and |slope| ≤ 2^63 - 2^10, the largest `f64` below 2^63.
    fn fit<S: Integer, W: Wide>(self) -> bool {
        let largest = S::MAX.unsigned_abs().max(S::MIN.unsigned_abs());
        largest
            .checked_mul(self.slope.unsigned_abs())
            .and_then(|product| product.checked_add(self.intercept.unsigned_abs()))
            .is_some_and(|sum| sum <= W::MAX.unsigned_abs())
    }
}

/// Converts integers to integers, in integer arithmetic.
#[inline(always)]
pub(super) fn in_integers<S: Integer, T: Narrow>(
    src: &[u8],
    coefficients: Coefficients,
    out: &mut [T],
) -> Result<(), usize> {
    if coefficients.fit::<S, S::Wide>() {
        return blocks::<S, S::Wide, T>(src, coefficients, out);
    }
    in_i128::<S, T>(src, coefficients, out)
}

/// Coefficients that only `i128` holds. They are rare, so all CPU levels share one body.
#[inline(never)]
fn in_i128<S: Integer, T: Narrow>(src: &[u8], coefficients: Coefficients, out: &mut [T]) -> Result<(), usize> {
    blocks::<S, i128, T>(src, coefficients, out)
}

/// Computes in `W`, in which no sample overflows. The loop narrows without checks and keeps the extremes; only a block
/// whose extremes do not fit is searched for the first sample out of range.
#[inline(always)]
fn blocks<S: Integer, W: Wide, T: Narrow>(src: &[u8], coefficients: Coefficients, out: &mut [T]) -> Result<(), usize> {
    let (slope, intercept) = (W::from_i128(coefficients.slope), W::from_i128(coefficients.intercept));
    for (index, (src, out)) in src.chunks(BLOCK * S::BYTES).zip(out.chunks_mut(BLOCK)).enumerate() {
        // 0 is a value of every output type.
        let (mut low, mut high) = (W::ZERO, W::ZERO);
        for (x, y) in S::all(src).zip(out) {
            let value = x.widen::<W>().rescaled(slope, intercept);
            low = low.min(value);
            high = high.max(value);
            *y = value.narrow();
        }
        if low.into() < T::MIN || high.into() > T::MAX {
            let fits = |x: S| (T::MIN..=T::MAX).contains(&x.widen::<W>().rescaled(slope, intercept).into());
            return Err(index * BLOCK + S::all(src).position(|x| !fits(x)).unwrap_or_default());
        }
    }
    Ok(())
}

/// Converts samples of any type to integers, in `f64` arithmetic.
#[inline(always)]
pub(super) fn in_floats<S: Sample>(src: &[u8], rescale: Option<Rescale>, mut out: SamplesMut<'_>) -> Result<(), usize> {
    let mut values = [0.0; BLOCK];
    for (index, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        let start = index * BLOCK;
        let end = out.len().min(start + S::all(src).len());
        match rescale {
            Some(Rescale { slope, intercept }) => {
                S::all(src).zip(&mut values).for_each(|(x, y)| *y = x.to_exact_f64() * slope + intercept);
            }
            None => S::all(src).zip(&mut values).for_each(|(x, y)| *y = x.to_exact_f64()),
        }
        let Some(out) = out.window(start, end) else {
            debug_assert!(false, "the window ends within the output");
            return Err(start);
        };
        store(&values, out).map_err(|index| start + index)?;
    }
    Ok(())
}

/// Stores the first `out.len()` of `values` into an integer output.
pub(super) fn store(values: &[f64; BLOCK], out: SamplesMut<'_>) -> Result<(), usize> {
    match out {
        SamplesMut::U8(out) => store_exact(values, out),
        SamplesMut::I8(out) => store_exact(values, out),
        SamplesMut::U16(out) => store_exact(values, out),
        SamplesMut::I16(out) => store_exact(values, out),
        SamplesMut::U32(out) => store_exact(values, out),
        SamplesMut::I32(out) => store_exact(values, out),
        SamplesMut::U64(out) => store_exact(values, out),
        SamplesMut::I64(out) => store_exact(values, out),
        SamplesMut::F32(_) | SamplesMut::F64(_) => {
            debug_assert!(false, "float outputs are converted by to_f32 and to_f64");
            Err(0)
        }
    }
}

/// Stores `values`; the error is the index of the first one that is not an exact integer of `T`.
///
/// The cast saturates and truncates, so a value that is unchanged after the cast and back is an integer in range. The only
/// exceptions are at the ends of the 64-bit types (`i64::MAX` converts back to 2^63), and those are above 2^53.
fn store_exact<T: Integer>(values: &[f64; BLOCK], out: &mut [T]) -> Result<(), usize> {
    for (index, (value, y)) in values.iter().zip(out).enumerate() {
        *y = T::saturated(*value);
        if y.to_f64() != *value || value.abs() > EXACT_F64 {
            return Err(index);
        }
    }
    Ok(())
}
