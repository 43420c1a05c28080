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
    /// What ends the calls of this thread.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Ends what threads are about that nobody waits for any more: signals reach the main thread only.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Stop(Arc<AtomicBool>);

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    /// From now on, calls of this thread end with a `RuntimeError` soon after `set`.
    fn adopt(&self) {
        STOP.set(Some(Arc::clone(&self.0)));
    }

    /// Ends the calls of the threads that adopted it.
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_stopped() -> bool {
    STOP.with_borrow(|stop| stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)))
}

/// Runs `work` detached. `work` may ask its argument whether a signal wants the call to stop; the signal's own
/// exception (`KeyboardInterrupt`) is raised then.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce(&dyn Fn() -> bool) -> T + Send) -> PyResult<T> {
    let result = py.detach(|| {
        let signal = RefCell::new(None);
        let poll = || {
            let asked = if is_stopped() {
                Err(PyRuntimeError::new_err("nobody waits for the result any more"))
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
