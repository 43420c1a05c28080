//! One of many objects: from its source to its samples.

use crate::object::Object;
use crate::open::{OpenError, Source, open};
use crate::pixel::Image;
use dicoxide_core::codec::Codec;
use dicoxide_core::frames::{FrameError, FrameTable, FramesOutput, check_frames, decode_frames};
use dicoxide_core::{
    BatchFrame, Cancel, DecodeError, DecodeOptions, Deviation, ErrorKind, FrameInfo, Job, Limits, OutputOptions,
    Rescale, Result, SamplesBuf, TransferSyntax, Workspace, decode_batch,
};
use std::io;
use std::path::PathBuf;

/// What is wanted of each object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Index of the one frame wanted, counted from the last one where negative; all of them by default.
    pub frame: Option<i64>,
    /// Rescale to modality values.
    pub rescale: bool,
    /// Element type of the result as NumPy spells it; that of the stored values, or float32 with `rescale`, by default.
    pub type_name: Option<&'static str>,
    /// Options of every frame. `rescale` of its output stage is ignored, as it differs among objects.
    pub options: DecodeOptions,
    /// Maximum number of output and scratch bytes of one object.
    pub max_bytes: Option<u64>,
}

impl Request {
    fn indices(&self, table: &FrameTable) -> Option<Vec<usize>> {
        let frames = table.frame_count();
        let Some(frame) = self.frame else { return Some((0..frames).collect()) };
        let from_last = if frame < 0 { i64::try_from(frames).ok()? } else { 0 };
        usize::try_from(frame + from_last).ok().filter(|index| *index < frames).map(|index| vec![index])
    }
}

/// Gives memory for samples: so many words, of any value.
pub type Take = dyn Fn(usize) -> Result<Vec<u64>> + Send + Sync;

/// Scratch of one thread, for what is decoded together.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    workspace: Workspace,
    /// The bytes of the frames.
    bytes: Vec<Vec<u8>>,
}

/// What becomes of an object.
pub enum Outcome {
    /// Its samples.
    Decoded(Picture),
    /// It cannot be decoded: the error, the transfer syntax as far as it is known, and the frame.
    Failed(DecodeError, Option<String>, Option<usize>),
    /// It cannot be opened.
    Unreadable(io::Error, PathBuf),
    /// It takes what is not here: another decoder, or a Modality LUT.
    NeedsFallback,
    /// Decoding it has panicked, with this text: a bug.
    Bug(String),
    /// It was stopped.
    Stopped,
}

/// Decoded samples.
#[derive(Debug)]
pub struct Picture {
    /// The samples of all frames, one after the other.
    pub samples: SamplesBuf,
    /// ([frames,] rows, columns[, samples]).
    pub shape: Vec<usize>,
    /// What was not as the standard wants it, with the frame's index where it is of one.
    pub deviations: Vec<(Option<usize>, Deviation)>,
}

/// An opened object, of which it is known that its frames can be as large as they are said to be.
pub(crate) struct Opened {
    object: Object,
    image: Image,
    kind: Kind,
    codec: &'static dyn Codec,
    table: FrameTable,
    indices: Vec<usize>,
    rescales: Vec<Rescale>,
    type_name: &'static str,
    shape: Vec<usize>,
}

impl Opened {
    /// Opens what `request` wants of `source`.
    pub(crate) fn new(source: &Source, request: &Request) -> Result<Self, Outcome> {
        let (object, image) = match open(source, &Limits::new(request.max_bytes)) {
            Ok(opened) => opened,
            Err(OpenError::Header(error, stated)) => return Err(Outcome::Failed(error, stated, None)),
            Err(OpenError::File(error)) => {
                let path = if let Source::Path(path) = source { path.clone() } else { PathBuf::new() };
                return Err(Outcome::Unreadable(error, path));
            }
        };
        let failed = |error| failed(error, &image.transfer_syntax, None);
        let (syntax, codec, info, table) = image.frames(&object).map_err(failed)?;
        // What is to be noted of the attributes is told by the one who opens a single image.
        let is_elsewhere = image.high_bit.is_some_and(|high_bit| Some(high_bit.saturating_add(1)) != image.bits_stored);
        let is_ambiguous = syntax.is_big_endian() && info.sample_bytes() > 2 && !info.is_float();
        let is_planar = info.is_native_422() && info.attributes().planar_configuration == 1;
        if is_elsewhere || is_ambiguous || is_planar {
            return Err(Outcome::NeedsFallback);
        }
        let indices = request.indices(&table).ok_or(Outcome::NeedsFallback)?;
        check_frames(&table, image.pixel_data(&object), &indices, &info, codec, &Limits::new(request.max_bytes))
            .map_err(|error| self::failed(error.error, &image.transfer_syntax, Some(error.index)))?;
        let stored = info.type_name();
        let type_name = request.type_name.unwrap_or(if request.rescale { "float32" } else { stored });
        let mut rescales = Vec::new();
        if request.rescale {
            if info.samples_per_pixel() != 1 || object.has_modality_lut().map_err(failed)? {
                return Err(Outcome::NeedsFallback);
            }
            rescales = object.rescales(&indices).map_err(failed)?;
            if rescales.is_empty() && type_name != stored {
                rescales.push(Rescale { slope: 1.0, intercept: 0.0 });
            }
        }
        let has_axis = request.frame.is_none() && indices.len() > 1;
        let shape = shape_of(&info, has_axis.then_some(indices.len()));
        let kind = Kind { syntax, info, options: request.options };
        Ok(Self { object, image, kind, codec, table, indices, rescales, type_name, shape })
    }

    /// Bytes of its samples, if `max_bytes` allows them.
    pub(crate) fn bytes(&self, request: &Request) -> Result<u64, Outcome> {
        let samples = self.kind.info.samples().saturating_mul(self.indices.len());
        let bytes = SamplesBuf::bytes_of(self.type_name, samples).ok_or(Outcome::NeedsFallback)?;
        let reserved = Limits::new(request.max_bytes).reserve(bytes);
        reserved.map_err(|error| Outcome::Failed(error, None, None))?;
        Ok(bytes as u64)
    }

    /// The same with the memory for its samples, which `take` gives.
    pub(crate) fn prepared(self, place: u64, take: &Take) -> Result<Prepared, Outcome> {
        let samples = self.kind.info.samples().saturating_mul(self.indices.len());
        match SamplesBuf::new(self.type_name, samples, |bytes| take(bytes.div_ceil(8))) {
            Ok(Some(samples)) => Ok(Prepared { place, opened: self, samples }),
            Ok(None) => Err(Outcome::NeedsFallback),
            Err(error) => Err(Outcome::Failed(error, None, None)),
        }
    }
}

/// An object whose samples have their memory.
pub(crate) struct Prepared {
    place: u64,
    opened: Opened,
    samples: SamplesBuf,
}

impl Prepared {
    /// How many objects like it are decoded together: single frames, without a budget to share out.
    pub(crate) fn together(&self, request: &Request) -> usize {
        let is_single = self.opened.indices.len() == 1 && request.max_bytes.is_none();
        if is_single { self.opened.codec.together(&self.opened.kind.info) } else { 1 }
    }

    /// Whether the two may be decoded together.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.opened.kind.is_same(&other.opened.kind)
    }

    /// Decodes it alone, on `threads` threads.
    pub(crate) fn decode(mut self, request: &Request, threads: usize, watch: Cancel<'_>) -> Outcome {
        let limits = Limits::new(request.max_bytes);
        let Opened { object, image, kind, table, indices, rescales, .. } = &self.opened;
        let (rescale, rescales) = match rescales.as_slice() {
            [all] => (Some(*all), &[][..]),
            each => (None, each),
        };
        let job = kind.job(&limits, rescale);
        let data = image.pixel_data(object);
        let output = FramesOutput { samples: self.samples.as_mut(), rescales, is_warm: false };
        let poll = || watch.beat().is_err();
        match decode_frames(&job, table, data, indices, output, threads, &poll) {
            Ok(summary) => self.picture(summary.deviations),
            Err(FrameError { index, error }) => failed(error, &self.opened.image.transfer_syntax, Some(index)),
        }
    }

    fn picture(self, of_frames: Vec<(Option<usize>, Deviation)>) -> Outcome {
        let Opened { table, shape, .. } = self.opened;
        let mut deviations: Vec<_> = table.deviations().iter().map(|note| (None, note.clone())).collect();
        deviations.extend(of_frames);
        Outcome::Decoded(Picture { samples: self.samples, shape, deviations })
    }
}

/// Decodes images of a kind in lock-step: the outcome of each, with its place.
pub(crate) fn decode_same_kind(
    prepared: &mut Vec<Prepared>,
    scratch: &mut Scratch,
    watch: Cancel<'_>,
) -> Vec<(u64, Outcome)> {
    let Some(first) = prepared.first() else { return Vec::new() };
    let (kind, limits) = (first.opened.kind, Limits::unbounded());
    let job = kind.job(&limits, None);
    let Scratch { workspace, bytes } = scratch;
    bytes.resize_with(bytes.len().max(prepared.len()), Vec::new);
    let mut frames = Vec::with_capacity(prepared.len());
    let mut unread = Vec::with_capacity(prepared.len());
    for (prepared, bytes) in prepared.iter_mut().zip(bytes) {
        let Opened { object, image, table, indices, rescales, .. } = &prepared.opened;
        let index = indices.first().copied().unwrap_or(0);
        match table.frame(image.pixel_data(object), index, &limits, bytes) {
            Ok(src) => {
                frames.push(BatchFrame { src, out: prepared.samples.as_mut(), rescale: rescales.first().copied() });
                unread.push(None);
            }
            Err(error) => unread.push(Some(error)),
        }
    }
    let mut decoded = decode_batch(&job, frames, workspace, watch).into_iter();
    let mut outcomes = Vec::with_capacity(unread.len());
    for (prepared, unread) in prepared.drain(..).zip(unread) {
        let (place, index) = (prepared.place, prepared.opened.indices.first().copied());
        let result = match unread {
            Some(error) => Err(error),
            None => decoded.next().unwrap_or_else(|| Err(DecodeError::new(ErrorKind::Interrupted, "", ""))),
        };
        let outcome = match result {
            Ok(decoded) => prepared.picture(decoded.deviations.into_iter().map(|note| (index, note)).collect()),
            Err(error) => failed(error, &prepared.opened.image.transfer_syntax, index),
        };
        outcomes.push((place, outcome));
    }
    outcomes
}

/// What an error means for who decodes many.
fn failed(error: DecodeError, transfer_syntax: &str, index: Option<usize>) -> Outcome {
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Output => Outcome::NeedsFallback,
        ErrorKind::Interrupted => Outcome::Stopped,
        _ => Outcome::Failed(error, Some(transfer_syntax.to_owned()), index),
    }
}

/// The common properties of images that are decoded in lock-step.
#[derive(Clone, Copy)]
struct Kind {
    syntax: TransferSyntax,
    info: FrameInfo,
    /// Those of the request, the same for all its objects.
    options: DecodeOptions,
}

impl Kind {
    fn is_same(&self, other: &Self) -> bool {
        self.syntax == other.syntax && self.info == other.info
    }

    fn job<'a>(&'a self, limits: &'a Limits, rescale: Option<Rescale>) -> Job<'a> {
        let finish = OutputOptions { rescale, ..self.options.finish };
        Job { syntax: self.syntax, info: &self.info, limits, options: DecodeOptions { finish, ..self.options } }
    }
}

fn shape_of(info: &FrameInfo, frames: Option<usize>) -> Vec<usize> {
    let samples = (info.samples_per_pixel() > 1).then(|| info.samples_per_pixel());
    let attributes = info.attributes();
    let plane = [attributes.rows as usize, attributes.columns as usize];
    frames.into_iter().chain(plane).chain(samples).collect()
}
