//! Native samples (PS3.5 8.1, 8.2): little or big endian, packed bits, planes, 4:2:2 subsampled colour differences.

use super::{CodecState, FrameContext, FrameDecoder, FrameFormat, too_short};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result, truncated, unsupported};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::kernel::{bits, interleave, stored_bits, ybr};
use crate::output::Output;
use crate::syntax::TransferSyntax;
use crate::value::Value;
use std::ops::Range;

pub(super) struct Native;

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

impl FrameFormat for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[
            TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN,
            TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            TransferSyntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
            TransferSyntax::EXPLICIT_VR_BIG_ENDIAN,
            TransferSyntax::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        ]
    }

    fn starts_frame(&self, _: &[u8], fragment_bytes: usize, info: &FrameInfo) -> bool {
        fragment_bytes as u64 * 8 >= frame_bits(info)
    }

    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        frame_bits(info).div_ceil(8)
    }

    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
        let min_bytes = self.min_frame_bytes(info);
        let error = subsampled_error(info, frame.len() as u128, min_bytes.into());
        error.or_else(|| Some(too_short(frame, min_bytes)))
    }
}

impl FrameDecoder for Native {
    type Header = ();

    const CODESTREAM: Option<CodestreamFormat> = None;

    fn read_header(&self, _: FrameBytes<'_>, _: &FrameContext<'_>) -> Result<(Option<CodestreamInfo>, ())> {
        Ok((None, ()))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        (): (),
        context: &FrameContext<'_>,
        _: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        let info = context.info;
        let needed_bits = frame_bits(info) + u64::from(frame.offset_bits);
        let needed = usize::try_from(needed_bits.div_ceil(8)).unwrap_or(usize::MAX);
        let Some(src) = frame.bytes.get(..needed) else {
            let found = frame.bytes.len();
            let error = || truncated(format!("frame has {found} bytes, {needed} expected"), "PS3.5 8.1.1").at(found);
            return Err(subsampled_error(info, found as u128, needed as u128).unwrap_or_else(error));
        };
        let swap = context.syntax.is_big_endian();
        if info.is_bit_packed() {
            unpack(src, frame.offset_bits, output)?;
        } else if info.is_native_422() {
            expand_422(src, swap, info, output)?;
        } else if info.samples_per_pixel() > 1 && info.attributes().planar_configuration == 1 {
            interleave_planes(src, swap, info, output)?;
        } else {
            output.write(src, swap)?;
        }
        Ok(Decoded { code_path: output.cpu_level().name(), ..Decoded::default() })
    }

    /// True if the samples of the frame are stored one by one and interleaved.
    fn can_decode_range(&self, info: &FrameInfo) -> bool {
        let is_planar = info.samples_per_pixel() > 1 && info.attributes().planar_configuration == 1;
        !(info.is_bit_packed() || info.is_native_422() || is_planar)
    }

    fn decode_range(
        &self,
        value: Value<'_>,
        range: Range<usize>,
        context: &FrameContext<'_>,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        let sample_bytes = context.info.sample_bytes();
        let pixel_bytes = sample_bytes * context.info.samples_per_pixel();
        let cpu_level = output.cpu_level();
        let mut offset = range.start;
        while output.pixels_left() > 0 {
            let block = output.block(READ_BYTES / pixel_bytes)?;
            let pixels = block.len() / pixel_bytes;
            value.read(offset..offset + block.len(), block)?;
            offset += block.len();
            if context.syntax.is_big_endian() {
                stored_bits::swap_bytes(block, sample_bytes, cpu_level);
            }
            output.commit(pixels)?;
        }
        Ok(Decoded { code_path: cpu_level.name(), ..Decoded::default() })
    }
}

/// Bytes of one read from a file: large against the cost of a system call, small enough to be finished in cache.
const READ_BYTES: usize = 128 * 1024;
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
