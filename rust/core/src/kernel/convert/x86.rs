//! The portable loops, compiled for x86-64-v3. FMA is not enabled: a fused multiply-add would round once instead of twice.

use super::sample::{Float, Integer};
use super::{Rescale, scalar};
use crate::lookup_table::LookupTable;
use crate::sample::SamplesMut;
use crate::value_ranges::ValueRanges;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn from_integer<S: Integer>(src: &[u8], rescale: Option<Rescale>, out: SamplesMut<'_>) -> Result<(), usize> {
    scalar::from_integer::<S>(src, rescale, out)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn from_float<S: Float>(src: &[u8], rescale: Option<Rescale>, out: SamplesMut<'_>) -> Result<(), usize> {
    scalar::from_float::<S>(src, rescale, out)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn look_up<S: Integer>(src: &[u8], table: &LookupTable, out: SamplesMut<'_>) -> Result<(), usize> {
    scalar::look_up::<S>(src, table, out)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn map_integers<S: Integer>(src: &[u8], ranges: &ValueRanges, out: SamplesMut<'_>) -> Result<(), usize> {
    scalar::map_integers::<S>(src, ranges, out)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn map_floats<S: Float>(src: &[u8], ranges: &ValueRanges, out: SamplesMut<'_>) -> Result<(), usize> {
    scalar::map_floats::<S>(src, ranges, out)
}
