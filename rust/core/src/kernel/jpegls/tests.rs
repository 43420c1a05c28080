//! Parameters, stuffing and contexts.

use super::contexts::{MAX_K, golomb_parameter};
use super::*;
use crate::testing::Random;

#[test]
fn parameters_of_8_bits_are_those_of_the_standard() {
    let parameters = Parameters::new(8, 0, Preset::default()).unwrap();
    assert_eq!(parameters.thresholds, [3, 7, 21]);
    assert_eq!((parameters.range, parameters.range_bits, parameters.limit, parameters.reset), (256, 8, 32, 64));
    let near = Parameters::new(8, 3, Preset::default()).unwrap();
    assert_eq!(near.thresholds, [12, 22, 42]);
    assert_eq!((near.range, near.range_bits, near.limit), (38, 6, 32));
}

#[test]
fn parameters_new_refuses_values_outside_the_limits() {
    let preset = |max_value, thresholds, reset| Preset { max_value, thresholds, reset };
    for (precision, near, preset) in [
        (1, 0, Preset::default()),
        (17, 0, Preset::default()),
        (8, 128, Preset::default()),
        (16, 256, Preset::default()),
        (8, 0, preset(256, [0; 3], 0)),
        (8, 0, preset(100, [101, 0, 0], 0)),
        (8, 3, preset(0, [3, 0, 0], 0)),
        (8, 0, preset(0, [9, 8, 0], 0)),
        (8, 0, preset(0, [9, 30, 29], 0)),
        (8, 0, preset(0, [0; 3], 2)),
        (8, 0, preset(0, [0; 3], 256)),
    ] {
        assert_eq!(Parameters::new(precision, near, preset), None, "{precision} bits, NEAR {near}, {preset:?}");
    }
    for (precision, near, preset) in [
        (2, 1, Preset::default()),
        (2, 0, preset(1, [0; 3], 0)),
        (8, 127, Preset::default()),
        (16, 255, preset(65535, [65535; 3], 65535)),
    ] {
        assert!(Parameters::new(precision, near, preset).is_some(), "{precision} bits, NEAR {near}, {preset:?}");
    }
}

/// Unstuffs bit by bit.
fn reference_bits(segment: &[u8]) -> Vec<bool> {
    let mut bits = Vec::new();
    for (index, byte) in segment.iter().enumerate() {
        let count = if index > 0 && segment[index - 1] == 0xFF { 7 } else { 8 };
        bits.extend((0..count).rev().map(|bit| byte >> bit & 1 == 1));
    }
    bits
}

#[test]
fn unstuff_any_bytes_equals_reference() {
    let mut random = Random(7);
    for length in 0..300 {
        for density in [2, 10, 1000] {
            let mut segment: Vec<u8> = (0..length).map(|_| (random.next() & 0xFF) as u8).collect();
            for byte in &mut segment {
                if random.below(density) == 0 {
                    *byte = 0xFF;
                }
            }
            let mut out = vec![0xA5; length + PADDING_BYTES];
            let bit_count = unstuff(&segment, &mut out);
            let bits = reference_bits(&segment);
            assert_eq!(bit_count, bits.len());
            let first = stuffing::ZERO_BYTES + bit_count.div_ceil(8);
            let stored = |index: usize| out[first - 1 - index / 8] >> (7 - index % 8) & 1 == 1;
            assert!((0..bit_count).all(|index| stored(index) == bits[index]), "{segment:x?}");
            assert!((bit_count..first * 8).all(|index| !stored(index)), "padding is zero");
        }
    }
}

#[test]
fn stuffed_offset_counts_seven_bits_after_ff() {
    let segment = [1, 0xFF, 0x7F, 2];
    let offsets: Vec<_> = [0, 7, 8, 15, 16, 22, 23, 30, 31].map(|bit| stuffed_offset(&segment, bit)).into();
    assert_eq!(offsets, [0, 0, 1, 1, 2, 2, 3, 3, 4]);
}

#[test]
fn find_marker_at_every_index_is_found() {
    for length in [2, 3, 63, 64, 65, 66, 129, 200] {
        for index in 0..length - 1 {
            let mut bytes = [0xFF, 0x7F].repeat(length);
            bytes.truncate(length);
            bytes[index] = 0xFF;
            bytes[index + 1] = 0x80;
            for from in 0..=length {
                let expected = (from..length - 1).find(|index| bytes[*index] == 0xFF && bytes[index + 1] >= 0x80);
                assert_eq!(find_marker(&bytes, from), expected);
            }
        }
    }
    assert_eq!(find_marker(&[0xFF], 0), None);
    assert_eq!(find_marker(&[0xFF], 5), None);
}

#[test]
fn golomb_parameter_is_the_smallest_that_reaches_the_sum() {
    let mut random = Random(3);
    for _ in 0..100_000 {
        let (count_bits, sum_bits) = (1 + random.below(16), 1 + random.below(31));
        let count = u32::try_from(1 + random.below(1 << count_bits)).unwrap();
        let sum = u32::try_from(random.below(1 << sum_bits)).unwrap();
        let expected = (0..MAX_K).find(|k| u64::from(count) << k >= u64::from(sum)).unwrap_or(MAX_K);
        assert_eq!(golomb_parameter(sum, count), expected, "{sum} / {count}");
    }
}
