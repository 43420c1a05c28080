//! Arrays → the bytes of one frame.

use crate::arrays::ArrayRef;
use crate::errors::Failure;
use crate::guard::guarded;
use dicoxide_core::encode::{self, Image, jpeg_lossless::Parameters};
use dicoxide_core::{Cancel, DecodeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::AtomicBool;

/// Encodes one frame as JPEG Lossless.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "flat arguments are what Python has")]
pub(crate) fn jpeg_lossless_encode<'py>(
    src: &Bound<'py, PyAny>,
    rows: u32,
    columns: u32,
    samples_per_pixel: u32,
    selection_value: u32,
    point_transform: u32,
    restart_interval: u32,
    precision: Option<u32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let parameters = Parameters { selection_value, point_transform, restart_interval, precision };
    encoded(src, (rows, columns, samples_per_pixel), |image, watch| encode::jpeg_lossless(image, parameters, watch))
}

/// Encodes one frame as RLE Lossless.
#[pyfunction]
pub(crate) fn rle_encode<'py>(
    src: &Bound<'py, PyAny>,
    rows: u32,
    columns: u32,
    samples_per_pixel: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    encoded(src, (rows, columns, samples_per_pixel), encode::rle)
}

fn encoded<'py>(
    src: &Bound<'py, PyAny>,
    (rows, columns, samples_per_pixel): (u32, u32, u32),
    encode: impl FnOnce(&Image<'_>, Cancel<'_>) -> Result<Vec<u8>, DecodeError> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = src.py();
    let src = ArrayRef::new(src)?;
    let samples = src.samples()?;
    let image = Image { samples, rows, columns, samples_per_pixel };
    let bytes = guarded(py, samples.bytes().len(), |poll| {
        encode(&image, Cancel { stop: &AtomicBool::new(false), poll: Some(poll) })
    })?
    .map_err(|error| PyErr::from(Failure::of(&error)))?;
    Ok(PyBytes::new(py, &bytes))
}
