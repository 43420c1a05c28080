//! Real-world values: each range of stored values has its own slope and intercept, or entries.
//!
//! ```text
//! y = x × slope + intercept, or entries[x - first]      if first ≤ x ≤ last, for the range that x is in
//! y = NaN                                               if x is in no range
//! ```
//!
//! Values are computed in `f64` in blocks that stay in the L1 cache, then rounded once, or checked to be exact integers.

use super::integer::{BLOCK, store};
use super::sample::{Float, Integer, Sample};
use crate::sample::{Rescale, SamplesMut};
use crate::value_ranges::{RangeValues, ValueRange, ValueRanges};

/// Converts integers.
#[inline(always)]
pub(super) fn map_integers<S: Integer>(src: &[u8], ranges: &ValueRanges, out: SamplesMut<'_>) -> Result<(), usize> {
    map::<S>(src, ranges, out, is_integer_below, is_integer_above)
}

/// Converts floats. Ranges with entries are refused before: only integers select an entry.
#[inline(always)]
pub(super) fn map_floats<S: Float>(src: &[u8], ranges: &ValueRanges, out: SamplesMut<'_>) -> Result<(), usize> {
    map::<S>(src, ranges, out, |x, first| x.to_f64() < first, |x, last| x.to_f64() > last)
}

#[inline(always)]
fn map<S: Sample>(
    src: &[u8],
    ranges: &ValueRanges,
    mut out: SamplesMut<'_>,
    is_below: impl Fn(S, f64) -> bool + Copy,
    is_above: impl Fn(S, f64) -> bool + Copy,
) -> Result<(), usize> {
    // For an integer output, a 64-bit sample that `f64` does not hold exactly becomes NaN, which `store` refuses.
    let is_exact_output = !out.sample_type().is_float();
    let mut values = [0.0; BLOCK];
    for (block, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        let start = block * BLOCK;
        let end = out.len().min(start + S::all(src).len());
        let samples = S::all(src).zip(&mut values);
        match ranges.ranges() {
            [ValueRange { first, last, values: RangeValues::Linear(Rescale { slope, intercept }) }] => {
                for (x, y) in samples {
                    let value = if is_exact_output { x.to_exact_f64() } else { x.to_f64() };
                    // NaN samples stay NaN.
                    let is_outside = is_below(x, *first) | is_above(x, *last);
                    *y = if is_outside { f64::NAN } else { value * slope + intercept };
                }
            }
            ranges => {
                for (x, y) in samples {
                    let index = ranges.partition_point(|range| is_above(x, range.last));
                    let range = ranges.get(index).filter(|range| !is_below(x, range.first));
                    let value = if is_exact_output { x.to_exact_f64() } else { x.to_f64() };
                    *y = range.map_or(f64::NAN, |range| value_in(range, value));
                }
            }
        }
        let Some(mut out) = out.window(start, end) else {
            debug_assert!(false, "the window ends within the output");
            return Err(start);
        };
        #[allow(clippy::cast_possible_truncation, reason = "the one rounding that is wanted")]
        match &mut out {
            SamplesMut::F32(out) => values.iter().zip(&mut **out).for_each(|(value, y)| *y = *value as f32),
            SamplesMut::F64(out) => values.iter().zip(&mut **out).for_each(|(value, y)| *y = *value),
            _ => store(&values, out).map_err(|index| start + index)?,
        }
    }
    Ok(())
}

/// Returns the real-world value of the stored value `x`, which is in `range` or NaN.
#[inline(always)]
fn value_in(range: &ValueRange, x: f64) -> f64 {
    match &range.values {
        RangeValues::Linear(Rescale { slope, intercept }) => x * slope + intercept,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the entries")]
        RangeValues::Entries(entries) => entries.get((x - range.first) as usize).copied().unwrap_or(f64::NAN),
    }
}

/// True if x < first, exactly.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "saturates beyond all samples")]
fn is_integer_below<S: Integer>(x: S, first: f64) -> bool {
    if S::BYTES < 8 { x.to_f64() < first } else { x.widen::<S::Wide>().into() < first.ceil() as i128 }
}

/// True if x > last, exactly.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "saturates beyond all samples")]
fn is_integer_above<S: Integer>(x: S, last: f64) -> bool {
    if S::BYTES < 8 { x.to_f64() > last } else { x.widen::<S::Wide>().into() > last.floor() as i128 }
}
