//! AVX2 bodies.

use super::{Chroma, RgbConversion, scalar};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn write_pixels(luma: &[u8], chroma: Chroma<'_, u8>, conversion: Option<RgbConversion>, pixels: &mut [u8]) {
    scalar::write_pixels(luma, chroma, conversion, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn write_pixels_12(luma: &[u16], chroma: Chroma<'_, u16>, to_rgb: bool, pixels: &mut [u8]) {
    scalar::write_pixels_12(luma, chroma, to_rgb, pixels);
}
