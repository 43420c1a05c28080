//! Memory that threads need to decode frames, and its reuse from call to call.

use crate::error::Result;
use crate::limits::Limits;
use crate::output::ScratchBlock;
use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

/// State that a codec keeps for a thread from frame to frame, of a type that the codec chooses.
#[derive(Debug, Default)]
pub(crate) struct CodecState(Option<Box<dyn Any + Send>>);

impl CodecState {
    /// Calls `work` with the state of type `T`, which is a new one if another codec was the last to use it.
    pub(crate) fn with<T: Any + Send + Default, R>(&mut self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut state: Box<T> = self.0.take().and_then(|state| state.downcast().ok()).unwrap_or_default();
        let result = work(&mut state);
        self.0 = Some(state);
        result
    }
}

/// Scratch buffers of the threads that decode one frame together, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct WorkerBuffers<T> {
    threads: Vec<T>,
    /// Bytes of all threads that are counted against the memory budget.
    reserved_bytes: usize,
}

impl<T: Default> WorkerBuffers<T> {
    /// Reserves `bytes` bytes for each of `threads` threads, and returns their buffers.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn reserve(
        &mut self,
        threads: usize,
        bytes: usize,
        limits: &Limits,
    ) -> Result<impl Iterator<Item = &mut T>> {
        // All or nothing: with a part of the buffers one thread decodes the frame, and the budget is for that.
        let total = threads * bytes;
        limits.reserve(total.saturating_sub(self.reserved_bytes))?;
        self.reserved_bytes = self.reserved_bytes.max(total);
        self.threads.resize_with(threads.max(self.threads.len()), T::default);
        Ok(self.threads.iter_mut().take(threads))
    }
}

#[cfg(test)]
impl<T> WorkerBuffers<T> {
    /// True if no buffers were reserved.
    pub(super) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }
}

/// Memory of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Scratch block of the output stage.
    pub(super) block: ScratchBlock,
    /// Scratch blocks of the output stages of a batch.
    pub(super) batch_blocks: Vec<ScratchBlock>,
    pub(super) state: CodecState,
    /// Bytes of frames that are not contiguous in memory.
    pub(crate) frame_bytes: Vec<Vec<u8>>,
}

/// Workspaces of calls that have ended. Allocating one takes longer than decoding a small frame, and it has look-up
/// tables that the frames of the next call often share.
static IDLE: Mutex<Vec<Workspace>> = Mutex::new(Vec::new());
/// Workspaces that are kept at most; usually as many exist as threads have decoded at the same time.
const MAX_IDLE: usize = 64;

/// A workspace that an earlier call has used, or a new one. Dropping it makes it available to other calls.
#[derive(Debug)]
pub struct ReusedWorkspace {
    workspace: Workspace,
    is_reusable: bool,
}

impl ReusedWorkspace {
    /// Returns the workspace that was used last and is not in use. Bounded calls count all their memory, so they get a
    /// new one.
    ///
    /// Never waits: if another thread has locked the list, in this process or in the one that it was forked from, the
    /// workspace is new.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let is_reusable = !limits.is_bounded();
        let idle = if is_reusable { IDLE.try_lock().ok().and_then(|mut idle| idle.pop()) } else { None };
        Self { workspace: idle.unwrap_or_default(), is_reusable }
    }
}

impl Deref for ReusedWorkspace {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}

impl DerefMut for ReusedWorkspace {
    fn deref_mut(&mut self) -> &mut Workspace {
        &mut self.workspace
    }
}

impl Drop for ReusedWorkspace {
    fn drop(&mut self) {
        // After a panic, buffers can lack the state that codecs expect between frames.
        if self.is_reusable
            && !std::thread::panicking()
            && let Ok(mut idle) = IDLE.try_lock()
            && idle.len() < MAX_IDLE
        {
            idle.push(std::mem::take(&mut self.workspace));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reused_workspace_unbounded_calls_share_and_bounded_ones_do_not() {
        // Other tests of the process use the list too: look for a mark in all workspaces that are in use at once.
        let is_marked = |workspace: &ReusedWorkspace| workspace.frame_bytes.iter().any(|bytes| bytes == b"mark");
        let mut first = ReusedWorkspace::new(&Limits::unbounded());
        first.frame_bytes = vec![b"mark".to_vec()];
        drop(first);
        let bounded: Vec<_> = (0..MAX_IDLE).map(|_| ReusedWorkspace::new(&Limits::new(Some(1 << 20)))).collect();
        assert!(!bounded.iter().any(is_marked));
        drop(bounded);
        let unbounded: Vec<_> = (0..MAX_IDLE).map(|_| ReusedWorkspace::new(&Limits::unbounded())).collect();
        assert!(unbounded.iter().any(is_marked));
    }

    #[test]
    fn reused_workspace_is_not_reused_after_a_panic() {
        let panicked = std::thread::spawn(|| {
            let mut workspace = ReusedWorkspace::new(&Limits::unbounded());
            workspace.frame_bytes = vec![b"panic".to_vec()];
            panic!("expected by the test");
        });
        assert!(panicked.join().is_err());
        let all: Vec<_> = (0..MAX_IDLE).map(|_| ReusedWorkspace::new(&Limits::unbounded())).collect();
        assert!(!all.iter().any(|workspace| workspace.frame_bytes.iter().any(|bytes| bytes == b"panic")));
    }

    #[test]
    fn worker_buffers_reserve_all_or_nothing_and_only_growth() {
        let (limits, mut workers) = (Limits::new(Some(10)), WorkerBuffers::<u8>::default());
        assert!(workers.reserve(3, 4, &limits).is_err());
        assert!(workers.threads.is_empty());
        assert_eq!(workers.reserve(2, 4, &limits).unwrap().count(), 2);
        assert_eq!(workers.reserve(2, 5, &limits).unwrap().count(), 2);
        limits.reserve(1).unwrap_err();
    }
}
