//! Native samples (PS3.5 8.1, 8.2): little or big endian, packed bits, planes, colour differences at half resolution.

use super::{Codec, FrameContext, Scratch};
use crate::error::{Result, truncated, unsupported};
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

impl Codec for Native {
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

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
        _: &mut Scratch,
        sink: &mut Output<'_>,
    ) -> Result<Decoded> {
        let info = context.info;
        let needed =
            usize::try_from((frame_bits(info) + u64::from(frame.offset_bits)).div_ceil(8)).unwrap_or(usize::MAX);
        let Some(src) = frame.bytes.get(..needed) else {
            return Err(truncated(format!("{} bytes found, {needed} expected", frame.bytes.len()), "PS3.5 8.1.1")
                .at(frame.bytes.len()));
        };
        let swap = context.syntax.is_big_endian();
        if info.is_bit_packed() {
            unpack(src, frame.offset_bits, sink)?;
        } else if info.is_native_422() {
            expand_422(src, swap, info, sink)?;
        } else if info.samples_per_pixel() > 1 && info.attributes().planar_configuration == 1 {
            interleave_planes(src, swap, info, sink)?;
        } else {
            sink.write(src, swap)?;
        }
        Ok(Decoded { path: sink.tier().name(), ..Decoded::default() })
    }

    /// Where each sample stands for itself.
    fn reads(&self, info: &FrameInfo) -> bool {
        let is_planar = info.samples_per_pixel() > 1 && info.attributes().planar_configuration == 1;
        !(info.is_bit_packed() || info.is_native_422() || is_planar)
    }

    fn read(
        &self,
        value: Value<'_>,
        place: Range<usize>,
        context: &FrameContext<'_>,
        sink: &mut Output<'_>,
    ) -> Result<Decoded> {
        let n = context.info.sample_bytes();
        let pixel_bytes = n * context.info.samples_per_pixel();
        let tier = sink.tier();
        let mut at = place.start;
        while sink.pixels_left() > 0 {
            // Small enough to be finished in cache.
            let block = sink.block(READ_BYTES / pixel_bytes);
            let pixels = block.len() / pixel_bytes;
            value.read(at..at + block.len(), block)?;
            at += block.len();
            if context.syntax.is_big_endian() {
                stored_bits::swap_bytes(block, n, tier);
            }
            sink.commit(pixels)?;
        }
        Ok(Decoded { path: tier.name(), ..Decoded::default() })
    }
}

/// What is read of a file at once: much more than a call to the system costs, much less than a cache holds.
const READ_BYTES: usize = 128 * 1024;

fn unpack(src: &[u8], offset_bits: u32, sink: &mut Output<'_>) -> Result<()> {
    let mut at = offset_bits as usize;
    while sink.pixels_left() > 0 {
        let tier = sink.tier();
        let block = sink.block(usize::MAX);
        let pixels = block.len();
        let within = u32::try_from(at % 8).unwrap_or_default();
        bits::unpack(src.get(at / 8..).unwrap_or_default(), within, block, tier);
        sink.commit(pixels)?;
        at += pixels;
    }
    Ok(())
}

/// A pair of pixels shares its colour differences, so a block holds whole pairs.
fn expand_422(src: &[u8], swap: bool, info: &FrameInfo, sink: &mut Output<'_>) -> Result<()> {
    if !info.pixels().is_multiple_of(2) {
        return Err(unsupported("YBR_FULL_422 with an odd number of pixels", "PS3.3 C.7.6.3.1.2"));
    }
    let n = info.sample_bytes();
    let mut rest = src;
    while sink.pixels_left() > 0 {
        let tier = sink.tier();
        let block = sink.block(usize::MAX);
        let pairs = block.len() / (6 * n);
        let block = block.get_mut(..pairs * 6 * n).unwrap_or_default();
        let (part, after) = rest.split_at_checked(pairs * 4 * n).unwrap_or((rest, &[]));
        ybr::expand_422(part, n, block, tier);
        if swap {
            stored_bits::swap_bytes(block, n, tier);
        }
        sink.commit(pairs * 2)?;
        rest = after;
    }
    Ok(())
}

fn interleave_planes(src: &[u8], swap: bool, info: &FrameInfo, sink: &mut Output<'_>) -> Result<()> {
    let n = info.sample_bytes();
    let planes: Vec<&[u8]> = src.chunks_exact(info.pixels() * n).collect();
    let mut parts = Vec::with_capacity(planes.len());
    let mut at = 0;
    while sink.pixels_left() > 0 {
        let tier = sink.tier();
        // In blocks even where the whole frame may be had: the planes are far apart.
        let block = sink.block(16 * 1024);
        let pixels = block.len() / (n * planes.len());
        parts.clear();
        parts.extend(planes.iter().filter_map(|plane| plane.get(at * n..(at + pixels) * n)));
        interleave::interleave(&parts, n, block, tier);
        if swap {
            stored_bits::swap_bytes(block, n, tier);
        }
        sink.commit(pixels)?;
        at += pixels;
    }
    Ok(())
}
