//! The codecs: each turns the bytes of one frame into stored samples. One row of [`CODECS`] a codec.

mod entropy_mode;
mod jpeg_lossless;
mod native;
mod rle;
mod t81;
mod undecoded;

pub use entropy_mode::EntropyMode;
pub use jpeg_lossless::{Dimensions as JpegLosslessDimensions, dimensions as jpeg_lossless_dimensions};
pub(crate) use native::frame_bits as native_frame_bits;
pub use undecoded::codestream_size;
pub(crate) use undecoded::no_codec;

use crate::error::{DecodeError, Result, truncated, unsupported};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::output::Output;
use crate::syntax::TransferSyntax;
use crate::value::Value;
use std::any::Any;
use std::fmt;
use std::ops::Range;

/// Order of an RLE sample's byte planes. Only `Big` is conformant (PS3.5 G.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SegmentByteOrder {
    /// Most significant byte first, as the standard has it.
    #[default]
    Big,
    /// Least significant byte first, as some files have it.
    Little,
}

/// What a codec may know beside the frame's bytes.
#[derive(Debug, Clone, Copy)]
pub struct FrameContext<'a> {
    /// The transfer syntax that the data set names.
    pub syntax: TransferSyntax,
    /// The checked attributes.
    pub info: &'a FrameInfo,
    /// The budget for scratch.
    pub limits: &'a Limits,
    /// Order of an RLE sample's byte planes.
    pub segment_byte_order: SegmentByteOrder,
    /// Which way through entropy-coded data.
    pub way: EntropyMode,
    /// Most threads to decode the frame on, the calling one among them.
    pub threads: usize,
}

/// What a codec keeps from frame to frame of one thread: of whatever type it wants.
#[derive(Debug, Default)]
pub struct Scratch(Option<Box<dyn Any + Send>>);

impl Scratch {
    /// Lends out what the codec left here, or a fresh one.
    pub(crate) fn with<T: Any + Send + Default, R>(&mut self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut own: Box<T> = self.0.take().and_then(|kept| kept.downcast().ok()).unwrap_or_default();
        let result = work(&mut own);
        self.0 = Some(own);
        result
    }
}

/// By how many bytes codecs tell how a frame begins: the length of an RLE header.
pub(crate) const HEAD_BYTES: usize = 64;

/// Bytes of one frame → stored samples in the sink, planar configuration 0.
pub trait Codec: Sync {
    /// Its name, one word.
    fn name(&self) -> &'static str;

    /// The transfer syntaxes that it decodes.
    fn syntaxes(&self) -> &'static [TransferSyntax];

    /// Whether a fragment of so many bytes is the first of a frame: tells frames apart where no offset table does.
    /// `head` is how it begins, [`HEAD_BYTES`] of it where it is longer.
    fn starts_frame(&self, head: &[u8], fragment_bytes: usize, info: &FrameInfo) -> bool;

    /// The fewest bytes that a frame can have: what is shorter is refused before its samples are allocated.
    fn min_frame_bytes(&self, info: &FrameInfo) -> u64;

    /// What is wrong with a frame of fewer bytes than [`Self::min_frame_bytes`], as [`Self::decode`] would tell it: first what
    /// its header says.
    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> DecodeError {
        too_short(frame, self.min_frame_bytes(info))
    }

    /// Decodes one frame: exactly `info.pixels()` pixels are committed to `sink`, or an error is returned.
    /// `scratch` is the thread's own; it keeps its size from frame to frame.
    ///
    /// # Errors
    /// Every kind but `Output`; offsets are from the start of the frame.
    fn decode(
        &self,
        frame: FrameBytes<'_>,
        context: &FrameContext<'_>,
        scratch: &mut Scratch,
        sink: &mut Output<'_>,
    ) -> Result<Decoded>;

    /// Whether [`Self::read`] decodes such frames.
    fn reads(&self, _: &FrameInfo) -> bool {
        false
    }

    /// Decodes a frame that lies at `place` of a value which is read by position, without a buffer between. Only where
    /// [`Self::reads`] says so, and as [`Self::decode`] would.
    ///
    /// # Errors
    /// As [`Self::decode`], and `Io`.
    fn read(&self, _: Value<'_>, _: Range<usize>, context: &FrameContext<'_>, _: &mut Output<'_>) -> Result<Decoded> {
        Err(unsupported(format!("{} is not read in pieces", context.syntax.keyword()), ""))
    }

    /// How many frames it decodes faster together than alone; 1 where that gains nothing.
    fn together(&self, _: &FrameInfo) -> usize {
        1
    }

    /// Decodes frames of one object, each as [`Self::decode`] would: as many results, in their order.
    fn decode_batch(
        &self,
        context: &FrameContext<'_>,
        scratch: &mut Scratch,
        frames: &mut [(FrameBytes<'_>, Output<'_>)],
    ) -> Vec<Result<Decoded>> {
        frames.iter_mut().map(|(frame, sink)| self.decode(*frame, context, scratch, sink)).collect()
    }
}

impl fmt::Debug for dyn Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with a frame where its header is right.
fn too_short(frame: &[u8], min_frame_bytes: u64) -> DecodeError {
    let found = frame.len();
    truncated(format!("{found} bytes found, a frame of this size has at least {min_frame_bytes}"), "PS3.5 Annex A")
        .at(found)
}

/// The register: a new codec is one more row.
pub const CODECS: &[&dyn Codec] = &[&native::Native, &rle::Rle, &jpeg_lossless::JpegLossless];

/// The transfer syntax of a UID and its codec.
///
/// # Errors
/// `Unsupported` if there is none.
pub fn find_codec(uid: &str) -> Result<(TransferSyntax, &'static dyn Codec)> {
    let known = TransferSyntax::from_uid(uid);
    known.and_then(|syntax| codec_for(syntax).map(|codec| (syntax, codec))).ok_or_else(|| {
        let name = known.map_or(uid, |syntax| syntax.keyword());
        no_codec(name)
    })
}

/// The same where frames are to be found only: those of any encapsulated transfer syntax are.
///
/// # Errors
/// As [`find_codec`].
pub fn find_frame_format(uid: &str) -> Result<(TransferSyntax, &'static dyn Codec)> {
    let foreign = TransferSyntax::from_uid(uid).filter(|syntax| syntax.is_encapsulated());
    find_codec(uid)
        .or_else(|error| foreign.map(|syntax| (syntax, &undecoded::UndecodedFormat as &dyn Codec)).ok_or(error))
}

/// The codec of a transfer syntax.
#[must_use]
pub fn codec_for(syntax: TransferSyntax) -> Option<&'static dyn Codec> {
    CODECS.iter().copied().find(|codec| codec.syntaxes().contains(&syntax))
}
