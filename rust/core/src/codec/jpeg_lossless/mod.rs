//! JPEG Lossless: ITU-T T.81 process 14 (SOF3, Huffman coding), transfer syntaxes 1.2.840.10008.1.2.4.57 and .70.
//!
//! The codestream decides, not the transfer syntax: .70 requires selection value 1, but any is decoded.
//!
//! ```text
//! frame ─► header ─► plan ─► decode ───────────────────────────────────────────────────────► output stage
//!                            stream: unstuff ─► window ─► differences ─► prediction ─► rows
//! ```
//!
//! | module | content |
//! |---|---|
//! | `header` | marker segments → frame header, scans, entropy-coded segments |
//! | `plan` | header and attributes → what the loop needs; cache of look-up tables |
//! | `decode` | the loops over scans and frames; rows → output stage |
//! | `stream` | decoding state of one scan |
//! | `self_sync` | chunks of a segment that are decoded before their start is known |
//! | `parallel` | blocks of one scan on several threads |
//! | `diagnose` | the error of a frame that failed, the same in every entropy mode |
//!
//! The kernels are `kernel::unstuff`, `kernel::huffman` and `kernel::predict`.

mod decode;
mod diagnose;
mod header;
mod parallel;
mod plan;
mod self_sync;
mod stream;

use super::t81::colour;
use super::t81::marker::starts_codestream;
use super::{CodecState, EntropyMode, FrameContext, FrameDecoder, FrameFormat};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::Result;
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
use crate::kernel::CpuLevel;
use crate::output::Output;
use crate::syntax::TransferSyntax;
use decode::ScratchBuffers;
use header::Header;
use plan::{Plan, Tables};

/// The codec.
pub(super) struct JpegLossless;

/// Samples of the largest frames that are decoded in batches: chunks within such a frame would be too short to gain much.
const MAX_BATCHED_SAMPLES: usize = 1 << 16;
/// Frames of a batch: twice the number of lanes, so that a frame that ends early leaves no lane idle.
const BATCH_SIZE: usize = 8;

/// State of one thread, reused from frame to frame.
#[derive(Debug, Default)]
struct DecoderState {
    tables: Tables,
    scratch: ScratchBuffers,
}

impl FrameFormat for JpegLossless {
    fn name(&self) -> &'static str {
        "jpeg_lossless"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::JPEG_LOSSLESS, TransferSyntax::JPEG_LOSSLESS_SV1]
    }

    fn starts_frame(&self, head: &[u8], _: usize, _: &FrameInfo) -> bool {
        starts_codestream(head)
    }

    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        plan::min_frame_bytes(info)
    }

    fn describe(&self, frame: &[u8]) -> Option<Result<CodestreamInfo>> {
        Some(header::parse(frame, CpuLevel::best()).map(|header| codestream_info(&header)))
    }
}

/// Returns what the header declares about the image. The colour transform of an APP14 segment is not evaluated: it describes
/// what DCT encoders do.
fn codestream_info(header: &Header) -> CodestreamInfo {
    let claims = colour::claims(&header.frame, &header.application, false);
    colour::codestream_info(&header.frame, (header.lines.into(), header.lines_offset), claims)
}

impl FrameDecoder for JpegLossless {
    type Header = Header;

    const CODESTREAM: Option<CodestreamFormat> = Some(CodestreamFormat::JpegLossless);

    fn read_header(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
    ) -> Result<(Option<CodestreamInfo>, Header)> {
        let header = header::parse(frame.bytes, context.options.cpu_level)?;
        Ok((Some(codestream_info(&header)), header))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        header: Header,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        state.with(|DecoderState { tables, scratch }| {
            tables.shrink();
            let plan = Plan::new(frame.bytes, header, context, tables)?;
            let decoded = decode::decode_frame(&plan, tables, scratch, context, output);
            report(plan, decoded, output)
        })
    }

    fn batch_size(&self, info: &FrameInfo) -> usize {
        if info.samples() <= MAX_BATCHED_SAMPLES { BATCH_SIZE } else { 1 }
    }

    fn decode_batch(
        &self,
        headers: Vec<Header>,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        frames: &mut [(FrameBytes<'_>, Output<'_>)],
    ) -> Vec<Result<Decoded>> {
        if frames.len() == 1 || context.options.codec.entropy_mode == EntropyMode::Serial {
            let frames = headers.into_iter().zip(frames);
            return frames
                .map(|(header, (frame, output))| self.decode(*frame, header, context, state, output))
                .collect();
        }
        state.with(|DecoderState { tables, scratch }| {
            tables.shrink();
            let headers = headers.into_iter().zip(frames.iter());
            let plans: Vec<_> =
                headers.map(|(header, (frame, _))| Plan::new(frame.bytes, header, context, tables)).collect();
            let decoded = decode::decode_frames(&plans, tables, scratch, context, frames);
            let results = plans.into_iter().zip(decoded).zip(frames);
            results.map(|((plan, decoded), (_, output))| report(plan?, decoded, output)).collect()
        })
    }
}

/// Returns the code path and the deviations of a decoded frame.
fn report(plan: Plan<'_>, decoded: Result<(EntropyMode, Vec<Deviation>)>, output: &Output<'_>) -> Result<Decoded> {
    let (mode, deviations) = decoded?;
    // If the EOI marker is missing, the bytes before the end are part of that deviation.
    let deviations = if plan.deviations.is_empty() { deviations } else { plan.deviations };
    Ok(Decoded { code_path: mode.code_path(output.cpu_level()), deviations })
}

#[cfg(test)]
mod tests;
