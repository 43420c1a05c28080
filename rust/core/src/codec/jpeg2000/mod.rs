//! JPEG 2000 (ITU-T T.800), transfer syntaxes 1.2.840.10008.1.2.4.90 to .93, and HTJ2K (T.814), .201 to .203: codestreams,
//! bare or in boxes.
//!
//! ```text
//! frame ─► boxes ─► codestream ─► plan ─► for each tile:  tile, packet ─► decode ─────────────────────► output stage
//!          jp2c     header                geometry, coded data            blocks ─► levels ─► rows
//! ```
//!
//! | module | content |
//! |---|---|
//! | `boxes` | JP2 and JPH boxes |
//! | `codestream` | marker segments → header |
//! | `plan` | header and attributes → what all tiles need |
//! | `tile` | geometry of a tile, and the coded data of its code-blocks |
//! | `tag_tree`, `packet` | packets → coded data |
//! | `decode` | code-blocks, wavelet, components → output stage |
//!
//! The kernels are `kernel::ebcot`, `ht`, `wavelet` and `component_rows`. Samples of the reversible path are exact. Those of
//! the irreversible path differ by at most 1 between decoders; here the order of all operations is fixed, so that they do
//! not depend on the CPU level or the number of threads.

mod boxes;
mod codestream;
mod decode;
mod packet;
mod plan;
mod tag_tree;
#[cfg(test)]
mod test_streams;
mod tile;

use super::{CodecState, FrameContext, FrameDecoder, FrameFormat, agreement};
use crate::codestream::{Codestream, CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result};
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo, PhotometricInterpretation};
use crate::output::Output;
use crate::syntax::TransferSyntax;
use codestream::Header;
use decode::ScratchBuffers;
use plan::Plan;

/// First bytes of a bare codestream.
pub(super) const SIGNATURE: &[u8] = codestream::SIGNATURE;
/// First bytes of a codestream in boxes.
pub(super) const SIGNATURE_BOX: &[u8] = boxes::SIGNATURE_BOX;

/// Reads the main header of a codestream, bare or in boxes.
///
/// # Errors
/// `Truncated` and `Malformed`; `Unsupported` for segments of T.801.
pub(super) fn identify(frame: &[u8]) -> Result<Codestream> {
    codestream::identify(frame, boxes::codestream_range(frame)?)
}

/// Returns rows and columns that a bare codestream declares, if its SIZ segment has them. Reads nothing else.
pub(super) fn image_size(codestream: &[u8]) -> Option<(u32, u32)> {
    codestream::image_size(codestream)
}

/// The codec of JPEG 2000, and with `HIGH_THROUGHPUT` that of HTJ2K. Both decode the codestreams of either.
pub(super) struct Jpeg2000<const HIGH_THROUGHPUT: bool>;

impl<const HIGH_THROUGHPUT: bool> FrameFormat for Jpeg2000<HIGH_THROUGHPUT> {
    fn name(&self) -> &'static str {
        Self::FORMAT.name()
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        if HIGH_THROUGHPUT {
            &[TransferSyntax::HTJ2K_LOSSLESS, TransferSyntax::HTJ2K_LOSSLESS_RPCL, TransferSyntax::HTJ2K]
        } else {
            &[
                TransferSyntax::JPEG2000_LOSSLESS,
                TransferSyntax::JPEG2000_MC_LOSSLESS,
                TransferSyntax::JPEG2000_MC,
                TransferSyntax::JPEG2000,
            ]
        }
    }

    fn starts_frame(&self, head: &[u8], _: usize, _: &FrameInfo) -> bool {
        head.starts_with(SIGNATURE) || head.starts_with(SIGNATURE_BOX)
    }

    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        plan::min_frame_bytes(info)
    }

    /// Frames may be shorter if their header agrees with the attributes.
    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
        parse(frame).and_then(|header| agreement::check_size(&header.info(), info)).err()
    }

    fn describe(&self, frame: &[u8]) -> Option<Result<CodestreamInfo>> {
        Some(parse(frame).map(|header| header.info()))
    }
}

impl<const HIGH_THROUGHPUT: bool> Jpeg2000<HIGH_THROUGHPUT> {
    const FORMAT: CodestreamFormat = if HIGH_THROUGHPUT { CodestreamFormat::Htj2k } else { CodestreamFormat::Jpeg2000 };

    /// Returns the deviations of a codestream from its transfer syntax (PS3.5 A.4.4): another format, or a lossy wavelet
    /// under a lossless one.
    fn syntax_deviations(header: &Header, syntax: TransferSyntax) -> impl Iterator<Item = Deviation> {
        let (format, offset) = (header.main.format(), header.main.size.offset);
        let of = |text: String| Deviation::new(text, "PS3.5 A.4.4").at(offset);
        let other = (format != Self::FORMAT)
            .then(|| of(format!("{} codestream found, transfer syntax is {}", format.title(), syntax.keyword())));
        let is_lossless = matches!(
            syntax,
            TransferSyntax::JPEG2000_LOSSLESS
                | TransferSyntax::JPEG2000_MC_LOSSLESS
                | TransferSyntax::HTJ2K_LOSSLESS
                | TransferSyntax::HTJ2K_LOSSLESS_RPCL
        );
        let lossy = (is_lossless && header.info().is_lossy == Some(true))
            .then(|| of(format!("lossy {} codestream found, transfer syntax is {}", format.title(), syntax.keyword())));
        other.into_iter().chain(lossy)
    }
}

/// Returns the deviation of a frame in boxes (PS3.5 A.4.4). Bare codestreams may be in boxes.
pub(super) fn boxes_deviation(frame: &[u8], info: &FrameInfo) -> Option<Deviation> {
    let is_of_data_set = info.attributes().photometric_interpretation != PhotometricInterpretation::Undeclared;
    (is_of_data_set && frame.starts_with(SIGNATURE_BOX))
        .then(|| Deviation::new("codestream in JP2 boxes found, a bare codestream expected", "PS3.5 A.4.4").at(0))
}

fn parse(frame: &[u8]) -> Result<Header> {
    Header::parse(frame, boxes::codestream_range(frame)?)
}

impl<const HIGH_THROUGHPUT: bool> FrameDecoder for Jpeg2000<HIGH_THROUGHPUT> {
    type Header = Header;

    const CODESTREAM: Option<CodestreamFormat> = Some(Self::FORMAT);

    fn read_header(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
    ) -> Result<(Option<CodestreamInfo>, Header)> {
        let mut header = parse(frame.bytes)?;
        let boxes = boxes_deviation(frame.bytes, context.info);
        let deviations: Vec<_> = boxes.into_iter().chain(Self::syntax_deviations(&header, context.syntax)).collect();
        header.deviations.splice(0..0, deviations);
        Ok((Some(header.info()), header))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        header: Header,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        state.with(|buffers: &mut ScratchBuffers| {
            let info = context.output_info();
            let plan = Plan::new(frame.bytes, &header, context.options.reduce, &info, output.sample_bytes())?;
            let packets = decode::decode_frame(&plan, buffers, context, output)?;
            let mut deviations = header.deviations.clone();
            deviations.extend(packets);
            Ok(Decoded { code_path: output.cpu_level().name(), deviations })
        })
    }
}
