//! The portable loops, compiled for x86-64-v4: 5/3 takes 0.7 times as long as at v3, 9/7 0.8 times.

use super::scalar::{self, Scales};

#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"
)]
pub(super) fn filter_row_53(low: &[i32], high: &[i32], starts_high: bool, scratch: &mut [i32], out: &mut [i32]) {
    scalar::filter_row_53(low, high, starts_high, scratch, out);
}

#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"
)]
pub(super) fn filter_row_97(
    low: &[f32],
    high: &[f32],
    starts_high: bool,
    scales: Scales,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    scalar::filter_row_97(low, high, starts_high, scales, scratch, out);
}

#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"
)]
pub(super) fn lift_row_53(step: usize, row: &mut [i32], above: &[i32], below: &[i32]) {
    scalar::lift_row_53(step, row, above, below);
}

#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"
)]
pub(super) fn lift_row_97(step: usize, row: &mut [f32], above: &[f32], below: &[f32]) {
    scalar::lift_row_97(step, row, above, below);
}

#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"
)]
pub(super) fn lift_rows_53(odd: &[i32], even: &mut [i32], lifted_odd: &mut [i32], lifted_even: &[i32]) {
    scalar::lift_rows_53(odd, even, lifted_odd, lifted_even);
}

#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"
)]
pub(super) fn lift_rows_97(a: &[f32], b: &mut [f32], c: &mut [f32], d: &mut [f32], e: &mut [f32], f: &[f32]) {
    scalar::lift_rows_97(a, b, c, d, e, f);
}
