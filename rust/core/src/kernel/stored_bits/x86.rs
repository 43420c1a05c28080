//! The portable loops, compiled for x86-64-v3.

use super::scalar;
use crate::sample::StoredBits;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn extract_in_place(samples: &mut [u8], sample_bytes: usize, stored: StoredBits) {
    scalar::extract_in_place(samples, sample_bytes, stored);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn extract(src: &[u8], out: &mut [u8], sample_bytes: usize, swap: bool, stored: Option<StoredBits>) {
    scalar::extract(src, out, sample_bytes, swap, stored);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn swap_bytes(samples: &mut [u8], sample_bytes: usize) {
    scalar::swap_bytes(samples, sample_bytes);
}
