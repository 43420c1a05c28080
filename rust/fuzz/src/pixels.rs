//! Properties of the operations on samples: equal results at every CPU level, and packing as the inverse of unpacking.

use crate::Coverage;
use dicoxide_core::pixel::{bits, rescale, ybr};
use dicoxide_core::{
    Cancel, CpuLevel, LookupTable, RangeValues, Rescale, Samples, SamplesMut, ValueRange, ValueRanges, ValueTransform,
};
use std::sync::atomic::AtomicBool;

/// Property: unpacked bits are the bits of the input, and packing them gives the input again; RGB and modality values are
/// bit-equal at every CPU level.
pub fn pixel_operations_equal_on_all_levels(bytes: &[u8]) -> Coverage {
    let Some((&[offset, unused_bits, slope, intercept], bytes)) = bytes.split_first_chunk::<4>() else {
        return Coverage::Skipped;
    };
    check_packed_bits(bytes, usize::from(offset % 8), usize::from(unused_bits % 8));
    let whole_pixels = bytes.get(..bytes.len() / 3 * 3).unwrap_or_default();
    let rgb = equal_at_all_levels(|level| {
        let mut pixels = whole_pixels.to_vec();
        assert!(ybr::full_to_rgb(&mut pixels, level).is_ok());
        pixels
    });
    assert_eq!(rgb.len(), whole_pixels.len());
    let words: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | i16::from(*byte))).collect();
    let modality = ValueTransform::Linear(Rescale {
        slope: f64::from(slope) / 16.0 - 4.0,
        intercept: f64::from(intercept) * 8.0 - 1024.0,
    });
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let _ = equal_at_all_levels(|level| {
        let mut out = vec![0_f32; words.len()];
        let result =
            rescale::rescale_into(Samples::I16(&words), modality, SamplesMut::F32(&mut out), false, cancel, level);
        (result, out.into_iter().map(f32::to_bits).collect::<Vec<u32>>())
    });
    let _ = equal_at_all_levels(|level| {
        let mut out = vec![0_i16; words.len()];
        let result =
            rescale::rescale_into(Samples::I16(&words), modality, SamplesMut::I16(&mut out), false, cancel, level);
        // An inexact sample is an error; its message has the index.
        let out = result.is_ok().then_some(out);
        (result, out)
    });
    Coverage::Decoded
}

/// Property: at every CPU level and for every type of stored values, a look-up table gives the entry of each value, and its
/// first or last entry for values before or after the table. The same entries as real-world values give no value there, but
/// those of a line for the values that follow them.
///
/// ```text
/// byte 0  type of the stored values       bytes 3-4  number of entries
///    1-2  first mapped value                 5 …     entries as words of 16 bits, repeated; also the stored values
/// ```
pub fn lookup_equals_entry_of_each_value(bytes: &[u8]) -> Coverage {
    let Some((&[kind, first_low, first_high, count_low, count_high], bytes)) = bytes.split_first_chunk::<5>() else {
        return Coverage::Skipped;
    };
    let words: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let first = u16::from_le_bytes([first_low, first_high]);
    let is_signed = kind % 2 == 1;
    let first_mapped = if is_signed { first.cast_signed().into() } else { i64::from(first) };
    let count = usize::from(u16::from_le_bytes([count_low, count_high]));
    let entries: Vec<u16> = words.iter().cycle().take(count).copied().collect();
    let Ok(table) = LookupTable::new(first_mapped, entries.iter().copied()) else { return Coverage::Error };
    let stored: Vec<i64> = match kind / 2 % 3 {
        0 if is_signed => bytes.iter().map(|byte| i64::from(byte.cast_signed())).collect(),
        0 => bytes.iter().map(|byte| i64::from(*byte)).collect(),
        1 if is_signed => words.iter().map(|word| i64::from(word.cast_signed())).collect(),
        1 => words.iter().map(|word| i64::from(*word)).collect(),
        // Values around the ends of the 16-bit types, and far from them.
        _ if is_signed => words.iter().map(|word| (i64::from(word.cast_signed())) * 0x1_0003 / 2).collect(),
        _ => words.iter().map(|word| i64::from(*word) * 0x1_0001).collect(),
    };
    let expected: Vec<f64> = stored
        .iter()
        .map(|value| {
            let index = usize::try_from((value - first_mapped).max(0)).unwrap_or(usize::MAX).min(count - 1);
            entries.get(index).copied().map_or(f64::NAN, f64::from)
        })
        .collect();
    // The same entries as real-world values, and a line for the values after them. Outside, there are no values.
    let Some(ranges) = real_world_ranges(first_mapped, &entries) else { return Coverage::Error };
    let in_ranges: Vec<f64> = stored.iter().map(|value| value_in_ranges(*value, first_mapped, &entries)).collect();
    let cases =
        [(ValueTransform::Table(&table), expected.as_slice()), (ValueTransform::Ranges(&ranges), in_ranges.as_slice())];
    match (kind / 2 % 3, is_signed) {
        (0, false) => check_values(&cast::<u8>(&stored), Samples::U8, &cases),
        (0, true) => check_values(&cast::<i8>(&stored), Samples::I8, &cases),
        (1, false) => check_values(&cast::<u16>(&stored), Samples::U16, &cases),
        (1, true) => check_values(&cast::<i16>(&stored), Samples::I16, &cases),
        (_, false) => check_values(&cast::<u32>(&stored), Samples::U32, &cases),
        (_, true) => check_values(&cast::<i32>(&stored), Samples::I32, &cases),
    }
    Coverage::Decoded
}

/// Slope, intercept and number of values of the line after the entries.
const LINE: (f64, f64, i64) = (0.75, -3.0, 1000);

/// The range of the entries, and that of the line after them.
#[allow(clippy::cast_precision_loss, reason = "below 2^32")]
fn real_world_ranges(first: i64, entries: &[u16]) -> Option<ValueRanges> {
    let end = first + i64::try_from(entries.len()).ok()?;
    let (slope, intercept, count) = LINE;
    let values = RangeValues::Entries(entries.iter().map(|entry| f64::from(*entry)).collect());
    let table = ValueRange { first: first as f64, last: (end - 1) as f64, values };
    let values = RangeValues::Linear(Rescale { slope, intercept });
    let line = ValueRange { first: end as f64, last: (end + count - 1) as f64, values };
    ValueRanges::new(vec![line, table]).ok()
}

/// Reference for [`real_world_ranges`].
#[allow(clippy::cast_precision_loss, reason = "below 2^32")]
fn value_in_ranges(value: i64, first: i64, entries: &[u16]) -> f64 {
    let Ok(index) = usize::try_from(value - first) else { return f64::NAN };
    let (slope, intercept, count) = LINE;
    match entries.get(index) {
        Some(entry) => f64::from(*entry),
        None if index - entries.len() < usize::try_from(count).unwrap_or(0) => value as f64 * slope + intercept,
        None => f64::NAN,
    }
}

fn cast<T: TryFrom<i64> + Default>(values: &[i64]) -> Vec<T> {
    values.iter().map(|value| T::try_from(*value).unwrap_or_default()).collect()
}

/// Checks transforms and their expected values with the output of every float and one integer type.
#[allow(clippy::cast_possible_truncation, reason = "the reference rounds to the output type")]
fn check_values<'a, T>(stored: &'a [T], samples: fn(&'a [T]) -> Samples<'a>, cases: &[(ValueTransform<'_>, &[f64])]) {
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let levels = CpuLevel::available();
    let all =
        levels.iter().flat_map(|level| cases.iter().map(move |(transform, expected)| (*level, *transform, *expected)));
    for (level, transform, expected) in all {
        let into = |out: SamplesMut<'_>| rescale::rescale_into(samples(stored), transform, out, false, cancel, level);
        let mut doubles = vec![f64::INFINITY; stored.len()];
        assert!(into(SamplesMut::F64(&mut doubles)).is_ok());
        let is_equal = |(found, expected): (f64, &f64)| found == *expected || found.is_nan() && expected.is_nan();
        assert!(doubles.iter().copied().zip(expected).all(is_equal), "{}", level.name());
        let mut floats = vec![f32::INFINITY; stored.len()];
        assert!(into(SamplesMut::F32(&mut floats)).is_ok());
        let rounded: Vec<f64> = expected.iter().map(|value| f64::from(*value as f32)).collect();
        assert!(floats.iter().copied().map(f64::from).zip(&rounded).all(is_equal), "{}", level.name());
        let mut words = vec![0_u16; stored.len()];
        let is_exact = expected.iter().all(|value| value.fract() == 0.0 && (0.0..=65_535.0).contains(value));
        assert_eq!(into(SamplesMut::U16(&mut words)).is_ok(), is_exact, "{}", level.name());
        assert!(!is_exact || words.iter().copied().map(f64::from).zip(expected).all(is_equal), "{}", level.name());
    }
}

fn check_packed_bits(bytes: &[u8], offset: usize, unused_bits: usize) {
    let Some(count) = (bytes.len() * 8).checked_sub(offset + unused_bits) else { return };
    let out = equal_at_all_levels(|level| {
        let mut out = vec![0xAA; count];
        assert!(bits::unpack_bits_into(bytes, offset, &mut out, level).is_ok());
        out
    });
    let bit = |index: usize| bytes.get(index / 8).map(|byte| byte >> (index % 8) & 1);
    assert!(out.iter().enumerate().all(|(index, value)| Some(*value) == bit(index + offset)));
    let packed = equal_at_all_levels(|level| {
        let mut packed = vec![0; count.div_ceil(8)];
        assert!(bits::pack_bits_into(&out, &mut packed, level).is_ok());
        packed
    });
    let mut repeated = vec![0; count];
    assert!(bits::unpack_bits_into(&packed, 0, &mut repeated, CpuLevel::PORTABLE).is_ok());
    assert_eq!(repeated, out);
}

/// Returns the result of `work`, which must be equal at every CPU level.
fn equal_at_all_levels<T: PartialEq>(work: impl Fn(CpuLevel) -> T) -> T {
    let expected = work(CpuLevel::PORTABLE);
    for level in CpuLevel::available() {
        assert!(work(level) == expected, "{} differs from portable", level.name());
    }
    expected
}
