//! Batch decoding of many objects, as a Python class.

use crate::arrays::{BufferPool, pooled_array};
use crate::errors::{self, Failure};
use crate::frame_args::{FrameDeviation, OptionArgs};
use crate::guard::detached;
use crate::object::source_of;
use dicoxide_core::SampleType;
use dicoxide_part10::{BatchResults, DecodedImage, Outcome, Request};
use numpy::PyUntypedArray;
use pyo3::exceptions::{PyBaseException, PyValueError};
use pyo3::prelude::*;
use std::sync::Arc;

/// Decodes many files and `bytes` on threads of its own, each source on one of them.
///
/// Decodes frame index `frame` of every source, or all frames, on at most `options.threads` threads. `rescale` converts
/// to modality values; `type_name` is the NumPy name of the result's type. Arrays that the caller has not reported as
/// freed take at most `buffer_bytes`, a single array excepted. Up to `buffer_bytes` bytes of
/// deallocated arrays are retained for later ones.
///
/// All methods may be called from any thread.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct BatchDecoder {
    decoder: dicoxide_part10::BatchDecoder,
    pool: Arc<BufferPool>,
}

/// The result of one source.
#[derive(IntoPyObject)]
pub(crate) enum BatchResult<'py> {
    Decoded((Bound<'py, PyUntypedArray>, Vec<FrameDeviation>)),
    Exception(Bound<'py, PyBaseException>),
    /// `None` in Python: the caller decodes the source itself.
    NeedsFallback(Option<()>),
}

#[pymethods]
impl BatchDecoder {
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
        let request = Request {
            frame,
            rescale,
            sample_type: type_name.map(sample_type_named).transpose()?,
            options: options.decode_options(),
            max_bytes,
        };
        let pool = Arc::new(BufferPool::new(usize::try_from(buffer_bytes).unwrap_or(usize::MAX)));
        let allocator = Arc::clone(&pool);
        let allocate = Box::new(move |words| allocator.allocate(words));
        let decoder = dicoxide_part10::BatchDecoder::new(request, allocate, buffer_bytes, threads);
        Ok(Self { decoder, pool })
    }

    /// Queues sources, given as (index, path or `bytes`). Indices ascend over all calls; results refer to them.
    fn push(&self, sources: Vec<(u64, Bound<'_, PyAny>)>) -> PyResult<()> {
        let sources = sources.iter().map(|(index, source)| Ok((*index, source_of(source)?)));
        let sources = sources.collect::<PyResult<Vec<_>>>()?;
        self.decoder.push(sources).map_err(|error| errors::system_error(error.raw_os_error(), &error.to_string()))
    }

    /// Returns the number of queued sources that no thread has started, and the available results as (index, result).
    ///
    /// A result is (array, deviations), an exception, or None if the caller has to decode the source itself. If no
    /// result is available, the call waits for one, for `wake`, or until nothing is queued or being decoded.
    /// `next_index` is the source whose result the caller needs next; `freed_bytes` is the size in bytes of the arrays
    /// that the caller has yielded since the last call.
    fn take_results<'py>(
        &self,
        py: Python<'py>,
        next_index: u64,
        freed_bytes: u64,
    ) -> PyResult<(usize, Vec<(u64, BatchResult<'py>)>)> {
        let BatchResults { outcomes, queued_count } =
            detached(py, |poll| self.decoder.take_results(next_index, freed_bytes, poll))?;
        let results = outcomes.into_iter().map(|(index, outcome)| Ok((index, self.to_python(py, outcome)?)));
        Ok((queued_count, results.collect::<PyResult<_>>()?))
    }

    /// Makes a call of `take_results` that waits, or else the next one, return without waiting.
    fn wake(&self) {
        self.decoder.wake();
    }

    /// Cancels what is queued and being decoded, and joins the threads.
    fn cancel(&self, py: Python<'_>) {
        py.detach(|| self.decoder.cancel());
    }
}

impl BatchDecoder {
    fn to_python<'py>(&self, py: Python<'py>, outcome: Outcome) -> PyResult<BatchResult<'py>> {
        let exception = |error: PyErr| BatchResult::Exception(error.into_value(py).into_bound(py));
        Ok(match outcome {
            Outcome::Decoded(DecodedImage { samples, shape, deviations }) => {
                let deviations = deviations.into_iter().map(|(index, deviation)| FrameDeviation::new(index, deviation));
                let deviations = deviations.collect();
                BatchResult::Decoded((pooled_array(py, samples, &shape, &self.pool)?, deviations))
            }
            Outcome::Failed(error, uid, frame_index) => {
                exception(Failure { error: &error, transfer_syntax: uid.as_deref(), frame_index }.into())
            }
            Outcome::Unreadable(error, path) => exception(errors::file_error(py, &error, &path)),
            Outcome::Bug(message) => exception(errors::internal_error(py, &message)),
            Outcome::NeedsFallback | Outcome::Cancelled => BatchResult::NeedsFallback(None),
        })
    }
}

fn sample_type_named(name: &str) -> PyResult<SampleType> {
    SampleType::from_name(name)
        .ok_or_else(|| PyValueError::new_err(format!("type_name is an integer or float type, not '{name}'")))
}
