//! Many objects at once, as Python gives and gets them.

use crate::errors::Failure;
use crate::guard::detached;
use crate::object::{readable, unreadable};
use crate::samples::{Used, lent};
use crate::stated::{Note, note};
use dicoxide_core::SamplesBuf;
use dicoxide_part10::{Memory, Outcome, Picture, Request, Scratch, Source, decode_many};
use numpy::PyUntypedArray;
use pyo3::exceptions::{PyBaseException, PyValueError};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A job of many objects, decoded batch by batch: what its batches have in common.
#[pyclass(frozen, module = "dicoxide._core")]
#[derive(Default)]
pub(crate) struct Bulk {
    stop: AtomicBool,
    used: Arc<Used>,
    scratch: Mutex<Vec<Scratch>>,
}

/// What becomes of a source: the array and what was tolerated, an exception, or why there is nothing yet.
#[derive(IntoPyObject)]
pub(crate) enum Found<'py> {
    Decoded((Bound<'py, PyUntypedArray>, Vec<Note>)),
    Failed(Bound<'py, PyBaseException>),
    /// `"elsewhere"`: another decoder, or pydicom, is needed. `"later"`: there was no room any more, or it was stopped.
    Nothing(&'static str),
}

#[pymethods]
#[allow(clippy::too_many_arguments, reason = "flat keywords are what Python has")]
impl Bulk {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Lets the batch that is being decoded end soon, and later ones at once.
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Decodes objects of paths and bytes; one result each, in their order. Memory of arrays that nobody holds any
    /// more is used again, three times `room_bytes` of it at most.
    #[pyo3(signature = (sources, *, threads, room_bytes, frame=None, rescale=false, type_name=None, raw=false,
        max_bytes=None))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        sources: Vec<Bound<'py, PyAny>>,
        threads: usize,
        room_bytes: u64,
        frame: Option<i64>,
        rescale: bool,
        type_name: Option<&str>,
        raw: bool,
        max_bytes: Option<u64>,
    ) -> PyResult<Vec<Found<'py>>> {
        let request = Request { frame, rescale, type_name: named(type_name)?, raw, max_bytes, room_bytes };
        let sources = sources.iter().map(readable).collect::<PyResult<Vec<_>>>()?;
        // Of the batch in the caller's hands, of one that is done, and of this one.
        self.used.keep(usize::try_from(room_bytes).unwrap_or(usize::MAX).saturating_mul(3));
        let outcomes = detached(py, |_| {
            let stopped = || self.stop.load(Ordering::Relaxed);
            let memory = Memory { take: &|words| self.used.take(words), scratch: &self.scratch };
            decode_many(&sources, &request, &memory, threads, &stopped)
        })?;
        outcomes.into_iter().zip(&sources).map(|(outcome, source)| self.found(py, outcome, source)).collect()
    }
}

impl Bulk {
    fn found<'py>(&self, py: Python<'py>, outcome: Outcome, source: &Source) -> PyResult<Found<'py>> {
        let exception = |error: PyErr| Found::Failed(error.into_value(py).into_bound(py));
        Ok(match outcome {
            Outcome::Decoded(Picture { samples, shape, tolerated }) => {
                let notes = tolerated.into_iter().map(|(index, tolerated)| note(index, tolerated)).collect();
                Found::Decoded((lent(py, samples, &shape, &self.used)?, notes))
            }
            Outcome::Failed(error, uid, frame_index) => {
                exception(Failure { error: &error, transfer_syntax: uid.as_deref(), frame_index }.into())
            }
            Outcome::Unreadable(error) => exception(unreadable(py, &error, source)),
            Outcome::Elsewhere => Found::Nothing("elsewhere"),
            Outcome::Later => Found::Nothing("later"),
        })
    }
}

fn named(type_name: Option<&str>) -> PyResult<Option<&'static str>> {
    let Some(name) = type_name else { return Ok(None) };
    let found = SamplesBuf::type_named(name);
    found.map(Some).ok_or_else(|| PyValueError::new_err(format!("type_name is of an integer or float, not '{name}'")))
}
