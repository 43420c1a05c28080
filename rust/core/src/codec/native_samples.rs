//! Layouts of uncompressed samples (PS3.5 8.1, 8.2): one by one, packed bits, planes, 4:2:2 subsampled colour differences.

use crate::error::{DecodeError, Result, unsupported};
use crate::frame::FrameInfo;
use crate::kernel::{bits, interleave, stored_bits, ybr};
use crate::output::Output;

/// Bits of one native frame.
pub(crate) fn frame_bits(info: &FrameInfo) -> u64 {
    let samples = if info.is_native_422() { info.pixels() as u64 * 2 } else { info.samples() as u64 };
    samples * u64::from(info.attributes().bits_allocated)
}

/// Returns the error of `found` bytes where `expected` bytes are needed, if they may be the subsampled samples of
/// YBR_PARTIAL, which are not decoded.
pub(crate) fn subsampled_error(info: &FrameInfo, found: u128, expected: u128) -> Option<DecodeError> {
    let is_subsampled = info.is_ybr_partial() && found < expected && found * 2 >= expected;
    is_subsampled.then(|| {
        let text = format!("{found} bytes found: subsampled native YBR_PARTIAL samples are not decoded");
        unsupported(text, "PS3.3 C.7.6.3.1.2")
    })
}

/// True if the samples of a frame are stored one by one, those of a pixel after one another.
pub(super) fn is_plain(info: &FrameInfo) -> bool {
    let is_planar = info.samples_per_pixel() > 1 && info.attributes().planar_configuration == 1;
    !(info.is_bit_packed() || info.is_native_422() || is_planar)
}

/// Writes the samples of a frame, which begin at bit `offset_bits` of `src`, to `output`. Reverses the bytes of each
/// sample if `swap`.
///
/// # Errors
/// `Unsupported` for YBR_FULL_422 with an odd number of pixels; the errors of `output`.
pub(super) fn write_samples(
    src: &[u8],
    offset_bits: u32,
    swap: bool,
    info: &FrameInfo,
    output: &mut Output<'_>,
) -> Result<()> {
    if info.is_bit_packed() {
        unpack(src, offset_bits, output)
    } else if info.is_native_422() {
        expand_422(src, swap, info, output)
    } else if info.samples_per_pixel() > 1 && info.attributes().planar_configuration == 1 {
        interleave_planes(src, swap, info, output)
    } else {
        output.write(src, swap)
    }
}

/// Pixels of a block that is gathered from planes. They are far apart, so blocks are small even if the whole output is
/// available.
const PLANAR_BLOCK_PIXELS: usize = 16 * 1024;

/// Unpacks samples of one bit, from bit `offset_bits` of `src`.
fn unpack(src: &[u8], offset_bits: u32, output: &mut Output<'_>) -> Result<()> {
    let mut bit_offset = offset_bits as usize;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(usize::MAX)?;
        let pixels = block.len();
        #[expect(clippy::cast_possible_truncation, reason = "0 to 7")]
        bits::unpack(src.get(bit_offset / 8..).unwrap_or_default(), (bit_offset % 8) as u32, block, cpu_level);
        output.commit(pixels)?;
        bit_offset += pixels;
    }
    Ok(())
}

/// Expands Y1 Y2 Cb Cr to two pixels. A block holds whole pairs of pixels.
fn expand_422(src: &[u8], swap: bool, info: &FrameInfo, output: &mut Output<'_>) -> Result<()> {
    if !info.pixels().is_multiple_of(2) {
        return Err(unsupported("YBR_FULL_422 with an odd number of pixels", "PS3.3 C.7.6.3.1.2"));
    }
    let sample_bytes = info.sample_bytes();
    let mut rest = src;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(usize::MAX)?;
        let pairs = block.len() / (6 * sample_bytes);
        let (block, _) = block.split_at_mut(pairs * 6 * sample_bytes);
        let (coded, after) = rest.split_at_checked(pairs * 4 * sample_bytes).unwrap_or((rest, &[]));
        ybr::expand_422(coded, sample_bytes, block, cpu_level);
        if swap {
            stored_bits::swap_bytes(block, sample_bytes, cpu_level);
        }
        output.commit(pairs * 2)?;
        rest = after;
    }
    Ok(())
}

/// Gathers the samples of each pixel from planes (planar configuration 1).
fn interleave_planes(src: &[u8], swap: bool, info: &FrameInfo, output: &mut Output<'_>) -> Result<()> {
    let sample_bytes = info.sample_bytes();
    let planes: Vec<&[u8]> = src.chunks_exact(info.pixels() * sample_bytes).collect();
    let mut parts = Vec::with_capacity(planes.len());
    let mut first_pixel = 0;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(PLANAR_BLOCK_PIXELS)?;
        let pixels = block.len() / (sample_bytes * planes.len());
        let range = first_pixel * sample_bytes..(first_pixel + pixels) * sample_bytes;
        parts.clear();
        parts.extend(planes.iter().filter_map(|plane| plane.get(range.clone())));
        interleave::interleave(&parts, sample_bytes, block, cpu_level);
        if swap {
            stored_bits::swap_bytes(block, sample_bytes, cpu_level);
        }
        output.commit(pixels)?;
        first_pixel += pixels;
    }
    Ok(())
}
