//! x86-64-v3.

use super::{Position, scalar};

/// As [`scalar::steps`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn steps(src: &[u8], at: Position, out: &mut [u8], want: usize) -> Position {
    scalar::steps(src, at, out, want)
}
