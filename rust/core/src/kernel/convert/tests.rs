//! Every CPU level and every pair of types against a reference in `i128` and `f64`, one sample at a time.
#![allow(clippy::cast_possible_truncation, reason = "casts whose range the test itself chooses")]

use super::SampleType::*;
use super::*;
use crate::testing::miri_or;
use proptest::prelude::*;

const TYPES: [SampleType; 10] = [U8, I8, U16, I16, U32, I32, U64, I64, F32, F64];

#[derive(Debug, Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
}
use Number::{Float as Real, Integer as Whole};

/// Returns the size in bytes, and the smallest and largest value (0 for floats).
fn range(sample_type: SampleType) -> (usize, i128, i128) {
    let signed = |bytes: usize| (bytes, -(1_i128 << (bytes * 8 - 1)), (1_i128 << (bytes * 8 - 1)) - 1);
    let unsigned = |bytes: usize| (bytes, 0, (1_i128 << (bytes * 8)) - 1);
    match sample_type {
        U8 => unsigned(1),
        I8 => signed(1),
        U16 => unsigned(2),
        I16 => signed(2),
        U32 => unsigned(4),
        I32 => signed(4),
        U64 => unsigned(8),
        I64 => signed(8),
        F32 => (4, 0, 0),
        F64 => (8, 0, 0),
    }
}

fn is_float(sample_type: SampleType) -> bool {
    matches!(sample_type, F32 | F64)
}

fn bytes_of(number: Number, sample_type: SampleType) -> Vec<u8> {
    match (number, sample_type) {
        (Real(x), F32) => (x as f32).to_le_bytes().to_vec(),
        (Real(x), _) => x.to_le_bytes().to_vec(),
        (Whole(x), F32) => (x as f32).to_le_bytes().to_vec(),
        (Whole(x), F64) => (x as f64).to_le_bytes().to_vec(),
        (Whole(x), _) => x.to_le_bytes()[..range(sample_type).0].to_vec(),
    }
}

/// Reference: the output, or `None` if the sample is an error.
fn oracle(x: Number, rescale: Option<Rescale>, to: SampleType) -> Option<Number> {
    if let (Whole(x), None, true) = (x, rescale, is_float(to)) {
        return Some(Whole(x));
    }
    let Rescale { slope, intercept } = rescale.unwrap_or(Rescale { slope: 1.0, intercept: -0.0 });
    let (_, min, max) = range(to);
    let integral = |v: f64| v.fract() == 0.0 && v.abs() < 2_f64.powi(63);
    if let (Whole(x), false, true) = (x, is_float(to), integral(slope) && integral(intercept)) {
        let y = x * slope as i128 + intercept as i128;
        return (min..=max).contains(&y).then_some(Whole(y));
    }
    let (wide, inexact) = match x {
        Whole(x) => (x as f64, x as f64 as i128 != x),
        Real(x) => (x, false),
    };
    let product = wide * slope;
    let y = product + intercept;
    if is_float(to) {
        return Some(Real(y));
    }
    let is_exact = !inexact && y.is_finite() && y.fract() == 0.0 && y.abs() <= 2_f64.powi(53);
    (is_exact && (min..=max).contains(&(y as i128))).then_some(Whole(y as i128))
}

fn samples_mut(memory: &mut [u64], sample_type: SampleType, len: usize) -> SamplesMut<'_> {
    match sample_type {
        U8 => SamplesMut::U8(&mut bytemuck::cast_slice_mut(memory)[..len]),
        I8 => SamplesMut::I8(&mut bytemuck::cast_slice_mut(memory)[..len]),
        U16 => SamplesMut::U16(&mut bytemuck::cast_slice_mut(memory)[..len]),
        I16 => SamplesMut::I16(&mut bytemuck::cast_slice_mut(memory)[..len]),
        U32 => SamplesMut::U32(&mut bytemuck::cast_slice_mut(memory)[..len]),
        I32 => SamplesMut::I32(&mut bytemuck::cast_slice_mut(memory)[..len]),
        U64 => SamplesMut::U64(&mut memory[..len]),
        I64 => SamplesMut::I64(&mut bytemuck::cast_slice_mut(memory)[..len]),
        F32 => SamplesMut::F32(&mut bytemuck::cast_slice_mut(memory)[..len]),
        F64 => SamplesMut::F64(&mut bytemuck::cast_slice_mut(memory)[..len]),
    }
}

/// Returns the bytes of a sample, with one pattern for every NaN, as the payload of a NaN result is not specified.
fn bits(sample: &[u8], sample_type: SampleType) -> Vec<u8> {
    let nan = match sample_type {
        F32 => f32::from_le_bytes(sample.try_into().unwrap()).is_nan(),
        F64 => f64::from_le_bytes(sample.try_into().unwrap()).is_nan(),
        _ => false,
    };
    if nan { vec![0xFF; sample.len()] } else { sample.to_vec() }
}

/// Checks at every level that the conversion equals the reference. Numbers of type `F32` are rounded to it first.
fn check(numbers: &[Number], from: SampleType, rescale: Option<Rescale>, to: SampleType) {
    let numbers: Vec<Number> = numbers
        .iter()
        .map(|number| match number {
            Real(x) if from == F32 => Real(f64::from(*x as f32)),
            other => *other,
        })
        .collect();
    // Unaligned by one byte: kernels may not assume more.
    let mut src = vec![0];
    src.extend(numbers.iter().flat_map(|number| bytes_of(*number, from)));
    let expected: Vec<Option<Number>> = numbers.iter().map(|number| oracle(*number, rescale, to)).collect();
    let first_error = expected.iter().position(Option::is_none);
    for level in CpuLevel::available() {
        let mut memory = vec![0xA5A5_A5A5_A5A5_A5A5; numbers.len()];
        let result =
            convert(&src[1..], from, rescale.map(Into::into), samples_mut(&mut memory, to, numbers.len()), level);
        let case = format!("{from:?} to {to:?}, {rescale:?}, {}", level.name());
        assert_eq!(result, first_error.map_or(Ok(()), Err), "{case}");
        if first_error.is_some() {
            continue;
        }
        let out = bytemuck::cast_slice::<u64, u8>(&memory).chunks(range(to).0);
        for ((x, y), found) in numbers.iter().zip(&expected).zip(out) {
            let expected = bytes_of(y.unwrap(), to);
            assert_eq!(bits(found, to), bits(&expected, to), "{x:?}: {case}");
        }
    }
}

/// Values of type `of` near powers of two, at the ends of the range, and special floats.
fn edges(sample_type: SampleType) -> Vec<Number> {
    let powers = [0, 7, 8, 15, 16, 23, 24, 31, 32, 52, 53, 54, 62, 63].map(|n| 1_i128 << n);
    let near_powers = powers.into_iter().flat_map(|p| [p - 1, p, p + 1]).flat_map(|v| [v, -v]);
    let (_, min, max) = range(sample_type);
    if is_float(sample_type) {
        let special = [-0.0, 0.5, -2.5, 1e-310, 1e300, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        return near_powers.map(|v| Real(v as f64)).chain(special.map(Real)).collect();
    }
    let ends = [min, min + 1, max - 1, max];
    near_powers.chain(ends).filter(|v| (min..=max).contains(v)).map(Whole).collect()
}

/// Slopes and intercepts that select each arithmetic.
fn rescales() -> Vec<Option<Rescale>> {
    let pairs = [
        (1.0, 0.0),
        (1.0, -1024.0),
        (1.0, -0.0),
        (-1.0, -0.0),
        (-1.0, 0.0),
        (2.0, 1.0),
        (0.5, 0.0),
        (0.25, -0.125),
        (0.1, 0.3),
        (1.0 / 3.0, 1e-9),
        (256.0, 16.0),
        (257.0, -3.0),
        (65_536.0, -1.0),
        (0.0, 5.0),
        (-0.0, 0.0),
        (4_611_686_018_427_387_904.0, -4_611_686_018_427_387_904.0),
        (9_223_372_036_854_774_784.0, 9_223_372_036_854_774_784.0),
        (1.0, 9_223_372_036_854_775_808.0),
        (1e300, 0.0),
        (1e-300, 0.0),
        (f64::NAN, 0.0),
        (1.0, f64::NAN),
        (f64::INFINITY, 0.0),
        (0.0, f64::NEG_INFINITY),
    ];
    let pairs = pairs.into_iter().map(|(slope, intercept)| Some(Rescale { slope, intercept }));
    std::iter::once(None).chain(pairs).collect()
}

#[test]
fn convert_every_pair_of_types_at_edge_values_equals_reference() {
    for from in TYPES {
        let edges: Vec<Number> = edges(from).into_iter().step_by(miri_or(1, 5)).collect();
        for to in TYPES {
            for rescale in rescales().into_iter().step_by(miri_or(1, 9)) {
                check(&edges, from, rescale, to);
                edges.iter().step_by(miri_or(1, 9)).for_each(|edge| check(&[*edge], from, rescale, to));
            }
        }
    }
}

#[test]
fn convert_every_16_bit_sample_to_f32_equals_reference() {
    let signed: Vec<Number> = (-32_768..32_768).step_by(miri_or(1, 4_999)).map(Whole).collect();
    let unsigned: Vec<Number> = (0..65_536).step_by(miri_or(1, 4_999)).map(Whole).collect();
    for rescale in rescales() {
        check(&signed, I16, rescale, F32);
        check(&unsigned, U16, rescale, F32);
    }
}

#[test]
fn convert_inexact_samples_returns_index_of_first() {
    let last = miri_or(3000, 70);
    for first in [0, 1, miri_or(1023, 63), miri_or(1024, 64), miri_or(2047, 65), last] {
        let mut samples = vec![Whole(100); last + 1];
        samples[first] = Whole(32_767);
        samples[last] = Whole(32_767);
        check(&samples, I16, Some(Rescale { slope: 1.0, intercept: 1.0 }), I16);
        check(&samples, I16, Some(Rescale { slope: 0.5, intercept: 0.0 }), I16);
    }
}

fn number(sample_type: SampleType, raw: u64) -> Number {
    match sample_type {
        F32 => Real(f64::from(f32::from_bits(raw as u32))),
        F64 => Real(f64::from_bits(raw)),
        _ => {
            let (bytes, min, _) = range(sample_type);
            Whole(min + i128::from(raw & (u64::MAX >> (64 - bytes * 8))))
        }
    }
}

proptest! {
    #[test]
    fn convert_random_samples_equals_reference(
        raw in prop::collection::vec(any::<u64>(), 0..300),
        from in prop::sample::select(TYPES.to_vec()),
        to in prop::sample::select(TYPES.to_vec()),
        rescale in prop_oneof![
            prop::sample::select(rescales()),
            (any::<f64>(), any::<f64>()).prop_map(|(slope, intercept)| Some(Rescale { slope, intercept })),
            (-300_i32..300, -5000_i32..5000, 0_i32..12).prop_map(|(a, b, k)| {
                let scale = 2_f64.powi(-k);
                Some(Rescale { slope: f64::from(a) * scale, intercept: f64::from(b) * scale })
            }),
        ],
    ) {
        let numbers: Vec<Number> = raw.into_iter().map(|raw| number(from, raw)).collect();
        check(&numbers, from, rescale, to);
    }
}

/// Ranges that select each loop, and the value of `x` in them; `None` if the stored value is not exact in `f64`.
fn ranges() -> [ValueRanges; 4] {
    let linear = |first, last, slope, intercept| ValueRange {
        first,
        last,
        values: RangeValues::Linear(Rescale { slope, intercept }),
    };
    let entries = ValueRange { first: 3.0, last: 5.0, values: RangeValues::Entries(vec![0.5, 7.0, -1.0]) };
    [
        vec![linear(-100.5, 8193.0, 0.25, 3.0)],
        vec![linear(f64::MIN, f64::MAX, 2.0, -1.0)],
        vec![linear(9_007_199_254_740_994.0, 18_014_398_509_481_984.0, 1.0, 0.0)],
        vec![linear(6.0, 1e9, 1.0, 1.0), entries, linear(-40.0, 2.0, -3.0, 0.0)],
    ]
    .map(|ranges| ValueRanges::new(ranges).unwrap())
}

fn value_in(ranges: &ValueRanges, x: Number) -> f64 {
    let is_inside = |range: &&ValueRange| match x {
        Real(x) => range.first <= x && x <= range.last,
        Whole(x) => range.first.ceil() as i128 <= x && x <= range.last.floor() as i128,
    };
    let wide = match x {
        Real(x) => x,
        Whole(x) => x as f64,
    };
    match ranges.ranges().iter().find(is_inside) {
        None => f64::NAN,
        Some(ValueRange { values: RangeValues::Linear(rescale), .. }) => wide * rescale.slope + rescale.intercept,
        Some(ValueRange { first, values: RangeValues::Entries(entries), .. }) => entries[(wide - first) as usize],
    }
}

#[test]
fn convert_ranges_of_every_type_equals_reference_at_every_level() {
    for (from, ranges) in TYPES.into_iter().flat_map(|from| ranges().map(|ranges| (from, ranges))) {
        if is_float(from) && ranges.has_entries() {
            continue;
        }
        let numbers: Vec<Number> = edges(from).into_iter().cycle().take(miri_or(2100, 70)).collect();
        let src: Vec<u8> = numbers.iter().flat_map(|number| bytes_of(*number, from)).collect();
        let stored = |number: Number| match number {
            Real(x) if from == F32 => Real(f64::from(x as f32)),
            other => other,
        };
        let expected: Vec<f64> = numbers.iter().map(|number| value_in(&ranges, stored(*number))).collect();
        let mut integers = vec![];
        for level in CpuLevel::available() {
            let transform = Some(ValueTransform::Ranges(&ranges));
            let mut out = vec![0.0; numbers.len()];
            assert_eq!(convert(&src, from, transform, SamplesMut::F64(&mut out), level), Ok(()));
            for ((x, y), expected) in numbers.iter().zip(&out).zip(&expected) {
                assert!(y == expected || y.is_nan() && expected.is_nan(), "{x:?}: {y} found, {expected} expected");
            }
            let mut rounded = vec![0.0_f32; numbers.len()];
            assert_eq!(convert(&src, from, transform, SamplesMut::F32(&mut rounded), level), Ok(()));
            let is_rounded = |(y, value): (&f32, &f64)| *y == *value as f32 || y.is_nan() && value.is_nan();
            assert!(rounded.iter().zip(&expected).all(is_rounded));
            let mut out = vec![0_i32; numbers.len()];
            integers.push(convert(&src, from, transform, SamplesMut::I32(&mut out), level));
        }
        assert!(integers.iter().all(|result| *result == integers[0]), "{from:?}: {integers:?}");
        let exact = |y: &f64| y.fract() == 0.0 && y.abs() < 2_147_483_648.0;
        assert_eq!(integers[0].is_ok(), expected.iter().all(exact), "{from:?}");
    }
}
