//! JPEG with a DCT: ITU-T T.81 processes 1, 2, 4 (sequential) and 6, 8, 10, 12 (progressive) with Huffman coding, transfer
//! syntaxes 1.2.840.10008.1.2.4.50 to .55.
//!
//! T.81 does not fix the rounding of the inverse DCT nor the upsampling. The samples are those of libjpeg-turbo's default
//! settings: accurate integer inverse DCT, interpolated ("fancy") upsampling.
//!
//! ```text
//! frame ─► header ─► plan ─► sequential | progressive ─► reconstruct ─────────────────────► output stage
//!                            blocks of coefficients      inverse DCT ─► rows: upsampling, colour
//! ```
//!
//! | module | content |
//! |---|---|
//! | `header` | rules for frame header and scans |
//! | `geometry` | sizes of components, blocks and MCUs; reduced resolutions |
//! | `plan` | header → what the loops need; cache of look-up tables |
//! | `segment` | bytes of an entropy-coded segment, without stuffing |
//! | `sequential` | one scan with all components: blocks go to `reconstruct` at once |
//! | `bands` | the same on several threads, if there are restart intervals |
//! | `progressive` | several scans: coefficients of the whole frame, then `reconstruct` |
//! | `reconstruct` | inverse DCT into the output or into component rows |
//! | `rows` | component rows → rows of pixels |
//!
//! The kernels are `kernel::coefficients`, `kernel::idct`, `kernel::upsample` and `kernel::colour_rows`.

mod bands;
mod geometry;
mod header;
mod plan;
mod progressive;
mod reconstruct;
mod rows;
mod segment;
mod sequential;

use super::t81::colour;
use super::t81::marker::{Process, starts_codestream};
use super::workspace::WorkerBuffers;
use super::{CodecState, FrameContext, FrameDecoder, FrameFormat};
use crate::codestream::{CodestreamFormat, CodestreamInfo, Colour};
use crate::error::Result;
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
use crate::kernel::CpuLevel;
use crate::output::Output;
use crate::syntax::TransferSyntax;
use header::Header;
use plan::{Plan, Tables};
use reconstruct::Reconstruction;
use sequential::ScanPart;

/// Resolutions: the full one, and a half, a quarter and an eighth of it.
pub(super) const RESOLUTION_LEVELS: u32 = geometry::MAX_REDUCE + 1;

/// The codec.
pub(super) struct Jpeg;

/// State of one thread, reused from frame to frame.
#[derive(Debug, Default)]
struct DecoderState {
    tables: Tables,
    sequential: sequential::ScratchBuffers,
    progressive: progressive::ScratchBuffers,
    reconstruct: reconstruct::ScratchBuffers,
    workers: WorkerBuffers<bands::ThreadBuffers>,
}

impl FrameFormat for Jpeg {
    fn name(&self) -> &'static str {
        "jpeg"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[
            TransferSyntax::JPEG_BASELINE_8BIT,
            TransferSyntax::JPEG_EXTENDED_12BIT,
            TransferSyntax::JPEG_EXTENDED35,
            TransferSyntax::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL68,
            TransferSyntax::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL79,
            TransferSyntax::JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1012,
        ]
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
    let claims = colour::claims(&header.frame, &header.application, true);
    let info = colour::codestream_info(&header.frame, (header.lines.into(), header.lines_offset), claims);
    // As libjpeg-turbo: three components of undeclared colour are luminance and colour differences.
    let assumed_colour = (header.frame.components.len() == 3).then_some(Colour::Ybr);
    CodestreamInfo { assumed_colour, is_lossy: Some(true), resolution_levels: RESOLUTION_LEVELS, ..info }
}

/// Returns the deviation of a process that the transfer syntax does not include: extended and progressive for .50, progressive
/// for .51 (PS3.5 A.4.1).
fn process_deviation(header: &Header, syntax: TransferSyntax) -> Option<Deviation> {
    let name = match (header.frame.process, syntax) {
        (Process::Extended, TransferSyntax::JPEG_BASELINE_8BIT) => "Extended",
        (Process::Progressive, TransferSyntax::JPEG_BASELINE_8BIT | TransferSyntax::JPEG_EXTENDED_12BIT) => {
            "Progressive"
        }
        _ => return None,
    };
    let text = format!("JPEG {name} codestream found, transfer syntax is {}", syntax.keyword());
    Some(Deviation::new(text, "PS3.5 A.4.1").at(header.frame.offset))
}

impl FrameDecoder for Jpeg {
    type Header = Header;

    const CODESTREAM: Option<CodestreamFormat> = Some(CodestreamFormat::Jpeg);

    fn read_header(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
    ) -> Result<(Option<CodestreamInfo>, Header)> {
        let mut header = header::parse(frame.bytes, context.options.cpu_level)?;
        let process = process_deviation(&header, context.syntax);
        header.deviations.splice(0..0, process);
        Ok((Some(codestream_info(&header)), header))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        mut header: Header,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        let mut deviations = std::mem::take(&mut header.deviations);
        state.with(|state: &mut DecoderState| {
            let plan = Plan::new(frame.bytes, header, context.options.reduce)?;
            let deviation = decode_scans(&plan, context, state, output)?;
            // If the EOI marker is missing, the bytes before the end are part of that deviation.
            if deviations.is_empty() {
                deviations.extend(deviation);
            }
            Ok(Decoded { code_path: output.cpu_level().name(), deviations })
        })
    }
}

/// Decodes all scans of a frame.
fn decode_scans(
    plan: &Plan<'_>,
    context: &FrameContext<'_>,
    state: &mut DecoderState,
    output: &mut Output<'_>,
) -> Result<Option<Deviation>> {
    let DecoderState { tables, sequential, progressive, reconstruct, workers } = state;
    let limits = context.limits;
    if let Some(scan) = plan.single_scan()
        && let Some(tables) = tables.of_scan(scan, &plan.geometry)
    {
        if let Some(result) = bands::decode(plan, scan, tables, workers, context, output) {
            return result;
        }
        let mut reconstruction = Reconstruction::new(plan, 0..plan.geometry.rows, reconstruct, limits, output)?;
        let part = ScanPart { scan, segments: &scan.segments, tables };
        return sequential::decode_scan(plan, part, sequential, &mut reconstruction, limits, output);
    }
    let mut reconstruction = Reconstruction::new(plan, 0..plan.geometry.rows, reconstruct, limits, output)?;
    progressive::decode_scans(plan, tables, progressive, &mut reconstruction, limits, output)
}
