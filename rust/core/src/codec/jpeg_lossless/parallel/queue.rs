//! BlockResult that threads take first to last and hand over as it is done; one of them, the consumer, wants it in order.
//!
//! ```text
//! consumed │ wanted │ done │ in work │ done │ in work │ not taken …
//!                   └────── as many as there are slots ─────┘
//! ```

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the consumer waits for another thread before it does the work itself: several times what a stretch takes.
/// The system may have put that thread aside.
const STEAL_TIMEOUT: Duration = Duration::from_micros(500);

/// Numbered work, and slots for what is made of it. Only as much as there are slots for is ahead of the consumer.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    count: usize,
    /// A slot is free, or all is over.
    free: Condvar,
    /// Something has been handed over, or all is over.
    done: Condvar,
}

struct State<T> {
    /// The first that nobody has taken.
    next: usize,
    /// The one that the consumer wants.
    wanted: usize,
    free: Vec<T>,
    done: Vec<(usize, T)>,
    is_over: bool,
}

/// What the consumer finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// What it wants is done.
    Ready(T),
    /// What it wants is its own to do.
    DecodeInline,
    /// What it wants is in other hands: this is to be done and handed over meanwhile.
    DecodeOther(usize, T),
    /// Another thread has failed.
    Failed,
}

impl<T> Queue<T> {
    /// BlockResult from 0 to `count`, and memory for what is made of it.
    pub(super) const fn new(count: usize, slots: Vec<T>) -> Self {
        let state = State { next: 0, wanted: 0, free: slots, done: Vec::new(), is_over: false };
        Self { state: Mutex::new(state), count, free: Condvar::new(), done: Condvar::new() }
    }

    /// The next work and a slot for it; waits for a slot. `None` where nothing more is to be done.
    pub(super) fn take(&self) -> Option<(usize, T)> {
        let mut state = self.lock();
        while !state.is_over && state.next < self.count {
            if let Some(taken) = state.take() {
                return Some(taken);
            }
            state = self.free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Gives away what was made of `index`.
    pub(super) fn hand_over(&self, index: usize, slot: T) {
        let mut state = self.lock();
        // The consumer may have done it itself.
        if index < state.wanted {
            state.free.push(slot);
            drop(state);
            self.free.notify_one();
        } else {
            state.done.push((index, slot));
            drop(state);
            self.done.notify_one();
        }
    }

    /// What the consumer is to do next.
    pub(super) fn turn(&self) -> Next<T> {
        let mut state = self.lock();
        let mut is_late = false;
        loop {
            let wanted = state.wanted;
            if let Some(place) = state.done.iter().position(|(index, _)| *index == wanted) {
                state.wanted += 1;
                return Next::Ready(state.done.swap_remove(place).1);
            }
            if state.is_over {
                return Next::Failed;
            }
            if state.next <= wanted || is_late {
                state.wanted += 1;
                state.next = state.next.max(state.wanted);
                return Next::DecodeInline;
            }
            if state.next < self.count
                && let Some((index, slot)) = state.take()
            {
                return Next::DecodeOther(index, slot);
            }
            let (woken, timeout) = self.done.wait_timeout(state, STEAL_TIMEOUT).unwrap_or_else(PoisonError::into_inner);
            (state, is_late) = (woken, timeout.timed_out());
        }
    }

    /// Takes back a slot that the consumer is done with.
    pub(super) fn give_back(&self, slot: T) {
        self.lock().free.push(slot);
        self.free.notify_one();
    }

    /// Ends all work: nobody takes any more, nobody waits.
    pub(super) fn close(&self) {
        self.lock().is_over = true;
        self.free.notify_all();
        self.done.notify_all();
    }

    /// The slots, once all is over.
    pub(super) fn into_slots(self) -> Vec<T> {
        let State { mut free, done, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        free.extend(done.into_iter().map(|(_, slot)| slot));
        free
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Option<(usize, T)> {
        let slot = self.free.pop()?;
        self.next += 1;
        Some((self.next - 1, slot))
    }
}

/// Ends all work when it is dropped: `always`, or only by a panic.
pub(super) struct Closing<'q, T> {
    pub(super) queue: &'q Queue<T>,
    pub(super) always: bool,
}

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        if self.always || std::thread::panicking() {
            self.queue.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consumer_gets_all_in_order_and_nobody_is_far_ahead() {
        let queue = Queue::new(5, vec!['a', 'b']);
        assert_eq!(queue.take(), Some((0, 'b')));
        assert_eq!(queue.turn(), Next::DecodeOther(1, 'a'));
        queue.hand_over(1, 'a');
        // Nothing is left to do meanwhile, and the other is late.
        assert_eq!(queue.turn(), Next::DecodeInline);
        assert_eq!(queue.turn(), Next::Ready('a'));
        queue.give_back('a');
        queue.hand_over(0, 'b');
        assert_eq!(queue.turn(), Next::DecodeInline);
        assert_eq!(queue.take(), Some((3, 'b')));
        queue.hand_over(3, 'b');
        assert_eq!(queue.turn(), Next::Ready('b'));
        assert_eq!(queue.turn(), Next::DecodeInline);
        assert_eq!(queue.take(), None);
        queue.give_back('b');
        assert_eq!(queue.into_slots(), ['a', 'b']);
    }

    #[test]
    fn whoever_waits_is_woken_at_the_end() {
        let queue = Queue::new(5, vec![()]);
        assert_eq!(queue.take(), Some((0, ())));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take());
            let failing = scope.spawn(|| {
                let _closing = Closing { queue: &queue, always: false };
                std::panic::resume_unwind(Box::new("a bug"));
            });
            assert!(failing.join().is_err());
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(queue.turn(), Next::Failed);
    }
}
