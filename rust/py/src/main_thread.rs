//! The main thread of the interpreter: the only one in which Python runs signal handlers.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::cell::Cell;

thread_local! {
    /// True if this thread is the main thread; `None` until the first call.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Returns true if the current thread is the interpreter's main thread.
///
/// # Errors
/// The exception of `threading`, if it cannot be used.
pub(crate) fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    if let Some(is_main) = IS_MAIN.get() {
        return Ok(is_main);
    }
    let threading = py.import("threading")?;
    let main: u64 = threading.call_method0("main_thread")?.getattr("ident")?.extract()?;
    let is_main = threading.call_method0("get_ident")?.extract::<u64>()? == main;
    IS_MAIN.set(Some(is_main));
    Ok(is_main)
}

/// Declares the current thread the main thread. The thread that forks is the main thread, and the only one, of the child.
#[pyfunction]
fn become_main_thread() {
    IS_MAIN.set(Some(true));
}

/// Calls [`become_main_thread`] in each forked process, on systems that have `fork`.
///
/// # Errors
/// The exception of `os.register_at_fork`.
pub(crate) fn register_at_fork(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let keywords = PyDict::new(py);
    keywords.set_item("after_in_child", wrap_pyfunction!(become_main_thread, module)?)?;
    match py.import("os")?.getattr("register_at_fork") {
        Ok(register) => register.call((), Some(&keywords)).map(drop),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(()),
        Err(error) => Err(error),
    }
}
