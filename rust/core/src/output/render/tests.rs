//! Rendered samples equal a reference that computes one sample at a time, at every CPU level.

#![allow(clippy::cast_possible_truncation, reason = "values are in range")]

use super::*;
use crate::lookup_table::LookupTable;
use crate::rendering::{Grayscale, GrayscaleOptions, Modality, OutputRange, Palette, Voi};
use crate::sample::{Rescale, Samples};
use crate::testing::miri_or;
use crate::value_ranges::{RangeValues, ValueRange, ValueRanges};
use proptest::prelude::*;
use std::sync::Arc;

/// Unrounded output of the stored value `x`, by the formulas of PS3.3 C.11.2.1.
fn reference(grayscale: &Grayscale, stored: f64) -> f64 {
    let max = grayscale.output().max();
    let entry = |table: &LookupTable, x: f64| {
        let index = (x - table.first_mapped() as f64).clamp(0.0, table.entries().len() as f64 - 1.0);
        f64::from(table.entries()[index as usize])
    };
    if stored.is_nan() || grayscale.padding().is_some_and(|(first, last)| first <= stored && stored <= last) {
        return 0.0;
    }
    let x = match grayscale.modality() {
        Modality::Identity => stored,
        Modality::Linear(Rescale { slope, intercept }) => stored * slope + intercept,
        Modality::Table(table) => entry(table, stored),
        Modality::Ranges(ranges) => {
            let range = ranges.ranges().iter().find(|range| range.first <= stored && stored <= range.last);
            match range.map(|range| (range, &range.values)) {
                None => return 0.0,
                Some((_, RangeValues::Linear(Rescale { slope, intercept }))) => stored * slope + intercept,
                Some((range, RangeValues::Entries(entries))) => entries[(stored - range.first) as usize],
            }
        }
    };
    if x.is_nan() {
        return 0.0;
    }
    let y = match grayscale.voi() {
        Voi::Linear { center, width } => {
            if x <= center - 0.5 - (width - 1.0) / 2.0 {
                0.0
            } else if x > center - 0.5 + (width - 1.0) / 2.0 {
                max
            } else {
                ((x - (center - 0.5)) / (width - 1.0) + 0.5) * max
            }
        }
        Voi::LinearExact { center, width } => {
            if x <= center - width / 2.0 {
                0.0
            } else if x > center + width / 2.0 {
                max
            } else {
                ((x - center) / width + 0.5) * max
            }
        }
        Voi::Sigmoid { center, width } => max / (1.0 + (-4.0 * (x - center) / width).exp()),
        Voi::Range { low, high } if low == high => 0.0,
        Voi::Range { low, high } => ((x - low) / (high - low)).clamp(0.0, 1.0) * max,
        Voi::Table { table, bits } => (entry(table, x.floor()) / f64::from((1_u32 << bits) - 1) * max).min(max),
    };
    if grayscale.is_inverted() { max - y } else { y }
}

/// Value of the first `bits` bits of `raw` in the type `stored`.
fn stored_value(stored: SampleType, bits: u32, raw: u64) -> f64 {
    match stored {
        SampleType::F32 => f64::from(f32::from_bits(raw as u32)),
        SampleType::F64 => f64::from_bits(raw),
        _ if stored.is_signed() => ((raw << (64 - bits)).cast_signed() >> (64 - bits)) as f64,
        _ => (raw << (64 - bits) >> (64 - bits)) as f64,
    }
}

fn apply(rendering: &Rendering, stored: SampleType, bits: u32, raw: &[u64], level: CpuLevel) -> (Vec<f64>, bool) {
    let mut src = vec![0];
    src.extend(raw.iter().flat_map(|raw| raw.to_le_bytes().into_iter().take(stored.bytes())));
    let count = raw.len() * rendering.samples_per_value();
    let mut memory = vec![u64::MAX; count + 1];
    let mut tables = RenderTables::default();
    tables.prepare(rendering, stored, bits, level);
    // Unaligned input, and output that is not aligned to vectors.
    let out = SamplesMut::in_words(rendering.output_type(), &mut memory, count + 1).unwrap().split_at(1).unwrap().1;
    tables.apply(&src[1..], out, level);
    let is_line = matches!(tables.prepared.as_deref(), Some(Prepared { method: Method::Line(_), .. }));
    let values = match SamplesMut::in_words(rendering.output_type(), &mut memory, count + 1).unwrap() {
        SamplesMut::U8(out) => out[1..].iter().map(|y| f64::from(*y)).collect(),
        SamplesMut::U16(out) => out[1..].iter().map(|y| f64::from(*y)).collect(),
        SamplesMut::F32(out) => out[1..].iter().map(|y| f64::from(*y)).collect(),
        _ => unreachable!(),
    };
    (values, is_line)
}

fn check(grayscale: &Grayscale, bits: u32, raw: &[u64]) -> Result<(), TestCaseError> {
    let stored = grayscale.stored();
    let rounded = |y: f64| match grayscale.output() {
        OutputRange::F32 => f64::from(y as f32),
        _ => y.round_ties_even(),
    };
    let expected: Vec<f64> =
        raw.iter().map(|raw| rounded(reference(grayscale, stored_value(stored, bits, *raw)))).collect();
    let rendering = Rendering::Grayscale(grayscale.clone());
    for level in CpuLevel::available() {
        let (found, _) = apply(&rendering, stored, bits, raw, level);
        prop_assert_eq!(&found, &expected, "{}: {:?}", level.name(), grayscale);
    }
    Ok(())
}

fn modality(kind: u32, slope: f64, intercept: f64, words: &[u16], is_float: bool) -> Modality {
    let rescale = Rescale { slope, intercept };
    match kind {
        0 => Modality::Identity,
        2 if !is_float => Modality::Table(Arc::new(LookupTable::new(intercept as i64, words.iter().copied()).unwrap())),
        3 => {
            let line = ValueRange { first: -100.5, last: 999.0, values: RangeValues::Linear(rescale) };
            let entries = RangeValues::Entries(vec![1.5, f64::NAN, -3.0]);
            let entries = ValueRange { first: 1000.0, last: 1002.0, values: entries };
            let ranges = if is_float { vec![line] } else { vec![line, entries] };
            Modality::Ranges(Arc::new(ValueRanges::new(ranges).unwrap()))
        }
        _ => Modality::Linear(rescale),
    }
}

fn voi(kind: u32, center: f64, width: f64, words: &[u16]) -> Voi {
    match kind {
        0 => Voi::Linear { center, width: width.max(1.0) },
        1 => Voi::LinearExact { center, width },
        2 => Voi::Sigmoid { center, width },
        3 => Voi::Range { low: center, high: center + width - 0.5_f64.min(width) },
        _ => {
            let table = LookupTable::new(center as i64, words.iter().copied()).unwrap();
            Voi::Table { table: Arc::new(table), bits: 1 + (width as u32) % 16 }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(miri_or(1500, 3)))]
    #[test]
    fn render_random_pipeline_equals_reference(
        stored in prop::sample::select(SampleType::ALL.to_vec()),
        bits in 1_u32..=64,
        raw in prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..5000, (0_u64..3000).prop_map(u64::wrapping_neg)], 0..miri_or(300, 20)),
        (modality_kind, slope) in (
            0_u32..4, prop_oneof![Just(1.0), Just(0.0), Just(-1.0), Just(0.1), Just(-0.37), Just(1e-9), -100.0..100.0]),
        intercept in prop_oneof![Just(0.0), Just(-1024.0), Just(0.3), -2000.0..2000.0],
        (voi_kind, center) in (0_u32..5, prop_oneof![(-3000_i32..5000).prop_map(f64::from), -1000.0..1000.0]),
        width in prop_oneof![
            Just(1.0), Just(2.0), Just(1e12), Just(1e-9), (1_u32..70_000).prop_map(f64::from), 0.1..5000.0],
        words in prop::collection::vec(any::<u16>(), 1..100),
        (inverted, output) in (any::<bool>(), prop::sample::select(vec![OutputRange::U8, OutputRange::U16, OutputRange::F32])),
        padding in prop_oneof![
            Just(None), Just(Some((-2000.0, -2000.0))), Just(Some((0.0, 63.5))), Just(Some((1e30, 1e31))),
            Just(Some((f64::NEG_INFINITY, -0.5))), (-3000_i32..5000, 0_i32..100).prop_map(|(first, count)| {
                Some((f64::from(first), f64::from(first + count)))
            })],
    ) {
        let type_bits = stored.bytes() as u32 * 8;
        let bits = if stored.is_float() || type_bits > 16 { type_bits } else { 1 + (bits - 1) % type_bits };
        let modality = modality(modality_kind, slope, intercept, &words, stored.is_float());
        let options = GrayscaleOptions { modality, inverted, padding, output };
        let grayscale = Grayscale::new(stored, bits, voi(voi_kind, center, width, &words), options).unwrap();
        check(&grayscale, bits, &raw)?;
    }
}

#[test]
fn render_window_narrower_than_a_step_equals_reference() {
    for (stored, bits) in [(SampleType::I8, 4), (SampleType::U8, 8), (SampleType::I16, 12), (SampleType::U16, 16)] {
        for width in [1e-12, 1e-9, 1e-6, 1e-4, 0.01] {
            for inverted in [false, true] {
                let modality = Modality::Linear(Rescale { slope: 37.15, intercept: 244.7 });
                let options = GrayscaleOptions { modality, inverted, ..GrayscaleOptions::default() };
                let voi = Voi::LinearExact { center: 0.0, width };
                let grayscale = Grayscale::new(stored, bits, voi, options).unwrap();
                // Enough for the vectors of each body.
                let raw: Vec<u64> = (0..128).map(|index| 0_u64.wrapping_sub(index % 16)).collect();
                check(&grayscale, bits, &raw).unwrap();
            }
        }
    }
}

/// Windows as scanners write them.
fn usual_windows() -> impl Iterator<Item = (SampleType, u32, Grayscale)> {
    let types = [
        (SampleType::U8, 8),
        (SampleType::U16, 10),
        (SampleType::I16, 12),
        (SampleType::U16, 12),
        (SampleType::I16, 16),
        (SampleType::U16, 16),
    ];
    types.into_iter().flat_map(|(stored, bits)| {
        [(40.0, 400.0), (-600.0, 1500.0), (128.0, 256.0), (2048.0, 4096.0), (32_768.0, 65_536.0), (50.0, 2.0)]
            .into_iter()
            .flat_map(move |(center, width)| {
                [false, true].into_iter().map(move |inverted| {
                    let modality = Modality::Linear(Rescale { slope: 1.0, intercept: -1024.0 });
                    let options = GrayscaleOptions { modality, inverted, ..GrayscaleOptions::default() };
                    let voi = Voi::Linear { center, width };
                    (stored, bits, Grayscale::new(stored, bits, voi, options).unwrap())
                })
            })
    })
}

#[test]
fn render_every_stored_value_of_usual_windows_equals_reference_by_a_line() {
    for (stored, bits, grayscale) in usual_windows().step_by(miri_or(1, 30)) {
        let raw: Vec<u64> = (0..1_u64 << bits).step_by(miri_or(1, 777)).collect();
        check(&grayscale, bits, &raw).unwrap();
        for level in CpuLevel::available() {
            let rendering = Rendering::Grayscale(grayscale.clone());
            let is_byte_table = stored.bytes() == 1 && render::has_byte_tables(level);
            assert!(apply(&rendering, stored, bits, &raw, level).1 != is_byte_table, "{grayscale:?}");
        }
    }
}

#[test]
fn render_palette_clamps_at_both_ends() {
    let words: Vec<u16> = (0..1500).map(|index| (index * 7919 % 65_521) as u16).collect();
    let bytes: Vec<u8> = words.iter().map(|word| (*word % 251) as u8).collect();
    let floats: Vec<f32> = words.iter().map(|word| f32::from(*word) / 65_535.0).collect();
    for stored in SampleType::ALL.iter().copied().filter(|stored| !stored.is_float()) {
        let bits = stored.bytes() as u32 * 8;
        let raw: Vec<u64> =
            (0..70_000_u64).step_by(miri_or(7, 977)).chain([u64::MAX, 1 << 63, (1 << 63) - 1, 0, 1]).collect();
        for first_mapped in [0, -3, 5, 250, -40_000, 65_535, i64::MIN, i64::MAX] {
            for count in [1, 2, 3, 256, 499] {
                for (entries, components) in [
                    (Samples::U8(&bytes[..count]), 1),
                    (Samples::U16(&words[..count]), 1),
                    (Samples::F32(&floats[..count]), 1),
                    (Samples::U8(&bytes[..count * 3]), 3),
                    (Samples::U16(&words[..count * 3]), 3),
                    (Samples::F32(&floats[..count * 3]), 3),
                ] {
                    let values: Vec<f64> = match entries {
                        Samples::U8(entries) => entries.iter().map(|y| f64::from(*y)).collect(),
                        Samples::U16(entries) => entries.iter().map(|y| f64::from(*y)).collect(),
                        Samples::F32(entries) => entries.iter().map(|y| f64::from(*y)).collect(),
                        _ => unreachable!(),
                    };
                    let value = |raw: u64| {
                        let shift = 64 - bits;
                        if stored.is_signed() {
                            i128::from((raw << shift).cast_signed() >> shift)
                        } else {
                            i128::from(raw << shift >> shift)
                        }
                    };
                    let expected: Vec<f64> = raw
                        .iter()
                        .flat_map(|raw| {
                            let index = (value(*raw) - i128::from(first_mapped)).clamp(0, count as i128 - 1) as usize;
                            values[index * components..][..components].to_vec()
                        })
                        .collect();
                    let rendering = Rendering::Palette(Palette::new(first_mapped, entries, components).unwrap());
                    for level in CpuLevel::available() {
                        let (found, _) = apply(&rendering, stored, bits, &raw, level);
                        assert!(found == expected, "{stored:?} from {first_mapped}, {count} × {components}");
                    }
                }
            }
        }
    }
}

#[test]
fn render_tables_of_an_equal_rendering_are_used_again() {
    let (stored, bits, grayscale) = usual_windows().next().unwrap();
    let level = CpuLevel::PORTABLE;
    let mut tables = RenderTables::default();
    tables.prepare(&Rendering::Grayscale(grayscale.clone()), stored, bits, level);
    let address = |tables: &RenderTables| tables.prepared.as_ref().map(|prepared| (prepared.bits, prepared.stored));
    assert_eq!(address(&tables), Some((bits, stored)));
    tables.prepare(&Rendering::Grayscale(grayscale), stored, 7, level);
    assert_eq!(address(&tables), Some((7, stored)));
}
