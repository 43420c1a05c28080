//! RLE Lossless (PS3.5 Annex G): every byte of a pixel in a segment of its own, coded as PackBits.

mod decode;
mod header;
mod plan;
#[cfg(test)]
mod tests;

use super::{Codec, FrameContext, Scratch, too_short};
use crate::error::{DecodeError, Result};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::output::Output;
use crate::syntax::TransferSyntax;
use header::Header;
use plan::{Plan, segment_count};

pub(super) struct Rle;

impl Codec for Rle {
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

    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> DecodeError {
        let header = Header::parse(frame, segment_count(info));
        header.err().unwrap_or_else(|| too_short(frame, self.min_frame_bytes(info)))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
        scratch: &mut Scratch,
        sink: &mut Output<'_>,
    ) -> Result<Decoded> {
        let header = Header::parse(frame.bytes, segment_count(context.info))?;
        let recipe = Plan::new(frame.bytes, &header, context)?;
        let path = sink.tier().name();
        let mut deviations = header.deviations;
        deviations.extend(scratch.with(|planes| decode::scan(&recipe, context.limits, planes, sink))?);
        Ok(Decoded { path, deviations, ..Decoded::default() })
    }
}
