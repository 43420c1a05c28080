//! Several frames of one object at once, each into memory of its own.

use dicoxide_core::frames::{FrameTable, PixelData};
use dicoxide_core::{Job, SamplesMut, Tolerated, Watch, Workspace, decode_frame};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// Below this many bytes of output a second thread costs more than it gives.
const THREAD_BYTES: usize = 512 * 1024;

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
) -> Vec<(usize, Vec<Tolerated>)> {
    let bytes: usize = windows.iter().map(|window| window.samples.len() * window.samples.sample_bytes()).sum();
    let mut job = *job;
    // Threads that no frame is left for help with those that there are.
    job.options.threads = (threads / windows.len().max(1)).max(1);
    let threads = threads.min(windows.len()).min(bytes / THREAD_BYTES).max(1);
    let stop = AtomicBool::new(false);
    let queue = Mutex::new(windows.into_iter());
    let work = |watch: Watch<'_>| {
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
            decoded.extend(frame.map(|frame| (position, frame.tolerated)));
        }
    };
    std::thread::scope(|scope| {
        // Where the system gives no more threads, fewer do the work.
        let spawned: Vec<_> = (1..threads)
            .map_while(|_| {
                std::thread::Builder::new().spawn_scoped(scope, || work(Watch { stop: &stop, poll: None })).ok()
            })
            .collect();
        let mut decoded = work(Watch { stop: &stop, poll: Some(poll) });
        for thread in spawned {
            match thread.join() {
                Ok(more) => decoded.extend(more),
                // A bug: the caller's guard reports it.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        decoded
    })
}
