//! Queue of the blocks of several scans: those of a scan are decoded in order, one at a time, by any thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Scans with decoders of type `D`, whose results are in blocks of type `B`. The number of blocks bounds how far a scan is
/// ahead of the calling thread.
pub(super) struct Queue<D, B> {
    state: Mutex<State<D, B>>,
    /// Signals that a block is finished or free, or that the queue is closed.
    changed: Condvar,
}

struct State<D, B> {
    scans: Vec<Scan<D, B>>,
    is_closed: bool,
}

struct Scan<D, B> {
    /// `None` while a thread decodes a block, and after the last one.
    decoder: Option<D>,
    lines_left: usize,
    free: Vec<B>,
    /// Finished blocks, in order.
    finished: VecDeque<B>,
}

/// A block to decode: the next one of the scan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Task<D, B> {
    scan: usize,
    pub(super) decoder: D,
    pub(super) block: B,
}

/// The calling thread's next action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<D, B> {
    /// Write the rows of these blocks, one of each scan.
    Write(Vec<B>),
    Decode(Task<D, B>),
    /// The queue was closed: a helper has panicked.
    Failed,
}

impl<D, B> Queue<D, B> {
    /// Creates a queue of scans: decoder, lines and blocks of each.
    pub(super) fn new(scans: impl Iterator<Item = (D, usize, Vec<B>)>) -> Self {
        let scans = scans.map(|(decoder, lines_left, free)| Scan {
            decoder: Some(decoder),
            lines_left,
            free,
            finished: VecDeque::new(),
        });
        let state = State { scans: scans.collect(), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes a block to decode; waits for one. Returns `None` if the queue is closed.
    pub(super) fn take(&self) -> Option<Task<D, B>> {
        let mut state = self.lock();
        while !state.is_closed {
            if let Some(task) = state.take() {
                return Some(task);
            }
            state = self.wait(state);
        }
        None
    }

    /// Returns the calling thread's next action; waits for one.
    pub(super) fn next(&self) -> Next<D, B> {
        let mut state = self.lock();
        while !state.is_closed {
            if state.scans.iter().all(|scan| !scan.finished.is_empty()) {
                return Next::Write(state.scans.iter_mut().filter_map(|scan| scan.finished.pop_front()).collect());
            }
            if let Some(task) = state.take() {
                return Next::Decode(task);
            }
            state = self.wait(state);
        }
        Next::Failed
    }

    /// Takes back a task whose block is decoded. `lines_left` is 0 after an error: no more blocks are decoded then.
    pub(super) fn finish(&self, task: Task<D, B>, lines_left: usize) {
        let Task { scan, decoder, block } = task;
        if let Some(scan) = self.lock().scans.get_mut(scan) {
            scan.decoder = Some(decoder);
            scan.lines_left = lines_left;
            scan.finished.push_back(block);
        }
        self.changed.notify_all();
    }

    /// Takes back blocks that are written, one of each scan.
    pub(super) fn release(&self, blocks: Vec<B>) {
        self.lock().scans.iter_mut().zip(blocks).for_each(|(scan, block)| scan.free.push(block));
        self.changed.notify_all();
    }

    /// Returns decoders and blocks after all threads have ended.
    pub(super) fn into_parts(self) -> (Vec<D>, Vec<B>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (mut decoders, mut blocks) = (Vec::new(), Vec::new());
        for scan in state.scans {
            decoders.extend(scan.decoder);
            blocks.extend(scan.free.into_iter().chain(scan.finished));
        }
        (decoders, blocks)
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<D, B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State<D, B>>) -> MutexGuard<'s, State<D, B>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D, B> State<D, B> {
    /// Takes a block of the scan with the most lines left.
    fn take(&mut self) -> Option<Task<D, B>> {
        let scans = self.scans.iter_mut().enumerate();
        let ready = scans.filter(|(_, scan)| scan.decoder.is_some() && scan.lines_left > 0 && !scan.free.is_empty());
        let (index, scan) = ready.max_by_key(|(_, scan)| scan.lines_left)?;
        Some(Task { scan: index, decoder: scan.decoder.take()?, block: scan.free.pop()? })
    }
}

/// Closes the queue when it is dropped: always, or only while the thread panics.
pub(super) struct CloseOnDrop<'q, D, B> {
    pub(super) queue: &'q Queue<D, B>,
    pub(super) only_on_panic: bool,
}

impl<D, B> Drop for CloseOnDrop<'_, D, B> {
    fn drop(&mut self) {
        if !self.only_on_panic || std::thread::panicking() {
            self.queue.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two scans of 3 and 2 lines, with two blocks each.
    fn queue() -> Queue<char, u8> {
        Queue::new([('a', 3, vec![1, 2]), ('b', 2, vec![3, 4])].into_iter())
    }

    #[test]
    fn queue_next_prefers_writing_and_the_scan_with_most_lines_left() {
        let queue = queue();
        let first = queue.take().unwrap();
        assert_eq!(first, Task { scan: 0, decoder: 'a', block: 2 });
        let Next::Decode(second) = queue.next() else { panic!("a block of the other scan expected") };
        assert_eq!(second, Task { scan: 1, decoder: 'b', block: 4 });
        queue.finish(first, 2);
        queue.finish(second, 0);
        assert_eq!(queue.next(), Next::Write(vec![2, 4]));
        // The second scan is complete.
        assert_eq!(queue.take(), Some(Task { scan: 0, decoder: 'a', block: 1 }));
        queue.release(vec![2, 4]);
        let (decoders, mut blocks) = queue.into_parts();
        blocks.sort_unstable();
        assert_eq!((decoders, blocks), (vec!['b'], vec![2, 3, 4]));
    }

    #[test]
    fn queue_without_free_blocks_waits_for_the_calling_thread() {
        let queue = Queue::new([('a', 2, vec![1])].into_iter());
        let task = queue.take().unwrap();
        queue.finish(task, 1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take());
            assert_eq!(queue.next(), Next::Write(vec![1]));
            queue.release(vec![1]);
            assert_eq!(waiting.join().unwrap(), Some(Task { scan: 0, decoder: 'a', block: 1 }));
        });
    }

    #[test]
    fn queue_helper_panics_wakes_waiting_threads() {
        let queue = Queue::new([('a', 2, vec![1])].into_iter());
        let task = queue.take();
        assert!(task.is_some());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take());
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
