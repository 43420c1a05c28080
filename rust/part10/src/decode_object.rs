//! One object of a batch: from its source to its samples.
//!
//! ```text
//! Source ─► OpenedImage ─► ReadyImage ─► Outcome::Decoded(DecodedImage)
//!           header,         with memory    alone on several threads, or in lock-step with images of the same kind
//!           ImagePlan       for samples
//! ```
//!
//! Whatever this path does not implement is `Outcome::NeedsFallback`: the Python package decodes that source itself.

use crate::image::Image;
use crate::object::Object;
use crate::open::{OpenError, Source, open};
use crate::plan::{ImagePlan, outcome_of};
use crate::request::{DecodedImage, FrameDeviations, Outcome, Request};
use dicoxide_core::frames::FrameError;
use dicoxide_core::{BatchFrame, Cancel, Limits, Result, SamplesBuf, Workspace, decode_batch};
use std::path::PathBuf;

/// Allocates memory for samples: a number of 64-bit words, with any content.
pub type Allocate = dyn Fn(usize) -> Result<Vec<u64>> + Send + Sync;

/// Scratch of one thread for images that are decoded in lock-step.
#[derive(Debug, Default)]
pub(crate) struct BatchScratch {
    workspace: Workspace,
    /// Bytes of each image's frame.
    frame_bytes: Vec<Vec<u8>>,
}

/// An opened image, and the plan of decoding it.
pub(crate) struct OpenedImage {
    object: Object,
    image: Image,
    plan: ImagePlan,
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
        let plan = ImagePlan::new(&object, &image, request)?;
        Ok(Self { object, image, plan })
    }

    /// Returns the number of output bytes, if `max_bytes` allows them.
    pub(crate) fn output_bytes(&self, request: &Request) -> Result<u64, Outcome> {
        let bytes = self.plan.sample_type().bytes_of(self.plan.samples()).ok_or(Outcome::NeedsFallback)?;
        let reserved = Limits::new(request.max_bytes).reserve(bytes);
        reserved.map_err(|error| Outcome::Failed(error, None, None))?;
        Ok(bytes as u64)
    }

    /// Allocates memory for the samples. `source_index` is that of the source in the caller's order.
    pub(crate) fn allocate(self, source_index: u64, allocate: &Allocate) -> Result<ReadyImage, Outcome> {
        match SamplesBuf::new(self.plan.sample_type(), self.plan.samples(), allocate) {
            Ok(samples) => Ok(ReadyImage { source_index, opened: self, samples }),
            Err(error) => Err(Outcome::Failed(error, None, None)),
        }
    }
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
        if request.max_bytes.is_none() { self.opened.plan.batch_size() } else { 1 }
    }

    /// True if the two images can be decoded in lock-step.
    pub(crate) fn is_same_kind(&self, other: &Self) -> bool {
        let (kind, other) = (&self.opened.plan.kind, &other.opened.plan.kind);
        kind.syntax == other.syntax && kind.info == other.info
    }

    /// Decodes the image alone, on at most `threads` threads.
    pub(crate) fn decode(mut self, request: &Request, threads: usize, cancel: Cancel<'_>) -> Outcome {
        let limits = Limits::new(request.max_bytes);
        let OpenedImage { object, image, plan } = &self.opened;
        let poll = || cancel.check().is_err();
        match plan.decode(object, image, &limits, self.samples.as_mut(), threads, &poll) {
            Ok(deviations) => self.decoded(deviations),
            Err(FrameError { index, error }) => outcome_of(error, &image.transfer_syntax, Some(index)),
        }
    }

    fn decoded(self, deviations: FrameDeviations) -> Outcome {
        let shape = self.opened.plan.shape().to_vec();
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
    let (kind, limits) = (first.opened.plan.kind, Limits::unbounded());
    let context = kind.context(&limits);
    let BatchScratch { workspace, frame_bytes } = scratch;
    frame_bytes.resize_with(frame_bytes.len().max(images.len()), Vec::new);
    let mut frames = Vec::with_capacity(images.len());
    // One per image: why the bytes of its frame cannot be read. Such an image takes no part in the batch.
    let mut read_errors = Vec::with_capacity(images.len());
    for (ready, bytes) in images.iter_mut().zip(frame_bytes) {
        let OpenedImage { object, image, plan } = &ready.opened;
        let index = plan.indices.first().copied().unwrap_or(0);
        match plan.table.frame(image.pixel_data(object), index, &limits, bytes) {
            Ok(src) => {
                let transform = plan.transforms().first().copied();
                frames.push(BatchFrame { src, out: ready.samples.as_mut(), transform });
                read_errors.push(None);
            }
            Err(error) => read_errors.push(Some(error)),
        }
    }
    let mut results = decode_batch(&context, frames, workspace, cancel).into_iter();
    let mut outcomes = Vec::with_capacity(read_errors.len());
    for (ready, read_error) in images.drain(..).zip(read_errors) {
        let (source_index, index) = (ready.source_index, ready.opened.plan.indices.first().copied());
        let outcome = match read_error.map_or_else(|| results.next(), |error| Some(Err(error))) {
            Some(Ok(decoded)) => {
                let of_frame = decoded.deviations.into_iter().map(|deviation| (index, deviation)).collect();
                let deviations = ready.opened.plan.with_deviations(&ready.opened.object, of_frame);
                ready.decoded(deviations)
            }
            Some(Err(error)) => outcome_of(error, &ready.opened.image.transfer_syntax, index),
            None => Outcome::Bug("a batch returned fewer results than frames".to_owned()),
        };
        outcomes.push((source_index, outcome));
    }
    outcomes
}
