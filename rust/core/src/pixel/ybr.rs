//! `YBR_FULL` → RGB.

use crate::CpuLevel;
use crate::error::{Result, output};
use crate::kernel::ybr;

/// Converts 8-bit `YBR_FULL` pixels (Y, Cb, Cr side by side) to RGB in place, with the values of pydicom's conversion.
///
/// # Errors
/// `Output` where `pixels` is not a whole number of pixels.
///
/// # Standard
/// PS3.3 C.7.6.3.1.2.
pub fn full_to_rgb(pixels: &mut [u8], tier: CpuLevel) -> Result<()> {
    if !pixels.len().is_multiple_of(3) {
        let message = format!("{} samples found, three to a pixel expected", pixels.len());
        return Err(output(message, "PS3.3 C.7.6.3.1.2"));
    }
    ybr::full_to_rgb(pixels, tier);
    Ok(())
}
