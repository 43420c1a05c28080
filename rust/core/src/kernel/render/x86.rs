//! The portable loops, compiled for x86-64-v3.

use super::{IndexMap, Line, scalar};
use crate::kernel::convert::sample::{Float, Integer, Sample};
use crate::rendering::{Grayscale, PaletteEntries};
use crate::sample::SamplesMut;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn evaluate(values: &mut [f64], grayscale: &Grayscale) {
    scalar::evaluate(values, grayscale);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store(values: &[f64], out: SamplesMut<'_>) {
    scalar::store(values, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn map_values<S: Sample>(src: &[u8], grayscale: &Grayscale, out: SamplesMut<'_>) {
    scalar::map_values::<S>(src, grayscale, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn map_line(src: &[u8], sample_bytes: usize, line: &Line, out: &mut [u8]) {
    scalar::map_line(src, sample_bytes, line, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn look_up(
    src: &[u8],
    sample_bytes: usize,
    indices: IndexMap,
    entries: &PaletteEntries,
    out: SamplesMut<'_>,
) {
    scalar::look_up(src, sample_bytes, indices, entries, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn integer_extremes<S: Integer>(src: &[u8], padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    scalar::integer_extremes::<S>(src, padding)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn float_extremes<S: Float>(src: &[u8], padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    scalar::float_extremes::<S>(src, padding)
}
