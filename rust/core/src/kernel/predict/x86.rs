//! The portable loops compiled for x86-64-v3.

use super::scalar;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    scalar::first_row(row, components, initial);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8) {
    scalar::rows(rows, above, components, selection_value);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn store(samples: &[u16], shift: u32, mask: u16, out: &mut [u8], sample_bytes: usize, stride: usize) {
    scalar::store(samples, shift, mask, out, sample_bytes, stride);
}
