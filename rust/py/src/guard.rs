//! Runs core code with the interpreter detached; a panic becomes an ordinary exception.

use crate::errors;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Detaching and attaching again costs more than work on this many bytes.
const ATTACHED_BYTES: usize = 32 * 1024;

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

/// Runs `work` detached. `work` may ask its argument whether a signal wants the call to stop; the signal's own
/// exception (`KeyboardInterrupt`) is raised then.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce(&dyn Fn() -> bool) -> T + Send) -> PyResult<T> {
    let result = py.detach(|| {
        let signal = RefCell::new(None);
        let poll = || {
            let asked = if is_cancelled() {
                Err(PyRuntimeError::new_err("decoding cancelled"))
            } else {
                Python::attach(|py| py.check_signals())
            };
            match asked {
                Ok(()) => false,
                Err(error) => {
                    signal.replace(Some(error));
                    true
                }
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(&poll)));
        (result, signal.into_inner())
    });
    match result {
        (_, Some(signal)) => Err(signal),
        (Ok(value), None) => Ok(value),
        (Err(panic), None) => Err(bug(py, &*panic)),
    }
}

/// Runs `work` on that many bytes: detached, unless that would take longer than the work itself.
pub(crate) fn guarded<T: Send>(
    py: Python<'_>,
    work_bytes: usize,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send,
) -> PyResult<T> {
    if work_bytes > ATTACHED_BYTES {
        return detached(py, work);
    }
    catch_unwind(AssertUnwindSafe(|| work(&|| false))).map_err(|panic| bug(py, &*panic))
}

fn bug(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let what = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    errors::internal(py, &what)
}
