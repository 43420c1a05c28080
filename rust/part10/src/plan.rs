//! The plan of decoding an image: its requested frames, their codec and transforms, and the type and shape of the result.

use crate::image::Image;
use crate::modality_lut::ModalityLut;
use crate::object::Object;
use crate::request::{FrameDeviations, Outcome, Request};
use dicoxide_core::codec::{Codec, codec_for, codec_of_frame};
use dicoxide_core::frames::{FrameError, FrameTable, FramesOutput, PixelData, check_frames, decode_frames};
use dicoxide_core::{
    DecodeError, DecodeOptions, ErrorKind, FrameContext, FrameInfo, Limits, OutputTransform, Rescale, Result,
    SampleType, SamplesMut, TransferSyntax, ValueTransform,
};

/// Everything that decoding the requested frames of an image needs, validated. The frames are long enough for the
/// attributes of the image.
pub struct ImagePlan {
    pub(crate) kind: ImageKind,
    codec: &'static dyn Codec,
    pub(crate) table: FrameTable,
    pub(crate) indices: Vec<usize>,
    /// One per frame in `indices`, or one for all, or none.
    rescales: Vec<Rescale>,
    /// Replaces `rescales`.
    modality_lut: Option<ModalityLut>,
    sample_type: SampleType,
    shape: Vec<usize>,
}

/// The common properties of images that are decoded in lock-step.
#[derive(Clone, Copy)]
pub(crate) struct ImageKind {
    pub(crate) syntax: TransferSyntax,
    pub(crate) info: FrameInfo,
    /// Options of the request, equal for all images of a batch.
    options: DecodeOptions,
}

impl ImageKind {
    pub(crate) fn context<'a>(&'a self, limits: &'a Limits) -> FrameContext<'a> {
        FrameContext { syntax: self.syntax, info: &self.info, limits, options: self.options }
    }
}

impl ImagePlan {
    /// Finds and checks the requested frames of an image. No memory for samples is allocated.
    ///
    /// # Errors
    /// [`Outcome::Failed`], or [`Outcome::NeedsFallback`] for what only the Python package decodes or reports.
    pub fn new(object: &Object, image: &Image, request: &Request) -> Result<Self, Outcome> {
        let failed = |error| outcome_of(error, &image.transfer_syntax, None);
        let (syntax, _, info, table) = image.frames(object).map_err(failed)?;
        // The package reports deviations of the attributes (`FrameSpec.deviations`), so such images are left to it.
        let is_shifted = image.high_bit.is_some_and(|high_bit| Some(high_bit.saturating_add(1)) != image.bits_stored);
        let is_ambiguous = syntax.is_big_endian() && info.sample_bytes() > 2 && !info.is_float();
        let is_planar = info.is_native_422() && info.attributes().planar_configuration == 1;
        if is_shifted || is_ambiguous || is_planar {
            return Err(Outcome::NeedsFallback);
        }
        let indices = request.indices(&table).ok_or(Outcome::NeedsFallback)?;
        let codec = codec_of_first(syntax, &table, image.pixel_data(object), &indices).map_err(failed)?;
        // The package reports errors of `sample_type` and `max_bytes` before those of frames.
        let has_limits = request.sample_type.is_some() || request.max_bytes.is_some();
        check_frames(&table, image.pixel_data(object), &indices, &info, codec, &Limits::new(request.max_bytes))
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
        Ok(Self { kind, codec, table, indices, rescales, modality_lut, sample_type, shape })
    }

    /// Element type of the result.
    #[must_use]
    pub const fn sample_type(&self) -> SampleType {
        self.sample_type
    }

    /// Shape of the result: ([frames,] rows, columns[, samples per pixel]).
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of requested frames.
    #[must_use]
    pub const fn frame_count(&self) -> usize {
        self.indices.len()
    }

    /// Number of samples of all requested frames.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.kind.info.reduced(self.kind.options.reduce).samples().saturating_mul(self.indices.len())
    }

    /// Number of images of this kind that the codec decodes in lock-step, 1 if there are several requested frames.
    pub(crate) fn batch_size(&self) -> usize {
        if self.indices.len() == 1 { self.codec.frames_at_once(&self.kind.info) } else { 1 }
    }

    /// Returns one transform per frame, or one for all, or none.
    pub(crate) fn transforms(&self) -> Vec<OutputTransform<'_>> {
        match &self.modality_lut {
            Some(lut) => vec![ValueTransform::Table(&lut.table).into()],
            None => self.rescales.iter().map(|rescale| ValueTransform::Linear(*rescale).into()).collect(),
        }
    }

    /// Decodes the requested frames of the image that the plan was made for into `samples`, of the type and number of
    /// the result, on at most `threads` threads; returns all deviations. `poll` returns true to cancel the call.
    ///
    /// # Errors
    /// The error of the first requested frame that has one.
    pub fn decode(
        &self,
        object: &Object,
        image: &Image,
        limits: &Limits,
        samples: SamplesMut<'_>,
        threads: usize,
        poll: &dyn Fn() -> bool,
    ) -> Result<FrameDeviations, FrameError> {
        let data = image.pixel_data(object);
        let transforms = self.transforms();
        let output = FramesOutput { samples, transforms: &transforms, is_warm: false };
        let context = self.kind.context(limits);
        let summary = decode_frames(&context, &self.table, data, &self.indices, output, threads, poll)?;
        Ok(self.with_deviations(object, summary.deviations))
    }

    /// Returns the deviations of frames after those of the frame table, the Modality LUT and other items.
    pub(crate) fn with_deviations(&self, object: &Object, of_frames: FrameDeviations) -> FrameDeviations {
        let of_lut = self.modality_lut.iter().flat_map(|lut| &lut.deviations);
        let of_object = self.table.deviations().iter().chain(of_lut).chain(object.item_deviation());
        of_object.map(|deviation| (None, deviation.clone())).chain(of_frames).collect()
    }
}

/// Returns the outcome of a decode error. `Unsupported` and `Output` errors are left to the package, which asks
/// fallback decoders, or raises the same error about its own arguments.
pub(crate) fn outcome_of(error: DecodeError, transfer_syntax: &str, index: Option<usize>) -> Outcome {
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Output => Outcome::NeedsFallback,
        ErrorKind::Interrupted => Outcome::Cancelled,
        _ => Outcome::Failed(error, Some(transfer_syntax.to_owned()), index),
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

fn shape_of(info: &FrameInfo, frame_count: Option<usize>) -> Vec<usize> {
    let samples = (info.samples_per_pixel() > 1).then(|| info.samples_per_pixel());
    let attributes = info.attributes();
    let plane = [attributes.rows as usize, attributes.columns as usize];
    frame_count.into_iter().chain(plane).chain(samples).collect()
}
