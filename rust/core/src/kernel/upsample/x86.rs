//! AVX2 bodies: the portable loops, vectorised for AVX2.

use super::{FarRow, Sample, scalar};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn double_row<T: Sample>(samples: &[T], pixels: &mut [T]) {
    scalar::double_row(samples, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn vertical_sums<T: Sample>(near: &[T], far: &[T], sums: &mut [u16]) {
    scalar::vertical_sums(near, far, sums);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn double_sums<T: Sample>(sums: &[u16], pixels: &mut [T]) {
    scalar::double_sums(sums, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn between_rows<T: Sample>(near: &[T], far: &[T], far_row: FarRow, pixels: &mut [T]) {
    scalar::between_rows(near, far, far_row, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn repeat<T: Sample>(samples: &[T], ratio: usize, pixels: &mut [T]) {
    scalar::repeat(samples, ratio, pixels);
}
