//! Many objects at once, as Python gives and gets them.

use crate::arrays::{BufferPool, lent};
use crate::errors::{self, Failure};
use crate::frame_args::{FrameDeviation, OptionArgs};
use crate::guard::detached;
use crate::object::readable;
use dicoxide_core::SamplesBuf;
use dicoxide_part10::{BatchResults, DecodedImage, Outcome, Request};
use numpy::PyUntypedArray;
use pyo3::exceptions::{PyBaseException, PyValueError};
use pyo3::prelude::*;
use std::sync::Arc;

/// Objects that are decoded on threads of their own, one after the other.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct BatchDecoder {
    decoder: dicoxide_part10::BatchDecoder,
    used: Arc<BufferPool>,
}

/// What becomes of a source: the array and what was deviations, an exception, or why there is nothing yet.
#[derive(IntoPyObject)]
pub(crate) enum BatchResult<'py> {
    Decoded((Bound<'py, PyUntypedArray>, Vec<FrameDeviation>)),
    Failed(Bound<'py, PyBaseException>),
    /// None: another decoder, or pydicom, is needed.
    NeedsFallback(Option<()>),
}

#[pymethods]
impl BatchDecoder {
    /// For what is wanted of each object. Arrays that are not handed on take `buffer_bytes` at most, but for a single one;
    /// as many bytes of those that nobody holds any more are kept to be used again.
    #[new]
    #[pyo3(signature = (options, *, buffer_bytes, frame=None, rescale=false, type_name=None))]
    fn new(
        options: OptionArgs,
        buffer_bytes: u64,
        frame: Option<i64>,
        rescale: bool,
        type_name: Option<&str>,
    ) -> PyResult<Self> {
        let OptionArgs { threads, max_bytes, .. } = options;
        let request =
            Request { frame, rescale, type_name: named(type_name)?, options: options.decode_options(), max_bytes };
        let used = Arc::new(BufferPool::new(usize::try_from(buffer_bytes).unwrap_or(usize::MAX)));
        let take = Arc::clone(&used);
        let decoder =
            dicoxide_part10::BatchDecoder::new(request, Box::new(move |words| take.take(words)), buffer_bytes, threads);
        Ok(Self { decoder, used })
    }

    /// Adds paths and bytes, each with its place in the caller's order, which rises.
    fn push(&self, sources: Vec<(u64, Bound<'_, PyAny>)>) -> PyResult<()> {
        let sources = sources.iter().map(|(place, source)| Ok((*place, readable(source)?)));
        let sources = sources.collect::<PyResult<Vec<_>>>()?;
        self.decoder.push(sources).map_err(|error| errors::system(error.raw_os_error(), &error.to_string()))
    }

    /// How many sources nobody has begun, and of each that is done: its place, and what has become of it. If nothing is
    /// done it waits, until something is, all is, or somebody calls.
    ///
    /// `first` is the place that is wanted next; `freed_bytes` are those of arrays that have been handed on.
    fn take<'py>(
        &self,
        py: Python<'py>,
        first: u64,
        freed_bytes: u64,
    ) -> PyResult<(usize, Vec<(u64, BatchResult<'py>)>)> {
        let BatchResults { outcomes, queued_count } =
            detached(py, |poll| self.decoder.take_results(first, freed_bytes, poll))?;
        let found = outcomes.into_iter().map(|(place, outcome)| Ok((place, self.found(py, outcome)?)));
        Ok((queued_count, found.collect::<PyResult<_>>()?))
    }

    /// Lets `take` go on.
    fn call(&self) {
        self.decoder.wake();
    }

    /// Lets the threads end soon, and waits for them.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.decoder.cancel());
    }
}

impl BatchDecoder {
    fn found<'py>(&self, py: Python<'py>, outcome: Outcome) -> PyResult<BatchResult<'py>> {
        let exception = |error: PyErr| BatchResult::Failed(error.into_value(py).into_bound(py));
        Ok(match outcome {
            Outcome::Decoded(DecodedImage { samples, shape, deviations }) => {
                let deviations = deviations.into_iter().map(|(index, deviation)| FrameDeviation::new(index, deviation));
                let deviations = deviations.collect();
                BatchResult::Decoded((lent(py, samples, &shape, &self.used)?, deviations))
            }
            Outcome::Failed(error, uid, frame_index) => {
                exception(Failure { error: &error, transfer_syntax: uid.as_deref(), frame_index }.into())
            }
            Outcome::Unreadable(error, path) => exception(errors::of_file(py, &error, &path)),
            Outcome::Bug(what) => exception(errors::internal(py, &what)),
            Outcome::NeedsFallback | Outcome::Cancelled => BatchResult::NeedsFallback(None),
        })
    }
}

fn named(type_name: Option<&str>) -> PyResult<Option<&'static str>> {
    let Some(name) = type_name else { return Ok(None) };
    let found = SamplesBuf::type_named(name);
    found.map(Some).ok_or_else(|| PyValueError::new_err(format!("type_name is of an integer or float, not '{name}'")))
}
