//! Every CPU level against a reference in `i128`, one sample at a time.
#![allow(clippy::cast_possible_truncation, reason = "casts whose range the test itself chooses")]

use super::*;
use crate::testing::miri_or;
use proptest::prelude::*;

/// Reference: the bytes of one extracted sample.
fn oracle(sample: &[u8], swap: bool, stored: Option<StoredBits>) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    if swap {
        bytes.reverse();
    }
    if let Some(stored) = stored {
        let word = bytes.iter().rev().fold(0_i128, |word, byte| word << 8 | i128::from(*byte));
        let mut value = (word >> stored.shift) % (1 << stored.bits);
        if stored.signed && value >= 1 << (stored.bits - 1) {
            value -= 1 << stored.bits;
        }
        bytes = value.to_le_bytes()[..sample.len()].to_vec();
    }
    bytes
}

/// Checks that the copy and the in-place functions equal the reference at every level.
fn check(src: &[u8], sample_bytes: usize, swapped: bool, stored: Option<StoredBits>) {
    let expected: Vec<u8> = src.chunks(sample_bytes).flat_map(|sample| oracle(sample, swapped, stored)).collect();
    for level in CpuLevel::available() {
        let mut out = vec![0xA5; src.len()];
        extract(src, &mut out, sample_bytes, swapped, stored, level);
        assert_eq!(out, expected, "extract, {}", level.name());
        let mut out = src.to_vec();
        if swapped {
            swap_bytes(&mut out, sample_bytes, level);
        }
        if let Some(stored) = stored {
            extract_in_place(&mut out, sample_bytes, stored, level);
        }
        assert_eq!(out, expected, "in place, {}", level.name());
    }
}

#[test]
fn extract_every_depth_and_shift_equals_reference() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(8 * miri_or(37, 2))
    .collect();
    for sample_bytes in [1, 2, 4, 8] {
        let width = sample_bytes * 8;
        for bits in (1..=width).step_by(miri_or(1, 11)) {
            for shift in (0..=width - bits).step_by(miri_or(1, 13)) {
                for signed in [false, true] {
                    let stored = StoredBits { shift: shift as u32, bits: bits as u32, signed };
                    check(&noise, sample_bytes, shift % 2 == 1, Some(stored));
                }
            }
        }
    }
}

#[test]
fn extract_signed_edge_values_extends_sign() {
    let stored = Some(StoredBits { shift: 4, bits: 8, signed: true });
    let src = [0x0000_u16, 0x0FFF, 0x07FF, 0x0800, 0xF800, 0xF7FF, 0xFFFF, 0x000F];
    let out: Vec<i16> = src.map(|_| 0).to_vec();
    for level in CpuLevel::available() {
        let mut out = out.clone();
        extract(bytemuck::cast_slice(&src), bytemuck::cast_slice_mut(&mut out), 2, false, stored, level);
        assert_eq!(out, [0, -1, 127, -128, -128, 127, -1, 0]);
    }
}

proptest! {
    #[test]
    fn extract_random_samples_equals_reference(
        src in prop::collection::vec(any::<u8>(), 0..300),
        size in 0_u32..4,
        depth in any::<prop::sample::Index>(),
        shift in any::<prop::sample::Index>(),
        signed: bool,
        swapped: bool,
        has_unused_bits: bool,
    ) {
        let sample_bytes = 1_usize << size;
        let src = &src[..src.len() / sample_bytes * sample_bytes];
        let bits = 1 + depth.index(sample_bytes * 8);
        let shift = shift.index(sample_bytes * 8 - bits + 1);
        let stored = StoredBits { shift: shift as u32, bits: bits as u32, signed };
        check(src, sample_bytes, swapped, has_unused_bits.then_some(stored));
    }
}
