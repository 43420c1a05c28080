//! JPEG XL: ISO/IEC 18181, transfer syntaxes 1.2.840.10008.1.2.4.110 to .112: codestreams, bare or in boxes.
//!
//! ```text
//! frame ─► boxes ─► codestream ─► header ─► agreement ─► decode: crate `jxl` ─► output stage
//! ```
//!
//! | module | content |
//! |---|---|
//! | `boxes` | boxes → byte ranges of the codestream |
//! | `header` | image header → `CodestreamInfo` |
//! | `decode` | the decoder, its input, output and memory |
//! | `runner` | threads, cancellation, bound of the work |
//! | `contain` | panics of the decoder → errors |
//!
//! Headers are read here, so that size, components and precision are compared with the data set before the decoder is called.
//! Lossless samples are exact; lossy ones differ from libjxl's by at most 1. Samples are those of the colour space that the
//! codestream declares; XYB and the colour differences of a recompressed JPEG are converted to RGB by the decoder, whatever
//! Photometric Interpretation declares. Orientation and ICC profiles are not applied. Without the feature `jpegxl`, only headers
//! are read.

mod boxes;
#[cfg(feature = "jpegxl")]
mod contain;
#[cfg(feature = "jpegxl")]
mod decode;
mod header;
#[cfg(feature = "jpegxl")]
mod runner;

use crate::codestream::{Codestream, CodestreamFormat};
use crate::error::Result;
use header::Header;

/// First bytes of a bare codestream.
pub(super) const SIGNATURE: &[u8] = boxes::SIGNATURE;
/// First bytes of a codestream in boxes.
pub(super) const SIGNATURE_BOX: &[u8] = boxes::SIGNATURE_BOX;

/// Reads the image header of a codestream, bare or in boxes.
///
/// # Errors
/// `Truncated`, `Malformed`; `Unsupported` for a colour space that is neither grey nor RGB.
pub(super) fn identify(frame: &[u8]) -> Result<Codestream> {
    Ok(Codestream { format: CodestreamFormat::JpegXl, info: Some(Header::parse(frame)?.info) })
}

#[cfg(feature = "jpegxl")]
pub(super) use codec::JpegXl;

#[cfg(feature = "jpegxl")]
mod codec {
    use super::decode::{DecoderState, decode};
    use super::header::Header;
    use super::{SIGNATURE, SIGNATURE_BOX};
    use crate::codec::{CodecState, FrameContext, FrameDecoder, FrameFormat, agreement, too_short};
    use crate::codestream::{CodestreamFormat, CodestreamInfo};
    use crate::error::{DecodeError, Result, unsupported};
    use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
    use crate::output::Output;
    use crate::syntax::TransferSyntax;

    /// Most rows and columns of a group of pixels: 1024, upsampled by 8.
    const MAX_GROUP_SIDE: u64 = 8192;
    /// Bits of the smallest entry in the table of the sizes of groups.
    const MIN_ENTRY_BITS: u64 = 12;
    /// Samples per byte up to which the header is not compared with the data set before memory is allocated.
    const MAX_UNCHECKED_RATIO: u64 = 1024;

    /// The codec.
    pub(in crate::codec) struct JpegXl;

    impl FrameFormat for JpegXl {
        fn name(&self) -> &'static str {
            CodestreamFormat::JpegXl.name()
        }

        fn syntaxes(&self) -> &'static [TransferSyntax] {
            &[TransferSyntax::JPEGXL_LOSSLESS, TransferSyntax::JPEGXL_JPEG_RECOMPRESSION, TransferSyntax::JPEGXL]
        }

        fn starts_frame(&self, head: &[u8], _: usize, _: &FrameInfo) -> bool {
            head.starts_with(SIGNATURE) || head.starts_with(SIGNATURE_BOX)
        }

        fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
            smallest_frame_bytes(info).max(info.samples() as u64 / MAX_UNCHECKED_RATIO)
        }

        /// Frames may be shorter if their header agrees with the attributes.
        fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
            let header = Header::parse(frame).and_then(|header| agreement::check_size(&header.info, info));
            let min_bytes = smallest_frame_bytes(info);
            header.err().or_else(|| ((frame.len() as u64) < min_bytes).then(|| too_short(frame, min_bytes)))
        }

        fn describe(&self, frame: &[u8]) -> Option<Result<CodestreamInfo>> {
            Some(Header::parse(frame).map(|header| header.info))
        }
    }

    /// Bytes of signature, image header and frame header, and of an entry in the table of contents for each group.
    fn smallest_frame_bytes(info: &FrameInfo) -> u64 {
        let groups = |side: u32| u64::from(side).div_ceil(MAX_GROUP_SIDE);
        let (rows, columns) = (info.attributes().rows, info.attributes().columns);
        6 + groups(rows) * groups(columns) * MIN_ENTRY_BITS / 8
    }

    /// Returns the deviation of a lossy codestream under the lossless transfer syntax (PS3.5 A.4).
    fn lossy_deviation(header: &Header, syntax: TransferSyntax) -> Option<Deviation> {
        let is_contradicting = header.info.is_lossy == Some(true) && syntax == TransferSyntax::JPEGXL_LOSSLESS;
        is_contradicting.then(|| {
            let text = format!("lossy JPEG XL codestream found, transfer syntax is {}", syntax.keyword());
            Deviation::new(text, "PS3.5 8.2.15").at(header.info.offsets.colour)
        })
    }

    impl FrameDecoder for JpegXl {
        type Header = Header;

        const CODESTREAM: Option<CodestreamFormat> = Some(CodestreamFormat::JpegXl);

        fn read_header(&self, frame: FrameBytes<'_>, _: &FrameContext<'_>) -> Result<(Option<CodestreamInfo>, Header)> {
            let header = Header::parse(frame.bytes)?;
            let (info, clause) = (header.info, "PS3.5 8.2.15");
            if header.extra_channel_count > 0 {
                let text = format!(
                    "{} extra channel(s) found, grey or RGB without others expected",
                    header.extra_channel_count
                );
                return Err(unsupported(text, clause).at(info.offsets.components));
            }
            if header.is_float {
                let text = format!("float samples of {} bits found, integers expected", info.precision);
                return Err(unsupported(text, clause).at(info.offsets.precision));
            }
            Ok((Some(info), header))
        }

        fn decode(
            &self,
            frame: FrameBytes<'_>,
            header: Header,
            context: &FrameContext<'_>,
            state: &mut CodecState,
            output: &mut Output<'_>,
        ) -> Result<Decoded> {
            state.with(|state: &mut DecoderState| {
                decode(frame.bytes, &header, context, state, output)?;
                let deviations = lossy_deviation(&header, context.syntax).into_iter().collect();
                Ok(Decoded { code_path: output.cpu_level().name(), deviations })
            })
        }
    }
}
