//! Runs core code with the interpreter detached; a panic becomes an ordinary exception.

use crate::errors;
use pyo3::prelude::*;
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Detaching and attaching again costs more than work on this many bytes.
const ATTACHED_BYTES: usize = 32 * 1024;

/// Runs `work` detached. `work` may ask its argument whether a signal wants the call to stop; the signal's own
/// exception (`KeyboardInterrupt`) is raised then.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce(&dyn Fn() -> bool) -> T + Send) -> PyResult<T> {
    let result = py.detach(|| {
        let signal = RefCell::new(None);
        let poll = || match Python::attach(|py| py.check_signals()) {
            Ok(()) => false,
            Err(error) => {
                signal.replace(Some(error));
                true
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
