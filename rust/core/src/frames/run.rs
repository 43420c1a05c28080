//! Many frames of one object into one output, on as many threads as are wanted.

use super::threads::{Shares, on_threads};
use super::{FrameTable, PixelData};
use crate::codec::codec_for;
use crate::error::{DecodeError, Result, output};
use crate::frame::{Deviation, SamplesMut};
use crate::kernel::convert::Rescale;
use crate::output::{Cancel, Store};
use crate::{BatchFrame, Job, Workspace, decode_batch, read_frame};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes of a frame up to which their memory is kept for the next one.
const KEPT_BYTES: usize = 4 << 20;

thread_local! {
    /// Of the calling thread: fresh pages cost a frame of usual size more than half its decoding.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// An error and the frame that it happened in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameError {
    /// Index of the frame in the object.
    pub index: usize,
    /// What went wrong.
    pub error: DecodeError,
}

/// What is known after all frames are decoded.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Which instructions decoded them.
    pub path: &'static str,
    /// The departures of the first frame that has any, with its index, and of the offset table, without.
    pub deviations: Vec<(Option<usize>, Deviation)>,
}

/// Where the frames go and what becomes of each.
pub struct FramesOutput<'a> {
    /// Memory for exactly all frames asked for, one after the other.
    pub samples: SamplesMut<'a>,
    /// Rescale of each frame asked for; empty where all have that of the job's options.
    pub rescales: &'a [Rescale],
    /// Whether the memory has been written to before, as far as the caller knows.
    pub is_warm: bool,
}

/// Decodes the frames `indices` of `data`, in that order, into `out`.
///
/// At most `threads` threads take part, the calling one among them; only it asks `poll` whether to stop.
///
/// # Errors
/// That of the first frame in the order asked for that has one. `out` holds nothing of meaning then.
pub fn decode_frames(
    job: &Job<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    indices: &[usize],
    out: FramesOutput<'_>,
    threads: usize,
    poll: &dyn Fn() -> bool,
) -> Result<Summary, FrameError> {
    // Taken, not borrowed: `poll` may run what decodes too. A budget counts from nothing.
    let mut workspace = if job.limits.is_bounded() { Workspace::default() } else { WORKSPACE.take() };
    let decoded = decode_frames_in(&mut workspace, job, table, data, indices, out, threads, poll);
    if !job.limits.is_bounded() {
        WORKSPACE.set(workspace);
    }
    decoded
}

/// The same, with scratch for the calling thread.
#[allow(clippy::too_many_arguments, reason = "it is decode_frames with one more")]
fn decode_frames_in(
    workspace: &mut Workspace,
    job: &Job<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    indices: &[usize],
    out: FramesOutput<'_>,
    threads: usize,
    poll: &dyn Fn() -> bool,
) -> Result<Summary, FrameError> {
    let first = indices.first().copied().unwrap_or(0);
    let frame_samples = job.info.samples();
    if indices.len().checked_mul(frame_samples) != Some(out.samples.len()) {
        let text =
            format!("output holds {} samples, {} frames of {frame_samples} expected", out.samples.len(), indices.len());
        return Err(FrameError { index: first, error: output(text, "") });
    }
    if !out.rescales.is_empty() && out.rescales.len() != indices.len() {
        let text = format!("{} rescales found, one for each of {} frames expected", out.rescales.len(), indices.len());
        return Err(FrameError { index: first, error: output(text, "PS3.3 C.11.1") });
    }
    let bytes = out.samples.len() * out.samples.sample_bytes();
    job.limits.reserve(bytes).map_err(|error| FrameError { index: first, error })?;
    let mut job = *job;
    let Shares { threads, each } = Shares::of(threads, indices.len(), bytes);
    job.options.threads = each;
    if Store::of(bytes, out.is_warm) == Store::Streamed {
        job.options.finish.store = Store::Streamed;
    }
    let stop = AtomicBool::new(false);
    let queue = Queue {
        next: Mutex::new(Next { position: 0, rest: Some(out.samples) }),
        indices,
        frame_samples,
        threads,
        failed: AtomicBool::new(false),
    };
    let work =
        |workspace: &mut Workspace, watch: Cancel<'_>| work(&job, table, data, out.rescales, &queue, workspace, watch);
    // Before the others start: they may leave the calling thread no frame to ask between.
    Cancel { stop: &stop, poll: Some(poll) }.beat().map_err(|error| FrameError { index: first, error })?;
    let parts = on_threads(
        threads,
        || work(workspace, Cancel { stop: &stop, poll: Some(poll) }),
        || work(&mut Workspace::default(), Cancel { stop: &stop, poll: None }),
    );
    let mut summary = merge(parts)?;
    match table.tolerated_late() {
        Some(late) if job.options.strict => return Err(FrameError { index: first, error: late.into_error() }),
        late => summary.deviations.extend(late.map(|late| (None, late))),
    }
    Ok(summary)
}

/// The frames that no thread has taken yet, first to last.
struct Queue<'a, 'o> {
    next: Mutex<Next<'o>>,
    indices: &'a [usize],
    frame_samples: usize,
    threads: usize,
    failed: AtomicBool,
}

struct Next<'o> {
    position: usize,
    rest: Option<SamplesMut<'o>>,
}

/// A frame in somebody's hands: its position among those asked for, its index in the object, where it goes.
struct Taken<'o> {
    position: usize,
    index: usize,
    window: SamplesMut<'o>,
}

impl<'o> Queue<'_, 'o> {
    /// The next frames, `at_most` of them and no more than a thread's share of what is left. None is given out after
    /// a failure: all frames before it are already in somebody's hands, so that the first error is always found.
    fn take(&self, at_most: usize, taken: &mut Vec<Taken<'o>>) -> bool {
        if self.failed.load(Ordering::Relaxed) {
            return false;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.indices.get(next.position..).unwrap_or_default();
        for index in left.iter().take(at_most.min(left.len().div_ceil(self.threads))) {
            let Some((window, rest)) = next.rest.take().and_then(|rest| rest.split_at(self.frame_samples)) else {
                break;
            };
            taken.push(Taken { position: next.position, index: *index, window });
            next.rest = Some(rest);
            next.position += 1;
        }
        !taken.is_empty()
    }
}

#[derive(Default)]
struct Part {
    path: &'static str,
    error: Option<(usize, FrameError)>,
    deviations: Option<(usize, usize, Vec<Deviation>)>,
}

fn work(
    job: &Job<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    rescales: &[Rescale],
    queue: &Queue<'_, '_>,
    workspace: &mut Workspace,
    watch: Cancel<'_>,
) -> Part {
    let mut part = Part::default();
    let at_once = codec_for(job.syntax).map_or(1, |codec| codec.together(job.info)).max(1);
    // Taken: the workspace is lent to the codec while frames are read from these.
    let mut bytes = std::mem::take(&mut workspace.bytes);
    bytes.resize_with(bytes.len().max(at_once), Vec::new);
    let mut taken = Vec::with_capacity(at_once);
    let mut places = Vec::with_capacity(at_once);
    while queue.take(at_once, &mut taken) {
        let mut frames = Vec::with_capacity(taken.len());
        places.clear();
        for (Taken { position, index, window }, bytes) in taken.drain(..).zip(&mut bytes) {
            let codec = codec_for(job.syntax);
            if let Some(place) = codec.and_then(|codec| table.place_to_read(data, index, job.info, codec)) {
                let rescale = rescales.get(position).copied();
                let read =
                    watch.beat().and_then(|()| read_frame(job, data.value, place, window, rescale, workspace, watch));
                match read {
                    Ok(decoded) => part.path = decoded.path,
                    Err(error) => part.fail(queue, position, index, error),
                }
                continue;
            }
            match watch.beat().and_then(|()| table.frame(data, index, job.limits, bytes)) {
                Ok(src) => {
                    let rescale = rescales.get(position).copied().or(job.options.finish.rescale);
                    frames.push(BatchFrame { src, out: window, rescale });
                    places.push((position, index));
                }
                Err(error) => part.fail(queue, position, index, error),
            }
        }
        let decoded = decode_batch(job, frames, workspace, watch);
        for ((position, index), decoded) in places.iter().zip(decoded) {
            match decoded {
                Ok(decoded) => {
                    part.path = decoded.path;
                    if part.deviations.is_none() && !decoded.deviations.is_empty() {
                        part.deviations = Some((*position, *index, decoded.deviations));
                    }
                }
                Err(error) => part.fail(queue, *position, *index, error),
            }
        }
    }
    // What is large is not worth keeping: reading it takes longer than fresh pages do.
    bytes.retain(|bytes| bytes.capacity() <= KEPT_BYTES);
    workspace.bytes = bytes;
    part
}

impl Part {
    /// Keeps the first error, and stops all threads from taking more frames.
    fn fail(&mut self, queue: &Queue<'_, '_>, position: usize, index: usize, error: DecodeError) {
        queue.failed.store(true, Ordering::Relaxed);
        if self.error.as_ref().is_none_or(|(first, _)| position < *first) {
            self.error = Some((position, FrameError { index, error }));
        }
    }
}

fn merge(parts: Vec<Part>) -> Result<Summary, FrameError> {
    let mut summary = Summary::default();
    let mut error: Option<(usize, FrameError)> = None;
    let mut deviations: Option<(usize, usize, Vec<Deviation>)> = None;
    for part in parts {
        if !part.path.is_empty() {
            summary.path = part.path;
        }
        error = [error, part.error].into_iter().flatten().min_by_key(|(position, _)| *position);
        deviations = [deviations, part.deviations].into_iter().flatten().min_by_key(|(position, ..)| *position);
    }
    if let Some((_, error)) = error {
        return Err(error);
    }
    summary.deviations = deviations
        .map(|(_, index, what)| what.into_iter().map(|what| (Some(index), what)).collect())
        .unwrap_or_default();
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Attributes, DecodeOptions, ErrorKind, FrameInfo, Limits, PhotometricInterpretation, SampleKind, TransferSyntax,
    };

    fn info(side: u32) -> FrameInfo {
        FrameInfo::new(Attributes {
            rows: side,
            columns: side,
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored: 12,
            high_bit: 11,
            sample_kind: SampleKind::Signed,
            planar_configuration: 0,
            photometric_interpretation: PhotometricInterpretation::Other,
        })
        .unwrap()
    }

    fn run(
        info: &FrameInfo,
        value: &[u8],
        frames: u32,
        indices: &[usize],
        out: SamplesMut<'_>,
        threads: usize,
        poll: &dyn Fn() -> bool,
    ) -> Result<Summary, FrameError> {
        let table = FrameTable::native(info, value.len(), Some(frames), false).unwrap();
        let limits = Limits::unbounded();
        let job = Job {
            syntax: TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            info,
            limits: &limits,
            options: DecodeOptions::default(),
        };
        let data = PixelData { value: value.into(), extended: None };
        decode_frames(
            &job,
            &table,
            data,
            indices,
            FramesOutput { samples: out, rescales: &[], is_warm: true },
            threads,
            poll,
        )
    }

    #[test]
    fn frames_come_in_the_order_asked_for_on_any_number_of_threads() {
        let info = info(400);
        let value: Vec<u8> = (0..8u16).flat_map(|frame| [frame | 0xF000; 160_000]).flat_map(u16::to_le_bytes).collect();
        let indices = [3, 1, 7, 7, 0];
        for threads in 1..4 {
            let mut out = vec![-1_i16; 5 * 160_000];
            run(&info, &value, 8, &indices, SamplesMut::I16(&mut out), threads, &|| false).unwrap();
            for (frame, index) in out.chunks_exact(160_000).zip(indices) {
                assert!(frame.iter().all(|sample| usize::try_from(*sample) == Ok(index)));
            }
        }
    }

    #[test]
    fn the_first_error_in_order_is_reported_and_a_wrong_output_refused() {
        let info = info(400);
        let value = vec![0; 2 * 320_000];
        let mut out = vec![0_i16; 3 * 160_000];
        for threads in 1..4 {
            let error = run(&info, &value, 2, &[0, 5, 9], SamplesMut::I16(&mut out), threads, &|| false).unwrap_err();
            assert_eq!((error.index, error.error.kind()), (5, ErrorKind::Output));
        }
        let error = run(&info, &value, 2, &[0], SamplesMut::I16(&mut out), 1, &|| false).unwrap_err();
        assert_eq!(error.error.kind(), ErrorKind::Output);
        let error =
            run(&info, &value, 2, &[0, 1], SamplesMut::U16(&mut vec![0; 2 * 160_000]), 1, &|| false).unwrap_err();
        assert_eq!(error.error.kind(), ErrorKind::Output);
    }

    #[test]
    fn a_poll_that_says_so_stops_all_threads() {
        let info = info(400);
        let value = vec![0; 8 * 320_000];
        for threads in 1..3 {
            let mut out = vec![0_i16; 8 * 160_000];
            let error = run(&info, &value, 8, &[0, 1, 2, 3, 4, 5, 6, 7], SamplesMut::I16(&mut out), threads, &|| true)
                .unwrap_err();
            assert_eq!(error.error.kind(), ErrorKind::Interrupted);
        }
    }

    #[test]
    fn samples_widen_and_rescale_on_their_way() {
        let info = info(3);
        let value: Vec<u8> = (0..9_u16).map(|i| 0xF800 | i).flat_map(u16::to_le_bytes).collect();
        let mut wide = [0_i64; 9];
        run(&info, &value, 1, &[0], SamplesMut::I64(&mut wide), 1, &|| false).unwrap();
        assert_eq!(wide[..3], [-2048, -2047, -2046]);
        let table = FrameTable::native(&info, value.len(), None, false).unwrap();
        let limits = Limits::unbounded();
        let job = Job {
            syntax: TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            info: &info,
            limits: &limits,
            options: DecodeOptions::default(),
        };
        let mut out = [0_f32; 9];
        let rescales = [Rescale { slope: 0.5, intercept: 1.0 }];
        let output = FramesOutput { samples: SamplesMut::F32(&mut out), rescales: &rescales, is_warm: false };
        decode_frames(
            &job,
            &table,
            PixelData { value: value.as_slice().into(), extended: None },
            &[0],
            output,
            1,
            &|| false,
        )
        .unwrap();
        assert_eq!(out[..3], [-1023.0, -1022.5, -1022.0]);
    }
}
