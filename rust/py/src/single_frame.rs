//! Decodes the bytes of one frame or codestream in one call.

use crate::arrays::{ArrayMut, UninitArray, UninitByteArray};
use crate::errors::Failure;
use crate::frame_args::{Decoded, FrameArgs, FrameDeviation, OptionArgs, failed};
use crate::guard::guarded;
use dicoxide_core::codec::{self, FrameFormat, find_decodable_format, find_frame_format};
use dicoxide_core::codestream::{CodestreamFormat, CodestreamInfo, Colour};
use dicoxide_core::frames::{FrameTable, PixelData, check_frames};
use dicoxide_core::{
    BareCodestream, Cancel, CodestreamOptions, DecodeOptions, FrameContext, FrameInfo, Limits, ReusedWorkspace,
    SamplesMut, TransferSyntax,
};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::AtomicBool;

/// A frame of more samples is checked before memory for them is allocated.
const MAX_UNCHECKED_SAMPLES: usize = 1 << 20;

/// Decodes the bytes of one frame into `out`; returns its deviations.
///
/// `out` is a C-contiguous, writable array of rows × columns × samples per pixel elements, of the stored type or a
/// wider integer type. Raises a `DecodeError`, or `ValueError` for `out`.
#[pyfunction]
#[pyo3(signature = (out, spec, src, options=None))]
pub(crate) fn decode_frame_into(
    out: &Bound<'_, PyAny>,
    spec: FrameArgs<'_>,
    src: &Bound<'_, PyBytes>,
    options: Option<OptionArgs>,
) -> PyResult<Vec<FrameDeviation>> {
    let options = options.unwrap_or_default();
    Frame::new(&spec)?.decode(src, ArrayMut::new(out)?.samples()?, options)
}

/// Decodes the bytes of one frame; returns an array of (rows, columns[, samples per pixel]) and the frame's deviations.
///
/// Raises a `DecodeError`; before memory is allocated if a large frame is too short for its attributes.
#[pyfunction]
#[pyo3(signature = (spec, src, options=None))]
pub(crate) fn decode_frame<'py>(
    spec: FrameArgs<'_>,
    src: &Bound<'py, PyBytes>,
    options: Option<OptionArgs>,
) -> PyResult<(Bound<'py, PyUntypedArray>, Vec<FrameDeviation>)> {
    let frame = Frame::new(&spec)?;
    if frame.info.samples() > MAX_UNCHECKED_SAMPLES {
        frame.check(src)?;
    }
    let attributes = frame.info.attributes();
    let shape = [attributes.rows, attributes.columns, attributes.samples_per_pixel].map(|length| length as usize);
    let shape = if attributes.samples_per_pixel == 1 { shape.split_at(2).0 } else { &shape };
    let mut array = UninitArray::new(src.py(), frame.info.sample_type(), shape)?;
    let deviations = frame.decode(src, array.samples()?, options.unwrap_or_default())?;
    Ok((array.filled(), deviations))
}

/// Decodes the bytes of one frame into a new bytearray of exactly its samples, little-endian; returns that and the
/// frame's deviations. A frame that is too short for its attributes is refused before memory is allocated.
#[pyfunction]
#[pyo3(signature = (spec, src, options=None))]
pub(crate) fn decode_frame_bytearray<'py>(
    spec: FrameArgs<'_>,
    src: &Bound<'py, PyBytes>,
    options: Option<OptionArgs>,
) -> PyResult<Decoded<'py>> {
    let options = options.unwrap_or_default();
    let frame = Frame::new(&spec)?;
    frame.check(src)?;
    let output_info = frame.info.reduced(options.reduce);
    let mut out = UninitByteArray::new(src.py(), &output_info)?;
    let deviations = frame.decode(src, out.samples(&output_info)?, options)?;
    Ok((out.filled(), deviations))
}

/// The format of one frame, validated.
struct Frame {
    syntax: TransferSyntax,
    format: &'static dyn FrameFormat,
    info: FrameInfo,
}

impl Frame {
    fn new(spec: &FrameArgs<'_>) -> PyResult<Self> {
        find_decodable_format(spec.transfer_syntax)
            .and_then(|(syntax, format)| spec.info().map(|info| Self { syntax, format, info }))
            .map_err(|error| failed(&error, spec.transfer_syntax))
    }

    /// Raises `TruncatedFrameError` if the frame is too short for its attributes.
    fn check(&self, src: &Bound<'_, PyBytes>) -> PyResult<()> {
        let data = PixelData { value: src.as_bytes().into(), extended: None };
        check_frames(&FrameTable::single_frame(), data, &[0], &self.info, self.format, &Limits::unbounded())
            .map_err(|failure| failed(&failure.error, self.syntax.uid()))
    }

    fn decode(
        &self,
        src: &Bound<'_, PyBytes>,
        samples: SamplesMut<'_>,
        options: OptionArgs,
    ) -> PyResult<Vec<FrameDeviation>> {
        let bytes = src.as_bytes();
        let limits = Limits::new(options.max_bytes);
        let options = DecodeOptions { threads: options.threads, ..options.decode_options() };
        let work_bytes = bytes.len().saturating_add(samples.len() * samples.sample_bytes());
        let decoded = guarded(src.py(), work_bytes, |poll| {
            let context = FrameContext { syntax: self.syntax, info: &self.info, limits: &limits, options };
            let cancel = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
            dicoxide_core::decode_frame(&context, bytes.into(), samples, &mut ReusedWorkspace::new(&limits), cancel)
        })?
        .map_err(|error| failed(&error, self.syntax.uid()))?;
        Ok(decoded.deviations.into_iter().map(|deviation| FrameDeviation::new(None, deviation)).collect())
    }
}

/// Compares a codestream that a fallback decoder is to decode with the data set. Returns true if its samples are
/// luminance and colour differences, and the deviations; colour matters only if it is converted (`to_rgb`).
///
/// Raises `CorruptFrameError` if size or depth differ, `UnsupportedError` for float samples.
#[pyfunction]
#[pyo3(signature = (spec, src, *, to_rgb))]
pub(crate) fn compare_codestream(
    spec: FrameArgs<'_>,
    src: &Bound<'_, PyBytes>,
    to_rgb: bool,
) -> PyResult<(bool, Vec<FrameDeviation>)> {
    let compared = find_frame_format(spec.transfer_syntax)
        .and_then(|(syntax, _)| codec::compare_codestream(syntax, src.as_bytes(), &spec.info()?, to_rgb));
    let (is_ybr, deviations) = compared.map_err(|error| failed(&error, spec.transfer_syntax))?;
    Ok((is_ybr, deviations.into_iter().map(|deviation| FrameDeviation::new(None, deviation)).collect()))
}

/// Header of a codestream: format, rows, columns, components, precision in bits, signedness, colour, whether it is
/// lossy, and the number of resolutions. None for what the header does not declare, and for all but the format of JPEG
/// XL.
type CodestreamFields = (
    &'static str,
    Option<u32>,
    Option<u32>,
    Option<u32>,
    Option<u32>,
    Option<bool>,
    Option<&'static str>,
    Option<bool>,
    Option<u32>,
);

/// Reads the header of a codestream, whose first bytes identify the format.
///
/// Returns (format, rows, columns, components, precision in bits, is_signed, colour, is_lossy, resolution levels).
/// Raises `CorruptFrameError` if the header is corrupt, `UnsupportedError` if the format is unknown.
#[pyfunction]
pub(crate) fn codestream_info(src: &Bound<'_, PyBytes>) -> PyResult<CodestreamFields> {
    let identified = codec::identify(src.as_bytes()).map_err(|error| PyErr::from(Failure::of(&error)))?;
    let info = identified.info.as_ref();
    Ok((
        identified.format.name(),
        info.map(|info| info.rows),
        info.map(|info| info.columns),
        info.map(|info| info.components),
        info.map(|info| info.precision),
        info.map(|info| info.is_signed.unwrap_or(false)),
        info.and_then(CodestreamInfo::colour).map(Colour::name),
        info.and_then(|info| info.is_lossy),
        info.map(|info| info.resolution_levels),
    ))
}

/// A codestream that can be decoded without a data set. Its header is read when the object is made.
///
/// `jpeg_lossless` refuses all formats but JPEG Lossless. Raises `UnsupportedError` for formats without a decoder,
/// another `DecodeError` if the header is corrupt.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Codestream {
    codestream: BareCodestream,
    src: Py<PyBytes>,
}

#[pymethods]
impl Codestream {
    #[new]
    #[pyo3(signature = (src, *, jpeg_lossless=false))]
    fn new(src: Bound<'_, PyBytes>, jpeg_lossless: bool) -> PyResult<Self> {
        let bytes = src.as_bytes();
        let opened = if jpeg_lossless {
            BareCodestream::open_format(bytes, CodestreamFormat::JpegLossless)
        } else {
            BareCodestream::open(bytes)
        };
        let codestream = opened.map_err(|error| PyErr::from(Failure::of(&error)))?;
        Ok(Self { codestream, src: src.unbind() })
    }

    /// Returns (rows, columns, components, NumPy name of the sample type) with `reduce` resolution levels discarded.
    #[pyo3(signature = (reduce=0))]
    fn layout(&self, reduce: u32) -> PyResult<(u32, u32, u32, &'static str)> {
        let (rows, columns) = self.codestream.size(reduce).map_err(|error| PyErr::from(Failure::of(&error)))?;
        let info = self.codestream.info();
        Ok((rows, columns, info.attributes().samples_per_pixel, info.sample_type().name()))
    }

    /// Raises `TruncatedFrameError` if the codestream is too short for its samples: to be called before memory for them
    /// is allocated.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.codestream.check(self.src.as_bytes(py)).map_err(|error| Failure::of(&error).into())
    }

    /// Decodes into `out`, a C-contiguous, writable array of `layout`; returns the deviations. Raises a `DecodeError`,
    /// or `ValueError` for `out`.
    #[pyo3(signature = (out, *, to_rgb=false, reduce=0, threads=1))]
    fn decode_into(
        &self,
        py: Python<'_>,
        out: &Bound<'_, PyAny>,
        to_rgb: bool,
        reduce: u32,
        threads: usize,
    ) -> PyResult<Vec<FrameDeviation>> {
        let mut out = ArrayMut::new(out)?;
        let samples = out.samples()?;
        let bytes = self.src.as_bytes(py);
        let decode = DecodeOptions { threads, ..DecodeOptions::default() };
        let options = CodestreamOptions { to_rgb, reduce, decode };
        let work_bytes = bytes.len().saturating_add(samples.len() * samples.sample_bytes());
        let decoded = guarded(py, work_bytes, |poll| {
            let cancel = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
            let limits = Limits::unbounded();
            let mut workspace = ReusedWorkspace::new(&limits);
            self.codestream.decode(bytes, &options, &limits, samples, &mut workspace, cancel)
        })?
        .map_err(|error| PyErr::from(Failure::of(&error)))?;
        Ok(decoded.deviations.into_iter().map(|deviation| FrameDeviation::new(None, deviation)).collect())
    }
}
