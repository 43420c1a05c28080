//! Colour conversion of `YBR_FULL` to RGB.

use crate::error::{Result, output};
use crate::kernel::CpuLevel;
use crate::kernel::ybr;

/// Converts 8-bit `YBR_FULL` pixels (Y, Cb, Cr interleaved) to RGB in place. The values equal those of pydicom.
///
/// # Errors
/// `Output` unless `pixels.len()` is a multiple of 3.
///
/// # Standard
/// PS3.3 C.7.6.3.1.2.
pub fn full_to_rgb(pixels: &mut [u8], level: CpuLevel) -> Result<()> {
    if !pixels.len().is_multiple_of(3) {
        let message = format!("{} samples found, a multiple of 3 expected", pixels.len());
        return Err(output(message, "PS3.3 C.7.6.3.1.2"));
    }
    ybr::full_to_rgb(pixels, level);
    Ok(())
}
