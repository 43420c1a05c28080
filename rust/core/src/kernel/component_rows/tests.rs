//! Every CPU level against the formulas of T.800 Annex G, evaluated pixel by pixel.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "random bits; clamped values"
)]

use super::*;
use crate::testing::{Random, miri_or};
use Wavelet::{Irreversible97, Reversible53};

fn component(wavelet: Wavelet, precision: u32, is_signed: bool) -> ComponentFormat {
    ComponentFormat { wavelet, precision, is_signed }
}

/// Stored value of a component by G.1, as 64 bits.
fn stored(component: ComponentFormat, value: i64) -> i64 {
    let half = 1_i64 << (component.precision - 1);
    if component.is_signed { value.clamp(-half, half - 1) } else { value.saturating_add(half).clamp(0, 2 * half - 1) }
}

/// Values of one pixel after the component transform.
fn transformed(format: &RowFormat, words: &[i32]) -> Vec<i64> {
    let floats: Vec<f32> = words.iter().map(|word| f32::from_bits(*word as u32)).collect();
    let round = |value: f32| if value.is_nan() { i64::MIN } else { value.round_ties_even() as i64 };
    let mut values: Vec<i64> = std::iter::zip(&format.components, words)
        .map(|(component, word)| match component.wavelet {
            Reversible53 => i64::from(*word),
            Irreversible97 => round(f32::from_bits(*word as u32)),
        })
        .collect();
    match (format.transform, &*floats, words) {
        (ComponentTransform::Reversible, _, [y, u, v, ..]) => {
            let green = y.wrapping_sub(u.wrapping_add(*v).div_euclid(4));
            values[..3].copy_from_slice(&[v.wrapping_add(green), green, u.wrapping_add(green)].map(i64::from));
        }
        (ComponentTransform::Irreversible, [y, cb, cr, ..], _) => {
            let (red, blue) = (y + 1.402 * cr, y + 1.772 * cb);
            let less_cb = y - 0.344_136 * cb;
            values[..3].copy_from_slice(&[red, less_cb - 0.714_136 * cr, blue].map(round));
        }
        _ => {}
    }
    values
}

/// Random words of a component: mostly of the range of its precision, some extreme.
fn words(random: &mut Random, component: ComponentFormat, count: usize) -> Vec<i32> {
    let mut word = || {
        let bits = random.next();
        let value = (bits as i32) >> (33 - component.precision).min(31);
        match (component.wavelet, bits >> 40 & 15) {
            (Reversible53, 0) => i32::MIN,
            (Reversible53, 1) => i32::MAX,
            (Reversible53, 2) => value.wrapping_mul(5),
            (Reversible53, _) => value,
            (Irreversible97, 0) => (-1e30_f32).to_bits() as i32,
            (Irreversible97, 1) => f32::INFINITY.to_bits() as i32,
            (Irreversible97, 2) => (value as f32 + 0.5).to_bits() as i32,
            (Irreversible97, 3) => (value as f32 * 5.3).to_bits() as i32,
            (Irreversible97, _) => (value as f32 * 1.1).to_bits() as i32,
        }
    };
    (0..count).map(|_| word()).collect()
}

/// Compares all CPU levels with the formulas, for outputs that are aligned to samples and others.
fn check(format: &RowFormat, count: usize, pixels: usize, random: &mut Random) {
    let rows: Vec<Vec<i32>> =
        format.components.iter().take(count).map(|component| words(random, *component, pixels)).collect();
    let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
    let mut expected = Vec::new();
    for pixel in 0..pixels {
        let words: Vec<i32> = rows.iter().map(|row| row[pixel]).collect();
        for (component, value) in std::iter::zip(&format.components, transformed(format, &words)) {
            let bytes = stored(*component, value).to_le_bytes();
            expected.extend_from_slice(&bytes[..format.sample_bytes]);
        }
    }
    for level in CpuLevel::available() {
        for unaligned in [0, 1] {
            let mut memory = vec![0_u32; (expected.len() + 4).div_ceil(4)];
            let out = &mut bytemuck::cast_slice_mut(&mut memory)[unaligned..unaligned + expected.len()];
            store_row(format, &rows, out, level);
            assert!(*out == expected, "{format:?}, {count} components, {pixels} pixels, {}", level.name());
        }
    }
}

#[test]
fn store_row_every_precision_and_sign_equals_formulas() {
    let mut random = Random(1);
    for wavelet in [Reversible53, Irreversible97] {
        for precision in (1..=32).step_by(miri_or(1, 10)) {
            for is_signed in [false, true] {
                for sample_bytes in [1, 2, 4].into_iter().filter(|bytes| bytes * 8 >= precision as usize) {
                    let components = [component(wavelet, precision, is_signed); MAX_COMPONENTS];
                    let format = RowFormat { transform: ComponentTransform::None, components, sample_bytes };
                    for count in 1..=miri_or(MAX_COMPONENTS, 2) {
                        check(&format, count, miri_or(600, 9), &mut random);
                    }
                }
            }
        }
    }
}

#[test]
fn store_row_every_length_and_transform_equals_formulas() {
    use ComponentTransform::{Irreversible, None, Reversible};
    let mut random = Random(2);
    for (transform, wavelet) in
        [(None, Reversible53), (None, Irreversible97), (Reversible, Reversible53), (Irreversible, Irreversible97)]
    {
        for (precision, sample_bytes) in [(8, 1), (12, 2), (16, 2), (16, 4)] {
            let mut components = [component(wavelet, precision, false); MAX_COMPONENTS];
            // A component beyond the transform may have another wavelet, precision and sign.
            components[3] = component(Reversible53, precision - 1, true);
            let format = RowFormat { transform, components, sample_bytes };
            for count in 1..=MAX_COMPONENTS {
                let long = [ROUND_PIXELS - 1, ROUND_PIXELS, ROUND_PIXELS + 1, 3 * ROUND_PIXELS + 5];
                let lengths = (0..70).step_by(miri_or(1, 33)).chain(long.into_iter().take(miri_or(4, 0)));
                for pixels in lengths {
                    check(&format, count, pixels, &mut random);
                }
            }
        }
    }
}

#[test]
fn store_row_transforms_of_mixed_precisions_equal_formulas() {
    use ComponentTransform::{Irreversible, Reversible};
    let mut random = Random(3);
    for (transform, wavelet) in [(Reversible, Reversible53), (Irreversible, Irreversible97)] {
        for precisions in [[8, 12, 16, 1], [30, 24, 22, 32], [23, 23, 23, 8]] {
            let components = precisions.map(|precision| component(wavelet, precision, precision == 16));
            let format = RowFormat { transform, components, sample_bytes: 4 };
            check(&format, 3, miri_or(300, 20), &mut random);
            check(&format, 4, miri_or(300, 20), &mut random);
        }
    }
}

/// Stored bytes of one pixel of three unsigned components.
fn one_pixel(wavelet: Wavelet, transform: ComponentTransform, precision: u32, words: [i32; 3]) -> [u8; 3] {
    let components = [component(wavelet, precision, false); MAX_COMPONENTS];
    let mut out = [0; 3];
    let rows = words.each_ref().map(std::slice::from_ref);
    store_row(&RowFormat { transform, components, sample_bytes: 1 }, &rows, &mut out, CpuLevel::best());
    out
}

#[test]
fn store_row_worked_examples_of_t800() {
    use ComponentTransform::{Irreversible, None, Reversible};
    let floats = |values: [f32; 3]| values.map(|value| value.to_bits() as i32);
    // G.2.2 with Y0 = 10, Y1 = -7, Y2 = 2: I1 = 10 - floor(-5 / 4) = 12, I0 = 14, I2 = 5; plus 128.
    assert_eq!(one_pixel(Reversible53, Reversible, 8, [10, -7, 2]), [142, 140, 133]);
    assert_eq!(one_pixel(Reversible53, None, 8, [10, -7, 2]), [138, 121, 130]);
    // G.3.2 with Y = 10, Cb = 20, Cr = -30: -32.06, 24.54136, 45.44.
    assert_eq!(one_pixel(Irreversible97, Irreversible, 8, floats([10.0, 20.0, -30.0])), [96, 153, 173]);
    // Ties go to the even number, and values out of range are clamped.
    assert_eq!(one_pixel(Irreversible97, None, 8, floats([0.5, 1.5, -1e30])), [128, 130, 0]);
    assert_eq!(one_pixel(Reversible53, None, 4, [i32::MAX, i32::MIN, 7]), [15, 0, 15]);
}

#[test]
fn store_row_nan_is_the_smallest_value() {
    for precision in [8, 16, 24, 32] {
        let components = [component(Irreversible97, precision, true); MAX_COMPONENTS];
        let format = RowFormat { transform: ComponentTransform::None, components, sample_bytes: 4 };
        let row = [f32::NAN.to_bits() as i32; 37];
        for level in CpuLevel::available() {
            let mut out = [0_i32; 37];
            store_row(&format, &[&row], bytemuck::cast_slice_mut(&mut out), level);
            assert_eq!(out, [i32::MIN >> (32 - precision); 37], "{}", level.name());
        }
    }
}

#[test]
fn replicate_columns_equals_the_column_divided_by_the_ratio() {
    let samples: Vec<i32> = (100..140).collect();
    for ratio in 1..6_u32 {
        for start in 0..12 {
            for count in 0..30 {
                let mut out = vec![0; count as usize];
                replicate_columns(&samples, ratio, start..start + count, &mut out);
                // Component coordinate of the first sample: the first multiple of the ratio.
                let first = start.div_ceil(ratio);
                for (column, value) in (start..).zip(out) {
                    assert_eq!(value, 100 + ((column / ratio).max(first) - first) as i32, "{ratio}, {start}, {column}");
                }
            }
        }
    }
    let mut out = [0; 5];
    replicate_columns(&[7, 8], 2, 1..6, &mut out);
    assert_eq!(out, [7, 7, 7, 8, 8]);
}
