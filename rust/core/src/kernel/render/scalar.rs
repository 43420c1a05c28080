//! Portable bodies. The other levels compile the same loops for their instructions, without fused multiply-add.

use super::{BLOCK, FRACTION_BITS, IndexMap, Line, LineArithmetic};
use crate::kernel::convert::sample::{Float, Integer, Sample};
use crate::lookup_table::LookupTable;
use crate::rendering::{Grayscale, Modality, OutputRange, PaletteEntries, Voi};
use crate::sample::{Rescale, SamplesMut};
use crate::value_ranges::{RangeValues, ValueRange, ValueRanges};

/// 2^52: a sum of it and a smaller value is rounded to an integer, half to even, whose bits are the lowest of the sum.
const ROUND_F64: f64 = 4_503_599_627_370_496.0;
/// 2^23: as [`ROUND_F64`].
const ROUND_F32: f32 = 8_388_608.0;
/// Indices that are loaded at a time. Loops that follow an index pass are functions of their own: in one with all of
/// them the compiler runs out of registers, and they take 1.2 times as long.
const GROUP: usize = 4;

#[inline(always)]
pub(super) fn evaluate(values: &mut [f64], grayscale: &Grayscale) {
    match grayscale.modality() {
        Modality::Identity => {}
        Modality::Linear(Rescale { slope, intercept }) => map(values, |x| x * slope + intercept),
        Modality::Table(table) => map(values, |x| entry_of(table, x)),
        Modality::Ranges(ranges) => map(values, |x| value_in(ranges, x)),
    }
    let max = grayscale.output().max();
    match *grayscale.voi() {
        Voi::Linear { center, width } => {
            let (center, width) = (center - 0.5, width - 1.0);
            let (low, high) = (center - width / 2.0, center + width / 2.0);
            map(values, |x| clamp_ends(x, low, high, max, ((x - center) / width + 0.5) * max));
        }
        Voi::LinearExact { center, width } => {
            let (low, high) = (center - width / 2.0, center + width / 2.0);
            map(values, |x| clamp_ends(x, low, high, max, ((x - center) / width + 0.5) * max));
        }
        Voi::Sigmoid { center, width } => map(values, |x| max / (1.0 + (-4.0 * (x - center) / width).exp())),
        Voi::Range { low, high } if low == high => map(values, |x| if x.is_nan() { x } else { 0.0 }),
        Voi::Range { low, high } => {
            let width = high - low;
            map(values, |x| {
                let fraction = (x - low) / width;
                clamp_ends(fraction, 0.0, 1.0, max, fraction * max)
            });
        }
        Voi::Table { ref table, .. } => {
            map(values, |x| entry_of(table, x.floor()));
            return scale_entries(values, grayscale);
        }
    }
    finish(values, grayscale);
}

/// Entries of a VOI LUT as unrounded outputs.
#[inline(always)]
pub(super) fn scale_entries(values: &mut [f64], grayscale: &Grayscale) {
    if let Voi::Table { bits, .. } = *grayscale.voi() {
        let (max, largest) = (grayscale.output().max(), f64::from(u16::MAX >> 16_u32.saturating_sub(bits)));
        map(values, |entry| {
            let y = entry / largest * max;
            // Not `min`, which replaces NaN.
            if y > max { max } else { y }
        });
    }
    finish(values, grayscale);
}

/// Inversion, and the smallest output instead of NaN.
#[inline(always)]
fn finish(values: &mut [f64], grayscale: &Grayscale) {
    let max = grayscale.output().max();
    if grayscale.is_inverted() {
        map(values, |y| max - y);
    }
    map(values, |y| if y.is_nan() { 0.0 } else { y });
}

#[inline(always)]
fn map(values: &mut [f64], function: impl Fn(f64) -> f64) {
    values.iter_mut().for_each(|value| *value = function(*value));
}

/// 0 up to `low`, `max` above `high`, otherwise `y`.
#[inline(always)]
fn clamp_ends(x: f64, low: f64, high: f64, max: f64, y: f64) -> f64 {
    let y = if x > high { max } else { y };
    if x <= low { 0.0 } else { y }
}

/// The entry of the integer `x`; NaN for NaN.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to an index")]
#[allow(clippy::cast_precision_loss, reason = "at most 65 536 entries; first mapped values have 16 bits")]
fn entry_of(table: &LookupTable, x: f64) -> f64 {
    let last = table.entries().len().saturating_sub(1);
    let index = (x - table.first_mapped() as f64).clamp(0.0, last as f64);
    if index.is_nan() { f64::NAN } else { table.entries().get(index as usize).copied().map_or(f64::NAN, f64::from) }
}

/// The value of the stored value `x`; NaN if it is in no range.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the entries")]
fn value_in(ranges: &ValueRanges, x: f64) -> f64 {
    let ranges = ranges.ranges();
    let range = ranges.get(ranges.partition_point(|range| x > range.last));
    match range {
        Some(ValueRange { first, values, .. }) if x >= *first => match values {
            RangeValues::Linear(Rescale { slope, intercept }) => x * slope + intercept,
            RangeValues::Entries(entries) => entries.get((x - first) as usize).copied().unwrap_or(f64::NAN),
        },
        _ => f64::NAN,
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the lowest bits are the integer; the one rounding that is wanted")]
pub(super) fn store(values: &[f64], out: SamplesMut<'_>) {
    match out {
        SamplesMut::U8(out) => values.iter().zip(out).for_each(|(y, out)| *out = (y + ROUND_F64).to_bits() as u8),
        SamplesMut::U16(out) => values.iter().zip(out).for_each(|(y, out)| *out = (y + ROUND_F64).to_bits() as u16),
        SamplesMut::F32(out) => values.iter().zip(out).for_each(|(y, out)| *out = *y as f32),
        _ => debug_assert!(false, "rendered samples are of {:?}", OutputRange::U8.sample_type()),
    }
}

#[inline(always)]
pub(super) fn map_values<S: Sample>(src: &[u8], grayscale: &Grayscale, mut out: SamplesMut<'_>) {
    let mut values = [0.0; BLOCK];
    for (block, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        let samples = S::all(src);
        let Some(values) = values.get_mut(..samples.len()) else { return };
        match grayscale.padding() {
            None => samples.zip(&mut *values).for_each(|(x, value)| *value = x.to_f64()),
            // NaN becomes the smallest output.
            Some((first, last)) => samples.zip(&mut *values).for_each(|(x, value)| {
                let x = x.to_f64();
                *value = if x >= first && x <= last { f64::NAN } else { x };
            }),
        }
        evaluate(values, grayscale);
        let start = block * BLOCK;
        let Some(out) = out.window(start, start + values.len()) else {
            debug_assert!(false, "one output per sample");
            return;
        };
        store(values, out);
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the lowest bits are the integer; products are below 2^32")]
pub(super) fn map_line(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8]) {
    let distance = |sample: u16| line.keys.key(sample).saturating_sub(line.base).min(line.range);
    match line.arithmetic {
        LineArithmetic::Fixed { factor, multiplier, offset } => map_samples(src, sample_bytes, out, |sample| {
            let product = (u32::from(distance(sample).wrapping_mul(factor)) * u32::from(multiplier)) >> 16;
            ((product as u16).wrapping_add(offset) >> FRACTION_BITS) as u8
        }),
        LineArithmetic::Float { slope, offset } => map_samples(src, sample_bytes, out, |sample| {
            let y = f32::from(distance(sample)) * slope + offset;
            (y.clamp(0.0, 255.0) + ROUND_F32).to_bits() as u8
        }),
        LineArithmetic::SplitFloat { high, low, offset } => map_samples(src, sample_bytes, out, |sample| {
            let distance = f32::from(distance(sample));
            let y = distance * high + (distance * low + offset);
            (y.clamp(0.0, 255.0) + ROUND_F32).to_bits() as u8
        }),
    }
}

#[inline(always)]
fn map_samples(src: &[u8], sample_bytes: usize, out: &mut [u8], function: impl Fn(u16) -> u8) {
    if sample_bytes == 1 {
        src.iter().zip(out).for_each(|(x, y)| *y = function(u16::from(*x)));
    } else {
        src.as_chunks().0.iter().zip(out).for_each(|(x, y)| *y = function(u16::from_le_bytes(*x)));
    }
}

#[inline(always)]
pub(super) fn look_up(
    src: &[u8],
    sample_bytes: usize,
    map: IndexMap,
    entries: &PaletteEntries,
    mut out: SamplesMut<'_>,
) {
    if let (2, Some(flip)) = (sample_bytes, map.flip_of_keys()) {
        match (entries, &mut out) {
            (PaletteEntries::U8(entries), SamplesMut::U8(out)) => return copy_key_entries(src, flip, entries, out),
            (PaletteEntries::U16(entries), SamplesMut::U16(out)) => return copy_key_entries(src, flip, entries, out),
            (PaletteEntries::F32(entries), SamplesMut::F32(out)) => return copy_key_entries(src, flip, entries, out),
            _ => {}
        }
    }
    if let (1, true, PaletteEntries::Rgb8(entries), SamplesMut::U8(out)) =
        (sample_bytes, map == IndexMap::of_bytes(), entries, &mut out)
        && let Ok(entries) = entries.as_slice().try_into()
    {
        return copy_rgb8_of_bytes(src, entries, out);
    }
    let mut indices = [0; BLOCK];
    for (block, src) in src.chunks(BLOCK * sample_bytes).enumerate() {
        if sample_bytes == 1 {
            src.iter().zip(&mut indices).for_each(|(x, index)| *index = map.index(u16::from(*x)));
        } else {
            let samples = src.as_chunks().0.iter().map(|x| u16::from_le_bytes(*x));
            samples.zip(&mut indices).for_each(|(x, index)| *index = map.index(x));
        }
        copy_block(&indices, block, src.len() / sample_bytes, entries, &mut out);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to an index")]
pub(super) fn look_up_wide<S: Integer>(
    src: &[u8],
    first_mapped: i64,
    count: usize,
    entries: &PaletteEntries,
    mut out: SamplesMut<'_>,
) {
    let last = count.saturating_sub(1).min(usize::from(u16::MAX)) as u16;
    let mut indices = [0; BLOCK];
    for (block, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        for (x, index) in S::all(src).zip(&mut indices) {
            let distance: i128 = x.widen::<S::Wide>().into() - i128::from(first_mapped);
            *index = distance.clamp(0, last.into()) as u16;
        }
        copy_block(&indices, block, src.len() / S::BYTES, entries, &mut out);
    }
}

/// Stores the entries of the first `count` indices, those of block number `block`.
#[inline(always)]
fn copy_block(indices: &[u16; BLOCK], block: usize, count: usize, entries: &PaletteEntries, out: &mut SamplesMut<'_>) {
    let samples = entries.samples_per_entry();
    let start = block * BLOCK * samples;
    match (entries, out.window(start, start + count * samples)) {
        (PaletteEntries::U8(entries), Some(SamplesMut::U8(out))) => copy_entries(indices, entries, out),
        (PaletteEntries::U16(entries), Some(SamplesMut::U16(out))) => copy_entries(indices, entries, out),
        (PaletteEntries::F32(entries), Some(SamplesMut::F32(out))) => copy_entries(indices, entries, out),
        (PaletteEntries::Rgb8(entries), Some(SamplesMut::U8(out))) => copy_rgb8(indices, entries, out),
        (PaletteEntries::Rgb16(entries), Some(SamplesMut::U16(out))) => {
            copy_entries(indices, entries, out.as_chunks_mut().0);
        }
        (PaletteEntries::RgbF32(entries), Some(SamplesMut::F32(out))) => {
            copy_entries(indices, entries, out.as_chunks_mut().0);
        }
        _ => debug_assert!(false, "the output has the type and the number of samples of the entries"),
    }
}

/// Returns the entry that the lowest bits of `bits` select; `mask` is the length of `padded`, a power of two, - 1.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "masked to fewer bits")]
fn entry<T: Copy + Default>(padded: &[T], mask: usize, bits: u64) -> T {
    // An index up to the mask is valid, so the default is never used and the compiler removes it.
    padded.get(bits as usize & mask).copied().unwrap_or_default()
}

/// Stores the entries of the first `out.len()` indices.
#[inline(never)]
fn copy_entries<T: Copy + Default>(indices: &[u16; BLOCK], padded: &[T], out: &mut [T]) {
    debug_assert!(padded.len().is_power_of_two(), "padded by Palette");
    let Some(mask) = padded.len().checked_sub(1) else { return };
    let (groups, _) = indices.as_chunks::<GROUP>();
    let (out_groups, out_rest) = out.as_chunks_mut::<GROUP>();
    let group_count = out_groups.len();
    for (group, y) in groups.iter().zip(out_groups) {
        let group: u64 = bytemuck::cast(*group);
        *y = [
            entry(padded, mask, group),
            entry(padded, mask, group >> 16),
            entry(padded, mask, group >> 32),
            entry(padded, mask, group >> 48),
        ];
    }
    for (index, y) in indices.iter().skip(group_count * GROUP).zip(out_rest) {
        *y = entry(padded, mask, u64::from(*index));
    }
}

/// Stores the entries of samples whose lowest bits, with `flip` inverted, are indices.
#[inline(always)]
fn copy_key_entries<T: Copy + Default>(src: &[u8], flip: u16, padded: &[T], out: &mut [T]) {
    debug_assert!(padded.len().is_power_of_two(), "one entry per key");
    let mask = padded.len().wrapping_sub(1);
    let flip_group = u64::from(flip) * 0x0001_0001_0001_0001;
    let (groups, rest) = src.as_chunks::<{ 2 * GROUP }>();
    let (out_groups, out_rest) = out.as_chunks_mut::<GROUP>();
    for (group, y) in groups.iter().zip(out_groups) {
        let group = u64::from_le_bytes(*group) ^ flip_group;
        *y = [
            entry(padded, mask, group),
            entry(padded, mask, group >> 16),
            entry(padded, mask, group >> 32),
            entry(padded, mask, group >> 48),
        ];
    }
    for (sample, y) in rest.as_chunks().0.iter().zip(out_rest) {
        *y = entry(padded, mask, u64::from(u16::from_le_bytes(*sample) ^ flip));
    }
}

/// Stores the entries of the first `out.len() / 3` indices as three bytes each: four entries of 24 bits are three words.
#[inline(never)]
fn copy_rgb8(indices: &[u16; BLOCK], padded: &[u32], out: &mut [u8]) {
    let Some(mask) = padded.len().checked_sub(1) else { return };
    let (groups, _) = indices.as_chunks::<GROUP>();
    let (out_groups, out_rest) = out.as_chunks_mut::<{ 3 * GROUP }>();
    let group_count = out_groups.len();
    for (group, y) in groups.iter().zip(out_groups) {
        let group: u64 = bytemuck::cast(*group);
        *y = packed_rgb8([0, 16, 32, 48].map(|shift| entry(padded, mask, group >> shift)));
    }
    for (index, y) in indices.iter().skip(group_count * GROUP).zip(out_rest.as_chunks_mut::<3>().0) {
        let [r, g, b, _] = entry(padded, mask, u64::from(*index)).to_le_bytes();
        *y = [r, g, b];
    }
}

/// Stores the entries of bytes as three bytes each.
#[inline(never)]
fn copy_rgb8_of_bytes(src: &[u8], entries: &[u32; 256], out: &mut [u8]) {
    // The default is never used: a byte is a valid index.
    let entry = |sample: u8| entries.get(usize::from(sample)).copied().unwrap_or_default();
    let (groups, rest) = src.as_chunks::<GROUP>();
    let (out_groups, out_rest) = out.as_chunks_mut::<{ 3 * GROUP }>();
    for (group, y) in groups.iter().zip(out_groups) {
        *y = packed_rgb8(group.map(entry));
    }
    for (sample, y) in rest.iter().zip(out_rest.as_chunks_mut::<3>().0) {
        let [r, g, b, _] = entry(*sample).to_le_bytes();
        *y = [r, g, b];
    }
}

/// The lowest 24 bits of four entries.
#[inline(always)]
fn packed_rgb8([a, b, c, d]: [u32; GROUP]) -> [u8; 3 * GROUP] {
    bytemuck::cast([a | b << 24, b >> 8 | c << 16, c >> 16 | d << 8])
}

/// Independent minima and maxima: the compiler keeps them in vectors, which it does not with a single one of floats.
const EXTREME_LANES: usize = 32;

#[inline(always)]
pub(super) fn integer_extremes<S: Integer>(src: &[u8], padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let (min, max) = (S::saturated(f64::NEG_INFINITY), S::saturated(f64::INFINITY));
    // Values of the type only: the nearest integers within the range.
    let padding = padding
        .filter(|(first, last)| first.ceil() <= max.to_f64() && last.floor() >= min.to_f64())
        .map(|(first, last)| (S::saturated(first.ceil()), S::saturated(last.floor())));
    let (low, high) = match padding {
        None => S::all(src).fold((max, min), |(low, high), x| (low.min(x), high.max(x))),
        Some((first, last)) => extremes(src, (max, min), |x: S| !((x >= first) & (x <= last))),
    };
    // Without samples the smallest is the largest value of the type.
    (low <= high).then(|| (low.to_f64(), high.to_f64()))
}

#[inline(always)]
pub(super) fn float_extremes<S: Float>(src: &[u8], padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let (infinity, minus_infinity) = (S::INFINITY, S::NEG_INFINITY);
    let is_finite = |x: S| (x > minus_infinity) & (x < infinity);
    let (low, high) = match padding {
        None => extremes(src, (infinity, minus_infinity), is_finite),
        Some((first, last)) => extremes(src, (infinity, minus_infinity), |x: S| {
            let value = x.to_f64();
            is_finite(x) & !((value >= first) & (value <= last))
        }),
    };
    (low <= high).then(|| (low.to_f64(), high.to_f64()))
}

/// Smallest and largest of the samples for which `is_value` is true; `none` if there are none.
#[inline(always)]
fn extremes<S: Sample + PartialOrd>(src: &[u8], none: (S, S), is_value: impl Fn(S) -> bool) -> (S, S) {
    let smaller = |a: S, b: S| if b < a { b } else { a };
    let larger = |a: S, b: S| if b > a { b } else { a };
    let (mut lows, mut highs) = ([none.0; EXTREME_LANES], [none.1; EXTREME_LANES]);
    for src in src.chunks(EXTREME_LANES * S::BYTES) {
        for ((low, high), x) in lows.iter_mut().zip(&mut highs).zip(S::all(src)) {
            let is_value = is_value(x);
            *low = smaller(*low, if is_value { x } else { none.0 });
            *high = larger(*high, if is_value { x } else { none.1 });
        }
    }
    (lows.into_iter().fold(none.0, smaller), highs.into_iter().fold(none.1, larger))
}
