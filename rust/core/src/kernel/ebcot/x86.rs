//! The portable passes compiled for BMI2 (shifts without the flags, bit scans) and AVX2.

use super::bitmaps::Bitmaps;
use super::coefficients::Planes;
use super::contexts::ZeroCodingTable;
use super::mq::MqRegisters;
use super::scalar;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn significance(
    bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
) -> MqRegisters {
    scalar::significance(bitmaps, registers, data, table)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn significance_raw(bitmaps: Bitmaps<'_>, position: usize, data: &[u8]) -> usize {
    scalar::significance_raw(bitmaps, position, data)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refinement(bitmaps: Bitmaps<'_>, registers: MqRegisters, data: &[u8]) -> MqRegisters {
    scalar::refinement(bitmaps, registers, data)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn refinement_raw(bitmaps: Bitmaps<'_>, position: usize, data: &[u8]) -> usize {
    scalar::refinement_raw(bitmaps, position, data)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn cleanup(
    bitmaps: Bitmaps<'_>,
    registers: MqRegisters,
    data: &[u8],
    table: &ZeroCodingTable,
    is_first: bool,
) -> MqRegisters {
    scalar::cleanup(bitmaps, registers, data, table, is_first)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn store(planes: &Planes<'_>, out: &mut [i32], stride: usize) {
    scalar::store(planes, out, stride);
}
