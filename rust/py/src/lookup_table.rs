//! Look-up tables, and the transforms of stored values that the package passes in.

use crate::arrays::ArrayRef;
use crate::errors::Failure;
use dicoxide_core::{Modality, RangeValues, Rescale, Samples, ValueRange, ValueTransform};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;

/// A table from stored values to modality values.
///
/// `first_mapped` is the stored value of the first of `entries`, an array of uint16. Stored values before or after the
/// table have its first or last entry (PS3.3 C.11.1.1.1). Raises `CorruptFrameError` without entries, or with more than 65 536.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct LookupTable(pub(crate) Arc<dicoxide_core::LookupTable>);

#[pymethods]
impl LookupTable {
    #[new]
    fn new(first_mapped: i64, entries: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = ArrayRef::new(entries)?;
        let Samples::U16(entries) = array.samples()? else {
            return Err(PyValueError::new_err("entries must be an ndarray of uint16"));
        };
        let table = dicoxide_core::LookupTable::new(first_mapped, entries.iter().copied());
        table.map(|table| Self(Arc::new(table))).map_err(|error| Failure::of(&error).into())
    }

    /// Stored value of the first entry.
    #[getter]
    fn first_mapped(&self) -> i64 {
        self.0.first_mapped()
    }

    /// Entries in the order of the stored values.
    #[getter]
    fn entries(&self) -> Vec<f32> {
        self.0.entries().to_vec()
    }
}

/// Ranges of stored values, each with real-world values of its own; other stored values have none: NaN.
///
/// Each range is (first, last, values): the first and the last stored value, both inclusive, and (slope, intercept) or an
/// array of float64 with one entry per integer of the range. Raises `CorruptFrameError` without ranges, or if a range
/// overlaps another one, ends before it starts, has a slope or intercept that is not finite, or has entries whose number
/// is not that of its integers (PS3.3 C.7.6.16.2.11).
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct ValueRanges(pub(crate) Arc<dicoxide_core::ValueRanges>);

#[pymethods]
impl ValueRanges {
    #[new]
    fn new(ranges: Vec<(f64, f64, Bound<'_, PyAny>)>) -> PyResult<Self> {
        let ranges = ranges.into_iter().map(|(first, last, values)| {
            let values = match values.extract() {
                Ok((slope, intercept)) => RangeValues::Linear(Rescale { slope, intercept }),
                Err(_) => RangeValues::Entries(float64_values(&values)?),
            };
            Ok(ValueRange { first, last, values })
        });
        let ranges = dicoxide_core::ValueRanges::new(ranges.collect::<PyResult<_>>()?);
        ranges.map(|ranges| Self(Arc::new(ranges))).map_err(|error| Failure::of(&error).into())
    }
}

/// Copies an array of float64.
fn float64_values(entries: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    let array = ArrayRef::new(entries)?;
    let Samples::F64(entries) = array.samples()? else {
        return Err(PyValueError::new_err("entries must be an ndarray of float64"));
    };
    Ok(entries.to_vec())
}

/// Transform of one frame, or of all: (slope, intercept), a `LookupTable`, or `ValueRanges`.
#[derive(FromPyObject)]
pub(crate) enum TransformArg {
    Table(Py<LookupTable>),
    Ranges(Py<ValueRanges>),
    Linear((f64, f64)),
}

impl TransformArg {
    pub(crate) fn transform(&self) -> ValueTransform<'_> {
        match self {
            Self::Table(table) => ValueTransform::Table(&table.get().0),
            Self::Ranges(ranges) => ValueTransform::Ranges(&ranges.get().0),
            Self::Linear((slope, intercept)) => {
                ValueTransform::Linear(Rescale { slope: *slope, intercept: *intercept })
            }
        }
    }

    /// The first step of a rendering; `None` is the identity.
    pub(crate) fn modality(transform: Option<&Self>) -> Modality {
        match transform {
            None => Modality::Identity,
            Some(Self::Table(table)) => Modality::Table(Arc::clone(&table.get().0)),
            Some(Self::Ranges(ranges)) => Modality::Ranges(Arc::clone(&ranges.get().0)),
            Some(Self::Linear((slope, intercept))) => {
                Modality::Linear(Rescale { slope: *slope, intercept: *intercept })
            }
        }
    }
}
