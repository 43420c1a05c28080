//! Every CPU level against T.81 Table H.1, one sample at a time in `i64`.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples are modulo 2^16")]

use super::*;
use crate::testing::miri_or;

/// Samples of `differences`, in rows of `row_len`. Without `above` the first row is the first line of an interval.
fn reference(
    differences: &[u16],
    row_len: usize,
    components: usize,
    selection_value: u8,
    above: Option<&[u16]>,
    initial: u16,
) -> Vec<u16> {
    let mut samples: Vec<u16> = Vec::new();
    for (index, difference) in differences.iter().enumerate() {
        let (row, column) = (index / row_len, index % row_len);
        let up = |back: usize| match (row, above) {
            (0, above) => i64::from(above.unwrap()[column - back]),
            _ => i64::from(samples[index - row_len - back]),
        };
        let prediction = match (column < components, row == 0 && above.is_none()) {
            (true, true) => i64::from(initial),
            (true, false) => up(0),
            (false, true) => i64::from(samples[index - components]),
            (false, false) => {
                let (ra, rb, rc) = (i64::from(samples[index - components]), up(0), up(components));
                match selection_value {
                    1 => ra,
                    2 => rb,
                    3 => rc,
                    4 => ra + rb - rc,
                    5 => ra + ((rb - rc) >> 1),
                    6 => rb + ((ra - rc) >> 1),
                    _ => (ra + rb) >> 1,
                }
            }
        };
        samples.push((prediction + i64::from(*difference)).rem_euclid(1 << 16) as u16);
    }
    samples
}

/// Noise: any 16 bits, small differences, or extreme values.
fn noise(len: usize, seed: usize, kind: usize) -> Vec<u16> {
    let mut state = seed as u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 40) as u16;
        match kind % 3 {
            0 => random,
            1 => (random % 31).wrapping_sub(15),
            _ => [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 0xFFFF][usize::from(random % 8)],
        }
    })
    .take(len)
    .collect()
}

fn check_first_row(differences: &[u16], components: usize, initial: u16) {
    let expected = reference(differences, differences.len().max(1), components, 1, None, initial);
    for level in CpuLevel::available() {
        let mut row = differences.to_vec();
        first_row(&mut row, components, initial, level);
        assert!(row == expected, "{} samples, {components} components, {}", row.len(), level.name());
    }
}

fn check_rows(differences: &[u16], above: &[u16], components: usize) {
    for selection_value in 1..=7 {
        let expected = reference(differences, above.len(), components, selection_value, Some(above), 0);
        for level in CpuLevel::available() {
            let mut samples = differences.to_vec();
            rows(&mut samples, above, components, selection_value, level);
            let wrong = samples.iter().zip(&expected).position(|(sample, expected)| sample != expected);
            assert_eq!(
                wrong,
                None,
                "selection value {selection_value}, {components} components, {} of {}, {}",
                samples.len(),
                above.len(),
                level.name()
            );
        }
    }
}

#[test]
fn first_row_any_width_equals_reference() {
    for components in 1..=4 {
        for pixels in (0..=70).step_by(miri_or(1, 7)).chain([128, 511, miri_or(1000, 257)]) {
            for kind in 0..3 {
                check_first_row(&noise(pixels * components, pixels, kind), components, 0x8000 >> kind);
            }
        }
    }
}

#[test]
fn rows_any_selection_value_width_and_count_equals_reference() {
    for components in 1..=4 {
        for columns in (1..=70).step_by(miri_or(1, 11)).chain([miri_or(127, 72), miri_or(300, 71)]) {
            let row_len = columns * components;
            for count in if columns > 70 { 17..miri_or(20, 18) } else { 0..miri_or(20, 3) } {
                let kind = columns + count;
                check_rows(&noise(row_len * count, kind, kind), &noise(row_len, kind + 9, kind), components);
            }
        }
    }
}

#[test]
fn rows_extreme_neighbours_equals_reference() {
    let edges: Vec<u16> =
        [0, 1, 2, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF].into_iter().step_by(miri_or(1, 4)).collect();
    for &left in &edges {
        for &above in &edges {
            for &corner in &edges {
                let above: Vec<u16> = [corner, above].repeat(miri_or(30, 5));
                let differences: Vec<u16> = [left.wrapping_sub(corner), left].repeat(miri_or(30 * 9, 5 * 2));
                check_rows(&differences, &above, 1);
            }
        }
    }
}

#[test]
fn rows_partial_last_row_equals_reference() {
    for components in 1..=4 {
        for row_len in (1..=40).step_by(miri_or(1, 13)) {
            check_first_row(&noise(row_len, 3, 0), components, 77);
            for len in (0..100).step_by(miri_or(1, 9)) {
                check_rows(&noise(len, row_len, 0), &noise(row_len, len, 0), components);
            }
        }
    }
    for level in CpuLevel::available() {
        rows(&mut [], &[], 1, 1, level);
        rows(&mut [], &[1, 2, 3], 1, 7, level);
        let mut untouched = [1, 2, 3];
        rows(&mut untouched, &[], 1, 4, level);
        assert_eq!(untouched, [1, 2, 3]);
        first_row(&mut [], 3, 5, level);
    }
}

#[test]
fn store_shifted_masked_and_strided_equals_reference() {
    let samples = noise(75, 1, 0);
    for stride in (1..=6).step_by(miri_or(1, 2)) {
        for sample_bytes in [1, 2] {
            for (len, count) in [(0, 75), (75 * 6 * 2 + 9, 75), (100, 75), (101, 75), (102, 75), (103, 75), (300, 0)] {
                for (shift, mask) in [(0, 0xFFFF), (0, 0x0FFF), (4, 0xFFFF), (3, 0x00FF), (15, 0xFFFF), (16, 0xFFFF)] {
                    let mut expected = vec![0xA5; len];
                    for (i, sample) in samples[..count].iter().enumerate() {
                        let value = (u64::from(*sample) << shift) as u16 & mask;
                        let offset = i * stride * sample_bytes;
                        if let Some(stored) = expected.get_mut(offset..offset + sample_bytes) {
                            stored.copy_from_slice(&value.to_le_bytes()[..sample_bytes]);
                        }
                    }
                    for level in CpuLevel::available() {
                        let mut out = vec![0xA5; len];
                        store(&samples[..count], shift, mask, &mut out, sample_bytes, stride, level);
                        assert!(out == expected, "{sample_bytes} bytes, stride {stride}, {len}, {}", level.name());
                    }
                }
            }
        }
    }
}
