//! Decodes several frames of one object in parallel, each into its own memory.

use dicoxide_core::frames::{FrameTable, PixelData};
use dicoxide_core::parallel::{ThreadShares, run_on_threads};
use dicoxide_core::{Cancel, Deviation, FrameContext, ReusedWorkspace, SamplesMut, decode_frame};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// A frame to decode, and the memory for its samples.
pub(crate) struct FrameOutput<'a> {
    /// Position among the requested frames.
    pub(crate) position: usize,
    /// Index in the object.
    pub(crate) index: usize,
    pub(crate) samples: SamplesMut<'a>,
}

/// Decodes frames on at most `threads` threads; returns the positions of those that succeed, with their deviations.
///
/// Unlike `decode_frames`, an error in one frame does not stop the others: the caller has not asked for it yet. The
/// samples of a frame whose position is not returned are undefined.
pub(crate) fn decode_each(
    context: &FrameContext<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    outputs: Vec<FrameOutput<'_>>,
    threads: usize,
    poll: &dyn Fn() -> bool,
) -> Vec<(usize, Vec<Deviation>)> {
    let bytes: usize = outputs.iter().map(|output| output.samples.len() * output.samples.sample_bytes()).sum();
    let mut context = *context;
    let ThreadShares { frame_threads, threads_per_frame } = ThreadShares::new(threads, outputs.len(), bytes);
    context.options.threads = threads_per_frame;
    let cancel_flag = AtomicBool::new(false);
    let queue = Mutex::new(outputs.into_iter());
    let work = |cancel: Cancel<'_>| {
        let mut decoded = Vec::new();
        let mut workspace = ReusedWorkspace::new(context.limits);
        let mut joined_fragments = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let (Some(FrameOutput { position, index, samples }), Ok(())) = (next, cancel.check()) else {
                return decoded;
            };
            let frame = table
                .frame(data, index, context.limits, &mut joined_fragments)
                .and_then(|src| decode_frame(&context, src, samples, &mut workspace, cancel));
            decoded.extend(frame.map(|frame| (position, frame.deviations)));
        }
    };
    let results = run_on_threads(
        frame_threads,
        || work(Cancel { stop: &cancel_flag, poll: Some(poll) }),
        || work(Cancel { stop: &cancel_flag, poll: None }),
    );
    results.into_iter().flatten().collect()
}
