//! Decodes many frames of one object into one output, on one or more threads.
//!
//! ```text
//! indices  [3, 1, 7, 7, 0]        the caller's order; position 0 is frame 3
//! output   |  3|  1|  7|  7|  0|  one window per position
//!            └──────┴── a worker claims the next batch of positions under the queue's lock,
//!                       decodes them without it, and claims again
//! ```
//!
//! The result does not depend on the number of threads: positions are claimed in order, and after an error no more are
//! claimed. So all positions before a failed one have been claimed, are decoded to the end, and the error of the lowest
//! position is returned.

use super::{FrameTable, PixelData};
use crate::codec::{BatchFrame, FrameContext, ReusedWorkspace, Workspace, codec_for};
use crate::decode::{decode_batch, decode_range};
use crate::error::{DecodeError, Result, output};
use crate::frame::{Decoded, Deviation};
use crate::output::{Cancel, OutputTransform, StoreHint};
use crate::parallel::{ThreadShares, run_on_threads};
use crate::sample::SamplesMut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Buffers of frame bytes up to this size are reused for the next call. For larger frames, fresh pages cost less than
/// reading the bytes does.
const MAX_REUSED_BYTES: usize = 4 << 20;

/// An error, and the frame in which it occurred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameError {
    /// Index of the frame in the object.
    pub index: usize,
    /// The error.
    pub error: DecodeError,
}

/// The result of a successful call of [`decode_frames`], besides the samples.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Name of the code path that decoded the last frame (CPU level and entropy mode).
    pub path: &'static str,
    /// The deviations of the first frame that has any, with its index, and that of the offset table, with `None`.
    pub deviations: Vec<(Option<usize>, Deviation)>,
}

/// The output of [`decode_frames`].
pub struct FramesOutput<'a> {
    /// Memory for exactly the samples of all requested frames, one after the other.
    pub samples: SamplesMut<'a>,
    /// One transform per requested frame, or one for all. It takes precedence over the rescale of the context's options; empty
    /// if all frames have the latter.
    pub transforms: &'a [OutputTransform<'a>],
    /// True if the memory has been written to before, so that its pages are mapped.
    pub is_warm: bool,
}

/// Decodes the frames `indices` of `data`, in that order, into `out`.
///
/// At most `threads` threads decode, including the calling one. Only the calling thread calls `poll`, which returns
/// true to cancel the call.
///
/// # Errors
/// The error of the first frame, in the order of `indices`, that has one. The content of `out` is undefined then.
pub fn decode_frames(
    context: &FrameContext<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    indices: &[usize],
    out: FramesOutput<'_>,
    threads: usize,
    poll: &dyn Fn() -> bool,
) -> Result<Summary, FrameError> {
    let first_index = indices.first().copied().unwrap_or(0);
    let error_in_first = |error| FrameError { index: first_index, error };
    let samples_per_value = out.transforms.first().map_or(1, OutputTransform::samples_per_value);
    // A transform with another number is refused with its frame.
    let frame_samples = context.output_info().samples().saturating_mul(samples_per_value);
    if indices.len().checked_mul(frame_samples) != Some(out.samples.len()) {
        let text =
            format!("output holds {} samples, {} frames of {frame_samples} expected", out.samples.len(), indices.len());
        return Err(error_in_first(output(text, "")));
    }
    let (mut context, transforms) = (*context, out.transforms);
    if transforms.len() > 1 && transforms.len() != indices.len() {
        let text = format!("{} rescales found, 1 or {} expected", transforms.len(), indices.len());
        return Err(error_in_first(output(text, "PS3.3 C.11.1")));
    }
    let output_bytes = out.samples.len() * out.samples.sample_bytes();
    context.limits.reserve(output_bytes).map_err(error_in_first)?;
    let ThreadShares { frame_threads, threads_per_frame } = ThreadShares::new(threads, indices.len(), output_bytes);
    context.options.threads = threads_per_frame;
    if StoreHint::of(output_bytes, out.is_warm) == StoreHint::Streamed {
        context.options.output.store = StoreHint::Streamed;
    }
    let stop = AtomicBool::new(false);
    let queue = Queue {
        next: Mutex::new(Unclaimed { position: 0, windows: Some(out.samples) }),
        indices,
        frame_samples,
        threads: frame_threads,
        failed: AtomicBool::new(false),
    };
    let worker = |cancel: Cancel<'_>| {
        let mut workspace = ReusedWorkspace::new(context.limits);
        decode_claimed_frames(&context, table, data, transforms, &queue, &mut workspace, cancel)
    };
    // Before the other threads start: they may claim all frames before the calling thread, the only one to poll, does.
    Cancel { stop: &stop, poll: Some(poll) }.check().map_err(error_in_first)?;
    let outcomes = run_on_threads(
        frame_threads,
        || worker(Cancel { stop: &stop, poll: Some(poll) }),
        || worker(Cancel { stop: &stop, poll: None }),
    );
    let mut summary = merge(outcomes)?;
    let decoded_count = queue.next.into_inner().unwrap_or_else(PoisonError::into_inner).position;
    if decoded_count != indices.len() {
        debug_assert!(false, "without an error every frame is claimed");
        let text = format!("output holds {decoded_count} frames, {} expected", indices.len());
        return Err(error_in_first(output(text, "")));
    }
    for deviation in table.lookup_deviations() {
        if context.options.strict {
            return Err(error_in_first(deviation.into_error()));
        }
        summary.deviations.push((None, deviation));
    }
    Ok(summary)
}

/// The frames of one call that no worker has claimed yet.
struct Queue<'a, 'o> {
    next: Mutex<Unclaimed<'o>>,
    /// The requested frames; a position is an index of this slice.
    indices: &'a [usize],
    frame_samples: usize,
    threads: usize,
    /// Set by the first error: no more frames are claimed.
    failed: AtomicBool,
}

/// The next position to claim, and the output from there to the end.
struct Unclaimed<'o> {
    position: usize,
    windows: Option<SamplesMut<'o>>,
}

/// A frame that one worker decodes.
struct ClaimedFrame<'o> {
    /// Position in the order of the request.
    position: usize,
    /// Index in the object.
    index: usize,
    /// The frame's part of the output.
    window: SamplesMut<'o>,
}

impl<'o> Queue<'_, 'o> {
    /// Appends the next frames to `claimed`: at most `max_count`, and at most one thread's share of the remaining ones.
    /// Returns false if there are no more, or after an error.
    fn claim(&self, max_count: usize, claimed: &mut Vec<ClaimedFrame<'o>>) -> bool {
        if self.failed.load(Ordering::Relaxed) {
            return false;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let remaining = self.indices.get(next.position..).unwrap_or_default();
        for index in remaining.iter().take(max_count.min(remaining.len().div_ceil(self.threads))) {
            let Some((window, windows)) = next.windows.take().and_then(|windows| windows.split_at(self.frame_samples))
            else {
                // The caller sees from `position` that frames are missing.
                debug_assert!(false, "the output holds all frames");
                break;
            };
            claimed.push(ClaimedFrame { position: next.position, index: *index, window });
            next.windows = Some(windows);
            next.position += 1;
        }
        !claimed.is_empty()
    }
}

/// The result of one worker.
#[derive(Default)]
struct WorkerOutcome {
    path: &'static str,
    /// The error of the lowest position, with that position.
    error: Option<(usize, FrameError)>,
    /// Position and index of the first frame with deviations, and these.
    deviations: Option<(usize, usize, Vec<Deviation>)>,
}

/// Claims and decodes frames until there are no more. Runs on each thread.
fn decode_claimed_frames(
    context: &FrameContext<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    transforms: &[OutputTransform<'_>],
    queue: &Queue<'_, '_>,
    workspace: &mut Workspace,
    cancel: Cancel<'_>,
) -> WorkerOutcome {
    let mut outcome = WorkerOutcome::default();
    let codec = codec_for(context.syntax);
    let batch_size = codec.map_or(1, |codec| codec.frames_at_once(context.info));
    // Moved out: frames borrow these buffers while the codec borrows the workspace.
    let mut buffers = std::mem::take(&mut workspace.frame_bytes);
    buffers.resize_with(buffers.len().max(batch_size), Vec::new);
    let mut claimed = Vec::with_capacity(batch_size);
    let mut batch_positions = Vec::with_capacity(batch_size);
    while queue.claim(batch_size, &mut claimed) {
        let mut batch = Vec::with_capacity(claimed.len());
        batch_positions.clear();
        for (ClaimedFrame { position, index, window }, buffer) in claimed.drain(..).zip(&mut buffers) {
            let transform = if let [common] = transforms { Some(*common) } else { transforms.get(position).copied() };
            if let Some(range) = codec.and_then(|codec| table.direct_range(data, index, context.info, codec)) {
                let decoded = cancel
                    .check()
                    .and_then(|()| decode_range(context, data.value, range, window, transform, workspace, cancel));
                outcome.record(queue, position, index, decoded);
                continue;
            }
            match cancel.check().and_then(|()| table.frame(data, index, context.limits, buffer)) {
                Ok(src) => {
                    batch.push(BatchFrame { src, out: window, transform });
                    batch_positions.push((position, index));
                }
                Err(error) => outcome.fail(queue, position, index, error),
            }
        }
        let mut decoded = decode_batch(context, batch, workspace, cancel).into_iter();
        for &(position, index) in &batch_positions {
            let missing = || {
                debug_assert!(false, "a batch has one result per frame");
                Err(output(format!("frame {index} has no result"), ""))
            };
            outcome.record(queue, position, index, decoded.next().unwrap_or_else(missing));
        }
    }
    buffers.retain(|buffer| buffer.capacity() <= MAX_REUSED_BYTES);
    workspace.frame_bytes = buffers;
    outcome
}

impl WorkerOutcome {
    /// Records the result of one frame.
    fn record(&mut self, queue: &Queue<'_, '_>, position: usize, index: usize, decoded: Result<Decoded>) {
        match decoded {
            Ok(decoded) => {
                self.path = decoded.code_path;
                if self.deviations.is_none() && !decoded.deviations.is_empty() {
                    self.deviations = Some((position, index, decoded.deviations));
                }
            }
            Err(error) => self.fail(queue, position, index, error),
        }
    }

    /// Records the error if its position is the lowest so far, and stops all workers from claiming more frames.
    fn fail(&mut self, queue: &Queue<'_, '_>, position: usize, index: usize, error: DecodeError) {
        queue.failed.store(true, Ordering::Relaxed);
        if self.error.as_ref().is_none_or(|(lowest, _)| position < *lowest) {
            self.error = Some((position, FrameError { index, error }));
        }
    }
}

/// Returns the error of the lowest position, otherwise the summary of all workers.
fn merge(outcomes: Vec<WorkerOutcome>) -> Result<Summary, FrameError> {
    let mut summary = Summary::default();
    let mut error: Option<(usize, FrameError)> = None;
    let mut deviations: Option<(usize, usize, Vec<Deviation>)> = None;
    for outcome in outcomes {
        if !outcome.path.is_empty() {
            summary.path = outcome.path;
        }
        error = [error, outcome.error].into_iter().flatten().min_by_key(|(position, _)| *position);
        deviations = [deviations, outcome.deviations].into_iter().flatten().min_by_key(|(position, ..)| *position);
    }
    if let Some((_, error)) = error {
        return Err(error);
    }
    summary.deviations = deviations
        .map(|(_, index, deviations)| deviations.into_iter().map(|deviation| (Some(index), deviation)).collect())
        .unwrap_or_default();
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Attributes, DecodeOptions, ErrorKind, FrameInfo, Limits, PhotometricInterpretation, Rescale, SampleKind,
        TransferSyntax,
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
        let context = FrameContext {
            syntax: TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            info,
            limits: &limits,
            options: DecodeOptions::default(),
        };
        let data = PixelData { value: value.into(), extended: None };
        decode_frames(
            &context,
            &table,
            data,
            indices,
            FramesOutput { samples: out, transforms: &[], is_warm: true },
            threads,
            poll,
        )
    }

    #[test]
    fn decode_frames_any_thread_count_keeps_requested_order() {
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
    fn decode_frames_returns_error_of_lowest_position_on_any_thread_count() {
        let info = info(400);
        let value = vec![0; 2 * 320_000];
        let mut out = vec![0_i16; 3 * 160_000];
        for threads in 1..4 {
            let error = run(&info, &value, 2, &[0, 5, 9], SamplesMut::I16(&mut out), threads, &|| false).unwrap_err();
            assert_eq!((error.index, error.error.kind()), (5, ErrorKind::Output));
        }
    }

    #[test]
    fn decode_frames_output_of_wrong_size_or_type_is_an_error() {
        let info = info(400);
        let value = vec![0; 2 * 320_000];
        let mut too_long = vec![0_i16; 3 * 160_000];
        let mut unsigned = vec![0_u16; 2 * 160_000];
        // Requested frames, output.
        let cases: [(&[usize], SamplesMut<'_>); 2] =
            [(&[0], SamplesMut::I16(&mut too_long)), (&[0, 1], SamplesMut::U16(&mut unsigned))];
        for (indices, out) in cases {
            let error = run(&info, &value, 2, indices, out, 1, &|| false).unwrap_err();
            assert_eq!(error.error.kind(), ErrorKind::Output, "{indices:?}");
        }
    }

    #[test]
    fn decode_frames_cancelled_by_poll_stops_all_threads() {
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
    fn decode_frames_wider_output_or_rescale_converts_samples() {
        let info = info(3);
        let value: Vec<u8> = (0..9_u16).map(|i| 0xF800 | i).flat_map(u16::to_le_bytes).collect();
        let mut wide = [0_i64; 9];
        run(&info, &value, 1, &[0], SamplesMut::I64(&mut wide), 1, &|| false).unwrap();
        assert_eq!(wide[..3], [-2048, -2047, -2046]);
        let table = FrameTable::native(&info, value.len(), None, false).unwrap();
        let limits = Limits::unbounded();
        let context = FrameContext {
            syntax: TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            info: &info,
            limits: &limits,
            options: DecodeOptions::default(),
        };
        let mut out = [0_f32; 9];
        let transforms = [crate::ValueTransform::Linear(Rescale { slope: 0.5, intercept: 1.0 }).into()];
        let output = FramesOutput { samples: SamplesMut::F32(&mut out), transforms: &transforms, is_warm: false };
        decode_frames(
            &context,
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
