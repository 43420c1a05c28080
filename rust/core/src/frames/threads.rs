//! Frames shared out among threads.

/// Below this many bytes of output a second thread costs more than it gives.
const THREAD_BYTES: usize = 512 * 1024;

/// How many threads do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Threads that take frames, the calling one among them.
    pub threads: usize,
    /// Threads for each frame: those that no frame is left for help with those that there are.
    pub each: usize,
}

impl Shares {
    /// Of at most `threads` threads, for so many frames of `bytes` bytes together.
    #[must_use]
    pub fn of(threads: usize, frames: usize, bytes: usize) -> Self {
        Self { threads: threads.min(frames).min(bytes / THREAD_BYTES).max(1), each: (threads / frames.max(1)).max(1) }
    }
}

/// What `here` gives on this thread, and `elsewhere` on each of the others.
pub fn on_threads<T: Send>(threads: usize, here: impl FnOnce() -> T, elsewhere: impl Fn() -> T + Sync) -> Vec<T> {
    if threads == 1 {
        return vec![here()];
    }
    std::thread::scope(|scope| {
        // Where the system gives no more threads, fewer do the work.
        let spawned: Vec<_> =
            (1..threads).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, &elsewhere).ok()).collect();
        let mut parts = vec![here()];
        for thread in spawned {
            match thread.join() {
                Ok(part) => parts.push(part),
                // A bug: the caller's guard reports it.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    })
}
