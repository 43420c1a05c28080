//! Work sharing among scoped threads that end with the call.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Calls `work` with each task, in order, on as many threads as there are `states`. Each thread has one of them, the calling
/// thread the first. Before each task, the calling thread calls `check`.
///
/// # Errors
/// The error of the first task that has one, whatever the number of threads; or that of `check`.
pub fn for_each_task<T, S: Send, E: Send>(
    tasks: impl Iterator<Item = T> + Send,
    states: &mut [S],
    work: impl Fn(T, &mut S) -> Result<(), E> + Sync,
    check: impl Fn() -> Result<(), E>,
) -> Result<(), E> {
    let queue = Mutex::new(tasks.enumerate());
    let is_stopped = AtomicBool::new(false);
    // The error of a check has no index: it comes before those of the tasks.
    let stop = |index: Option<usize>, error: E| {
        is_stopped.store(true, Ordering::Relaxed);
        Err((index, error))
    };
    let next = || {
        // Tasks are claimed in order, so those before one with an error are all done or being done.
        if is_stopped.load(Ordering::Relaxed) { None } else { queue.lock().ok()?.next() }
    };
    let run = |state: &mut S| {
        while let Some((index, task)) = next() {
            if let Err(error) = work(task, state) {
                return stop(Some(index), error);
            }
        }
        Ok(())
    };
    let Some((first, others)) = states.split_first_mut() else {
        debug_assert!(false, "a state for the calling thread");
        return Ok(());
    };
    let here = || {
        loop {
            if let Err(error) = check() {
                return stop(None, error);
            }
            let Some((index, task)) = next() else { return Ok(()) };
            if let Err(error) = work(task, first) {
                return stop(Some(index), error);
            }
        }
    };
    let (result, results) = with_helpers(others, run, here);
    let errors = results.into_iter().chain([result]).filter_map(Result::err);
    errors.min_by_key(|(index, _)| *index).map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_each_task_every_task_is_done_once() {
        for threads in 1..5 {
            let mut states = vec![Vec::new(); threads];
            let work = |task: i32, done: &mut Vec<i32>| {
                done.push(task);
                Ok::<_, ()>(())
            };
            for_each_task(0..100, &mut states, work, || Ok(())).unwrap();
            let mut done: Vec<_> = states.concat();
            done.sort_unstable();
            assert_eq!(done, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn for_each_task_returns_the_error_of_the_first_task() {
        for threads in 1..5 {
            let work = |task: i32, _: &mut ()| if task % 7 == 6 { Err(task) } else { Ok(()) };
            for _ in 0..20 {
                assert_eq!(for_each_task(0..100, &mut vec![(); threads], work, || Ok(())), Err(6));
            }
            assert_eq!(for_each_task(0..100, &mut vec![(); threads], work, || Err(-1)), Err(-1));
        }
    }

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
