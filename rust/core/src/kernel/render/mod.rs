//! Rendering: output samples of stored values, by a look-up table, a line, or arithmetic in `f64`.
//!
//! | stored values | function | kernel |
//! |---|---|---|
//! | integers of up to 16 bits | a line between two ends, to 8 bits | [`map_line`], if it gives every value of the table |
//! | integers of up to 16 bits | any | [`look_up`] |
//! | others | palette | [`look_up_wide`] |
//! | others | grayscale | [`map_values`] |
//!
//! Tables and lines are indexed by the *key* of a stored value, which orders signed values as unsigned ones and drops the
//! bits above Bits Stored:
//!
//! ```text
//! key = (sample ^ flip) & mask          mask = 2^bits - 1; flip = 2^(bits - 1) for signed values, else 0
//! 12 bits, signed: -2048 → 0, -1 → 2047, 0 → 2048, 2047 → 4095
//! ```

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

use super::convert::match_sample_type;
use super::convert::sample::{Float, Integer};
use super::{CpuLevel, cpu::dispatch};
use crate::rendering::{Grayscale, PaletteEntries};
use crate::sample::{SampleType, SamplesMut};

/// Samples that are processed at a time: they stay in the L1 cache.
pub(crate) const BLOCK: usize = 1024;

/// Conversion of samples of up to 16 bits to keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyMap {
    /// Bits to invert.
    pub(crate) flip: u16,
    /// Bits of the stored value.
    pub(crate) mask: u16,
}

impl KeyMap {
    /// The keys of stored values of `bits` bits, 1 to 16.
    pub(crate) const fn new(bits: u32, is_signed: bool) -> Self {
        let mask = u16::MAX >> 16_u32.saturating_sub(bits);
        Self { flip: if is_signed { mask ^ (mask >> 1) } else { 0 }, mask }
    }

    /// Stored value of key 0.
    pub(crate) fn first(self) -> i64 {
        -i64::from(self.flip)
    }

    #[inline(always)]
    const fn key(self, sample: u16) -> u16 {
        (sample ^ self.flip) & self.mask
    }
}

/// Conversion of samples of up to 16 bits to indices of a table.
///
/// ```text
/// index = min(max(key - skipped, 0), range) + start
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexMap {
    pub(crate) keys: KeyMap,
    /// Keys before that of the first entry; 0 if the table starts before the smallest value.
    skipped: u16,
    /// Index of the last entry, less `start`.
    range: u16,
    /// Index of the entry of key 0; 0 if the table starts after it.
    start: u16,
}

impl IndexMap {
    /// Indices of a table with one entry per key.
    pub(crate) const fn of_keys(keys: KeyMap) -> Self {
        Self { keys, skipped: 0, range: u16::MAX, start: 0 }
    }

    /// Indices of `count` entries, 1 to 65 536, of which the first belongs to the stored value `first_mapped`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    pub(crate) fn new(keys: KeyMap, first_mapped: i64, count: usize) -> Self {
        let last = count.saturating_sub(1).min(usize::from(u16::MAX)) as u16;
        let skipped = first_mapped.saturating_sub(keys.first());
        let start = skipped.saturating_neg().clamp(0, last.into()) as u16;
        Self { keys, skipped: skipped.clamp(0, u16::MAX.into()) as u16, range: last - start, start }
    }

    /// Indices of a table with one entry per byte.
    pub(crate) const fn of_bytes() -> Self {
        Self::of_keys(KeyMap { flip: 0, mask: 0xFF })
    }

    /// Bits to invert, if the lowest bits of a sample are then its index, in a table of one entry per key.
    #[inline(always)]
    fn flip_of_keys(self) -> Option<u16> {
        (self == Self::of_keys(self.keys)).then_some(self.keys.flip)
    }

    /// Index of the entry of `sample`.
    #[inline(always)]
    pub(crate) fn index(self, sample: u16) -> u16 {
        self.keys.key(sample).saturating_sub(self.skipped).min(self.range).wrapping_add(self.start)
    }
}

/// A line from keys to 8-bit outputs:
///
/// ```text
/// distance = min(max(key - base, 0), range)
/// ```
///
/// `base` is near the start of the window, so that products keep the fraction bits that decide the rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) keys: KeyMap,
    pub(crate) base: u16,
    pub(crate) range: u16,
    pub(crate) arithmetic: LineArithmetic,
}

/// Computation of an output from the distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LineArithmetic {
    /// In words, twice as many per vector; the result has [`FRACTION_BITS`] bits below the output.
    ///
    /// ```text
    /// y = ((distance × factor × multiplier >> 16) + offset) >> 7
    /// ```
    Fixed {
        /// The product with the largest distance is below 2^16.
        factor: u16,
        /// Slope × 2^23 / factor.
        multiplier: u16,
        /// At most 2^15 less the largest product, so that `y` is at most 255.
        offset: u16,
    },
    /// In `f32`; the product and the sum are rounded, then the output, half to even.
    ///
    /// ```text
    /// y = round(clamp(distance × slope + offset, 0, 255))
    /// ```
    Float {
        /// Change of the output per key.
        slope: f32,
        /// Output at distance 0.
        offset: f32,
    },
    /// In `f32` with a slope of two parts, so that outputs midway between two integers are exact. Ranges of integers have
    /// such outputs: value 504 of 0 to 3024 is 42.5.
    ///
    /// ```text
    /// y = round(clamp(distance × high + (distance × low + offset), 0, 255))
    /// ```
    SplitFloat {
        /// Leading bits of the slope: the product with a distance is exact.
        high: f32,
        /// Slope less `high`.
        low: f32,
        /// Output at distance 0.
        offset: f32,
    },
}

/// Bits below the output in fixed-point arithmetic.
pub(crate) const FRACTION_BITS: u32 = 7;

/// Replaces stored values by their unrounded outputs, computed in `f64`: 0 for NaN.
pub(crate) fn evaluate(values: &mut [f64], grayscale: &Grayscale, level: CpuLevel) {
    dispatch!(level, evaluate(values, grayscale));
}

/// Replaces entries of the VOI LUT by their unrounded outputs.
pub(crate) fn scale_entries(values: &mut [f64], grayscale: &Grayscale, level: CpuLevel) {
    dispatch!(level, scale_entries(values, grayscale));
}

/// Stores unrounded outputs, rounded once. `values.len() == out.len()`; `out` is of `u8`, `u16` or `f32`.
pub(crate) fn store(values: &[f64], out: SamplesMut<'_>, level: CpuLevel) {
    dispatch!(level, store(values, out));
}

/// Renders samples of any type by arithmetic. `src.len() == out.len() * from.bytes()`.
pub(crate) fn map_values(src: &[u8], from: SampleType, grayscale: &Grayscale, out: SamplesMut<'_>, level: CpuLevel) {
    match_sample_type!(from, map_integers(src, grayscale, out, level),
        SampleType::F32 => map_floats::<f32>(src, grayscale, out, level),
        SampleType::F64 => map_floats::<f64>(src, grayscale, out, level),
    );
}

fn map_integers<S: Integer>(src: &[u8], grayscale: &Grayscale, out: SamplesMut<'_>, level: CpuLevel) {
    dispatch!(level, map_values::<S>(src, grayscale, out));
}

fn map_floats<S: Float>(src: &[u8], grayscale: &Grayscale, out: SamplesMut<'_>, level: CpuLevel) {
    dispatch!(level, map_values::<S>(src, grayscale, out));
}

/// True if [`look_up`] is faster than [`map_line`] for samples of 8 bits.
pub(crate) const fn has_byte_tables(level: CpuLevel) -> bool {
    #[cfg(target_arch = "x86_64")]
    return level.is_v4();
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = level;
        false
    }
}

/// Renders samples of `sample_bytes` bytes, 1 or 2, by a line. `src.len() == out.len() * sample_bytes`.
pub(crate) fn map_line(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8], level: CpuLevel) {
    dispatch!(level, v4 map_line(src, sample_bytes, line, out));
}

/// Writes the entries of samples of `sample_bytes` bytes, 1 or 2. `out` has the type of `entries`, and its samples per entry for
/// each sample of `src`.
pub(crate) fn look_up(
    src: &[u8],
    sample_bytes: usize,
    indices: IndexMap,
    entries: &PaletteEntries,
    out: SamplesMut<'_>,
    level: CpuLevel,
) {
    dispatch!(level, v4 look_up(src, sample_bytes, indices, entries, out));
}

/// Writes the entries of integers of any type. There are `count` entries; the first belongs to `first_mapped`.
pub(crate) fn look_up_wide(
    src: &[u8],
    from: SampleType,
    first_mapped: i64,
    count: usize,
    entries: &PaletteEntries,
    out: SamplesMut<'_>,
) {
    match_sample_type!(from, look_up_integers(src, first_mapped, count, entries, out),
        SampleType::F32 | SampleType::F64 => debug_assert!(false, "a palette is refused for float samples"),
    );
}

fn look_up_integers<S: Integer>(
    src: &[u8],
    first_mapped: i64,
    count: usize,
    entries: &PaletteEntries,
    out: SamplesMut<'_>,
) {
    scalar::look_up_wide::<S>(src, first_mapped, count, entries, out);
}

/// Smallest and largest sample, without NaN, infinities and the samples from `padding.0` to `padding.1`, both inclusive.
/// `None` if there is none.
pub(crate) fn extremes(
    src: &[u8],
    from: SampleType,
    padding: Option<(f64, f64)>,
    level: CpuLevel,
) -> Option<(f64, f64)> {
    match_sample_type!(from, integer_extremes(src, padding, level),
        SampleType::F32 => float_extremes::<f32>(src, padding, level),
        SampleType::F64 => float_extremes::<f64>(src, padding, level),
    )
}

fn integer_extremes<S: Integer>(src: &[u8], padding: Option<(f64, f64)>, level: CpuLevel) -> Option<(f64, f64)> {
    dispatch!(level, integer_extremes::<S>(src, padding))
}

fn float_extremes<S: Float>(src: &[u8], padding: Option<(f64, f64)>, level: CpuLevel) -> Option<(f64, f64)> {
    dispatch!(level, float_extremes::<S>(src, padding))
}
