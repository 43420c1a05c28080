//! Every CPU level against the formulas of the façade, evaluated sample by sample.
#![allow(clippy::cast_possible_truncation, reason = "random bits")]

use super::*;
use crate::testing::{Random, miri_or};

/// Largest sample of a type.
trait Maximum: Sample + PartialEq + std::fmt::Debug {
    const MAXIMUM: u16;
}
impl Maximum for u8 {
    const MAXIMUM: u16 = 255;
}
impl Maximum for u16 {
    const MAXIMUM: u16 = 4095;
}

/// Random samples, a third of them the smallest or the largest.
fn samples<T: Maximum>(random: &mut Random, count: usize) -> Vec<T> {
    let sample = |bits: u64| match bits >> 32 & 7 {
        0 => 0,
        1 => T::MAXIMUM,
        _ => bits as u16 & T::MAXIMUM,
    };
    (0..count).map(|_| T::from_u16(sample(random.next()))).collect()
}

fn check<T: Maximum>() {
    let mut random = Random(18);
    for count in (1..100).step_by(miri_or(1, 33)) {
        let (near, far): (Vec<T>, Vec<T>) = (samples(&mut random, count + 2), samples(&mut random, count + 2));
        let value = |samples: &[T], index: usize| u32::from(samples[index].to_u16());
        let sum = |index: usize| 3 * value(&near, index) + value(&far, index);
        let pair = |index: usize, at: &dyn Fn(usize) -> u32, [even, odd]: [u32; 2], shift: u32| {
            [(3 * at(index) + at(index - 1) + even) >> shift, (3 * at(index) + at(index + 1) + odd) >> shift]
        };
        let all = |pixel: &dyn Fn(usize) -> Vec<u32>| -> Vec<T> {
            (1..=count).flat_map(pixel).map(|pixel| T::from_u16(pixel as u16)).collect()
        };
        let doubled = all(&|index| pair(index, &|index| value(&near, index), [1, 2], 2).into());
        let both = all(&|index| pair(index, &sum, [8, 7], 4).into());
        for level in CpuLevel::available() {
            let name = level.name();
            let mut pixels = vec![T::from_u16(1); 2 * count];
            double_row(&near, &mut pixels, level);
            assert_eq!(pixels, doubled, "{count} samples, {name}");
            let mut sums = vec![0; count + 2];
            vertical_sums(&near, &far, &mut sums, level);
            double_sums(&sums, &mut pixels, level);
            assert_eq!(pixels, both, "{count} samples, {name}");
            for (far_row, half) in [(FarRow::Above, 1), (FarRow::Below, 2)] {
                let mut pixels = vec![T::from_u16(1); count];
                between_rows(&near[1..=count], &far[1..=count], far_row, &mut pixels, level);
                assert_eq!(pixels, all(&|index| vec![(sum(index) + half) >> 2]), "{count} samples, {name}");
            }
            for ratio in 1..5 {
                for short in 0..ratio {
                    let mut pixels = vec![T::from_u16(1); ratio * count - short];
                    repeat(&near[1..=count], ratio, &mut pixels, level);
                    let expected = all(&|index| vec![value(&near, index); ratio]);
                    assert_eq!(pixels, expected[..pixels.len()], "{count} samples × {ratio}, {name}");
                }
            }
        }
    }
}

#[test]
fn upsample_bytes_equal_formulas() {
    check::<u8>();
}

#[test]
fn upsample_12_bits_equal_formulas() {
    check::<u16>();
}

/// All pairs of bytes.
#[test]
fn between_rows_every_pair_of_bytes_equals_formula() {
    let far: Vec<u8> = (0..=255).collect();
    for near in (0..=255).step_by(miri_or(1, 50)) {
        for (far_row, half) in [(FarRow::Above, 1), (FarRow::Below, 2)] {
            let formula = |far: &u8| ((3 * u32::from(near) + u32::from(*far) + half) >> 2) as u8;
            let expected: Vec<u8> = far.iter().map(formula).collect();
            for level in CpuLevel::available() {
                let mut pixels = [0; 256];
                between_rows(&[near; 256], &far, far_row, &mut pixels, level);
                assert!(pixels[..] == expected, "{near}, {far_row:?}, {}", level.name());
            }
        }
    }
}
