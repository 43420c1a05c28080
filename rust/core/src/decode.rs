//! Entry points: one frame, a batch of frames, a bare codestream.
//!
//! All of them choose the codec by [`codec_of_frame`], and share the steps of [`codec::Codec`].

use crate::codec::{self, BatchFrame, DecodeOptions, FrameContext, Workspace, codec_of_frame};
use crate::codestream::{Codestream, CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result, output, unsupported};
use crate::frame::{Attributes, Decoded, FrameBytes, FrameInfo, PhotometricInterpretation, SampleKind};
use crate::limits::Limits;
use crate::output::{Cancel, OutputOptions, OutputTransform, RgbConversion};
use crate::sample::SamplesMut;
use crate::syntax::TransferSyntax;
use crate::value::Value;
use std::ops::Range;

/// Decodes one frame into `out`, which holds exactly its samples: planar configuration 0, right-aligned, sign-extended, in
/// native byte order.
///
/// # Errors
/// Any [`crate::ErrorKind`]; the content of `out` is undefined then. `Unsupported` if no codec decodes the frame.
///
/// # Standard
/// PS3.5 8 and Annex A; each codec names its own clauses.
pub fn decode_frame(
    context: &FrameContext<'_>,
    src: FrameBytes<'_>,
    out: SamplesMut<'_>,
    workspace: &mut Workspace,
    cancel: Cancel<'_>,
) -> Result<Decoded> {
    decode_one(context, BatchFrame { src, out, transform: None }, workspace, cancel)
}

fn decode_one(
    context: &FrameContext<'_>,
    frame: BatchFrame<'_>,
    workspace: &mut Workspace,
    cancel: Cancel<'_>,
) -> Result<Decoded> {
    let (codec, deviation) = codec_of_frame(context.syntax, frame.src.bytes)?;
    codec.decode_one(context, frame, deviation.into_iter().collect(), workspace, cancel)
}

/// Decodes several frames of one object, in lock-step if their codec can. Each has its own result, as if it were decoded
/// alone.
pub fn decode_batch(
    context: &FrameContext<'_>,
    frames: Vec<BatchFrame<'_>>,
    workspace: &mut Workspace,
    cancel: Cancel<'_>,
) -> Vec<Result<Decoded>> {
    let is_declared = |frame: &BatchFrame<'_>| codec::has_declared_format(context.syntax, frame.src.bytes);
    match codec::codec_for(context.syntax) {
        Some(codec) if frames.len() > 1 && frames.iter().all(is_declared) => {
            codec.decode_many(context, frames, workspace, cancel)
        }
        _ => frames.into_iter().map(|frame| decode_one(context, frame, workspace, cancel)).collect(),
    }
}

/// Decodes the frame that is stored at `range` of `value`, which its codec reads by position.
pub(crate) fn decode_range(
    context: &FrameContext<'_>,
    value: Value<'_>,
    range: Range<usize>,
    out: SamplesMut<'_>,
    transform: Option<OutputTransform<'_>>,
    workspace: &mut Workspace,
    cancel: Cancel<'_>,
) -> Result<Decoded> {
    let codec = codec::codec_for(context.syntax).ok_or_else(|| codec::no_codec(context.syntax))?;
    codec.decode_at(context, value, range, out, transform, workspace, cancel)
}

/// Options of [`BareCodestream::decode`].
#[derive(Debug, Clone, Copy, Default)]
pub struct CodestreamOptions {
    /// Convert to RGB if the codestream declares luminance and colour differences.
    pub to_rgb: bool,
    /// Resolutions to discard: each halves rows and columns, rounded up.
    pub reduce: u32,
    /// Options of the call; those of the output are not used.
    pub decode: DecodeOptions,
}

/// A codestream that can be decoded without a data set.
#[derive(Debug, Clone, Copy)]
pub struct BareCodestream {
    codestream: Codestream,
    syntax: TransferSyntax,
    info: FrameInfo,
}

impl BareCodestream {
    /// Reads the header of `bytes`.
    ///
    /// # Errors
    /// `Unsupported` if no codec decodes the format (the message names it); the errors of [`codec::identify`].
    pub fn open(bytes: &[u8]) -> Result<Self> {
        let codestream = codec::identify(bytes)?;
        let title = codestream.format.title();
        let codec = codec::codec_of_format(codestream.format);
        let (Some(codec), Some(declared)) = (codec, codestream.info) else {
            return Err(unsupported(format!("{title} is not supported"), codestream.format.clause()));
        };
        let syntax = codec
            .syntaxes()
            // Under the first one of JPEG, other processes than Baseline are deviations. The last one includes them.
            .last()
            .ok_or_else(|| unsupported(format!("{title} is not supported"), codestream.format.clause()))?;
        Ok(Self { codestream, syntax: *syntax, info: frame_info(&declared)? })
    }

    /// Reads the header of `bytes`, which the caller expects to be a codestream of `format`.
    ///
    /// # Errors
    /// The errors of decoding the header; `Unsupported` for another format.
    pub fn open_format(bytes: &[u8], format: CodestreamFormat) -> Result<Self> {
        let opened = Self::open(bytes);
        if let Ok(found) = opened
            && found.codestream.format == format
        {
            return Ok(found);
        }
        // `identify` skips what it does not need, so its error may not be the first one of the header.
        if let Some(error) = codec::codec_of_format(format).and_then(|codec| codec.describe(bytes)?.err()) {
            return Err(error);
        }
        let found = opened?.codestream.format.title();
        Err(unsupported(format!("{found} codestream found, {} expected", format.title()), format.clause()))
    }

    /// Format and header of the codestream.
    #[must_use]
    pub const fn codestream(&self) -> &Codestream {
        &self.codestream
    }

    /// The attributes of a frame that holds the codestream: samples fill their 8, 16 or 32 bits.
    #[must_use]
    pub const fn info(&self) -> &FrameInfo {
        &self.info
    }

    /// Checks that the codestream is long enough for its samples.
    ///
    /// # Errors
    /// `Truncated`, or the error of its header.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        let Some(codec) = codec::codec_for(self.syntax) else { return Err(codec::no_codec(self.syntax)) };
        if bytes.len() as u64 >= codec.min_frame_bytes(&self.info) {
            return Ok(());
        }
        codec::truncated_error(codec, bytes, &self.info).map_or(Ok(()), Err)
    }

    /// Decodes `bytes`, which the header was read from, into `out`.
    ///
    /// # Errors
    /// `Output` if it does not have the resolution; all errors of [`decode_frame`].
    pub fn decode(
        &self,
        bytes: &[u8],
        options: &CodestreamOptions,
        limits: &Limits,
        out: SamplesMut<'_>,
        workspace: &mut Workspace,
        cancel: Cancel<'_>,
    ) -> Result<Decoded> {
        self.size(options.reduce)?;
        let conversion = match self.codestream.format {
            CodestreamFormat::Jpeg => RgbConversion::T871,
            _ => RgbConversion::Dicom,
        };
        let to_rgb = options.to_rgb.then_some(conversion);
        let output = OutputOptions { to_rgb, ..OutputOptions::default() };
        let options = DecodeOptions { output, reduce: options.reduce, ..options.decode };
        let context = FrameContext { syntax: self.syntax, info: &self.info, limits, options };
        decode_frame(&context, bytes.into(), out, workspace, cancel)
    }

    /// Rows and columns of the image with `reduce` resolutions discarded.
    ///
    /// # Errors
    /// `Output` if the codestream does not have the resolution.
    pub fn size(&self, reduce: u32) -> Result<(u32, u32)> {
        let levels = self.codestream.info.map_or(1, |info| info.resolution_levels);
        if reduce >= levels {
            let title = self.codestream.format.title();
            let text = format!("reduce is {reduce}, the {title} codestream has {levels} resolution level(s)");
            return Err(output(text, ""));
        }
        let Attributes { rows, columns, .. } = *self.info.attributes();
        let step = 1_u32.checked_shl(reduce).unwrap_or(u32::MAX);
        Ok((rows.div_ceil(step), columns.div_ceil(step)))
    }
}

/// Attributes of a frame that holds exactly what the codestream declares.
fn frame_info(declared: &CodestreamInfo) -> Result<FrameInfo> {
    let CodestreamInfo { rows, columns, components, precision, .. } = *declared;
    let bits = match precision {
        ..=8 => 8,
        9..=16 => 16,
        _ => 32,
    };
    let refused = |error: DecodeError| unsupported(error.message().to_owned(), error.clause());
    FrameInfo::new(Attributes {
        rows,
        columns,
        samples_per_pixel: components,
        bits_allocated: bits,
        bits_stored: bits,
        high_bit: bits - 1,
        sample_kind: if declared.is_signed == Some(true) { SampleKind::Signed } else { SampleKind::Unsigned },
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Undeclared,
    })
    .map_err(refused)
}

#[cfg(test)]
mod tests;
