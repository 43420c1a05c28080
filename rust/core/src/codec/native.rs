//! Native frames (PS3.5 8.1, 8.2): uncompressed samples, little or big endian.

use super::native_samples::{frame_bits, is_plain, subsampled_error, write_samples};
use super::{CodecState, FrameContext, FrameDecoder, FrameFormat, too_short};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result, truncated};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::kernel::stored_bits;
use crate::output::Output;
use crate::syntax::TransferSyntax;
use crate::value::Value;
use std::ops::Range;

pub(super) struct Native;

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
        write_samples(src, frame.offset_bits, context.syntax.is_big_endian(), info, output)?;
        Ok(Decoded { code_path: output.cpu_level().name(), ..Decoded::default() })
    }

    fn can_decode_range(&self, info: &FrameInfo) -> bool {
        is_plain(info)
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
