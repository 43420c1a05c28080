//! The portable loops compiled for x86-64-v3.

use super::scalar;
use crate::frame::StoredBits;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn align(samples: &mut [u8], sample_bytes: usize, stored: StoredBits) {
    scalar::align(samples, sample_bytes, stored);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn align_copy(src: &[u8], out: &mut [u8], sample_bytes: usize, swap: bool, stored: Option<StoredBits>) {
    scalar::align_copy(src, out, sample_bytes, swap, stored);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn swap(samples: &mut [u8], sample_bytes: usize) {
    scalar::swap(samples, sample_bytes);
}
