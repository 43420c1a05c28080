//! Properties of the operations on samples: equal results at every CPU level, and packing as the inverse of unpacking.

use crate::Coverage;
use dicoxide_core::pixel::{bits, rescale, ybr};
use dicoxide_core::{Cancel, CpuLevel, LookupTable, Rescale, Samples, SamplesMut, ValueTransform};
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
/// first or last entry for values before or after the table.
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
    match (kind / 2 % 3, is_signed) {
        (0, false) => check_lookup(&cast::<u8>(&stored), Samples::U8, &table, &expected),
        (0, true) => check_lookup(&cast::<i8>(&stored), Samples::I8, &table, &expected),
        (1, false) => check_lookup(&cast::<u16>(&stored), Samples::U16, &table, &expected),
        (1, true) => check_lookup(&cast::<i16>(&stored), Samples::I16, &table, &expected),
        (_, false) => check_lookup(&cast::<u32>(&stored), Samples::U32, &table, &expected),
        (_, true) => check_lookup(&cast::<i32>(&stored), Samples::I32, &table, &expected),
    }
    Coverage::Decoded
}

fn cast<T: TryFrom<i64> + Default>(values: &[i64]) -> Vec<T> {
    values.iter().map(|value| T::try_from(*value).unwrap_or_default()).collect()
}

/// Checks the output of every float and one integer type.
fn check_lookup<'a, T>(stored: &'a [T], samples: fn(&'a [T]) -> Samples<'a>, table: &LookupTable, expected: &[f64]) {
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let transform = ValueTransform::Table(table);
    for level in CpuLevel::available() {
        let mut doubles = vec![f64::NAN; stored.len()];
        let out = SamplesMut::F64(&mut doubles);
        assert!(rescale::rescale_into(samples(stored), transform, out, false, cancel, level).is_ok());
        assert_eq!(doubles, expected, "{}", level.name());
        let mut floats = vec![f32::NAN; stored.len()];
        let out = SamplesMut::F32(&mut floats);
        assert!(rescale::rescale_into(samples(stored), transform, out, false, cancel, level).is_ok());
        assert!(floats.iter().zip(expected).all(|(float, double)| f64::from(*float) == *double), "{}", level.name());
        let mut words = vec![0_u16; stored.len()];
        let out = SamplesMut::U16(&mut words);
        assert!(rescale::rescale_into(samples(stored), transform, out, false, cancel, level).is_ok());
        assert!(words.iter().zip(expected).all(|(word, double)| f64::from(*word) == *double), "{}", level.name());
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
