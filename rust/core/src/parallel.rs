//! Work sharing among scoped threads that end with the call.

use std::thread::Builder;

/// Output bytes below which a second thread costs more than it gains.
const THREAD_BYTES: usize = 512 * 1024;

/// Distribution of the threads of a call over its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadShares {
    /// Threads that take frames, including the calling thread.
    pub frame_threads: usize,
    /// Threads that decode one frame together: more than 1 if there are more threads than frames.
    pub threads_per_frame: usize,
}

impl ThreadShares {
    /// Distributes at most `threads` threads over `frames` frames of `bytes` bytes of output in all.
    #[must_use]
    pub fn new(threads: usize, frames: usize, bytes: usize) -> Self {
        Self {
            frame_threads: threads.min(frames).min(bytes / THREAD_BYTES).max(1),
            threads_per_frame: (threads / frames.max(1)).max(1),
        }
    }
}

/// Calls `helper` with each of `states` on a thread of its own, and `here` on the calling thread, and returns the results:
/// that of `here`, and those of the helpers. If the system starts fewer threads, there are fewer helpers. A panic of a
/// helper continues on the calling thread.
pub fn with_helpers<S: Send, T: Send, R>(
    states: impl IntoIterator<Item = S>,
    helper: impl Fn(S) -> T + Sync,
    here: impl FnOnce() -> R,
) -> (R, Vec<T>) {
    let mut states = states.into_iter().peekable();
    if states.peek().is_none() {
        return (here(), Vec::new());
    }
    std::thread::scope(|scope| {
        let helper = &helper;
        let threads: Vec<_> =
            states.map_while(|state| Builder::new().spawn_scoped(scope, move || helper(state)).ok()).collect();
        let result = here();
        let results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            // A bug: the binding reports it as an internal error.
            Err(panic) => std::panic::resume_unwind(panic),
        });
        (result, results.collect())
    })
}

/// Calls `here` on the calling thread and `helper` on up to `threads` - 1 others; returns all results.
pub fn run_on_threads<T: Send>(threads: usize, here: impl FnOnce() -> T, helper: impl Fn() -> T + Sync) -> Vec<T> {
    let (first, mut results) = with_helpers(1..threads, |_| helper(), here);
    results.insert(0, first);
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_shares_spare_threads_help_with_each_frame() {
        let shares = |threads, frames, bytes| {
            let ThreadShares { frame_threads, threads_per_frame } = ThreadShares::new(threads, frames, bytes);
            (frame_threads, threads_per_frame)
        };
        assert_eq!(shares(8, 100, 1 << 30), (8, 1));
        assert_eq!(shares(8, 3, 1 << 30), (3, 2));
        assert_eq!(shares(8, 100, THREAD_BYTES * 2), (2, 1));
        assert_eq!(shares(8, 0, 0), (1, 8));
        assert_eq!(shares(1, 5, 0), (1, 1));
    }

    #[test]
    fn with_helpers_every_state_is_used_once() {
        for count in 0..4 {
            let mut states = vec![0; count];
            let (here, mut helpers) = with_helpers(
                states.iter_mut().zip(1..),
                |(state, number)| {
                    *state += number;
                    number
                },
                || 7,
            );
            helpers.sort_unstable();
            assert_eq!((here, helpers), (7, (1..=count).collect()));
            assert_eq!(states, (1..=count).collect::<Vec<_>>());
        }
        assert_eq!(run_on_threads(1, || 1, || 2), [1]);
        assert_eq!(run_on_threads(3, || 1, || 2), [1, 2, 2]);
    }
}
