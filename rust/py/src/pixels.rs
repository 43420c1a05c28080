//! Samples → samples, for arrays that Python already holds.

use crate::arrays::{ArrayMut, ArrayRef};
use crate::errors::Failure;
use crate::guard::{detached, guarded};
use dicoxide_core::pixel::{bits, rescale};
use dicoxide_core::{Cancel, CpuLevel, DecodeError, Rescale, SamplesMut};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::AtomicBool;

/// Unpacks as many bits as `out` has items, from bit `offset_bits` of `src` on.
#[pyfunction]
pub(crate) fn unpack_bits_into(src: &Bound<'_, PyBytes>, offset_bits: usize, out: &Bound<'_, PyAny>) -> PyResult<()> {
    let packed = src.as_bytes();
    with_bytes(out, |samples| bits::unpack_bits_into(packed, offset_bits, samples, CpuLevel::best()))
}

/// Packs all samples of `src` into `out`.
#[pyfunction]
pub(crate) fn pack_bits_into(src: &Bound<'_, PyAny>, out: &Bound<'_, PyAny>) -> PyResult<()> {
    let src = ArrayRef::new(src)?;
    let unpacked = src.samples()?;
    with_bytes(out, |packed| bits::pack_bits_into(unpacked.bytes(), packed, CpuLevel::best()))
}

/// Rescales all samples of `src` into `out`.
#[pyfunction]
#[pyo3(signature = (src, slope, intercept, out, is_warm=false))]
pub(crate) fn rescale_into(
    py: Python<'_>,
    src: &Bound<'_, PyAny>,
    slope: f64,
    intercept: f64,
    out: &Bound<'_, PyAny>,
    is_warm: bool,
) -> PyResult<()> {
    let src = ArrayRef::new(src)?;
    let mut out = ArrayMut::new(out)?;
    let (stored, samples) = (src.samples()?, out.samples()?);
    let rescale = Rescale { slope, intercept };
    detached(py, |poll| {
        let watch = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
        rescale::rescale_into(stored, rescale, samples, is_warm, watch, CpuLevel::best())
    })?
    .map_err(|error| Failure::of(&error).into())
}

fn with_bytes(out: &Bound<'_, PyAny>, work: impl FnOnce(&mut [u8]) -> Result<(), DecodeError> + Send) -> PyResult<()> {
    let py = out.py();
    let mut out = ArrayMut::new(out)?;
    let SamplesMut::U8(samples) = out.samples()? else {
        return Err(PyValueError::new_err("out must be an ndarray of uint8"));
    };
    let work_bytes = samples.len();
    guarded(py, work_bytes, |_| work(samples))?.map_err(|error| Failure::of(&error).into())
}
