//! Several frames of one object at once, each into memory of its own.

use dicoxide_core::frames::{FrameTable, PixelData, Shares, on_threads};
use dicoxide_core::{Cancel, Deviation, Job, SamplesMut, Workspace, decode_frame};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// A frame to be decoded, and where to.
pub(crate) struct Window<'a> {
    /// Its place among the frames asked for.
    pub(crate) position: usize,
    /// Its index in the object.
    pub(crate) index: usize,
    pub(crate) samples: SamplesMut<'a>,
}

/// Decodes each frame on at most `threads` threads; returns the positions of those that decode, with what was
/// tolerated in them. The window of another holds nothing of meaning.
///
/// Unlike `decode_frames`, an error in one frame leaves the others alone: nobody has asked for it yet.
pub(crate) fn decode_each(
    job: &Job<'_>,
    table: &FrameTable,
    data: PixelData<'_>,
    windows: Vec<Window<'_>>,
    threads: usize,
    poll: &dyn Fn() -> bool,
) -> Vec<(usize, Vec<Deviation>)> {
    let bytes: usize = windows.iter().map(|window| window.samples.len() * window.samples.sample_bytes()).sum();
    let mut job = *job;
    let Shares { threads, each } = Shares::of(threads, windows.len(), bytes);
    job.options.threads = each;
    let stop = AtomicBool::new(false);
    let queue = Mutex::new(windows.into_iter());
    let work = |watch: Cancel<'_>| {
        let mut decoded = Vec::new();
        let mut workspace = Workspace::default();
        let mut joined = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let (Some(Window { position, index, samples }), Ok(())) = (next, watch.beat()) else {
                return decoded;
            };
            let frame = table
                .frame(data, index, job.limits, &mut joined)
                .and_then(|src| decode_frame(&job, src, samples, &mut workspace, watch));
            decoded.extend(frame.map(|frame| (position, frame.deviations)));
        }
    };
    let parts = on_threads(
        threads,
        || work(Cancel { stop: &stop, poll: Some(poll) }),
        || work(Cancel { stop: &stop, poll: None }),
    );
    parts.into_iter().flatten().collect()
}
