//! Portable bodies: loops over equal slices, which the compiler vectorises.

use super::{ComponentFormat, MAX_FAST_PRECISION};
use std::ops::Range;

/// A stored sample.
pub(crate) trait Sample: bytemuck::Pod {
    /// Returns the lowest bits of `value`.
    fn from_low_bits(value: i32) -> Self;

    /// Returns `value`, which is an unsigned number of this type. The compiler makes a saturating vector instruction of the
    /// clamp; with it, 8-bit RGB took 0.7 times as long.
    fn from_unsigned(value: i32) -> Self;
}

impl Sample for u8 {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits")]
    fn from_low_bits(value: i32) -> Self {
        value.cast_unsigned() as Self
    }

    #[inline(always)]
    fn from_unsigned(value: i32) -> Self {
        Self::from_low_bits(value.clamp(0, Self::MAX.into()))
    }
}

impl Sample for u16 {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits")]
    fn from_low_bits(value: i32) -> Self {
        value.cast_unsigned() as Self
    }

    /// SSE2 has no unsigned saturation of words, so the middle is subtracted first.
    #[inline(always)]
    fn from_unsigned(value: i32) -> Self {
        let value = value.wrapping_sub(0x8000).clamp(i16::MIN.into(), i16::MAX.into());
        Self::from_low_bits(value) ^ 0x8000
    }
}

impl Sample for u32 {
    #[inline(always)]
    fn from_low_bits(value: i32) -> Self {
        value.cast_unsigned()
    }

    #[inline(always)]
    fn from_unsigned(value: i32) -> Self {
        value.cast_unsigned()
    }
}

/// Values of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SampleRange {
    /// Smallest and largest value before the level shift.
    low: i32,
    high: i32,
    /// Level shift, modulo 2^32.
    shift: i32,
    /// True if samples are two's complement.
    is_signed: bool,
    /// True if floats may be rounded by an addition.
    is_fast: bool,
}

impl SampleRange {
    pub(super) fn new(component: ComponentFormat) -> Self {
        debug_assert!((1..=32).contains(&component.precision), "{} bits", component.precision);
        let precision = component.precision.clamp(1, 32);
        let low = i32::MIN >> (32 - precision);
        let shift = if component.is_signed { 0 } else { low.wrapping_neg() };
        Self { low, high: !low, shift, is_signed: component.is_signed, is_fast: precision <= MAX_FAST_PRECISION }
    }

    /// Returns the sample of an integer. `SIGNED` is `is_signed`, or true.
    #[inline(always)]
    fn integer<T: Sample, const SIGNED: bool>(self, value: i32) -> T {
        self.shifted::<T, SIGNED>(value.max(self.low).min(self.high))
    }

    /// Returns the sample of a float, rounded by an addition. Only if `is_fast`.
    #[inline(always)]
    fn float<T: Sample, const SIGNED: bool>(self, value: f32) -> T {
        const ADDEND: f32 = 12_582_912.0;
        let sum = self.clamp(value) + ADDEND;
        self.shifted::<T, SIGNED>(sum.to_bits().wrapping_sub(const { ADDEND.to_bits() }).cast_signed())
    }

    /// Returns the sample of a float of any precision.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "clamped; beyond the range of i32 the cast saturates")]
    fn long_float<T: Sample>(self, value: f32) -> T {
        self.integer::<T, true>(self.clamp(value).round_ties_even() as i32)
    }

    /// Returns the sample of a value between `low` and `high`.
    #[inline(always)]
    fn shifted<T: Sample, const SIGNED: bool>(self, value: i32) -> T {
        let value = value.wrapping_add(self.shift);
        if SIGNED { T::from_low_bits(value) } else { T::from_unsigned(value) }
    }

    /// Clamps to the `f32` that are nearest to the limits. These comparisons are one instruction each.
    #[inline(always)]
    fn clamp(self, value: f32) -> f32 {
        let (low, high) = (self.low as f32, self.high as f32);
        let value = if value > low { value } else { low };
        if value < high { value } else { high }
    }
}

#[inline(always)]
pub(super) fn store_integers<T: Sample>(words: &[i32], samples: &mut [T], range: SampleRange) {
    let samples = samples.iter_mut().zip(words);
    if range.is_signed {
        samples.for_each(|(sample, word)| *sample = range.integer::<T, true>(*word));
    } else {
        samples.for_each(|(sample, word)| *sample = range.integer::<T, false>(*word));
    }
}

#[inline(always)]
pub(super) fn store_floats<T: Sample>(values: &[f32], samples: &mut [T], range: SampleRange) {
    let samples = samples.iter_mut().zip(values);
    match (range.is_fast, range.is_signed) {
        (true, true) => samples.for_each(|(sample, value)| *sample = range.float::<T, true>(*value)),
        (true, false) => samples.for_each(|(sample, value)| *sample = range.float::<T, false>(*value)),
        (false, _) => samples.for_each(|(sample, value)| *sample = range.long_float(*value)),
    }
}

#[inline(always)]
pub(super) fn store_reversible<T: Sample>(words: [&[i32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3]) {
    if ranges.iter().any(|range| range.is_signed) {
        for_each_pixel(words, samples, ranges, reversible_to_rgb, |range, value| range.integer::<T, true>(value));
    } else {
        for_each_pixel(words, samples, ranges, reversible_to_rgb, |range, value| range.integer::<T, false>(value));
    }
}

#[inline(always)]
pub(super) fn store_irreversible<T: Sample>(values: [&[f32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3]) {
    if !ranges.iter().all(|range| range.is_fast) {
        for_each_pixel(values, samples, ranges, irreversible_to_rgb, |range, value| range.long_float(value));
    } else if ranges.iter().any(|range| range.is_signed) {
        for_each_pixel(values, samples, ranges, irreversible_to_rgb, |range, value| range.float::<T, true>(value));
    } else {
        for_each_pixel(values, samples, ranges, irreversible_to_rgb, |range, value| range.float::<T, false>(value));
    }
}

/// Inverts the reversible component transform.
#[inline(always)]
const fn reversible_to_rgb(y0: i32, y1: i32, y2: i32) -> [i32; 3] {
    let green = y0.wrapping_sub(y1.wrapping_add(y2) >> 2);
    [y2.wrapping_add(green), green, y1.wrapping_add(green)]
}

/// Inverts the irreversible component transform.
#[inline(always)]
fn irreversible_to_rgb(y: f32, cb: f32, cr: f32) -> [f32; 3] {
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
}

#[inline(always)]
fn for_each_pixel<W: Copy, T: Sample>(
    [a, b, c]: [&[W]; 3],
    [red, green, blue]: [&mut [T]; 3],
    [red_range, green_range, blue_range]: [SampleRange; 3],
    to_rgb: impl Fn(W, W, W) -> [W; 3],
    sample: impl Fn(SampleRange, W) -> T,
) {
    for (((((red, green), blue), a), b), c) in red.iter_mut().zip(green).zip(blue).zip(a).zip(b).zip(c) {
        let values = to_rgb(*a, *b, *c);
        *red = sample(red_range, values[0]);
        *green = sample(green_range, values[1]);
        *blue = sample(blue_range, values[2]);
    }
}

/// Repeats the samples of a component that has one sample for `ratio` columns of the reference grid: `out` gets the value
/// of each of the columns `columns`. Sample 0 is that of the first column that is a multiple of `ratio`; columns before it
/// get its value, too.
///
/// For example, ratio 2 and columns 1 to 5: samples `a b c` become `a a a b b`.
pub(crate) fn replicate_columns(samples: &[i32], ratio: u32, columns: Range<u32>, out: &mut [i32]) {
    debug_assert_eq!(out.len(), columns.len(), "one value for each column");
    let ratio = ratio.max(1);
    let first = columns.start.div_ceil(ratio);
    for (out, column) in out.iter_mut().zip(columns) {
        let sample = samples.get((column / ratio).saturating_sub(first) as usize);
        debug_assert!(sample.is_some(), "a sample for each column");
        *out = sample.copied().unwrap_or_default();
    }
}
