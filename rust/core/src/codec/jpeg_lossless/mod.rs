//! JPEG Lossless: ITU-T T.81 process 14 (SOF3, Huffman coding), transfer syntaxes 1.2.840.10008.1.2.4.57 and .70.
//!
//! The codestream decides, not the transfer syntax: .70 promises selection value 1, but any is decoded.

mod decode;
mod diagnose;
mod header;
mod parallel;
mod plan;
mod self_sync;
mod stream;

use super::t81::colour;
use super::{Codec, EntropyMode, FrameContext, Scratch, too_short};
use crate::error::{DecodeError, Result};
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
use crate::kernel::CpuLevel;
use crate::output::Output;
use crate::syntax::TransferSyntax;
use decode::ScratchBuffers;
use header::Header;
pub use header::{Dimensions, dimensions};
use plan::{Plan, Tables};

pub(super) struct JpegLossless;

/// Frames of up to so many samples are decoded together: chunks of their own would be too short to gain much.
const MAX_BATCHED_SAMPLES: usize = 1 << 16;
/// So many at once: twice the lanes, so that one that ends early leaves none idle.
const BATCH_SIZE: usize = 8;

/// What is kept from frame to frame.
#[derive(Debug, Default)]
struct DecoderState {
    tables: Tables,
    scratch: ScratchBuffers,
}

impl Codec for JpegLossless {
    fn name(&self) -> &'static str {
        "jpeg_lossless"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::JPEG_LOSSLESS, TransferSyntax::JPEG_LOSSLESS_SV1]
    }

    fn starts_frame(&self, head: &[u8], _: usize, _: &FrameInfo) -> bool {
        // SOI, and the FF of the next marker.
        head.starts_with(&[0xFF, 0xD8, 0xFF])
    }

    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        plan::min_frame_bytes(info)
    }

    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> DecodeError {
        // Frames of other processes may be as short: they need less than a bit for a sample.
        let header = Header::parse(frame, CpuLevel::best()).and_then(|header| plan::check_attributes(&header, info));
        header.err().unwrap_or_else(|| too_short(frame, self.min_frame_bytes(info)))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
        scratch: &mut Scratch,
        sink: &mut Output<'_>,
    ) -> Result<Decoded> {
        scratch.with(|DecoderState { tables, scratch }| {
            tables.shrink();
            let recipe = open(frame, context, tables, sink)?;
            let scanned = decode::decode_frame(&recipe, tables, scratch, context, sink);
            close(recipe, scanned, sink)
        })
    }

    fn together(&self, info: &FrameInfo) -> usize {
        if info.samples() <= MAX_BATCHED_SAMPLES { BATCH_SIZE } else { 1 }
    }

    fn decode_batch(
        &self,
        context: &FrameContext<'_>,
        scratch: &mut Scratch,
        frames: &mut [(FrameBytes<'_>, Output<'_>)],
    ) -> Vec<Result<Decoded>> {
        if frames.len() == 1 || context.way == EntropyMode::Serial {
            return frames.iter_mut().map(|(frame, sink)| self.decode(*frame, context, scratch, sink)).collect();
        }
        scratch.with(|DecoderState { tables, scratch }| {
            tables.shrink();
            let recipes: Vec<_> = frames.iter_mut().map(|(frame, sink)| open(*frame, context, tables, sink)).collect();
            let scanned = decode::decode_frames(&recipes, tables, scratch, context, frames);
            let closed = recipes.into_iter().zip(scanned).zip(frames);
            closed.map(|((recipe, scanned), (_, sink))| close(recipe?, scanned, sink)).collect()
        })
    }
}

/// Header and recipe of one frame.
fn open<'a>(
    frame: FrameBytes<'a>,
    context: &FrameContext<'_>,
    tables: &mut Tables,
    sink: &mut Output<'_>,
) -> Result<Plan<'a>> {
    let header = Header::parse(frame.bytes, sink.tier())?;
    let colour = colour::settle(&header.frame, header.is_jfif, context.info, sink);
    let mut recipe = Plan::new(frame.bytes, header, context, tables)?;
    recipe.colour = colour?;
    Ok(recipe)
}

/// What is told of a frame that was scanned.
fn close(recipe: Plan<'_>, scanned: Result<(EntropyMode, Vec<Deviation>)>, sink: &Output<'_>) -> Result<Decoded> {
    let (way, rest) = scanned?;
    // Without an end, what lies before it has been told of.
    let deviations = if recipe.deviations.is_empty() { rest } else { recipe.deviations };
    let deviations = recipe.colour.into_iter().chain(deviations).collect();
    Ok(Decoded { precision: Some(recipe.precision), path: way.path(sink.tier()), deviations })
}

#[cfg(test)]
mod tests;
