//! JPEG-LS: ITU-T T.87 (SOF55), transfer syntaxes 1.2.840.10008.1.2.4.80 (lossless) and .81 (near-lossless).
//!
//! NEAR of each scan decides whether it is lossless, not the transfer syntax. The samples are those of CharLS; near-lossless
//! coding leaves a decoder no choice.
//!
//! ```text
//! frame ─► header ─► plan ─► decode ───────────────────────────────────────────────────────► output stage
//!          segments          segment ─► unstuff ─► lines of each scan ─► transform ─► rows
//! ```
//!
//! | module | content |
//! |---|---|
//! | `header` | marker segments → frame header, scans, entropy-coded segments |
//! | `segments` | parameters of the segments that T.87 defines: LSE, SOS, DRI, dimensions |
//! | `transform` | colour transforms of HP |
//! | `plan` | header and attributes → what the loop needs |
//! | `decode` | the loop over rows: lines of each scan |
//! | `bands` | the same on several threads, if there are restart intervals |
//! | `scans`, `scan_queue` | the same on several threads, if there are several scans |
//! | `rows` | lines of all scans → output stage |
//!
//! The kernel is `kernel::jpegls`.

mod bands;
mod decode;
mod header;
mod plan;
mod rows;
mod scan_queue;
mod scans;
pub(super) mod segments;
mod transform;

#[cfg(test)]
mod tests;

use super::t81::colour;
use super::t81::marker::starts_codestream;
use super::workspace::WorkerBuffers;
use super::{CodecState, FrameContext, FrameDecoder, FrameFormat};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::Result;
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
use crate::kernel::CpuLevel;
use crate::output::Output;
use crate::syntax::TransferSyntax;
use decode::ScratchBuffers;
use header::Header;
use plan::{KernelScans, Plan};

/// The codec.
pub(super) struct JpegLs;

/// State of one thread, reused from frame to frame.
#[derive(Debug, Default)]
struct DecoderState {
    kernels: KernelScans,
    scratch: ScratchBuffers,
    workers: WorkerBuffers<bands::ThreadBuffers>,
    blocks: scans::BlockBuffers,
}

impl FrameFormat for JpegLs {
    fn name(&self) -> &'static str {
        "jpegls"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::JPEG_LS_LOSSLESS, TransferSyntax::JPEG_LS_NEAR_LOSSLESS]
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

/// Returns what the header declares about the image.
fn codestream_info(header: &Header) -> CodestreamInfo {
    let claims = colour::claims(&header.frame, &header.application, false);
    header.dimensions.describe(CodestreamInfo {
        is_lossy: Some(header.is_lossy),
        ..colour::codestream_info(&header.frame, (0, 0), claims)
    })
}

/// Returns the deviation of a near-lossless codestream under the lossless transfer syntax (PS3.5 A.4.3).
fn lossy_deviation(header: &Header, syntax: TransferSyntax) -> Option<Deviation> {
    let is_contradicting = header.is_lossy && syntax == TransferSyntax::JPEG_LS_LOSSLESS;
    is_contradicting.then(|| {
        let text = format!("near-lossless JPEG-LS codestream found, transfer syntax is {}", syntax.keyword());
        Deviation::new(text, "PS3.5 A.4.3").at(header.frame.offset)
    })
}

impl FrameDecoder for JpegLs {
    type Header = Header;

    const CODESTREAM: Option<CodestreamFormat> = Some(CodestreamFormat::JpegLs);

    fn read_header(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
    ) -> Result<(Option<CodestreamInfo>, Header)> {
        let mut header = header::parse(frame.bytes, context.options.cpu_level)?;
        let lossy = lossy_deviation(&header, context.syntax);
        header.deviations.splice(0..0, lossy);
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
        state.with(|DecoderState { kernels, scratch, workers, blocks }| {
            let plan = Plan::new(frame.bytes, header, context.info, kernels)?;
            let deviation = bands::decode(&plan, workers, context, output)
                .or_else(|| scans::decode(&plan, scratch, blocks, context, output))
                .unwrap_or_else(|| decode::decode_rows(&plan, 0..plan.rows, scratch, context.limits, output))?;
            let mut deviations = plan.deviations;
            // If the EOI marker is missing, the bytes before the end are part of that deviation.
            if deviations.is_empty() {
                deviations.extend(deviation.map(|(_, deviation)| deviation));
            }
            Ok(Decoded { code_path: output.cpu_level().name(), deviations })
        })
    }
}
