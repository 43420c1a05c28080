//! The portable loops, compiled for x86-64-v3.

use super::scalar::{self, Sample, SampleRange};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store_integers<T: Sample>(words: &[i32], samples: &mut [T], range: SampleRange) {
    scalar::store_integers(words, samples, range);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store_floats<T: Sample>(values: &[f32], samples: &mut [T], range: SampleRange) {
    scalar::store_floats(values, samples, range);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store_reversible<T: Sample>(words: [&[i32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3]) {
    scalar::store_reversible(words, samples, ranges);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store_irreversible<T: Sample>(values: [&[f32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3]) {
    scalar::store_irreversible(values, samples, ranges);
}
