//! Functions on arrays that the caller already has: packed bits and rescale.

use crate::arrays::{ArrayMut, ArrayRef};
use crate::errors::Failure;
use crate::guard::{detached, guarded};
use crate::lookup_table::TransformArg;
use dicoxide_core::pixel::{bits, rescale};
use dicoxide_core::{Cancel, CpuLevel, DecodeError, SamplesMut};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::AtomicBool;

/// Unpacks bits of `src`, least significant first, to 0 and 1 in `out` (PS3.5 8.1.1).
///
/// `out` is a C-contiguous array of uint8, one element per bit; the first one is bit `offset_bits` of `src`. Raises
/// `TruncatedFrameError` if `src` has too few bits.
#[pyfunction]
pub(crate) fn unpack_bits_into(src: &Bound<'_, PyBytes>, offset_bits: usize, out: &Bound<'_, PyAny>) -> PyResult<()> {
    let packed = src.as_bytes();
    with_uint8(out, |samples| bits::unpack_bits_into(packed, offset_bits, samples, CpuLevel::best()))
}

/// Packs the elements of `src`, of uint8, into bits, least significant first (PS3.5 8.1.1). Elements other than 0
/// become 1.
///
/// `out` is a C-contiguous array of uint8 with one byte per eight elements, else `ValueError` is raised.
#[pyfunction]
pub(crate) fn pack_bits_into(src: &Bound<'_, PyAny>, out: &Bound<'_, PyAny>) -> PyResult<()> {
    let src = ArrayRef::new(src)?;
    let samples = src.samples()?;
    with_uint8(out, |packed| bits::pack_bits_into(samples.bytes(), packed, CpuLevel::best()))
}

/// Writes the modality values of `src` to `out` (PS3.3 C.11.1), rounded once. `transform` is (slope, intercept), with
/// `src` × slope + intercept computed in float64, a `LookupTable`, or `ValueRanges`.
///
/// Both are C-contiguous arrays of the same size; `out` is of float32, float64 or an integer type. Raises `ValueError`
/// if a result is not exact in an integer type. `is_warm` is True if `out` has been written to before; it only selects
/// how results are stored.
#[pyfunction]
#[pyo3(signature = (src, transform, out, is_warm=false))]
pub(crate) fn rescale_into(
    py: Python<'_>,
    src: &Bound<'_, PyAny>,
    transform: TransformArg,
    out: &Bound<'_, PyAny>,
    is_warm: bool,
) -> PyResult<()> {
    let src = ArrayRef::new(src)?;
    let mut out = ArrayMut::new(out)?;
    let (stored, samples) = (src.samples()?, out.samples()?);
    let transform = transform.transform();
    detached(py, |poll| {
        let cancel = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
        rescale::rescale_into(stored, transform, samples, is_warm, cancel, CpuLevel::best())
    })?
    .map_err(|error| Failure::of(&error).into())
}

/// Runs `work` on the memory of `out`, an array of uint8.
fn with_uint8(out: &Bound<'_, PyAny>, work: impl FnOnce(&mut [u8]) -> Result<(), DecodeError> + Send) -> PyResult<()> {
    let py = out.py();
    let mut out = ArrayMut::new(out)?;
    let SamplesMut::U8(samples) = out.samples()? else {
        return Err(PyValueError::new_err("out must be an ndarray of uint8"));
    };
    let work_bytes = samples.len();
    guarded(py, work_bytes, |_| work(samples))?.map_err(|error| Failure::of(&error).into())
}
