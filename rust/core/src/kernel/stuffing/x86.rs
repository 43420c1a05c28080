//! The portable loops compiled for x86-64-v3.

use super::scalar;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    scalar::find_marker(src, from)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    scalar::unstuff(src, out)
}
