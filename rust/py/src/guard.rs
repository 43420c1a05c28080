//! Runs core code with the interpreter detached, so that other Python threads go on; a panic becomes an exception.

use crate::errors;
use crate::main_thread::is_main_thread;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Work on at most this many bytes takes less time than detaching from the interpreter and attaching again.
const MAX_ATTACHED_BYTES: usize = 32 * 1024;

thread_local! {
    /// Cancel flag of this thread's calls, if a `CancelToken` is attached to it.
    static CANCEL_FLAG: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Cancels the calls of the threads it is attached to. Signals reach the main thread only, so worker threads need this.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct CancelToken(Arc<AtomicBool>);

#[pymethods]
impl CancelToken {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    /// Makes later calls of the current thread raise `RuntimeError` soon after `cancel`.
    fn attach_to_thread(&self) {
        CANCEL_FLAG.set(Some(Arc::clone(&self.0)));
    }

    /// Cancels the calls of all threads that the token is attached to.
    fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_cancelled() -> bool {
    CANCEL_FLAG.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

/// Runs `work` detached. Its argument is a function that returns true if the call is to be cancelled: if a signal is
/// pending, or the thread's `CancelToken` was cancelled.
///
/// Only the main thread attaches to check for signals, because only it runs their handlers. A daemon thread that attached
/// during finalization of the interpreter might use memory that is freed; it waits for the end of the process instead.
///
/// # Errors
/// The exception of the signal handler (such as `KeyboardInterrupt`), `RuntimeError` if the token was cancelled,
/// `InternalError` for a panic.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce(&dyn Fn() -> bool) -> T + Send) -> PyResult<T> {
    let runs_signal_handlers = is_main_thread(py)?;
    let result = py.detach(|| {
        let interruption = RefCell::new(None);
        let poll = || {
            let polled = if is_cancelled() {
                Err(PyRuntimeError::new_err("decoding cancelled"))
            } else if runs_signal_handlers {
                Python::attach(|py| py.check_signals())
            } else {
                Ok(())
            };
            match polled {
                Ok(()) => false,
                Err(error) => {
                    interruption.replace(Some(error));
                    true
                }
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(&poll)));
        if !runs_signal_handlers {
            wait_if_finalizing();
        }
        (result, interruption.into_inner())
    });
    match result {
        (_, Some(interruption)) => Err(interruption),
        (Ok(value), None) => Ok(value),
        (Err(panic), None) => Err(panic_error(py, &*panic)),
    }
}

/// Never returns once the interpreter is being finalized: the process ends without the current thread.
fn wait_if_finalizing() {
    // SAFETY: `Py_IsInitialized` may be called at any time, also detached and after finalization. It reads one number.
    #[allow(unsafe_code)]
    while unsafe { pyo3::ffi::Py_IsInitialized() } == 0 {
        std::thread::park();
    }
}

/// Runs `work`, which is about `work_bytes` bytes, detached unless it is so small that detaching costs more.
///
/// # Errors
/// The errors of [`detached`]; small work is not interrupted.
pub(crate) fn guarded<T: Send>(
    py: Python<'_>,
    work_bytes: usize,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send,
) -> PyResult<T> {
    if work_bytes > MAX_ATTACHED_BYTES {
        return detached(py, work);
    }
    catch_unwind(AssertUnwindSafe(|| work(&|| false))).map_err(|panic| panic_error(py, &*panic))
}

fn panic_error(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    errors::internal_error(py, &message)
}
