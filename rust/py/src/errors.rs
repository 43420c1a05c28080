//! The one way from a core error to a Python exception.

use dicoxide_core::{DecodeError, ErrorKind, frames::FrameError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A core error with what the core does not know about it.
pub(crate) struct Failure<'a> {
    pub(crate) error: &'a DecodeError,
    pub(crate) transfer_syntax: Option<&'a str>,
    pub(crate) frame_index: Option<usize>,
}

impl<'a> Failure<'a> {
    pub(crate) fn of(error: &'a DecodeError) -> Self {
        Self { error, transfer_syntax: None, frame_index: None }
    }

    pub(crate) fn in_frame(failed: &'a FrameError, transfer_syntax: &'a str) -> Self {
        Self { error: &failed.error, transfer_syntax: Some(transfer_syntax), frame_index: Some(failed.index) }
    }
}

impl From<Failure<'_>> for PyErr {
    /// Builds the class of `dicoxide.errors` that stands for the kind.
    fn from(failure: Failure<'_>) -> Self {
        let class = match failure.error.kind() {
            ErrorKind::Truncated => "TruncatedFrameError",
            ErrorKind::Malformed | ErrorKind::Mismatch | ErrorKind::NoImage => "CorruptFrameError",
            ErrorKind::Unsupported => "UnsupportedError",
            ErrorKind::LimitExceeded => "LimitError",
            ErrorKind::Io => return system(failure.error.errno(), failure.error.message()),
            ErrorKind::Output => return pyo3::exceptions::PyValueError::new_err(failure.error.to_string()),
            _ => "DecodeError",
        };
        Python::attach(|py| {
            let built = (|| {
                let details = PyDict::new(py);
                details.set_item("kind", failure.error.kind().name())?;
                details.set_item("clause", failure.error.clause())?;
                details.set_item("offset", failure.error.offset())?;
                details.set_item("transfer_syntax", failure.transfer_syntax)?;
                details.set_item("frame_index", failure.frame_index)?;
                let class = py.import("dicoxide.errors")?.getattr(class)?;
                class.call((failure.error.to_string(),), Some(&details))
            })();
            match built {
                Ok(exception) => Self::from_value(exception),
                Err(error) => error,
            }
        })
    }
}

/// An `OSError` as the system states it.
pub(crate) fn system(errno: Option<i32>, message: &str) -> PyErr {
    match errno {
        // The interpreter chooses the subclass by the number.
        Some(errno) => pyo3::exceptions::PyOSError::new_err((errno, message.to_owned())),
        None => pyo3::exceptions::PyOSError::new_err(message.to_owned()),
    }
}

/// An `OSError` about a file that was named.
pub(crate) fn of_file(py: Python<'_>, error: &std::io::Error, path: &std::path::Path) -> PyErr {
    let Some(errno) = error.raw_os_error().or_else(|| found_here(error)) else {
        return system(None, &error.to_string());
    };
    let text = py.import("os").and_then(|os| os.call_method1("strerror", (errno,))).and_then(|text| text.extract());
    let text: String = text.unwrap_or_else(|_| error.to_string());
    pyo3::exceptions::PyOSError::new_err((errno, text, path.display().to_string()))
}

/// The number of what is found without asking the system to read: EISDIR and EINVAL.
fn found_here(error: &std::io::Error) -> Option<i32> {
    match error.kind() {
        std::io::ErrorKind::IsADirectory => Some(21),
        std::io::ErrorKind::InvalidInput => Some(22),
        _ => None,
    }
}

/// An `InternalError`: a panic that was caught.
pub(crate) fn internal(py: Python<'_>, what: &str) -> PyErr {
    let built = py
        .import("dicoxide.errors")
        .and_then(|module| module.getattr("InternalError"))
        .and_then(|class| class.call1((format!("a bug in dicoxide, please report it: {what}"),)));
    match built {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
