//! Runs core code with the interpreter detached; a panic becomes an ordinary exception.

use crate::errors;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
        (Err(panic), None) => {
            let what = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(errors::internal(py, &what))
        }
    }
}
