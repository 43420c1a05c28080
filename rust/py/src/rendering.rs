//! Renderings, and their functions on arrays that the caller already has.

use crate::arrays::{ArrayMut, ArrayRef};
use crate::errors::Failure;
use crate::guard::detached;
use crate::lookup_table::{LookupTable, TransformArg};
use dicoxide_core::pixel::{overlay, render};
use dicoxide_core::{
    Cancel, CpuLevel, Grayscale, GrayscaleOptions, OutputRange, OutputTransform, Palette, SampleType, Voi,
};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A function from the stored values of a frame to output samples, for `Frames.decode_into` and `render_into`.
///
/// Made by `grayscale` or `table`.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Rendering(dicoxide_core::Rendering);

/// VOI function: (name, center, width), ("RANGE", low, high) or (`LookupTable`, bits per entry).
#[derive(FromPyObject)]
enum VoiArg {
    Function((String, f64, f64)),
    Table((Py<LookupTable>, u32)),
}

#[pymethods]
impl Rendering {
    /// Returns the grayscale pipeline of PS3.4 N.2.1: modality transform, VOI, inversion, output range.
    ///
    /// `stored` is the NumPy name of the type of the stored values, `bits_stored` their significant bits. `voi` is ("LINEAR",
    /// "LINEAR_EXACT" or "SIGMOID", center, width), ("RANGE", low, high), or (`LookupTable`, bits per entry). `transform` is
    /// None, (slope, intercept), a `LookupTable` or `ValueRanges`. Stored values from `padding`\[0\] to `padding`\[1\], both inclusive, and
    /// NaN render as the lowest output, also if `inverted`. `dtype` is "uint8" (0 to 255), "uint16" (0 to 65 535) or
    /// "float32" (0.0 to 1.0); values are computed in float64 and rounded half to even once.
    ///
    /// Raises `CorruptFrameError` if a window is invalid (PS3.3 C.11.2.1.2, C.11.2.1.3), `ValueError` for other arguments.
    #[staticmethod]
    #[pyo3(signature = (stored, bits_stored, voi, *, transform=None, inverted=false, padding=None, dtype="uint8"))]
    fn grayscale(
        stored: &str,
        bits_stored: u32,
        voi: VoiArg,
        transform: Option<TransformArg>,
        inverted: bool,
        padding: Option<(f64, f64)>,
        dtype: &str,
    ) -> PyResult<Self> {
        let stored = SampleType::from_name(stored)
            .ok_or_else(|| PyValueError::new_err(format!("stored is an integer or float type, not '{stored}'")))?;
        let made = OutputRange::from_name(dtype).and_then(|output| {
            let voi = match voi {
                VoiArg::Function((name, first, second)) => Voi::from_name(&name, first, second)?,
                VoiArg::Table((table, bits)) => Voi::Table { table: Arc::clone(&table.get().0), bits },
            };
            let modality = TransformArg::modality(transform.as_ref());
            Grayscale::new(stored, bits_stored, voi, GrayscaleOptions { modality, inverted, padding, output })
        });
        made.map(|grayscale| Self(dicoxide_core::Rendering::Grayscale(grayscale)))
            .map_err(|error| Failure::of(&error).into())
    }

    /// Returns a palette: output = `entries`\[stored - `first_mapped`\]; stored values before or after the table have its first or
    /// last entry (PS3.3 C.7.6.3.1.5).
    ///
    /// `entries` is a C-contiguous array of uint8, uint16 or float32, (n,) or (n, 3) for RGB, 1 ≤ n ≤ 65 536. The output has its
    /// type, and 3 samples per stored value if it has 3 columns. Raises `CorruptFrameError` for another number of entries.
    #[staticmethod]
    fn table(first_mapped: i64, entries: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = ArrayRef::new(entries)?;
        let components = match entries.cast::<PyUntypedArray>().map(PyUntypedArrayMethods::shape) {
            Ok([_]) => 1,
            Ok([_, 3]) => 3,
            _ => return Err(PyValueError::new_err("entries must be an ndarray of shape (n,) or (n, 3)")),
        };
        let palette = Palette::new(first_mapped, array.samples()?, components);
        palette
            .map(|palette| Self(dicoxide_core::Rendering::Palette(palette)))
            .map_err(|error| Failure::of(&error).into())
    }
}

/// Last step of a frame: its transform to modality or real-world values, or its rendering.
#[derive(FromPyObject)]
pub(crate) enum OutputTransformArg {
    Rendering(Py<Rendering>),
    Values(TransformArg),
}

impl OutputTransformArg {
    pub(crate) fn transform(&self) -> OutputTransform<'_> {
        match self {
            Self::Rendering(rendering) => OutputTransform::Rendering(&rendering.get().0),
            Self::Values(transform) => OutputTransform::Values(transform.transform()),
        }
    }
}

/// Writes the rendered samples of `src` to `out`.
///
/// Both are C-contiguous arrays; `out` has the type of the rendering, and as many elements as `src`, or three times as many for
/// a palette of RGB entries. At most `threads` threads render. `is_warm` is True if `out` has been written to before; it only
/// selects how samples are stored. Raises `ValueError` if types or sizes differ.
#[pyfunction]
#[pyo3(signature = (src, rendering, out, threads=1, is_warm=false))]
pub(crate) fn render_into(
    py: Python<'_>,
    src: &Bound<'_, PyAny>,
    rendering: &Rendering,
    out: &Bound<'_, PyAny>,
    threads: usize,
    is_warm: bool,
) -> PyResult<()> {
    let src = ArrayRef::new(src)?;
    let mut out = ArrayMut::new(out)?;
    let (stored, samples) = (src.samples()?, out.samples()?);
    detached(py, |poll| {
        let cancel = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
        render::render_into(stored, &rendering.0, samples, threads, is_warm, cancel, CpuLevel::best())
    })?
    .map_err(|error| Failure::of(&error).into())
}

/// Returns the smallest and the largest value of `src`, without NaN, infinities, and values from `padding`\[0\] to `padding`\[1\], both
/// inclusive; None if there is none. `src` is a C-contiguous array.
#[pyfunction]
#[pyo3(signature = (src, padding=None))]
pub(crate) fn value_range(
    py: Python<'_>,
    src: &Bound<'_, PyAny>,
    padding: Option<(f64, f64)>,
) -> PyResult<Option<(f64, f64)>> {
    let src = ArrayRef::new(src)?;
    let samples = src.samples()?;
    detached(py, |poll| {
        let cancel = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
        render::value_range(samples, padding, cancel, CpuLevel::best())
    })?
    .map_err(|error| Failure::of(&error).into())
}

/// Sets the samples of `frame` to `value` where the bit of an overlay plane is 1 (PS3.3 C.9.2).
///
/// `frame` is a C-contiguous array (rows, columns) or (rows, columns, samples). `plane` has `rows` × `columns` packed bits, least
/// significant first, from bit `bit_offset` on. Its first pixel is at `row` and `column` of the frame, zero-based; what is
/// outside of the frame is left out. Raises `TruncatedFrameError` if the plane is too short.
#[pyfunction]
#[pyo3(signature = (frame, plane, rows, columns, row, column, value, bit_offset=0))]
#[allow(clippy::too_many_arguments, reason = "the attributes of an overlay")]
pub(crate) fn burn_overlay(
    frame: &Bound<'_, PyAny>,
    plane: &Bound<'_, PyBytes>,
    rows: usize,
    columns: usize,
    row: i64,
    column: i64,
    value: f64,
    bit_offset: usize,
) -> PyResult<()> {
    let mut array = ArrayMut::new(frame)?;
    let size = match frame.cast::<PyUntypedArray>().map(PyUntypedArrayMethods::shape) {
        Ok(&[rows, columns]) => overlay::FrameSize { rows, columns, samples_per_pixel: 1 },
        Ok(&[rows, columns, samples_per_pixel]) => overlay::FrameSize { rows, columns, samples_per_pixel },
        _ => return Err(PyValueError::new_err("frame must be an ndarray (rows, columns) or (rows, columns, samples)")),
    };
    let plane = overlay::OverlayPlane { bytes: plane.as_bytes(), bit_offset, rows, columns };
    overlay::burn_overlay(array.samples()?, size, plane, (row, column), value)
        .map_err(|error| Failure::of(&error).into())
}
