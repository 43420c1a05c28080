//! Portable bodies: loops over equal slices, which the compiler vectorises.

use super::{ComponentFormat, MAX_FAST_PRECISION};
use std::ops::Range;

/// A stored sample.
pub(crate) trait Sample: bytemuck::Pod {
    /// Returns the lowest bits of `value`.
    fn from_low_bits(value: i32) -> Self;
}

impl Sample for u8 {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits")]
    fn from_low_bits(value: i32) -> Self {
        value.cast_unsigned() as Self
    }
}

impl Sample for u16 {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits")]
    fn from_low_bits(value: i32) -> Self {
        value.cast_unsigned() as Self
    }
}

impl Sample for u32 {
    #[inline(always)]
    fn from_low_bits(value: i32) -> Self {
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
    /// True if floats may be rounded by an addition.
    is_fast: bool,
}

impl SampleRange {
    pub(super) fn new(component: ComponentFormat) -> Self {
        debug_assert!((1..=32).contains(&component.precision), "{} bits", component.precision);
        let precision = component.precision.clamp(1, 32);
        let low = i32::MIN >> (32 - precision);
        let shift = if component.is_signed { 0 } else { low.wrapping_neg() };
        Self { low, high: !low, shift, is_fast: precision <= MAX_FAST_PRECISION }
    }

    #[inline(always)]
    fn store<T: Sample>(self, value: i32) -> T {
        T::from_low_bits(value.max(self.low).min(self.high).wrapping_add(self.shift))
    }

    /// Rounds by an addition, if `is_fast`.
    #[inline(always)]
    fn store_fast<T: Sample>(self, value: f32) -> T {
        const ADDEND: f32 = 12_582_912.0;
        let sum = self.clamp(value) + ADDEND;
        let rounded = sum.to_bits().wrapping_sub(const { ADDEND.to_bits() }).cast_signed();
        T::from_low_bits(rounded.wrapping_add(self.shift))
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "clamped; beyond the range of i32 the cast saturates")]
    fn store_slow<T: Sample>(self, value: f32) -> T {
        self.store(self.clamp(value).round_ties_even() as i32)
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
    for (sample, word) in samples.iter_mut().zip(words) {
        *sample = range.store(*word);
    }
}

#[inline(always)]
pub(super) fn store_floats<T: Sample>(values: &[f32], samples: &mut [T], range: SampleRange) {
    let samples = samples.iter_mut().zip(values);
    if range.is_fast {
        samples.for_each(|(sample, value)| *sample = range.store_fast(*value));
    } else {
        samples.for_each(|(sample, value)| *sample = range.store_slow(*value));
    }
}

#[inline(always)]
pub(super) fn store_reversible<T: Sample>(words: [&[i32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3]) {
    for_each_pixel(words, samples, |y0, y1, y2| {
        let green = y0.wrapping_sub(y1.wrapping_add(y2) >> 2);
        let [red_range, green_range, blue_range] = ranges;
        [red_range.store(y2.wrapping_add(green)), green_range.store(green), blue_range.store(y1.wrapping_add(green))]
    });
}

#[inline(always)]
pub(super) fn store_irreversible<T: Sample>(values: [&[f32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3]) {
    let [red_range, green_range, blue_range] = ranges;
    if ranges.iter().all(|range| range.is_fast) {
        for_each_pixel(values, samples, |y, cb, cr| {
            let [red, green, blue] = to_rgb(y, cb, cr);
            [red_range.store_fast(red), green_range.store_fast(green), blue_range.store_fast(blue)]
        });
    } else {
        for_each_pixel(values, samples, |y, cb, cr| {
            let [red, green, blue] = to_rgb(y, cb, cr);
            [red_range.store_slow(red), green_range.store_slow(green), blue_range.store_slow(blue)]
        });
    }
}

/// Inverts the irreversible component transform.
#[inline(always)]
fn to_rgb(y: f32, cb: f32, cr: f32) -> [f32; 3] {
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
}

#[inline(always)]
fn for_each_pixel<W: Copy, T: Sample>(
    [a, b, c]: [&[W]; 3],
    [red, green, blue]: [&mut [T]; 3],
    convert: impl Fn(W, W, W) -> [T; 3],
) {
    for (((((red, green), blue), a), b), c) in red.iter_mut().zip(green).zip(blue).zip(a).zip(b).zip(c) {
        [*red, *green, *blue] = convert(*a, *b, *c);
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
