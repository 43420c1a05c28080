//! Queue of numbered blocks: helpers take them in order and finish them in any order; the consumer wants them in order.
//!
//! ```text
//! consumed │ wanted │ finished │ in work │ finished │ in work │ not taken …
//!                   └────────────────── one buffer each ───────────────────┘
//! ```

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time that the consumer waits for a block of another thread before it decodes the block itself: several times as long
/// as decoding takes, so the system has probably suspended that thread.
const STEAL_TIMEOUT: Duration = Duration::from_micros(500);

/// Blocks 0 to `count` - 1, and buffers for their results. The number of buffers bounds how far helpers are ahead of the
/// consumer.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    count: usize,
    /// Signals that a buffer is free, or that the queue is closed.
    buffer_freed: Condvar,
    /// Signals that a block is finished, or that the queue is closed.
    block_finished: Condvar,
}

struct State<T> {
    /// The first block that is not taken.
    next: usize,
    /// The block that the consumer wants next.
    wanted: usize,
    free: Vec<T>,
    finished: Vec<(usize, T)>,
    is_closed: bool,
}

/// The consumer's next action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// The wanted block is finished.
    Ready(T),
    /// Decode the wanted block: it is not taken, or it is late.
    DecodeInline,
    /// Another thread decodes the wanted block. Decode this later block meanwhile, and finish it.
    DecodeOther(usize, T),
    /// The queue was closed: a helper has panicked.
    Failed,
}

impl<T> Queue<T> {
    /// Creates a queue of `count` blocks.
    pub(super) const fn new(count: usize, buffers: Vec<T>) -> Self {
        let state = State { next: 0, wanted: 0, free: buffers, finished: Vec::new(), is_closed: false };
        Self { state: Mutex::new(state), count, buffer_freed: Condvar::new(), block_finished: Condvar::new() }
    }

    /// Takes the next block, with a buffer for it; waits for a free buffer. Returns `None` if no block is left.
    pub(super) fn take_block(&self) -> Option<(usize, T)> {
        let mut state = self.lock();
        while !state.is_closed && state.next < self.count {
            if let Some(block) = state.take_block() {
                return Some(block);
            }
            state = self.buffer_freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Hands the result of a block to the consumer.
    pub(super) fn finish_block(&self, index: usize, buffer: T) {
        let mut state = self.lock();
        // The consumer does not want it any more if it has decoded the block itself.
        if index < state.wanted {
            state.free.push(buffer);
            drop(state);
            self.buffer_freed.notify_one();
        } else {
            state.finished.push((index, buffer));
            drop(state);
            self.block_finished.notify_one();
        }
    }

    /// Returns the consumer's next action; waits up to [`STEAL_TIMEOUT`] for the wanted block.
    pub(super) fn next(&self) -> Next<T> {
        let mut state = self.lock();
        let mut is_late = false;
        loop {
            let wanted = state.wanted;
            if let Some(position) = state.finished.iter().position(|(index, _)| *index == wanted) {
                state.wanted += 1;
                return Next::Ready(state.finished.swap_remove(position).1);
            }
            if state.is_closed {
                return Next::Failed;
            }
            if state.next <= wanted || is_late {
                state.wanted += 1;
                state.next = state.next.max(state.wanted);
                return Next::DecodeInline;
            }
            if state.next < self.count
                && let Some((index, buffer)) = state.take_block()
            {
                return Next::DecodeOther(index, buffer);
            }
            let (reacquired, timeout) =
                self.block_finished.wait_timeout(state, STEAL_TIMEOUT).unwrap_or_else(PoisonError::into_inner);
            (state, is_late) = (reacquired, timeout.timed_out());
        }
    }

    /// Takes back the buffer of a consumed block.
    pub(super) fn release(&self, buffer: T) {
        self.lock().free.push(buffer);
        self.buffer_freed.notify_one();
    }

    /// Stops all threads: no block can be taken any more, and waiting threads wake up.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.buffer_freed.notify_all();
        self.block_finished.notify_all();
    }

    /// Returns the buffers after all threads have ended.
    pub(super) fn into_buffers(self) -> Vec<T> {
        let State { mut free, finished, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        free.extend(finished.into_iter().map(|(_, buffer)| buffer));
        free
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn take_block(&mut self) -> Option<(usize, T)> {
        let buffer = self.free.pop()?;
        self.next += 1;
        Some((self.next - 1, buffer))
    }
}

/// Closes the queue when it is dropped: always, or only while the thread panics.
pub(super) struct CloseOnDrop<'q, T> {
    pub(super) queue: &'q Queue<T>,
    pub(super) only_on_panic: bool,
}

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        if !self.only_on_panic || std::thread::panicking() {
            self.queue.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_next_returns_blocks_in_order() {
        let queue = Queue::new(5, vec!['a', 'b']);
        assert_eq!(queue.take_block(), Some((0, 'b')));
        assert_eq!(queue.next(), Next::DecodeOther(1, 'a'));
        queue.finish_block(1, 'a');
        // No buffer is left for another block, and block 0 is late.
        assert_eq!(queue.next(), Next::DecodeInline);
        assert_eq!(queue.next(), Next::Ready('a'));
        queue.release('a');
        queue.finish_block(0, 'b');
        assert_eq!(queue.next(), Next::DecodeInline);
        assert_eq!(queue.take_block(), Some((3, 'b')));
        queue.finish_block(3, 'b');
        assert_eq!(queue.next(), Next::Ready('b'));
        assert_eq!(queue.next(), Next::DecodeInline);
        assert_eq!(queue.take_block(), None);
        queue.release('b');
        assert_eq!(queue.into_buffers(), ['a', 'b']);
    }

    #[test]
    fn queue_helper_panics_wakes_waiting_threads() {
        let queue = Queue::new(5, vec![()]);
        assert_eq!(queue.take_block(), Some((0, ())));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take_block());
            let failing = scope.spawn(|| {
                let _close = CloseOnDrop { queue: &queue, only_on_panic: true };
                std::panic::resume_unwind(Box::new("a bug"));
            });
            assert!(failing.join().is_err());
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(queue.next(), Next::Failed);
    }
}
