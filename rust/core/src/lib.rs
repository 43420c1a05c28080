//! dicoxide-core: the bytes of DICOM frames → samples. No Python, no NumPy, no I/O.
//!
//! One door: [`decode_frame`]. A codec of the register ([`codec::CODECS`]) turns the bytes of one frame
//! into stored samples; the [`sink::Sink`] finishes them (stored bits, colour, rescale) while they are in
//! cache and stores them once. [`frames`] knows where the frames of a Pixel Data value lie and decodes
//! many of them on several threads. [`encode`] is the way back.

pub mod codec;
pub mod encode;
pub mod error;
pub mod frame;
pub mod frames;
mod kernel;
pub mod limits;
pub mod pixel;
pub mod sink;
pub mod syntax;

pub use codec::{Codec, Context, SegmentByteOrder, Way};
pub use error::{DecodeError, ErrorKind, Result};
pub use frame::{
    Attributes, Decoded, FrameBytes, FrameInfo, PhotometricInterpretation, SampleKind, Samples, SamplesMut, Tolerated,
};
pub use kernel::Tier;
pub use kernel::convert::Rescale;
pub use limits::Limits;
pub use sink::{Finish, Store, Watch};
pub use syntax::TransferSyntax;

use codec::Scratch;
use sink::{Sink, Staging};

/// How one frame is to be decoded, beside what it is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What happens to the stored samples.
    pub finish: Finish,
    /// Order of an RLE sample's byte planes.
    pub segment_byte_order: SegmentByteOrder,
    /// Whether tolerated departures are errors.
    pub strict: bool,
    /// Which instructions are used.
    pub tier: Tier,
    /// Which way through entropy-coded data, where it is not the fastest one of the tier.
    pub way: Option<Way>,
    /// Most threads to decode one frame on, the calling one among them. It changes no value, note or error.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            finish: Finish::default(),
            segment_byte_order: SegmentByteOrder::Big,
            strict: false,
            tier: Tier::best(),
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
    pub options: Options,
}

/// Scratch of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub struct Workspace {
    staging: Staging,
    scratch: Scratch,
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
    watch: Watch<'_>,
) -> Result<Decoded> {
    let Some(codec) = codec::codec_for(job.syntax) else {
        return Err(error::unsupported(
            format!("no codec for transfer syntax {}", job.syntax.keyword()),
            "PS3.5 Annex A",
        ));
    };
    let Options { finish, segment_byte_order, strict, tier, way, threads } = job.options;
    let way = way.unwrap_or_else(Way::best);
    let context = Context { syntax: job.syntax, info: job.info, limits: job.limits, segment_byte_order, way, threads };
    let Workspace { staging, scratch } = workspace;
    let mut sink = Sink::new(job.info, finish, out, staging, watch, tier)?;
    let decoded = codec.decode(src, &context, scratch, &mut sink)?;
    if sink.pixels_left() > 0 {
        return Err(error::truncated(format!("{} pixels of the frame are missing", sink.pixels_left()), ""));
    }
    match decoded.tolerated.first() {
        Some(tolerated) if strict => Err(tolerated.clone().into_error()),
        _ => Ok(decoded),
    }
}
