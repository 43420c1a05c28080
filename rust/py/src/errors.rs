//! Converts errors of the core and of the system to Python exceptions.
//!
//! | core | Python |
//! |---|---|
//! | `Truncated` | `TruncatedFrameError` |
//! | `Malformed`, `Mismatch`, `NoImage` | `CorruptFrameError` |
//! | `Unsupported` | `UnsupportedError`: the package asks fallback decoders |
//! | `LimitExceeded` | `LimitError` |
//! | `Output` | `ValueError`: an argument of the caller |
//! | `Io` | `OSError` with the system's error number, or the exception of a file object |
//! | a panic | `InternalError` |

use dicoxide_core::{DecodeError, ErrorKind, frames::FrameError};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A core error and its context, which the core does not know.
pub(crate) struct Failure<'a> {
    pub(crate) error: &'a DecodeError,
    pub(crate) transfer_syntax: Option<&'a str>,
    pub(crate) frame_index: Option<usize>,
}

impl<'a> Failure<'a> {
    pub(crate) fn of(error: &'a DecodeError) -> Self {
        Self { error, transfer_syntax: None, frame_index: None }
    }

    pub(crate) fn in_frame(failure: &'a FrameError, transfer_syntax: &'a str) -> Self {
        Self { error: &failure.error, transfer_syntax: Some(transfer_syntax), frame_index: Some(failure.index) }
    }
}

impl From<Failure<'_>> for PyErr {
    fn from(failure: Failure<'_>) -> Self {
        let class = match failure.error.kind() {
            ErrorKind::Truncated => "TruncatedFrameError",
            ErrorKind::Malformed | ErrorKind::Mismatch | ErrorKind::NoImage => "CorruptFrameError",
            ErrorKind::Unsupported => "UnsupportedError",
            ErrorKind::LimitExceeded => "LimitError",
            ErrorKind::Io => return io_error(failure.error),
            ErrorKind::Output => return PyValueError::new_err(failure.error.to_string()),
            _ => "DecodeError",
        };
        Python::attach(|py| {
            let exception = (|| {
                let details = PyDict::new(py);
                details.set_item("kind", failure.error.kind().name())?;
                details.set_item("clause", failure.error.clause())?;
                details.set_item("offset", failure.error.offset())?;
                details.set_item("transfer_syntax", failure.transfer_syntax)?;
                details.set_item("frame_index", failure.frame_index)?;
                let class = py.import("dicoxide.errors")?.getattr(class)?;
                class.call((failure.error.to_string(),), Some(&details))
            })();
            match exception {
                Ok(exception) => Self::from_value(exception),
                Err(error) => error,
            }
        })
    }
}

/// Returns the exception that a file object raised, or the `OSError` of a system error.
fn io_error(error: &DecodeError) -> PyErr {
    let raised = error.system_error().and_then(std::io::Error::get_ref).and_then(|inner| inner.downcast_ref::<PyErr>());
    match raised {
        Some(raised) => Python::attach(|py| raised.clone_ref(py)),
        None => system_error(error.errno(), error.message()),
    }
}

/// Returns an `OSError`. With an error number, Python selects the subclass (`FileNotFoundError` and others).
pub(crate) fn system_error(errno: Option<i32>, message: &str) -> PyErr {
    match errno {
        Some(errno) => PyOSError::new_err((errno, message.to_owned())),
        None => PyOSError::new_err(message.to_owned()),
    }
}

/// Returns the `OSError` of a file that cannot be opened, as Python's `open` raises it.
pub(crate) fn file_error(py: Python<'_>, error: &std::io::Error, path: &std::path::Path) -> PyErr {
    let Some(errno) = error.raw_os_error().or_else(|| errno_of_kind(error.kind())) else {
        return system_error(None, &error.to_string());
    };
    let text = py.import("os").and_then(|os| os.call_method1("strerror", (errno,))).and_then(|text| text.extract());
    let text: String = text.unwrap_or_else(|_| error.to_string());
    PyOSError::new_err((errno, text, path.display().to_string()))
}

/// Returns the error number of an error that `OpenFile::open` creates itself, without a failed system call: EISDIR or
/// EINVAL.
fn errno_of_kind(kind: std::io::ErrorKind) -> Option<i32> {
    match kind {
        std::io::ErrorKind::IsADirectory => Some(21),
        std::io::ErrorKind::InvalidInput => Some(22),
        _ => None,
    }
}

/// Returns the `InternalError` of a panic.
pub(crate) fn internal_error(py: Python<'_>, panic_message: &str) -> PyErr {
    let exception = py
        .import("dicoxide.errors")
        .and_then(|module| module.getattr("InternalError"))
        .and_then(|class| class.call1((format!("a bug in dicoxide, please report it: {panic_message}"),)));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
