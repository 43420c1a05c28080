//! dicoxide-core: the bytes of DICOM frames → samples. No Python, no NumPy, no I/O.
//!
//! One door: [`decode_frame`]. A codec of the register ([`codec::CODECS`]) turns the bytes of one frame
//! into stored samples; the [`output::Output`] finishes them (stored bits, colour, rescale) while they are in
//! cache and stores them once. [`frames`] knows where the frames of a Pixel Data value lie and decodes
//! many of them on several threads. [`encode`] is the way back.

pub mod codec;
pub mod encode;
pub mod error;
pub mod frame;
pub mod frames;
mod kernel;
pub mod limits;
pub mod output;
pub mod pixel;
mod sample;
pub mod syntax;
#[cfg(test)]
mod testing;
pub mod value;

pub use codec::{Codec, EntropyMode, FrameContext, SegmentByteOrder};
pub use error::{DecodeError, ErrorKind, Result};
pub use frame::{
    Attributes, Decoded, Deviation, FrameBytes, FrameInfo, PhotometricInterpretation, SampleKind, Samples, SamplesBuf,
    SamplesMut,
};
pub use kernel::CpuLevel;
pub use kernel::convert::Rescale;
pub use limits::Limits;
pub use output::{Cancel, OutputOptions, Store};
pub use syntax::TransferSyntax;
pub use value::{ReadAt, Value};

use codec::Scratch;
use output::{Output, ScratchBlock};

/// How one frame is to be decoded, beside what it is.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    /// What happens to the stored samples.
    pub finish: OutputOptions,
    /// Order of an RLE sample's byte planes.
    pub segment_byte_order: SegmentByteOrder,
    /// Whether tolerated departures are errors.
    pub strict: bool,
    /// Which instructions are used.
    pub tier: CpuLevel,
    /// Which way through entropy-coded data, where it is not the fastest one of the tier.
    pub way: Option<EntropyMode>,
    /// Most threads to decode one frame on, the calling one among them. It changes no value, note or error.
    pub threads: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            finish: OutputOptions::default(),
            segment_byte_order: SegmentByteOrder::Big,
            strict: false,
            tier: CpuLevel::best(),
            way: None,
            threads: 1,
        }
    }
}

/// All that the frames of one object have in common.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The transfer syntax.
    pub syntax: TransferSyntax,
    /// The checked attributes.
    pub info: &'a FrameInfo,
    /// The budget.
    pub limits: &'a Limits,
    /// How it is decoded.
    pub options: DecodeOptions,
}

/// Scratch of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub struct Workspace {
    staging: ScratchBlock,
    /// Of the others of frames that are decoded together.
    stagings: Vec<ScratchBlock>,
    scratch: Scratch,
    /// Bytes of frames that do not lie in memory in one piece.
    bytes: Vec<Vec<u8>>,
}

/// Decodes one frame into `out`, which holds exactly its samples: planar configuration 0, right-aligned,
/// sign-extended, in native byte order.
///
/// # Errors
/// Any [`ErrorKind`]; `out` holds nothing of meaning then. `Unsupported` if no codec takes the transfer syntax.
///
/// # Standard
/// PS3.5 8 and Annex A; each codec names its own clauses.
pub fn decode_frame(
    job: &Job<'_>,
    src: FrameBytes<'_>,
    out: SamplesMut<'_>,
    workspace: &mut Workspace,
    watch: Cancel<'_>,
) -> Result<Decoded> {
    let codec = find_codec(job.syntax)?;
    let Workspace { staging, scratch, .. } = workspace;
    let mut sink = Output::new(job.info, job.options.finish, out, staging, watch, job.options.tier)?;
    let decoded = codec.decode(src, &context_of(job), scratch, &mut sink)?;
    finished(decoded, &sink, job.options.strict)
}

/// Decodes a frame that lies at `place` of `value`, where its codec reads such frames itself.
pub(crate) fn read_frame(
    job: &Job<'_>,
    value: Value<'_>,
    place: std::ops::Range<usize>,
    out: SamplesMut<'_>,
    rescale: Option<Rescale>,
    workspace: &mut Workspace,
    watch: Cancel<'_>,
) -> Result<Decoded> {
    let codec = find_codec(job.syntax)?;
    let finish = OutputOptions { rescale: rescale.or(job.options.finish.rescale), ..job.options.finish };
    let mut sink = Output::new(job.info, finish, out, &mut workspace.staging, watch, job.options.tier)?;
    let decoded = codec.read(value, place, &context_of(job), &mut sink)?;
    finished(decoded, &sink, job.options.strict)
}

fn find_codec(syntax: TransferSyntax) -> Result<&'static dyn Codec> {
    codec::codec_for(syntax).ok_or_else(|| codec::no_codec(syntax.keyword()))
}

fn context_of<'a>(job: &Job<'a>) -> FrameContext<'a> {
    let DecodeOptions { segment_byte_order, way, threads, .. } = job.options;
    let way = way.unwrap_or_else(EntropyMode::best);
    FrameContext { syntax: job.syntax, info: job.info, limits: job.limits, segment_byte_order, way, threads }
}

/// What a codec gives back, if it is the whole frame and nothing was tolerated that may not be.
fn finished(decoded: Decoded, sink: &Output<'_>, strict: bool) -> Result<Decoded> {
    if sink.pixels_left() > 0 {
        return Err(error::truncated(format!("{} pixels of the frame are missing", sink.pixels_left()), ""));
    }
    match decoded.deviations.first() {
        Some(deviations) if strict => Err(deviations.clone().into_error()),
        _ => Ok(decoded),
    }
}

/// One of the frames that are decoded together.
#[derive(Debug)]
pub struct BatchFrame<'a> {
    /// Its bytes.
    pub src: FrameBytes<'a>,
    /// Memory for exactly its samples.
    pub out: SamplesMut<'a>,
    /// Its own rescale, where the job has none.
    pub rescale: Option<Rescale>,
}

/// Decodes several frames, in lock-step where the codec knows how to. Each has its own result, as if it were alone.
pub fn decode_batch(
    job: &Job<'_>,
    frames: Vec<BatchFrame<'_>>,
    workspace: &mut Workspace,
    watch: Cancel<'_>,
) -> Vec<Result<Decoded>> {
    let codec = match find_codec(job.syntax) {
        Ok(codec) => codec,
        Err(error) => return frames.iter().map(|_| Err(error.clone())).collect(),
    };
    // Most codecs go frame by frame.
    let frames = match <[_; 1]>::try_from(frames) {
        Ok([BatchFrame { src, out, rescale }]) => {
            let finish = OutputOptions { rescale, ..job.options.finish };
            let job = Job { options: DecodeOptions { finish, ..job.options }, ..*job };
            return vec![decode_frame(&job, src, out, workspace, watch)];
        }
        Err(frames) => frames,
    };
    let Workspace { staging, stagings, scratch, .. } = workspace;
    stagings.resize_with(stagings.len().max(frames.len().saturating_sub(1)), ScratchBlock::default);
    let stagings = std::iter::once(staging).chain(stagings);
    let mut opened = Vec::with_capacity(frames.len());
    let mut refused = Vec::new();
    for (place, (BatchFrame { src, out, rescale }, staging)) in frames.into_iter().zip(stagings).enumerate() {
        let finish = OutputOptions { rescale, ..job.options.finish };
        match Output::new(job.info, finish, out, staging, watch, job.options.tier) {
            Ok(sink) => opened.push((src, sink)),
            Err(error) => refused.push((place, Err(error))),
        }
    }
    let decoded = codec.decode_batch(&context_of(job), scratch, &mut opened);
    let whole = decoded.into_iter().zip(&opened);
    let mut results: Vec<_> =
        whole.map(|(decoded, (_, sink))| decoded.and_then(|it| finished(it, sink, job.options.strict))).collect();
    for (place, refused) in refused {
        results.insert(place.min(results.len()), refused);
    }
    results
}
