//! Encodes arrays: one frame per call.

use crate::arrays::ArrayRef;
use crate::errors::Failure;
use crate::guard::guarded;
use dicoxide_core::encode::{self, Image, jpeg_lossless, jpegls};
use dicoxide_core::{Cancel, DecodeError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::AtomicBool;

/// Encodes one frame as JPEG Lossless (ITU-T T.81 process 14).
///
/// `src` is a C-contiguous array of rows × columns × samples_per_pixel integers of 1 or 2 bytes. `precision` is the
/// number of bits per sample, by default that of the array's type. Returns the codestream; raises `ValueError` if an
/// argument is out of range.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "keywords of the Python function")]
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
    let parameters = jpeg_lossless::Parameters { selection_value, point_transform, restart_interval, precision };
    encode_frame(src, (rows, columns, samples_per_pixel), |image, cancel| {
        encode::jpeg_lossless(image, parameters, cancel)
    })
}

/// Encodes one frame as JPEG-LS (ITU-T T.87).
///
/// `src` is a C-contiguous array of rows × columns × samples_per_pixel integers of 1 or 2 bytes. `interleave_mode` is 0
/// for separate components, 1 for lines, 2 for samples. `precision` is the number of bits per sample, by default that of
/// the array's type. Returns the codestream; raises `ValueError` if an argument is out of range.
#[pyfunction]
pub(crate) fn jpegls_encode<'py>(
    src: &Bound<'py, PyAny>,
    rows: u32,
    columns: u32,
    samples_per_pixel: u32,
    near: u32,
    interleave_mode: u32,
    precision: Option<u32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let interleave = match interleave_mode {
        0 => jpegls::Interleave::None,
        1 => jpegls::Interleave::Line,
        2 => jpegls::Interleave::Sample,
        other => return Err(PyValueError::new_err(format!("interleave mode {other} found, 0 to 2 expected"))),
    };
    let parameters = jpegls::Parameters { near, interleave, precision };
    encode_frame(src, (rows, columns, samples_per_pixel), |image, cancel| encode::jpegls(image, parameters, cancel))
}

/// Encodes one frame as RLE Lossless (PS3.5 Annex G).
///
/// `src` is a C-contiguous array of rows × columns × samples_per_pixel integers. Returns the RLE header and segments;
/// raises `ValueError` if an argument is out of range.
#[pyfunction]
pub(crate) fn rle_encode<'py>(
    src: &Bound<'py, PyAny>,
    rows: u32,
    columns: u32,
    samples_per_pixel: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    encode_frame(src, (rows, columns, samples_per_pixel), encode::rle)
}

fn encode_frame<'py>(
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
