//! Codecs: formats of frames ([`FrameFormat`]) and their decoders (`FrameDecoder`).
//!
//! A codec is a folder with the steps header, plan, decode, and one row in [`CODECS`].

mod agreement;
mod decoder;
mod deflated;
mod entropy_mode;
mod fallback;
mod identify;
mod jpeg;
mod jpeg2000;
mod jpeg_lossless;
mod jpegls;
mod jpegxl;
mod native;
mod native_samples;
mod options;
mod rle;
mod t81;
mod undecoded;
mod workspace;

pub use decoder::Codec;
use decoder::FrameDecoder;
pub use entropy_mode::EntropyMode;
pub use fallback::compare_codestream;
pub use identify::{codestream_size, identify};
pub(crate) use native_samples::{frame_bits as native_frame_bits, subsampled_error};
pub use options::{CodecOptions, DecodeOptions, FrameContext, SegmentByteOrder};
use workspace::CodecState;
pub use workspace::{ReusedWorkspace, Workspace};

use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result, truncated, unsupported};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::output::OutputTransform;
use crate::sample::SamplesMut;
use crate::syntax::TransferSyntax;
use std::fmt;

/// Maximum number of bytes of a fragment that [`FrameFormat::starts_frame`] gets: the length of an RLE header.
pub(crate) const HEAD_BYTES: usize = 64;

/// A format of frames: how to find them in pixel data. Formats that only other packages decode have one too.
pub trait FrameFormat: Sync {
    /// Returns the name of the format, one word.
    fn name(&self) -> &'static str;

    /// Transfer syntaxes of the format.
    fn syntaxes(&self) -> &'static [TransferSyntax];

    /// True if a fragment of `fragment_bytes` bytes that starts with `head` (its first `HEAD_BYTES` bytes or all of
    /// them) begins a new frame. Used when there is no offset table.
    fn starts_frame(&self, head: &[u8], fragment_bytes: usize, info: &FrameInfo) -> bool;

    /// Minimum size of a frame in bytes. Before memory is allocated for the samples of a shorter one,
    /// [`Self::truncated_error`] decides whether it is refused.
    fn min_frame_bytes(&self, info: &FrameInfo) -> u64;

    /// Returns what the header of a frame declares, or its error. `None` for formats whose frames have no header that
    /// declares the image.
    fn describe(&self, _frame: &[u8]) -> Option<Result<CodestreamInfo>> {
        None
    }

    /// Returns the error of a frame that is shorter than [`Self::min_frame_bytes`]: that of its header, if it has one.
    /// `None` if the frame is of a format that may be shorter.
    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
        let header = self.describe(frame);
        let error = header.and_then(|header| header.and_then(|header| agreement::check_size(&header, info)).err());
        Some(error.unwrap_or_else(|| too_short(frame, self.min_frame_bytes(info))))
    }
}

impl fmt::Debug for dyn FrameFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error of a frame that is too short and whose header is valid.
fn too_short(frame: &[u8], min_frame_bytes: u64) -> DecodeError {
    let found = frame.len();
    truncated(format!("frame has {found} bytes, at least {min_frame_bytes} expected"), "PS3.5 Annex A").at(found)
}

/// A frame and the memory for its samples.
#[derive(Debug)]
pub struct BatchFrame<'a> {
    /// Its bytes.
    pub src: FrameBytes<'a>,
    /// Memory for exactly its samples.
    pub out: SamplesMut<'a>,
    /// Its own transform; takes precedence over the rescale of the call.
    pub transform: Option<OutputTransform<'a>>,
}

/// The registry: one row per codec.
pub const CODECS: &[&dyn Codec] = &[
    &native::Native,
    &rle::Rle,
    &jpeg_lossless::JpegLossless,
    &jpeg::Jpeg,
    &jpegls::JpegLs,
    &jpeg2000::Jpeg2000::<false>,
    &jpeg2000::Jpeg2000::<true>,
    &deflated::Deflated,
    #[cfg(feature = "jpegxl")]
    &jpegxl::JpegXl,
];

/// The codec that is registered for a transfer syntax.
#[must_use]
pub fn codec_for(syntax: TransferSyntax) -> Option<&'static dyn Codec> {
    CODECS.iter().copied().find(|codec| codec.syntaxes().contains(&syntax))
}

/// The codec of a codestream format.
pub(crate) fn codec_of_format(format: CodestreamFormat) -> Option<&'static dyn Codec> {
    CODECS.iter().copied().find(|codec| codec.codestream_format() == Some(format))
}

/// The transfer syntax of a UID and its codec.
///
/// # Errors
/// `Unsupported` if there is none.
pub fn find_codec(uid: &str) -> Result<(TransferSyntax, &'static dyn Codec)> {
    let syntax = TransferSyntax::from_uid(uid);
    let found = syntax.and_then(|syntax| codec_for(syntax).map(|codec| (syntax, codec)));
    found.ok_or_else(|| syntax.map_or_else(|| unknown_syntax(uid), no_codec))
}

/// The transfer syntax of a UID and the format of its frames. Every encapsulated transfer syntax has one.
///
/// # Errors
/// As [`find_codec`].
pub fn find_frame_format(uid: &str) -> Result<(TransferSyntax, &'static dyn FrameFormat)> {
    match find_codec(uid) {
        Ok((syntax, codec)) => Ok((syntax, codec)),
        Err(error) => match TransferSyntax::from_uid(uid).filter(|syntax| syntax.is_encapsulated()) {
            Some(syntax) => Ok((syntax, &undecoded::UndecodedFormat)),
            None => Err(error),
        },
    }
}

/// The transfer syntax of a UID and the format of its frames, if a codec may decode some: one is registered for it, or it
/// is of the JPEG family, where the codestream decides.
///
/// # Errors
/// As [`find_codec`].
pub fn find_decodable_format(uid: &str) -> Result<(TransferSyntax, &'static dyn FrameFormat)> {
    match find_codec(uid) {
        Ok((syntax, codec)) => Ok((syntax, codec)),
        Err(error) => match TransferSyntax::from_uid(uid) {
            Some(syntax) if syntax.is_jpeg_family() => Ok((syntax, &undecoded::UndecodedFormat)),
            _ => Err(error),
        },
    }
}

/// The codec that decodes `frame`. The codestream decides, whatever the transfer syntax declares: if that is another codec
/// than the transfer syntax's, the difference is a deviation.
///
/// # Errors
/// `Unsupported` if there is none.
pub fn codec_of_frame(syntax: TransferSyntax, frame: &[u8]) -> Result<(&'static dyn Codec, Option<Deviation>)> {
    let Some((format, offset)) = other_format(syntax, frame) else {
        return codec_for(syntax).map(|codec| (codec, None)).ok_or_else(|| no_codec(syntax));
    };
    let text = format!("{} codestream found, transfer syntax is {}", format.title(), syntax.keyword());
    match codec_of_format(format) {
        Some(codec) => Ok((codec, Some(Deviation::new(text, "PS3.5 A.4").at(offset)))),
        None => Err(unsupported(text, "PS3.5 A.4").at(offset)),
    }
}

/// True if the codec of the transfer syntax is that of `frame`, or no codec is.
pub(crate) fn has_declared_format(syntax: TransferSyntax, frame: &[u8]) -> bool {
    other_format(syntax, frame).is_none()
}

/// The format of `frame` and the offset of the marker that decides, if it is not that of the transfer syntax. Formats that no
/// codec decodes count only if they are of another family than the transfer syntax.
fn other_format(syntax: TransferSyntax, frame: &[u8]) -> Option<(CodestreamFormat, usize)> {
    let declared = codec_for(syntax).and_then(|codec| codec.codestream_format());
    if declared.is_none() && !syntax.is_jpeg_family() {
        return None;
    }
    let (format, offset) = identify::format_of(frame)?;
    let is_declared = declared == Some(format)
        || matches!((declared, format), (Some(CodestreamFormat::Htj2k), CodestreamFormat::Jpeg2000));
    let is_other = codec_of_format(format).is_some() || format == CodestreamFormat::JpegXl;
    (!is_declared && is_other).then_some((format, offset))
}

/// Returns the error of a frame that is shorter than `format` requires. The codestream decides which codec's requirement
/// applies; `None` if the frame is long enough for it.
pub(crate) fn truncated_error(format: &dyn FrameFormat, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
    let declared = format.syntaxes().first().and_then(|syntax| codec_for(*syntax));
    let has_codestreams = declared.is_none_or(|codec| codec.codestream_format().is_some());
    let found = if has_codestreams { identify::format_of(frame) } else { None };
    match found.and_then(|(format, _)| codec_of_format(format)) {
        Some(codec) if frame.len() as u64 >= codec.min_frame_bytes(info) => None,
        Some(codec) => codec.truncated_error(frame, info),
        None => format.truncated_error(frame, info),
    }
}

/// The error of a transfer syntax that no codec decodes.
pub(crate) fn no_codec(syntax: TransferSyntax) -> DecodeError {
    let feature = syntax.unsupported_feature().map(|feature| format!(" ({feature})")).unwrap_or_default();
    unsupported(format!("no codec for transfer syntax {}{feature}", syntax.keyword()), "PS3.5 Annex A")
}

/// The error of a UID that is not that of a transfer syntax for images.
fn unknown_syntax(uid: &str) -> DecodeError {
    unsupported(format!("no codec for transfer syntax {uid}"), "PS3.5 Annex A")
}
