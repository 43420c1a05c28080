//! Decodes many objects on threads that go from one source to the next.
//!
//! ```text
//! push ─► queue ─► worker thread: open ─► reserve buffer bytes ─► decode ─► outcomes ─► take_results
//!                                         waits until the caller has
//!                                         released earlier results
//! ```
//!
//! The thread that takes a source opens, reads and decodes it, so that reading, parsing and decoding overlap on all
//! cores.
//!
//! **Bound on memory.** Samples that are being decoded, or that the caller has not released, take at most
//! `max_buffered_bytes`, a single image excepted. A thread reserves bytes before it allocates, and waits until enough
//! are free. The source that the caller wants next (`next_index`) never waits: otherwise the buffer could be full of
//! later results while the caller, which takes results in order, waits for the one that cannot be decoded.
//!
//! ```text
//! decode(source):                                      next source of an idle thread:
//!   image = open(source)                                 queue has one       → take it
//!   if bytes cannot be reserved at once:                 images are pending  → decode them now: no more may come
//!     decode the pending images (they hold bytes)        otherwise           → wait
//!     wait until bytes can be reserved
//!   batch_size = images that the codec decodes in lock-step (4 for small JPEG Lossless frames, else 1)
//!   if batch_size is 1: decode image alone
//!   else: pending must be of the same kind (transfer syntax and attributes); decode it first if it is not
//!         add image to pending; when batch_size are pending, decode them together
//! ```

use crate::decode_object::{Allocate, BatchScratch, OpenedImage, ReadyImage, decode_same_kind};
use crate::open::Source;
use crate::request::{Outcome, Request};
use dicoxide_core::Cancel;
use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// After a first outcome, how long a waiting caller waits for further ones, so that it is not woken for each of them.
const COLLECT_TIME: Duration = Duration::from_millis(1);
/// Interval at which a waiting caller polls for cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Decodes sources on its own threads; outcomes are collected with [`BatchDecoder::take_results`].
pub struct BatchDecoder {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Process that started the threads. A process forked from it does not have them.
    process_id: u32,
}

/// Outcomes since the last call of [`BatchDecoder::take_results`].
#[derive(Default)]
pub struct BatchResults {
    /// Outcomes with their source indices, in any order.
    pub outcomes: Vec<(u64, Outcome)>,
    /// Number of sources that no thread has taken.
    pub queued_count: usize,
}

struct Shared {
    request: Request,
    allocate: Box<Allocate>,
    max_buffered_bytes: u64,
    max_threads: usize,
    cancel_flag: AtomicBool,
    state: Mutex<State>,
    /// Wakes workers: sources were added, or the batch was cancelled.
    source_added: Condvar,
    /// Wakes workers: buffered bytes were freed, or the batch was cancelled.
    bytes_freed: Condvar,
    /// Wakes the caller: there is an outcome, or `wake` was called.
    outcome_added: Condvar,
    /// Wakes a caller that has outcomes already: no source is queued or in flight, or `wake` was called.
    all_done: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(u64, Source)>,
    /// Number of sources that threads have taken and not reported.
    in_flight_count: usize,
    outcomes: Vec<(u64, Outcome)>,
    /// Bytes of samples that are being decoded, or that the caller has not released.
    buffered_bytes: u64,
    /// Index of the source that the caller wants next.
    next_index: u64,
    wake_requested: bool,
}

impl BatchDecoder {
    /// Creates a decoder without threads; `push` starts up to `threads` of them.
    ///
    /// `allocate` provides the memory for samples. At most `max_buffered_bytes` of it are in use, a single image
    /// excepted, until the caller reports them as freed.
    #[must_use]
    pub fn new(request: Request, allocate: Box<Allocate>, max_buffered_bytes: u64, threads: usize) -> Self {
        let shared = Shared {
            request,
            allocate,
            max_buffered_bytes,
            max_threads: threads.max(1),
            cancel_flag: AtomicBool::new(false),
            state: Mutex::default(),
            source_added: Condvar::new(),
            bytes_freed: Condvar::new(),
            outcome_added: Condvar::new(),
            all_done: Condvar::new(),
        };
        Self { shared: Arc::new(shared), threads: Mutex::default(), process_id: std::process::id() }
    }

    /// Queues sources, each with its index in the caller's order. Indices ascend over all calls.
    ///
    /// # Errors
    /// The system's, if it refuses the first thread.
    pub fn push(&self, sources: impl IntoIterator<Item = (u64, Source)>) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.queue.extend(sources);
        let thread_count = (state.queue.len() + state.in_flight_count).min(self.shared.max_threads);
        drop(state);
        let mut threads = self.threads();
        while threads.len() < thread_count {
            let shared = Arc::clone(&self.shared);
            match std::thread::Builder::new().name("dicoxide".to_owned()).spawn(move || shared.run_worker()) {
                Ok(thread) => threads.push(thread),
                // The threads that exist decode everything.
                Err(_) if !threads.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        self.shared.source_added.notify_all();
        Ok(())
    }

    /// Takes the available outcomes. If there are none, waits for one; returns none if nothing is queued or in flight,
    /// `wake` was called, or `poll` returns true.
    ///
    /// `next_index` is the source that the caller wants next; `freed_bytes` is the size of the samples, in bytes, that
    /// the caller has released since the last call.
    pub fn take_results(&self, next_index: u64, freed_bytes: u64, poll: &dyn Fn() -> bool) -> BatchResults {
        let mut state = self.shared.lock();
        state.next_index = state.next_index.max(next_index);
        state.buffered_bytes = state.buffered_bytes.saturating_sub(freed_bytes);
        self.shared.bytes_freed.notify_all();
        let mut has_waited = false;
        while state.outcomes.is_empty() && state.is_busy() && !state.wake_requested {
            let (after, timed_out) = wait(&self.shared.outcome_added, state, POLL_INTERVAL);
            state = after;
            has_waited = true;
            if timed_out {
                drop(state);
                if poll() {
                    return BatchResults::default();
                }
                state = self.shared.lock();
            }
        }
        let until = Instant::now() + COLLECT_TIME;
        while has_waited
            && state.is_busy()
            && !state.wake_requested
            && let Some(left) = until.checked_duration_since(Instant::now())
        {
            state = wait(&self.shared.all_done, state, left).0;
        }
        state.wake_requested = false;
        BatchResults { outcomes: std::mem::take(&mut state.outcomes), queued_count: state.queue.len() }
    }

    /// Makes a call of `take_results` that waits, or else the next one, return without waiting.
    pub fn wake(&self) {
        self.shared.lock().wake_requested = true;
        self.shared.outcome_added.notify_all();
        self.shared.all_done.notify_all();
    }

    /// Cancels what is queued and in flight, and joins the threads.
    pub fn cancel(&self) {
        if std::process::id() != self.process_id {
            // In a forked process the threads do not exist, and one of them may hold the lock, which is then never
            // released.
            self.threads().drain(..).for_each(std::mem::forget);
            return;
        }
        self.shared.cancel_flag.store(true, Ordering::Relaxed);
        // A worker that read the flag before it was set holds the lock until it waits, so that it gets the
        // notification.
        drop(self.shared.lock());
        self.shared.source_added.notify_all();
        self.shared.bytes_freed.notify_all();
        for thread in self.threads().drain(..) {
            // Panics were reported as outcomes.
            let _ = thread.join();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BatchDecoder {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl State {
    fn is_busy(&self) -> bool {
        self.in_flight_count > 0 || !self.queue.is_empty()
    }
}

impl Shared {
    /// Runs a worker thread until the batch is cancelled.
    fn run_worker(&self) {
        let mut worker = Worker::new(self);
        loop {
            let result = catch_unwind(AssertUnwindSafe(|| {
                while let Some((index, source, threads)) = worker.next_source() {
                    worker.decode(index, &source, threads);
                }
            }));
            let Err(panic) = result else { return };
            // A bug: report it for the sources that this thread has taken, and continue with the next one.
            let message = panic_message(&*panic);
            let unreported = std::mem::take(&mut worker.unreported);
            worker = Worker::new(self);
            for (index, reserved_bytes) in unreported {
                self.report(index, reserved_bytes, Outcome::Bug(message.clone()));
            }
        }
    }

    /// Reserves buffer bytes for the source `index`. Returns false if there are not enough and `may_wait` is not set,
    /// or if the batch is cancelled.
    fn reserve(&self, index: u64, bytes: u64, may_wait: bool) -> bool {
        let mut state = self.lock();
        loop {
            let total = state.buffered_bytes.saturating_add(bytes);
            if index <= state.next_index || state.buffered_bytes == 0 || total <= self.max_buffered_bytes {
                state.buffered_bytes = total;
                return true;
            }
            if !may_wait || self.is_cancelled() {
                return false;
            }
            state = self.bytes_freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Adds the outcome of the source `index`, and frees its reserved bytes unless it has samples.
    fn report(&self, index: u64, reserved_bytes: u64, outcome: Outcome) {
        let mut state = self.lock();
        if reserved_bytes > 0 && !matches!(outcome, Outcome::Decoded(_)) {
            state.buffered_bytes = state.buffered_bytes.saturating_sub(reserved_bytes);
            self.bytes_freed.notify_all();
        }
        let was_empty = state.outcomes.is_empty();
        state.in_flight_count -= 1;
        state.outcomes.push((index, outcome));
        let is_done = !state.is_busy();
        drop(state);
        if was_empty {
            self.outcome_added.notify_all();
        }
        if is_done {
            self.all_done.notify_all();
        }
    }

    fn cancel(&self) -> Cancel<'_> {
        Cancel { stop: &self.cancel_flag, poll: None }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel_flag.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// State of one worker thread.
struct Worker<'a> {
    shared: &'a Shared,
    scratch: BatchScratch,
    /// Images of one kind that wait to be decoded in lock-step.
    pending: Vec<ReadyImage>,
    /// Sources that the thread has taken and not reported: their indices, and the bytes reserved for them.
    unreported: Vec<(u64, u64)>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, scratch: BatchScratch::default(), pending: Vec::new(), unreported: Vec::new() }
    }

    /// Takes the next source, and the number of threads to decode it on; `None` if the batch is cancelled.
    fn next_source(&mut self) -> Option<(u64, Source, usize)> {
        let shared = self.shared;
        let mut state = shared.lock();
        loop {
            if shared.is_cancelled() {
                return None;
            }
            if let Some((index, source)) = state.queue.pop_front() {
                state.in_flight_count += 1;
                self.unreported.push((index, 0));
                // If there are fewer sources than threads, each source gets several.
                let threads = shared.max_threads / (state.in_flight_count + state.queue.len());
                return Some((index, source, threads.max(1)));
            }
            if self.pending.is_empty() {
                state = shared.source_added.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                drop(state);
                self.decode_pending();
                state = shared.lock();
            }
        }
    }

    /// Decodes one source, or adds it to `pending`.
    fn decode(&mut self, index: u64, source: &Source, threads: usize) {
        let Shared { request, allocate, .. } = self.shared;
        let opened = OpenedImage::open(source, request)
            .and_then(|opened| opened.output_bytes(request).map(|bytes| (opened, bytes)));
        let (opened, bytes) = match opened {
            Ok(opened) => opened,
            Err(outcome) => return self.report(index, outcome),
        };
        if !self.shared.reserve(index, bytes, false) {
            // Pending images hold reserved bytes: waiting for more might never end.
            self.decode_pending();
            if !self.shared.reserve(index, bytes, true) {
                return self.report(index, Outcome::Cancelled);
            }
        }
        if let Some((_, reserved_bytes)) = self.unreported.iter_mut().find(|(other, _)| *other == index) {
            *reserved_bytes = bytes;
        }
        let image = match opened.allocate(index, allocate) {
            Ok(image) => image,
            Err(outcome) => return self.report(index, outcome),
        };
        let batch_size = image.batch_size(request);
        if batch_size < 2 {
            let outcome = image.decode(request, threads, self.shared.cancel());
            return self.report(index, outcome);
        }
        if self.pending.first().is_some_and(|first| !first.is_same_kind(&image)) {
            self.decode_pending();
        }
        self.pending.push(image);
        if self.pending.len() == batch_size {
            self.decode_pending();
        }
    }

    fn decode_pending(&mut self) {
        for (index, outcome) in decode_same_kind(&mut self.pending, &mut self.scratch, self.shared.cancel()) {
            self.report(index, outcome);
        }
    }

    fn report(&mut self, index: u64, outcome: Outcome) {
        let Some(position) = self.unreported.iter().position(|(other, _)| *other == index) else {
            debug_assert!(false, "source {index} reported twice");
            return;
        };
        let (_, reserved_bytes) = self.unreported.swap_remove(position);
        self.shared.report(index, reserved_bytes, outcome);
    }
}

/// Returns the message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Waits on `condvar` for at most `timeout`; returns true if it timed out.
fn wait<'a>(condvar: &Condvar, state: MutexGuard<'a, State>, timeout: Duration) -> (MutexGuard<'a, State>, bool) {
    let (state, result) = condvar.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner);
    (state, result.timed_out())
}

#[cfg(test)]
mod tests;
