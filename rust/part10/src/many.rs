//! Many objects at once: each is opened, read and decoded by the thread that takes it, so that reading, parsing and
//! decoding overlap on all cores. Small images go together where the codec decodes them in lock-step.

use crate::object::Object;
use crate::open::{Source, Unopened, open};
use crate::pixel::Image;
use dicoxide_core::codec::Codec;
use dicoxide_core::frames::{FrameError, FrameTable, Output, Shares, check_frames, decode_frames_in, on_threads};
use dicoxide_core::{
    DecodeError, ErrorKind, Finish, FrameInfo, Job, Limits, OneOfMany, Options, Rescale, SamplesBuf, Tolerated,
    TransferSyntax, Watch, Workspace, decode_together,
};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is wanted of each object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Index of the one frame wanted, counted from the last one where negative; all of them by default.
    pub frame: Option<i64>,
    /// Rescale to modality values.
    pub rescale: bool,
    /// Element type of the result as NumPy spells it; that of the stored values, or float32 with `rescale`, by default.
    pub type_name: Option<&'static str>,
    /// Convert no colour.
    pub raw: bool,
    /// Most bytes of output and scratch of one object.
    pub max_bytes: Option<u64>,
    /// Bytes of output of all objects together, from which on none is begun; the first is decoded in any case.
    pub room_bytes: u64,
}

/// What calls use one after the other: fresh pages cost as much as decoding into them.
pub struct Memory<'a> {
    /// Gives memory for samples: so many words, of any value.
    pub take: &'a (dyn Fn(usize) -> Result<Vec<u64>, DecodeError> + Sync),
    /// Scratch of threads.
    pub scratch: &'a Mutex<Vec<Scratch>>,
}

/// Scratch of one thread.
#[derive(Debug, Default)]
pub struct Scratch {
    workspace: Workspace,
    /// The bytes of frames that are decoded together.
    bytes: Vec<Vec<u8>>,
}

/// What becomes of an object.
pub enum Outcome {
    /// Its samples.
    Decoded(Picture),
    /// It cannot be decoded: the error, the transfer syntax as far as it is known, and the frame.
    Failed(DecodeError, Option<String>, Option<usize>),
    /// It cannot be opened.
    Unreadable(io::Error),
    /// It takes what is not here: another decoder, or a Modality LUT.
    Elsewhere,
    /// There was no room for it any more, or the call was stopped.
    Later,
}

/// Decoded samples.
#[derive(Debug)]
pub struct Picture {
    /// The samples of all frames, one after the other.
    pub samples: SamplesBuf,
    /// ([frames,] rows, columns[, samples]).
    pub shape: Vec<usize>,
    /// What was not as the standard wants it, with the frame's index where it is of one.
    pub tolerated: Vec<(Option<usize>, Tolerated)>,
}

/// Decodes `sources` as `request` wants, on at most `threads` threads; one outcome each, in their order.
///
/// `poll` is asked now and then by the calling thread; after it has said so, what is not decoded is for later.
pub fn decode_many(
    sources: &[Source],
    request: &Request,
    memory: &Memory<'_>,
    threads: usize,
    poll: &dyn Fn() -> bool,
) -> Vec<Outcome> {
    let Shares { threads, each } = Shares::of(threads, sources.len(), usize::MAX);
    let stop = AtomicBool::new(false);
    let batch = Batch { sources, request, memory, each, next: AtomicUsize::new(0), taken_bytes: AtomicU64::new(0) };
    let parts = on_threads(
        threads,
        || batch.work(Watch { stop: &stop, poll: Some(poll) }),
        || batch.work(Watch { stop: &stop, poll: None }),
    );
    let mut outcomes: Vec<Outcome> = sources.iter().map(|_| Outcome::Later).collect();
    for (position, outcome) in parts.into_iter().flatten() {
        if let Some(place) = outcomes.get_mut(position) {
            *place = outcome;
        }
    }
    outcomes
}

struct Batch<'a> {
    sources: &'a [Source],
    request: &'a Request,
    memory: &'a Memory<'a>,
    each: usize,
    next: AtomicUsize,
    taken_bytes: AtomicU64,
}

impl Batch<'_> {
    fn work(&self, watch: Watch<'_>) -> Vec<(usize, Outcome)> {
        let scratch = self.memory.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut worker = Worker { scratch, ..Worker::default() };
        while watch.beat().is_ok() {
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = self.sources.get(position) else { break };
            let prepared = match self.prepare(position, source) {
                Ok(prepared) => prepared,
                Err(outcome) => {
                    worker.outcomes.push((position, outcome));
                    continue;
                }
            };
            let together = self.together(&prepared);
            if together < 2 {
                worker.outcomes.push((position, prepared.decode(self.request, self.each, &mut worker.scratch, watch)));
                continue;
            }
            if worker.waiting.first().is_some_and(|first| first.kind != prepared.kind) {
                worker.decode_waiting(watch);
            }
            worker.waiting.push(prepared);
            if worker.waiting.len() == together {
                worker.decode_waiting(watch);
            }
        }
        worker.decode_waiting(watch);
        self.memory.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(worker.scratch);
        worker.outcomes
    }

    /// How many objects like it are decoded together: single frames, without a budget to share out.
    fn together(&self, prepared: &Prepared) -> usize {
        let is_single = prepared.indices.len() == 1 && self.request.max_bytes.is_none();
        if is_single { prepared.codec.together(&prepared.kind.info) } else { 1 }
    }

    /// Opens an object, and takes the memory for its samples once it is known that its frames can be that large.
    fn prepare(&self, position: usize, source: &Source) -> Result<Prepared, Outcome> {
        let limits = Limits::new(self.request.max_bytes);
        let (object, image) = open(source, &limits).map_err(|unopened| match unopened {
            Unopened::File(error) => Outcome::Unreadable(error),
            Unopened::Header(error, stated) => Outcome::Failed(error, stated, None),
        })?;
        let failed = |error| failed(error, image.transfer_syntax.clone(), None);
        let (syntax, codec, info, table) = image.frames(&object).map_err(failed)?;
        // Where the values lie elsewhere in their samples is told by the one who opens a single image.
        if image.high_bit.is_some_and(|high_bit| Some(high_bit.saturating_add(1)) != image.bits_stored) {
            return Err(Outcome::Elsewhere);
        }
        let indices = self.indices(&table).ok_or(Outcome::Elsewhere)?;
        check_frames(&table, image.pixel_data(&object), &indices, &info, codec)
            .map_err(|error| self::failed(error.error, image.transfer_syntax.clone(), Some(error.index)))?;
        let stored = info.type_name();
        let type_name = self.request.type_name.unwrap_or(if self.request.rescale { "float32" } else { stored });
        let mut rescales = Vec::new();
        if self.request.rescale {
            if info.samples_per_pixel() != 1 || object.has_modality_lut().map_err(failed)? {
                return Err(Outcome::Elsewhere);
            }
            rescales = object.rescales(&indices).map_err(failed)?;
            if rescales.is_empty() && type_name != stored {
                rescales.push(Rescale { slope: 1.0, intercept: 0.0 });
            }
        }
        let samples = self.memory(position, type_name, info.samples().saturating_mul(indices.len()), &limits)?;
        let has_axis = self.request.frame.is_none() && indices.len() > 1;
        let shape = shape_of(&info, has_axis.then_some(indices.len()));
        let kind = Kind { syntax, info, ybr_to_rgb: !self.request.raw && info.is_ybr() };
        Ok(Prepared { position, object, image, kind, codec, table, indices, rescales, samples, shape })
    }

    fn indices(&self, table: &FrameTable) -> Option<Vec<usize>> {
        let frames = table.frames();
        let Some(frame) = self.request.frame else { return Some((0..frames).collect()) };
        let from_last = if frame < 0 { i64::try_from(frames).ok()? } else { 0 };
        usize::try_from(frame + from_last).ok().filter(|index| *index < frames).map(|index| vec![index])
    }

    /// Memory for the samples, if there is room for them.
    fn memory(&self, position: usize, type_name: &str, samples: usize, limits: &Limits) -> Result<SamplesBuf, Outcome> {
        let mut is_full = false;
        let made = SamplesBuf::new(type_name, samples, |bytes| {
            limits.reserve(bytes)?;
            let words = bytes.div_ceil(8);
            let bytes = bytes as u64;
            let before = self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
            // The first never waits: where it takes long to open, those behind it would come before it each time.
            is_full = position > 0 && before > 0 && before.saturating_add(bytes) > self.request.room_bytes;
            if is_full { Err(DecodeError::new(ErrorKind::Interrupted, "", "")) } else { (self.memory.take)(words) }
        });
        if is_full {
            // Those behind it wait as well.
            self.next.fetch_max(self.sources.len(), Ordering::Relaxed);
            return Err(Outcome::Later);
        }
        match made {
            Ok(made) => made.ok_or(Outcome::Elsewhere),
            Err(error) => Err(Outcome::Failed(error, None, None)),
        }
    }
}

/// What a thread keeps from object to object.
#[derive(Default)]
struct Worker {
    scratch: Scratch,
    /// Images of a kind that wait for others to be decoded with.
    waiting: Vec<Prepared>,
    outcomes: Vec<(usize, Outcome)>,
}

impl Worker {
    /// Decodes the images that wait, in lock-step.
    fn decode_waiting(&mut self, watch: Watch<'_>) {
        let Some(first) = self.waiting.first() else { return };
        let (kind, limits) = (first.kind, Limits::unbounded());
        let job = kind.job(&limits, None);
        let Scratch { workspace, bytes } = &mut self.scratch;
        bytes.resize_with(bytes.len().max(self.waiting.len()), Vec::new);
        let mut frames = Vec::with_capacity(self.waiting.len());
        let mut unread = Vec::with_capacity(self.waiting.len());
        for (prepared, bytes) in self.waiting.iter_mut().zip(bytes) {
            let Prepared { object, image, table, indices, rescales, samples, .. } = prepared;
            let index = indices.first().copied().unwrap_or(0);
            match table.frame(image.pixel_data(object), index, &limits, bytes) {
                Ok(src) => {
                    frames.push(OneOfMany { src, out: samples.as_mut(), rescale: rescales.first().copied() });
                    unread.push(None);
                }
                Err(error) => unread.push(Some(error)),
            }
        }
        let mut decoded = decode_together(&job, frames, workspace, watch).into_iter();
        for (prepared, unread) in self.waiting.drain(..).zip(unread) {
            let (position, index) = (prepared.position, prepared.indices.first().copied());
            let result = match unread {
                Some(error) => Err(error),
                None => decoded.next().unwrap_or_else(|| Err(DecodeError::new(ErrorKind::Interrupted, "", ""))),
            };
            let outcome = match result {
                Ok(decoded) => prepared.picture(decoded.tolerated.into_iter().map(|note| (index, note)).collect()),
                Err(error) => prepared.failed(error, index),
            };
            self.outcomes.push((position, outcome));
        }
    }
}

/// What images have in common that are decoded in lock-step.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    syntax: TransferSyntax,
    info: FrameInfo,
    ybr_to_rgb: bool,
}

impl Kind {
    fn job<'a>(&'a self, limits: &'a Limits, rescale: Option<Rescale>) -> Job<'a> {
        let finish = Finish { ybr_to_rgb: self.ybr_to_rgb, rescale, ..Finish::default() };
        Job { syntax: self.syntax, info: &self.info, limits, options: Options { finish, ..Options::default() } }
    }
}

/// An object whose samples have their memory.
struct Prepared {
    position: usize,
    object: Object,
    image: Image,
    kind: Kind,
    codec: &'static dyn Codec,
    table: FrameTable,
    indices: Vec<usize>,
    rescales: Vec<Rescale>,
    samples: SamplesBuf,
    shape: Vec<usize>,
}

impl Prepared {
    fn decode(mut self, request: &Request, each: usize, scratch: &mut Scratch, watch: Watch<'_>) -> Outcome {
        let limits = Limits::new(request.max_bytes);
        let (rescale, rescales) = match self.rescales.as_slice() {
            [all] => (Some(*all), &[][..]),
            each => (None, each),
        };
        let kind = self.kind;
        let job = kind.job(&limits, rescale);
        let data = self.image.pixel_data(&self.object);
        let output = Output { samples: self.samples.as_mut(), rescales, is_warm: false };
        let poll = || watch.beat().is_err();
        // A budget counts from nothing.
        let mut own = Workspace::default();
        let workspace = if limits.is_bounded() { &mut own } else { &mut scratch.workspace };
        match decode_frames_in(workspace, &job, &self.table, data, &self.indices, output, each, &poll) {
            Ok(summary) => self.picture(summary.tolerated),
            Err(FrameError { index, error }) => self.failed(error, Some(index)),
        }
    }

    fn picture(self, of_frames: Vec<(Option<usize>, Tolerated)>) -> Outcome {
        let mut tolerated: Vec<_> = self.table.tolerated().iter().map(|note| (None, note.clone())).collect();
        tolerated.extend(of_frames);
        Outcome::Decoded(Picture { samples: self.samples, shape: self.shape, tolerated })
    }

    fn failed(self, error: DecodeError, index: Option<usize>) -> Outcome {
        failed(error, self.image.transfer_syntax, index)
    }
}

/// What an error means for who decodes many.
fn failed(error: DecodeError, transfer_syntax: String, index: Option<usize>) -> Outcome {
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Output => Outcome::Elsewhere,
        ErrorKind::Interrupted => Outcome::Later,
        _ => Outcome::Failed(error, Some(transfer_syntax), index),
    }
}

fn shape_of(info: &FrameInfo, frames: Option<usize>) -> Vec<usize> {
    let samples = (info.samples_per_pixel() > 1).then(|| info.samples_per_pixel());
    let attributes = info.attributes();
    let plane = [attributes.rows as usize, attributes.columns as usize];
    frames.into_iter().chain(plane).chain(samples).collect()
}
