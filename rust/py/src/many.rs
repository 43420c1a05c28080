//! Many objects at once, as Python gives and gets them.

use crate::errors::{self, Failure};
use crate::guard::detached;
use crate::object::{Memory, Readable};
use crate::stated::{Note, note};
use dicoxide_core::SamplesBuf;
use dicoxide_part10::{Outcome, Picture, Request, Source, decode_many};
use numpy::ndarray::ArrayD;
use numpy::{Element, IntoPyArray, PyUntypedArray};
use pyo3::exceptions::{PyBaseException, PyMemoryError, PyValueError};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops calls from another thread.
#[pyclass(frozen, module = "dicoxide._core")]
#[derive(Default)]
pub(crate) struct Stop(AtomicBool);

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Lets calls that were given this end soon.
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What becomes of a source: the array and what was tolerated, an exception, or why there is nothing yet.
#[derive(IntoPyObject)]
pub(crate) enum Result<'py> {
    Decoded((Bound<'py, PyUntypedArray>, Vec<Note>)),
    Failed(Bound<'py, PyBaseException>),
    /// `"elsewhere"`: another decoder, or pydicom, is needed. `"later"`: there was no room any more, or it was stopped.
    Nothing(&'static str),
}

/// Decodes objects of paths and bytes; one result each, in their order.
#[pyfunction]
#[pyo3(signature = (sources, stop, *, threads, room_bytes, frame=None, rescale=false, type_name=None, raw=false,
    max_bytes=None))]
#[allow(clippy::too_many_arguments, reason = "flat keywords are what Python has")]
pub(crate) fn decode_objects<'py>(
    py: Python<'py>,
    sources: Vec<Bound<'py, PyAny>>,
    stop: &Bound<'py, Stop>,
    threads: usize,
    room_bytes: u64,
    frame: Option<i64>,
    rescale: bool,
    type_name: Option<&str>,
    raw: bool,
    max_bytes: Option<u64>,
) -> PyResult<Vec<Result<'py>>> {
    let mut paths: Vec<Option<PathBuf>> = Vec::with_capacity(sources.len());
    let mut taken = Vec::with_capacity(sources.len());
    for source in &sources {
        let (path, source) = match Readable::of(source)? {
            Readable::Memory(bytes) => (None, Source::Bytes(Arc::new(Memory(bytes)))),
            Readable::Path(path) => (Some(path.clone()), Source::Path(path)),
        };
        paths.push(path);
        taken.push(source);
    }
    let type_name =
        match type_name {
            Some(name) => Some(SamplesBuf::type_named(name).ok_or_else(|| {
                PyValueError::new_err(format!("type_name is that of an integer or float, not '{name}'"))
            })?),
            None => None,
        };
    let request = Request { frame, rescale, type_name, raw, max_bytes, room_bytes };
    let stop = stop.get();
    let outcomes = detached(py, |_| decode_many(&taken, &request, threads, &|| stop.0.load(Ordering::Relaxed)))?;
    outcomes.into_iter().zip(paths).map(|(outcome, path)| result(py, outcome, path)).collect()
}

fn result<'py>(py: Python<'py>, outcome: Outcome, path: Option<PathBuf>) -> PyResult<Result<'py>> {
    let exception = |error: PyErr| Result::Failed(error.into_value(py).into_bound(py));
    Ok(match outcome {
        Outcome::Decoded(Picture { samples, shape, tolerated }) => {
            let notes = tolerated.into_iter().map(|(index, tolerated)| note(index, tolerated)).collect();
            Result::Decoded((array(py, samples, &shape)?, notes))
        }
        Outcome::Failed(error, uid, frame_index) => {
            let failure = Failure { error: &error, transfer_syntax: uid.as_deref(), frame_index };
            exception(failure.into())
        }
        Outcome::Unreadable(error) => exception(errors::of_file(py, &error, &path.unwrap_or_default())),
        Outcome::Elsewhere => Result::Nothing("elsewhere"),
        Outcome::Later => Result::Nothing("later"),
    })
}

/// The samples as an array that owns their memory.
fn array<'py>(py: Python<'py>, samples: SamplesBuf, shape: &[usize]) -> PyResult<Bound<'py, PyUntypedArray>> {
    fn typed<'py, T: Element>(
        py: Python<'py>,
        samples: Vec<T>,
        shape: &[usize],
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let shaped = ArrayD::from_shape_vec(shape, samples);
        let shaped = shaped.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        Ok(shaped.into_pyarray(py).cast_into()?)
    }
    match samples {
        SamplesBuf::U8(samples) => typed(py, samples, shape),
        SamplesBuf::I8(samples) => typed(py, samples, shape),
        SamplesBuf::U16(samples) => typed(py, samples, shape),
        SamplesBuf::I16(samples) => typed(py, samples, shape),
        SamplesBuf::U32(samples) => typed(py, samples, shape),
        SamplesBuf::I32(samples) => typed(py, samples, shape),
        SamplesBuf::U64(samples) => typed(py, samples, shape),
        SamplesBuf::I64(samples) => typed(py, samples, shape),
        SamplesBuf::F32(samples) => typed(py, samples, shape),
        SamplesBuf::F64(samples) => typed(py, samples, shape),
    }
}
