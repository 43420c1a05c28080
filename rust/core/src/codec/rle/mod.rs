//! RLE Lossless (PS3.5 Annex G): one PackBits segment for each byte of a pixel.

mod decode;
mod header;
mod plan;
#[cfg(test)]
mod tests;

use super::{CodecState, FrameContext, FrameDecoder, FrameFormat, too_short};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::output::Output;
use crate::syntax::TransferSyntax;
use header::Header;
use plan::{Plan, segment_count};

pub(super) struct Rle;

impl FrameFormat for Rle {
    fn name(&self) -> &'static str {
        "rle"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::RLE_LOSSLESS]
    }

    fn starts_frame(&self, head: &[u8], _: usize, info: &FrameInfo) -> bool {
        header::is_plausible(head, segment_count(info))
    }

    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        plan::min_frame_bytes(info)
    }

    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
        let header = Header::parse(frame, segment_count(info));
        header.err().or_else(|| Some(too_short(frame, self.min_frame_bytes(info))))
    }
}

impl FrameDecoder for Rle {
    type Header = Header;

    const CODESTREAM: Option<CodestreamFormat> = None;

    fn read_header(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
    ) -> Result<(Option<CodestreamInfo>, Header)> {
        Ok((None, Header::parse(frame.bytes, segment_count(context.info))?))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        header: Header,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        let plan = Plan::new(frame.bytes, &header, context)?;
        let mut deviations = header.deviations;
        deviations.extend(state.with(|planes| decode::decode(&plan, context.limits, planes, output))?);
        Ok(Decoded { code_path: output.cpu_level().name(), deviations })
    }
}
