//! Every CPU level against one byte at a time.
#![allow(clippy::cast_possible_truncation, reason = "test data are any bytes")]

use super::*;
use crate::testing::miri_or;
use proptest::prelude::*;

/// Checks the unstuffed bytes of `src`, and the first marker from each index on.
fn check(src: &[u8]) {
    let mut expected = Vec::new();
    for (index, byte) in src.iter().enumerate() {
        if *byte != 0 || index == 0 || src[index - 1] != 0xFF {
            expected.push(*byte);
        }
    }
    for level in CpuLevel::available() {
        for more in [0, 1, 31, 32, 100] {
            let mut out = vec![0xA5; src.len() + more];
            let written = unstuff(src, &mut out, level);
            assert!(out[..written] == expected, "{} bytes, {}", src.len(), level.name());
        }
        let mut expected_marker = None;
        for from in (0..src.len() + 2).rev() {
            if src.get(from) == Some(&0xFF) && src.get(from + 1) != Some(&0) {
                expected_marker = Some(from);
            }
            assert_eq!(
                find_marker(src, from, level),
                expected_marker,
                "from {from} of {}, {}",
                src.len(),
                level.name()
            );
        }
    }
}

#[test]
fn unstuff_ff_at_every_index_equals_reference() {
    for len in (0..140).step_by(miri_or(1, 37)) {
        let plain: Vec<u8> = (0..len).map(|index| (index % 3) as u8 * 0x70).collect();
        check(&plain);
        for index in (0..len).step_by(miri_or(1, 17)) {
            for tail in [&[0][..], &[0, 0xFF], &[0, 0xFF, 0], &[0, 0], &[0xFF, 0], &[0xD9], &[0xFF, 0xFF, 0, 0xFF]]
                .into_iter()
                .step_by(miri_or(1, 3))
            {
                let mut src = plain.clone();
                src[index] = 0xFF;
                for (byte, tail) in src[index + 1..].iter_mut().zip(tail) {
                    *byte = *tail;
                }
                check(&src);
            }
        }
    }
}

#[test]
fn unstuff_densest_data_equals_reference() {
    for len in (0..200).step_by(miri_or(1, 33)) {
        check(&vec![0xFF; len]);
        check(&vec![0; len]);
        check(&[0xFF, 0].repeat(len));
        check(&[0, 0xFF].repeat(len));
    }
}

#[test]
fn unstuff_short_output_stays_within_it() {
    let src = [1, 0xFF, 0, 2, 3].repeat(30);
    for level in CpuLevel::available() {
        for len in (0..src.len()).step_by(miri_or(1, 7)) {
            let mut out = vec![0; len];
            assert!(unstuff(&src, &mut out, level) <= len);
        }
    }
}

proptest! {
    #[test]
    fn unstuff_any_bytes_equals_reference(
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 0..500),
        plain in 1_u8..=255,
    ) {
        let src: Vec<u8> = choices
            .iter()
            .map(|(byte, choice)| match choice {
                choice if *choice < plain => *byte,
                choice if choice % 2 == 0 => 0xFF,
                _ => 0,
            })
            .collect();
        check(&src);
    }

    #[test]
    fn unstuff_stuffed_data_gives_the_data(data in prop::collection::vec(prop_oneof![9 => any::<u8>(), 1 => Just(0xFF)], 0..2000)) {
        let mut stuffed = Vec::new();
        for byte in &data {
            stuffed.push(*byte);
            if *byte == 0xFF {
                stuffed.push(0);
            }
        }
        for level in CpuLevel::available() {
            let mut out = vec![0; stuffed.len()];
            prop_assert_eq!(find_marker(&stuffed, 0, level), None);
            let written = unstuff(&stuffed, &mut out, level);
            prop_assert_eq!(&out[..written], &data[..]);
        }
    }
}
