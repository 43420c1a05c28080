//! One object of a batch: from its source to its samples.
//!
//! ```text
//! Source ─► OpenedImage ─► ReadyImage ─► Outcome::Decoded(DecodedImage)
//!           header,         with memory    alone on several threads, or in lock-step with images of the same kind
//!           checked frames  for samples
//! ```
//!
//! Whatever this path does not implement is `Outcome::NeedsFallback`: the Python package decodes that source itself.

use crate::image::Image;
use crate::modality_lut::ModalityLut;
use crate::object::Object;
use crate::open::{OpenError, Source, open};
use dicoxide_core::codec::{Codec, codec_for, codec_of_frame};
use dicoxide_core::frames::{FrameError, FrameTable, FramesOutput, PixelData, check_frames, decode_frames};
use dicoxide_core::{
    BatchFrame, Cancel, DecodeError, DecodeOptions, Deviation, ErrorKind, FrameContext, FrameInfo, Limits,
    OutputTransform, Rescale, Result, SampleType, SamplesBuf, TransferSyntax, ValueTransform, Workspace, decode_batch,
};
use std::io;
use std::path::PathBuf;

/// The result that is requested of every object of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Index of a single frame, from the last frame if negative; all frames by default.
    pub frame: Option<i64>,
    /// Convert to modality values by the Modality LUT, or by Rescale Slope and Rescale Intercept.
    pub rescale: bool,
    /// Element type; by default that of the stored values, or float32 with `rescale`.
    pub sample_type: Option<SampleType>,
    /// Options of every frame. With `rescale`, that of a frame takes precedence over `options.output.rescale`.
    pub options: DecodeOptions,
    /// Maximum number of output and scratch bytes of one object.
    pub max_bytes: Option<u64>,
}

impl Request {
    /// Returns the requested frame indices; `None` if there is no such frame.
    fn indices(&self, table: &FrameTable) -> Option<Vec<usize>> {
        let frame_count = table.frame_count();
        let Some(frame) = self.frame else { return Some((0..frame_count).collect()) };
        let from_last = if frame < 0 { i64::try_from(frame_count).ok()? } else { 0 };
        usize::try_from(frame + from_last).ok().filter(|index| *index < frame_count).map(|index| vec![index])
    }
}

/// Allocates memory for samples: a number of 64-bit words, with any content.
pub type Allocate = dyn Fn(usize) -> Result<Vec<u64>> + Send + Sync;

/// Scratch of one thread for images that are decoded in lock-step.
#[derive(Debug, Default)]
pub(crate) struct BatchScratch {
    workspace: Workspace,
    /// Bytes of each image's frame.
    frame_bytes: Vec<Vec<u8>>,
}

/// The result of one source.
pub enum Outcome {
    /// Its samples.
    Decoded(DecodedImage),
    /// A decode error, the UID of the transfer syntax if it was read, and the index of the frame if there is one.
    Failed(DecodeError, Option<String>, Option<usize>),
    /// The system refused to open or read the file.
    Unreadable(io::Error, PathBuf),
    /// Not implemented here: another decoder, or an argument that the caller has to refuse.
    NeedsFallback,
    /// A panic and its message: a bug.
    Bug(String),
    /// The batch was cancelled.
    Cancelled,
}

/// Decoded samples of one object.
#[derive(Debug)]
pub struct DecodedImage {
    /// Samples of all requested frames, in order.
    pub samples: SamplesBuf,
    /// ([frames,] rows, columns[, samples per pixel]).
    pub shape: Vec<usize>,
    /// Deviations, with the frame index unless they concern the whole value.
    pub deviations: Vec<(Option<usize>, Deviation)>,
}

/// An opened image whose frames are long enough for its attributes.
pub(crate) struct OpenedImage {
    object: Object,
    image: Image,
    kind: ImageKind,
    codec: &'static dyn Codec,
    table: FrameTable,
    indices: Vec<usize>,
    /// One per frame in `indices`, or one for all, or none.
    rescales: Vec<Rescale>,
    /// Replaces `rescales`.
    modality_lut: Option<ModalityLut>,
    sample_type: SampleType,
    shape: Vec<usize>,
}

impl OpenedImage {
    /// Opens a source and checks the requested frames. No memory for samples is allocated yet.
    pub(crate) fn open(source: &Source, request: &Request) -> Result<Self, Outcome> {
        let (object, image) = match open(source, &Limits::new(request.max_bytes)) {
            Ok(opened) => opened,
            Err(OpenError::Header(error, uid)) => return Err(Outcome::Failed(error, uid, None)),
            Err(OpenError::File(error)) => {
                let path = if let Source::Path(path) = source { path.clone() } else { PathBuf::new() };
                return Err(Outcome::Unreadable(error, path));
            }
        };
        let failed = |error| outcome_of(error, &image.transfer_syntax, None);
        let (syntax, _, info, table) = image.frames(&object).map_err(failed)?;
        // The package reports deviations of the attributes (`FrameSpec.deviations`), so such images are left to it.
        let is_shifted = image.high_bit.is_some_and(|high_bit| Some(high_bit.saturating_add(1)) != image.bits_stored);
        let is_ambiguous = syntax.is_big_endian() && info.sample_bytes() > 2 && !info.is_float();
        let is_planar = info.is_native_422() && info.attributes().planar_configuration == 1;
        if is_shifted || is_ambiguous || is_planar {
            return Err(Outcome::NeedsFallback);
        }
        let indices = request.indices(&table).ok_or(Outcome::NeedsFallback)?;
        let codec = codec_of_first(syntax, &table, image.pixel_data(&object), &indices).map_err(failed)?;
        // The package reports errors of `sample_type` and `max_bytes` before those of frames.
        let has_limits = request.sample_type.is_some() || request.max_bytes.is_some();
        check_frames(&table, image.pixel_data(&object), &indices, &info, codec, &Limits::new(request.max_bytes))
            .map_err(|failure| match has_limits {
                true => Outcome::NeedsFallback,
                false => outcome_of(failure.error, &image.transfer_syntax, Some(failure.index)),
            })?;
        let stored_type = info.sample_type();
        let sample_type = request.sample_type.unwrap_or(if request.rescale { SampleType::F32 } else { stored_type });
        let (mut rescales, mut modality_lut) = (Vec::new(), None);
        if request.rescale {
            if info.samples_per_pixel() != 1 {
                return Err(Outcome::NeedsFallback);
            }
            modality_lut = object.modality_lut(image.pixel_representation == 1).map_err(failed)?;
            if modality_lut.is_none() {
                rescales = object.rescales(&indices).map_err(failed)?;
            }
            if rescales.is_empty() && modality_lut.is_none() && sample_type != stored_type {
                rescales.push(Rescale { slope: 1.0, intercept: 0.0 });
            }
        }
        let has_frame_axis = request.frame.is_none() && indices.len() > 1;
        let shape = shape_of(&info.reduced(request.options.reduce), has_frame_axis.then_some(indices.len()));
        let kind = ImageKind { syntax, info, options: request.options };
        Ok(Self { object, image, kind, codec, table, indices, rescales, modality_lut, sample_type, shape })
    }

    /// Returns one transform per frame, or one for all, or none.
    fn transforms(&self) -> Vec<OutputTransform<'_>> {
        match &self.modality_lut {
            Some(lut) => vec![ValueTransform::Table(&lut.table).into()],
            None => self.rescales.iter().map(|rescale| ValueTransform::Linear(*rescale).into()).collect(),
        }
    }

    /// Returns the number of samples of all requested frames.
    fn samples(&self) -> usize {
        self.kind.info.reduced(self.kind.options.reduce).samples().saturating_mul(self.indices.len())
    }

    /// Returns the number of output bytes, if `max_bytes` allows them.
    pub(crate) fn output_bytes(&self, request: &Request) -> Result<u64, Outcome> {
        let bytes = self.sample_type.bytes_of(self.samples()).ok_or(Outcome::NeedsFallback)?;
        let reserved = Limits::new(request.max_bytes).reserve(bytes);
        reserved.map_err(|error| Outcome::Failed(error, None, None))?;
        Ok(bytes as u64)
    }

    /// Allocates memory for the samples. `source_index` is that of the source in the caller's order.
    pub(crate) fn allocate(self, source_index: u64, allocate: &Allocate) -> Result<ReadyImage, Outcome> {
        match SamplesBuf::new(self.sample_type, self.samples(), allocate) {
            Ok(samples) => Ok(ReadyImage { source_index, opened: self, samples }),
            Err(error) => Err(Outcome::Failed(error, None, None)),
        }
    }
}

/// The codec of the transfer syntax. If there is none, the codec of the first frame: a codestream of the JPEG family may be
/// one that a codec decodes, whatever the transfer syntax.
fn codec_of_first(
    syntax: TransferSyntax,
    table: &FrameTable,
    data: PixelData<'_>,
    indices: &[usize],
) -> Result<&'static dyn Codec> {
    if let Some(codec) = codec_for(syntax) {
        return Ok(codec);
    }
    let mut scratch = Vec::new();
    let frame = match indices.first() {
        Some(index) => table.frame(data, *index, &Limits::unbounded(), &mut scratch)?.bytes,
        None => &[],
    };
    codec_of_frame(syntax, frame).map(|(codec, _)| codec)
}

/// An opened image with memory for its samples.
pub(crate) struct ReadyImage {
    source_index: u64,
    opened: OpenedImage,
    samples: SamplesBuf,
}

impl ReadyImage {
    /// Returns how many images of this kind to decode in lock-step. Only single frames without a budget are.
    pub(crate) fn batch_size(&self, request: &Request) -> usize {
        let is_single = self.opened.indices.len() == 1 && request.max_bytes.is_none();
        if is_single { self.opened.codec.frames_at_once(&self.opened.kind.info) } else { 1 }
    }

    /// True if the two images can be decoded in lock-step.
    pub(crate) fn is_same_kind(&self, other: &Self) -> bool {
        let (kind, other) = (&self.opened.kind, &other.opened.kind);
        kind.syntax == other.syntax && kind.info == other.info
    }

    /// Decodes the image alone, on at most `threads` threads.
    pub(crate) fn decode(mut self, request: &Request, threads: usize, cancel: Cancel<'_>) -> Outcome {
        let limits = Limits::new(request.max_bytes);
        let OpenedImage { object, image, kind, table, indices, .. } = &self.opened;
        let context = kind.context(&limits);
        let data = image.pixel_data(object);
        let transforms = self.opened.transforms();
        let output = FramesOutput { samples: self.samples.as_mut(), transforms: &transforms, is_warm: false };
        let poll = || cancel.check().is_err();
        match decode_frames(&context, table, data, indices, output, threads, &poll) {
            Ok(summary) => self.decoded(summary.deviations),
            Err(FrameError { index, error }) => outcome_of(error, &self.opened.image.transfer_syntax, Some(index)),
        }
    }

    fn decoded(self, frame_deviations: Vec<(Option<usize>, Deviation)>) -> Outcome {
        let OpenedImage { object, table, shape, modality_lut, .. } = self.opened;
        let mut deviations: Vec<_> = table.deviations().iter().map(|deviation| (None, deviation.clone())).collect();
        let lut_deviations = modality_lut.into_iter().flat_map(|lut| lut.deviations);
        deviations.extend(lut_deviations.chain(object.item_deviation().cloned()).map(|deviation| (None, deviation)));
        deviations.extend(frame_deviations);
        Outcome::Decoded(DecodedImage { samples: self.samples, shape, deviations })
    }
}

/// Decodes images of the same kind, one frame each, in lock-step; returns their outcomes with their source indices.
pub(crate) fn decode_same_kind(
    images: &mut Vec<ReadyImage>,
    scratch: &mut BatchScratch,
    cancel: Cancel<'_>,
) -> Vec<(u64, Outcome)> {
    let Some(first) = images.first() else { return Vec::new() };
    let (kind, limits) = (first.opened.kind, Limits::unbounded());
    let context = kind.context(&limits);
    let BatchScratch { workspace, frame_bytes } = scratch;
    frame_bytes.resize_with(frame_bytes.len().max(images.len()), Vec::new);
    let mut frames = Vec::with_capacity(images.len());
    // One per image: why the bytes of its frame cannot be read. Such an image takes no part in the batch.
    let mut read_errors = Vec::with_capacity(images.len());
    for (ready, bytes) in images.iter_mut().zip(frame_bytes) {
        let OpenedImage { object, image, table, indices, .. } = &ready.opened;
        let index = indices.first().copied().unwrap_or(0);
        match table.frame(image.pixel_data(object), index, &limits, bytes) {
            Ok(src) => {
                let transform = ready.opened.transforms().first().copied();
                frames.push(BatchFrame { src, out: ready.samples.as_mut(), transform });
                read_errors.push(None);
            }
            Err(error) => read_errors.push(Some(error)),
        }
    }
    let mut results = decode_batch(&context, frames, workspace, cancel).into_iter();
    let mut outcomes = Vec::with_capacity(read_errors.len());
    for (ready, read_error) in images.drain(..).zip(read_errors) {
        let (source_index, index) = (ready.source_index, ready.opened.indices.first().copied());
        let outcome = match read_error.map_or_else(|| results.next(), |error| Some(Err(error))) {
            Some(Ok(decoded)) => {
                ready.decoded(decoded.deviations.into_iter().map(|deviation| (index, deviation)).collect())
            }
            Some(Err(error)) => outcome_of(error, &ready.opened.image.transfer_syntax, index),
            None => Outcome::Bug("a batch returned fewer results than frames".to_owned()),
        };
        outcomes.push((source_index, outcome));
    }
    outcomes
}

/// Returns the outcome of a decode error. `Unsupported` and `Output` errors are left to the package, which asks
/// fallback decoders, or raises the same error about its own arguments.
fn outcome_of(error: DecodeError, transfer_syntax: &str, index: Option<usize>) -> Outcome {
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Output => Outcome::NeedsFallback,
        ErrorKind::Interrupted => Outcome::Cancelled,
        _ => Outcome::Failed(error, Some(transfer_syntax.to_owned()), index),
    }
}

/// The common properties of images that are decoded in lock-step.
#[derive(Clone, Copy)]
struct ImageKind {
    syntax: TransferSyntax,
    info: FrameInfo,
    /// Options of the request, equal for all images of a batch.
    options: DecodeOptions,
}

impl ImageKind {
    fn context<'a>(&'a self, limits: &'a Limits) -> FrameContext<'a> {
        FrameContext { syntax: self.syntax, info: &self.info, limits, options: self.options }
    }
}

fn shape_of(info: &FrameInfo, frame_count: Option<usize>) -> Vec<usize> {
    let samples = (info.samples_per_pixel() > 1).then(|| info.samples_per_pixel());
    let attributes = info.attributes();
    let plane = [attributes.rows as usize, attributes.columns as usize];
    frame_count.into_iter().chain(plane).chain(samples).collect()
}
