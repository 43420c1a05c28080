//! BatchDecoder objects on threads that go on from one to the next: each is opened, read and decoded by the thread that takes it,
//! so that reading, parsing and decoding overlap on all cores. Small images go together where the codec decodes them in
//! lock-step.
//!
//! ```text
//! push ─► waiting ─► a thread: open ─► room for its samples? ─► decode ─► done ─► take
//!                                      no: it waits, until the caller has handed on what is done
//! ```
//!
//! The source that the caller wants next never waits for room, so all of it goes on however little room there is.

use crate::decode_object::{Opened, Outcome, Prepared, Request, Scratch, Take, decode_same_kind};
use crate::open::Source;
use dicoxide_core::Cancel;
use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a caller who waits for results waits for further ones: it would be woken for each of them.
const TOGETHER: Duration = Duration::from_millis(1);
/// How often a caller who waits is asked whether to go on.
const POLL: Duration = Duration::from_millis(50);

/// Objects on their way.
pub struct BatchDecoder {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The process that has the threads: one that was forked from it has none of them.
    process: u32,
}

/// What `take` gives.
#[derive(Default)]
pub struct BatchResults {
    /// Outcomes by the places of their sources, in any order.
    pub done: Vec<(u64, Outcome)>,
    /// Sources that no thread has begun.
    pub waiting: usize,
}

struct Shared {
    request: Request,
    take: Box<Take>,
    room_bytes: u64,
    most_threads: usize,
    stop: AtomicBool,
    state: Mutex<State>,
    /// There are sources, or it is stopped: for threads.
    pushed: Condvar,
    /// There is room: for threads.
    freed: Condvar,
    /// There is an outcome, or somebody calls: for the caller.
    finished: Condvar,
    /// Nothing is on its way any more: for a caller who has some outcomes.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Source)>,
    begun: usize,
    done: Vec<(u64, Outcome)>,
    /// Bytes of samples that are being decoded, or that the caller has not handed on.
    held_bytes: u64,
    /// The place that the caller wants next.
    first: u64,
    is_called: bool,
}

impl BatchDecoder {
    /// For what `request` wants of each object. Outputs of objects that are not handed on take at most `room_bytes`, but
    /// for that of a single one.
    #[must_use]
    pub fn new(request: Request, take: Box<Take>, room_bytes: u64, threads: usize) -> Self {
        let shared = Shared {
            request,
            take,
            room_bytes,
            most_threads: threads.max(1),
            stop: AtomicBool::new(false),
            state: Mutex::default(),
            pushed: Condvar::new(),
            freed: Condvar::new(),
            finished: Condvar::new(),
            idle: Condvar::new(),
        };
        Self { shared: Arc::new(shared), threads: Mutex::default(), process: std::process::id() }
    }

    /// Adds sources, each with its place in the caller's order, which rises.
    ///
    /// # Errors
    /// If the system gives not one thread.
    pub fn push(&self, sources: impl IntoIterator<Item = (u64, Source)>) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.waiting.extend(sources);
        let wanted = (state.waiting.len() + state.begun).min(self.shared.most_threads);
        drop(state);
        let mut threads = self.threads();
        while threads.len() < wanted {
            let shared = Arc::clone(&self.shared);
            match std::thread::Builder::new().name("dicoxide".to_owned()).spawn(move || shared.work()) {
                Ok(thread) => threads.push(thread),
                // Fewer do the work.
                Err(_) if !threads.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        self.shared.pushed.notify_all();
        Ok(())
    }

    /// What is done. If nothing is, it waits until something is, all is, somebody calls, or `poll` says to stop.
    ///
    /// `first` is the place that the caller wants next; `freed_bytes` are those of samples it has handed on since.
    pub fn take(&self, first: u64, freed_bytes: u64, poll: &dyn Fn() -> bool) -> BatchResults {
        let mut state = self.shared.lock();
        state.first = state.first.max(first);
        state.held_bytes = state.held_bytes.saturating_sub(freed_bytes);
        self.shared.freed.notify_all();
        let mut has_waited = false;
        while state.done.is_empty() && state.is_on_its_way() && !state.is_called {
            let (after, waited) = wait(&self.shared.finished, state, POLL);
            state = after;
            has_waited = true;
            if waited {
                drop(state);
                if poll() {
                    return BatchResults::default();
                }
                state = self.shared.lock();
            }
        }
        let until = Instant::now() + TOGETHER;
        while has_waited
            && state.is_on_its_way()
            && !state.is_called
            && let Some(left) = until.checked_duration_since(Instant::now())
        {
            state = wait(&self.shared.idle, state, left).0;
        }
        state.is_called = false;
        BatchResults { done: std::mem::take(&mut state.done), waiting: state.waiting.len() }
    }

    /// Lets a caller who waits in `take` go on.
    pub fn call(&self) {
        self.shared.lock().is_called = true;
        self.shared.finished.notify_all();
        self.shared.idle.notify_all();
    }

    /// Lets the threads end soon, and waits for them.
    pub fn stop(&self) {
        if std::process::id() != self.process {
            // A lock may be held by a thread that this process does not have.
            self.threads().drain(..).for_each(std::mem::forget);
            return;
        }
        self.shared.stop.store(true, Ordering::Relaxed);
        // Whoever looked before this waits by now.
        drop(self.shared.lock());
        self.shared.pushed.notify_all();
        self.shared.freed.notify_all();
        for thread in self.threads().drain(..) {
            // What it has panicked with is told already.
            let _ = thread.join();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BatchDecoder {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn is_on_its_way(&self) -> bool {
        self.begun > 0 || !self.waiting.is_empty()
    }
}

impl Shared {
    /// What a thread does.
    fn work(&self) {
        let mut worker = Worker { shared: self, scratch: Scratch::default(), like: Vec::new(), untold: Vec::new() };
        loop {
            let worked = catch_unwind(AssertUnwindSafe(|| {
                while let Some((place, source, threads)) = worker.next() {
                    worker.decode(place, &source, threads);
                }
            }));
            let Err(panic) = worked else { return };
            // A bug: those that the thread was about have it, and it goes on with the next.
            let what = what(&*panic);
            let untold = std::mem::take(&mut worker.untold);
            worker = Worker { shared: self, scratch: Scratch::default(), like: Vec::new(), untold: Vec::new() };
            for (place, bytes) in untold {
                self.tell(place, bytes, Outcome::Bug(what.clone()));
            }
        }
    }

    /// Takes room for the samples of the source at `place`. False if there is none yet and the thread is not to wait, or
    /// it is stopped.
    fn reserve(&self, place: u64, bytes: u64, is_waiting: bool) -> bool {
        let mut state = self.lock();
        loop {
            let after = state.held_bytes.saturating_add(bytes);
            if place <= state.first || state.held_bytes == 0 || after <= self.room_bytes {
                state.held_bytes = after;
                return true;
            }
            if !is_waiting || self.is_stopped() {
                return false;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells the outcome of the source at `place`, for whose samples so many bytes are reserved.
    fn tell(&self, place: u64, bytes: u64, outcome: Outcome) {
        let mut state = self.lock();
        if bytes > 0 && !matches!(outcome, Outcome::Decoded(_)) {
            state.held_bytes = state.held_bytes.saturating_sub(bytes);
            self.freed.notify_all();
        }
        let was_empty = state.done.is_empty();
        state.begun -= 1;
        state.done.push((place, outcome));
        let is_idle = !state.is_on_its_way();
        drop(state);
        if was_empty {
            self.finished.notify_all();
        }
        if is_idle {
            self.idle.notify_all();
        }
    }

    fn watch(&self) -> Cancel<'_> {
        Cancel { stop: &self.stop, poll: None }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread.
struct Worker<'a> {
    shared: &'a Shared,
    scratch: Scratch,
    /// Images of a kind that wait for others to be decoded with.
    like: Vec<Prepared>,
    /// Places of which nobody has been told what becomes of them, and bytes that are reserved for them.
    untold: Vec<(u64, u64)>,
}

impl Worker<'_> {
    /// The next source, and on how many threads it is decoded; `None` when it is stopped.
    fn next(&mut self) -> Option<(u64, Source, usize)> {
        let shared = self.shared;
        let mut state = shared.lock();
        loop {
            if shared.is_stopped() {
                return None;
            }
            if let Some((place, source)) = state.waiting.pop_front() {
                state.begun += 1;
                self.untold.push((place, 0));
                // Where there are fewer objects than threads, each has several.
                let threads = shared.most_threads / (state.begun + state.waiting.len());
                return Some((place, source, threads.max(1)));
            }
            if self.like.is_empty() {
                state = shared.pushed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                drop(state);
                self.decode_same_kind();
                state = shared.lock();
            }
        }
    }

    fn decode(&mut self, place: u64, source: &Source, threads: usize) {
        let Shared { request, take, .. } = self.shared;
        let opened = Opened::new(source, request).and_then(|opened| opened.bytes(request).map(|bytes| (opened, bytes)));
        let (opened, bytes) = match opened {
            Ok(opened) => opened,
            Err(outcome) => return self.tell(place, outcome),
        };
        if !self.shared.reserve(place, bytes, false) {
            // Those that wait for others hold room.
            self.decode_same_kind();
            if !self.shared.reserve(place, bytes, true) {
                return self.tell(place, Outcome::Stopped);
            }
        }
        if let Some(untold) = self.untold.iter_mut().find(|untold| untold.0 == place) {
            untold.1 = bytes;
        }
        let prepared = match opened.prepared(place, take) {
            Ok(prepared) => prepared,
            Err(outcome) => return self.tell(place, outcome),
        };
        let together = prepared.together(request);
        if together < 2 {
            let outcome = prepared.decode(request, threads, self.shared.watch());
            return self.tell(place, outcome);
        }
        if self.like.first().is_some_and(|first| !first.is_like(&prepared)) {
            self.decode_same_kind();
        }
        self.like.push(prepared);
        if self.like.len() == together {
            self.decode_same_kind();
        }
    }

    fn decode_same_kind(&mut self) {
        for (place, outcome) in decode_same_kind(&mut self.like, &mut self.scratch, self.shared.watch()) {
            self.tell(place, outcome);
        }
    }

    fn tell(&mut self, place: u64, outcome: Outcome) {
        if let Some(at) = self.untold.iter().position(|untold| untold.0 == place) {
            let (_, bytes) = self.untold.swap_remove(at);
            self.shared.tell(place, bytes, outcome);
        }
    }
}

/// What a panic says.
fn what(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Waits on `condvar` for at most `time`; whether it was that long.
fn wait<'a>(condvar: &Condvar, state: MutexGuard<'a, State>, time: Duration) -> (MutexGuard<'a, State>, bool) {
    let (state, result) = condvar.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
    (state, result.timed_out())
}

#[cfg(test)]
mod tests;
