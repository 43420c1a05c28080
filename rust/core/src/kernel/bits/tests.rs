//! Every CPU level against a reference that reads one bit at a time.
#![allow(clippy::cast_possible_truncation, reason = "casts whose range the test itself chooses")]

use super::*;
use crate::testing::miri_or;
use proptest::prelude::*;

/// Reference: bits `offset_bits` to `offset_bits + count - 1` of `src`.
fn unpacked(src: &[u8], offset_bits: usize, count: usize) -> Vec<u8> {
    (offset_bits..offset_bits + count).map(|i| src[i / 8] >> (i % 8) & 1).collect()
}

/// Checks at every level that unpacking equals the reference, and that packing is its inverse.
fn check(src: &[u8], offset_bits: usize, count: usize) {
    // Exactly the bytes that hold the bits: a kernel must not read more.
    let src = &src[..(offset_bits + count).div_ceil(8)];
    let expected = unpacked(src, offset_bits, count);
    for level in CpuLevel::available() {
        let mut samples = vec![0xA5; count];
        unpack(src, offset_bits as u32, &mut samples, level);
        assert_eq!(samples, expected, "unpack, offset {offset_bits}, {}", level.name());
        let mut bytes = vec![0xA5; count.div_ceil(8)];
        pack(&samples, &mut bytes, level);
        let mut repacked = unpacked(&bytes, 0, bytes.len() * 8);
        assert!(repacked.drain(count..).all(|unused| unused == 0));
        assert_eq!(repacked, expected, "pack, {}", level.name());
    }
}

#[test]
fn unpack_and_pack_every_offset_and_length_equal_reference() {
    let noise: Vec<u8> = (0_u32..120).map(|i| (i.wrapping_mul(2_654_435_769) >> 24) as u8).collect();
    for offset_bits in 0..8 {
        for count in (0..600).step_by(miri_or(1, 71)) {
            check(&noise, offset_bits, count);
        }
    }
}

#[test]
fn pack_nonzero_byte_sets_bit() {
    let src: Vec<u8> = (0..=255).cycle().take(256 + 13).collect();
    for level in CpuLevel::available() {
        let mut bytes = vec![0; src.len().div_ceil(8)];
        pack(&src, &mut bytes, level);
        let expected: Vec<u8> = src.iter().map(|sample| u8::from(*sample != 0)).collect();
        assert_eq!(unpacked(&bytes, 0, src.len()), expected);
    }
}

proptest! {
    #[test]
    fn unpack_and_pack_random_bytes_equal_reference(src in prop::collection::vec(any::<u8>(), 1..300), offset_bits in 0_usize..8, unused_bits in 0_usize..8) {
        let count = (src.len() * 8 - offset_bits).saturating_sub(unused_bits);
        check(&src, offset_bits, count);
    }
}
