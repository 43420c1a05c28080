//! The portable body compiled for x86-64-v3: vectors of 32 bytes for contexts, and BMI2 for codes.

use super::{Scan, scalar};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn encode_line(scan: &mut Scan) {
    scalar::encode_line(scan);
}
