//! RLE Lossless (PS3.5 Annex G): every byte of a pixel in a segment of its own, coded as PackBits.

mod header;
mod recipe;
mod scan;
#[cfg(test)]
mod tests;

use super::{Codec, Context, Scratch, too_short};
use crate::error::{DecodeError, Result};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::sink::Sink;
use crate::syntax::TransferSyntax;
use header::Header;
use recipe::{Recipe, segment_count};

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

    fn least_bytes(&self, info: &FrameInfo) -> u64 {
        recipe::least_bytes(info)
    }

    fn why_short(&self, frame: &[u8], info: &FrameInfo) -> DecodeError {
        let header = Header::parse(frame, segment_count(info));
        header.err().unwrap_or_else(|| too_short(frame, self.least_bytes(info)))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        context: &Context<'_>,
        scratch: &mut Scratch,
        sink: &mut Sink<'_>,
    ) -> Result<Decoded> {
        let header = Header::parse(frame.bytes, segment_count(context.info))?;
        let recipe = Recipe::new(frame.bytes, &header, context)?;
        let path = sink.tier().name();
        let mut tolerated = header.tolerated;
        tolerated.extend(scratch.with(|planes| scan::scan(&recipe, context.limits, planes, sink))?);
        Ok(Decoded { path, tolerated, ..Decoded::default() })
    }
}
