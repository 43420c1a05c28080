//! The interface of a decoder (`FrameDecoder`), and the steps that all decoders have in common ([`Codec`]).
//!
//! ```text
//! frame ─► read_header ─► CodestreamInfo ─► check against FrameInfo ─► Output ─► decode ─► complete? strict?
//!          phase 1                          agreement.rs                         phase 2
//! ```
//!
//! Between the phases a decoder keeps the parsed header as its associated type `FrameDecoder::Header`. Instructions of
//! a 64 × 64 frame, relative to that, counted by callgrind:
//!
//! | header between the phases | RLE 16 | RLE RGB | JPEG Lossless 8 | JPEG Lossless 16 | batch of JPEG Lossless |
//! |---|---|---|---|---|---|
//! | parsed in both | +3.4 % | +2.4 % | +4.0 % | +3.8 % | +6.8 % |
//! | in a box, as a trait object needs | +2.8 % | +2.0 % | +0.1 % | +0.1 % | +0.2 % |

use super::agreement::{self, Agreement};
use super::options::FrameContext;
use super::{BatchFrame, CodecState, FrameFormat, Workspace};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::{Result, output, truncated, unsupported};
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
use crate::output::{Cancel, FrameOutputOptions, Output, OutputTransform, ScratchBlock};
use crate::sample::SamplesMut;
use crate::value::Value;
use std::fmt;
use std::ops::Range;

/// Decodes the frames of a format.
pub(super) trait FrameDecoder: FrameFormat {
    /// The parsed header of a frame.
    type Header;

    /// Format of the codestreams that it decodes, if they have a signature.
    const CODESTREAM: Option<CodestreamFormat>;

    /// Phase 1: parses and validates the header. It decodes no sample, and allocates nothing beyond the header. Formats
    /// that declare nothing themselves (native, RLE) return no [`CodestreamInfo`].
    ///
    /// # Errors
    /// `Truncated`, `Malformed`, `Unsupported`, `Mismatch`; offsets are from the start of the frame.
    fn read_header(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
    ) -> Result<(Option<CodestreamInfo>, Self::Header)>;

    /// Phase 2: decodes exactly the pixels of the frame into `output`, which is made from CodestreamInfo and FrameInfo.
    /// `state` belongs to the thread; its memory is reused from frame to frame.
    ///
    /// # Errors
    /// Every kind; offsets are from the start of the frame.
    fn decode(
        &self,
        frame: FrameBytes<'_>,
        header: Self::Header,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded>;

    /// Number of frames that it decodes faster in one call than one by one; 1 if there is no gain.
    fn batch_size(&self, _: &FrameInfo) -> usize {
        1
    }

    /// Phase 2 for several frames of one object: one result per frame, each as [`Self::decode`] returns it.
    fn decode_batch(
        &self,
        headers: Vec<Self::Header>,
        context: &FrameContext<'_>,
        state: &mut CodecState,
        frames: &mut [(FrameBytes<'_>, Output<'_>)],
    ) -> Vec<Result<Decoded>> {
        let frames = headers.into_iter().zip(frames);
        frames.map(|(header, (frame, output))| self.decode(*frame, header, context, state, output)).collect()
    }

    /// True if [`Self::decode_range`] decodes such frames.
    fn can_decode_range(&self, _: &FrameInfo) -> bool {
        false
    }

    /// Decodes a frame that is stored at `range` of a value that is read by position, without a buffer for its bytes.
    /// Only if [`Self::can_decode_range`] returns true.
    ///
    /// # Errors
    /// As [`Self::decode`], and `Io`.
    fn decode_range(
        &self,
        _: Value<'_>,
        _: Range<usize>,
        context: &FrameContext<'_>,
        _: &mut Output<'_>,
    ) -> Result<Decoded> {
        Err(unsupported(format!("{} frames cannot be decoded by range", context.syntax.keyword()), ""))
    }
}

/// A registered decoder without the type of its header, as the registry holds it. It is implemented for every
/// `FrameDecoder` and adds the steps that all have in common.
pub trait Codec: FrameFormat {
    /// Returns `FrameDecoder::CODESTREAM`.
    fn codestream_format(&self) -> Option<CodestreamFormat>;

    /// Returns `FrameDecoder::batch_size`, at least 1.
    fn frames_at_once(&self, info: &FrameInfo) -> usize;

    /// Returns `FrameDecoder::can_decode_range`.
    fn decodes_ranges(&self, info: &FrameInfo) -> bool;

    /// Decodes one frame. `deviations` are those found before, for the report.
    ///
    /// # Errors
    /// Every kind.
    fn decode_one(
        &self,
        context: &FrameContext<'_>,
        frame: BatchFrame<'_>,
        deviations: Vec<Deviation>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Result<Decoded>;

    /// Decodes several frames: one result per frame, in their order.
    fn decode_many(
        &self,
        context: &FrameContext<'_>,
        frames: Vec<BatchFrame<'_>>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Vec<Result<Decoded>>;

    /// Decodes the frame at `range` of `value`; see `FrameDecoder::decode_range`.
    ///
    /// # Errors
    /// Every kind.
    #[allow(clippy::too_many_arguments, reason = "the parts of a frame that is not in memory")]
    fn decode_at(
        &self,
        context: &FrameContext<'_>,
        value: Value<'_>,
        range: Range<usize>,
        out: SamplesMut<'_>,
        transform: Option<OutputTransform<'_>>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Result<Decoded>;
}

impl fmt::Debug for dyn Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<D: FrameDecoder> Codec for D {
    fn codestream_format(&self) -> Option<CodestreamFormat> {
        Self::CODESTREAM
    }

    fn frames_at_once(&self, info: &FrameInfo) -> usize {
        self.batch_size(info).max(1)
    }

    fn decodes_ranges(&self, info: &FrameInfo) -> bool {
        self.can_decode_range(info)
    }

    fn decode_one(
        &self,
        context: &FrameContext<'_>,
        frame: BatchFrame<'_>,
        mut deviations: Vec<Deviation>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Result<Decoded> {
        let Workspace { block, state, .. } = workspace;
        let (header, agreement) = open(self, frame.src, context)?;
        let src = frame.src;
        let mut output = new_output(context, &agreement, frame, block, cancel)?;
        let decoded = self.decode(src, header, context, state, &mut output)?;
        deviations.extend(agreement.deviations);
        report(decoded, deviations, &output, context)
    }

    fn decode_many(
        &self,
        context: &FrameContext<'_>,
        frames: Vec<BatchFrame<'_>>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Vec<Result<Decoded>> {
        let Workspace { batch_blocks, state, .. } = workspace;
        batch_blocks.resize_with(batch_blocks.len().max(frames.len()), ScratchBlock::default);
        let mut headers = Vec::with_capacity(frames.len());
        let mut opened = Vec::with_capacity(frames.len());
        // The deviations of a frame that is decoded, or the error of one that cannot be.
        let mut prepared = Vec::with_capacity(frames.len());
        for (frame, block) in frames.into_iter().zip(batch_blocks) {
            let src = frame.src;
            let result = open(self, src, context).and_then(|(header, agreement)| {
                let output = new_output(context, &agreement, frame, block, cancel)?;
                headers.push(header);
                opened.push((src, output));
                Ok(agreement.deviations)
            });
            prepared.push(result);
        }
        let decoded = self.decode_batch(headers, context, state, &mut opened);
        debug_assert_eq!(decoded.len(), opened.len(), "one result per frame");
        let mut decoded = decoded.into_iter().zip(&opened);
        let mut finish = |deviations| match decoded.next() {
            Some((result, (_, output))) => result.and_then(|decoded| report(decoded, deviations, output, context)),
            None => Err(truncated("the frame is not decoded", "")),
        };
        prepared.into_iter().map(|result| result.and_then(&mut finish)).collect()
    }

    fn decode_at(
        &self,
        context: &FrameContext<'_>,
        value: Value<'_>,
        range: Range<usize>,
        out: SamplesMut<'_>,
        transform: Option<OutputTransform<'_>>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Result<Decoded> {
        check_reduce(context.options.reduce, 1)?;
        let agreement = Agreement { is_ybr: context.info.is_ybr(), ..Agreement::default() };
        let frame = BatchFrame { src: (&[][..]).into(), out, transform };
        let mut output = new_output(context, &agreement, frame, &mut workspace.block, cancel)?;
        let decoded = self.decode_range(value, range, context, &mut output)?;
        report(decoded, Vec::new(), &output, context)
    }
}

/// Phase 1 and the comparison with the data set.
fn open<D: FrameDecoder>(
    decoder: &D,
    frame: FrameBytes<'_>,
    context: &FrameContext<'_>,
) -> Result<(D::Header, Agreement)> {
    let (codestream, header) = decoder.read_header(frame, context)?;
    check_reduce(context.options.reduce, codestream.map_or(1, |codestream| codestream.resolution_levels))?;
    let agreement = match codestream {
        Some(codestream) => agreement::check(&codestream, context.info, context.options.output.to_rgb.is_some())?,
        None => Agreement { is_ybr: context.info.is_ybr(), ..Agreement::default() },
    };
    Ok((header, agreement))
}

/// Checks that a frame with `levels` resolutions has the requested one.
fn check_reduce(reduce: u32, levels: u32) -> Result<()> {
    if reduce < levels {
        return Ok(());
    }
    Err(output(format!("reduce is {reduce}, the frame has {levels} resolution level(s)"), ""))
}

fn new_output<'a>(
    context: &FrameContext<'_>,
    agreement: &Agreement,
    frame: BatchFrame<'a>,
    block: &'a mut ScratchBlock,
    cancel: Cancel<'a>,
) -> Result<Output<'a>> {
    let options = FrameOutputOptions { call: context.options.output, transform: frame.transform };
    let info = context.output_info();
    let info = agreement.stored_bits.map_or(info, |bits| info.with_stored_bits(bits));
    Output::new(&info, agreement.is_ybr, options, frame.out, block, cancel, context.options.cpu_level)
}

/// The report of a frame that is complete. In a strict call, its first deviation is an error.
fn report(
    decoded: Decoded,
    mut deviations: Vec<Deviation>,
    output: &Output<'_>,
    context: &FrameContext<'_>,
) -> Result<Decoded> {
    if output.pixels_left() > 0 {
        return Err(truncated(format!("{} pixels of the frame are missing", output.pixels_left()), ""));
    }
    deviations.extend(decoded.deviations);
    match deviations.first() {
        Some(deviation) if context.options.strict => Err(deviation.clone().into_error()),
        _ => Ok(Decoded { deviations, ..decoded }),
    }
}
