//! Decodes the bytes of one frame in one call.

use crate::arrays::{ArrayMut, UninitByteArray};
use crate::frame_args::{Decoded, FrameArgs, FrameDeviation, OptionArgs, failed};
use crate::guard::guarded;
use dicoxide_core::codec::{self, Codec, find_codec};
use dicoxide_core::frames::{FrameTable, PixelData, check_frames};
use dicoxide_core::{
    Cancel, DecodeOptions, FrameInfo, Job, Limits, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

thread_local! {
    /// Scratch of the thread: allocating it takes longer than decoding a small frame.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

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
    let data = PixelData { value: src.as_bytes().into(), extended: None };
    check_frames(&FrameTable::single_frame(), data, &[0], &frame.info, frame.codec, &Limits::unbounded())
        .map_err(|failure| failed(&failure.error, spec.transfer_syntax))?;
    let mut out = UninitByteArray::new(src.py(), &frame.info)?;
    let deviations = frame.decode(src, out.samples(&frame.info)?, options)?;
    Ok((out.filled(), deviations))
}

/// The format of one frame, validated.
struct Frame {
    syntax: TransferSyntax,
    codec: &'static dyn Codec,
    info: FrameInfo,
}

impl Frame {
    fn new(spec: &FrameArgs<'_>) -> PyResult<Self> {
        find_codec(spec.transfer_syntax)
            .and_then(|(syntax, codec)| spec.info().map(|info| Self { syntax, codec, info }))
            .map_err(|error| failed(&error, spec.transfer_syntax))
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
            let job = Job { syntax: self.syntax, info: &self.info, limits: &limits, options };
            let cancel = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
            // Taken, not borrowed: `poll` can run a signal handler that decodes on this thread.
            let mut workspace = WORKSPACE.take();
            let decoded = decode_frame(&job, bytes.into(), samples, &mut workspace, cancel);
            WORKSPACE.set(workspace);
            decoded
        })?
        .map_err(|error| failed(&error, self.syntax.uid()))?;
        Ok(decoded.deviations.into_iter().map(|deviation| FrameDeviation::new(None, deviation)).collect())
    }
}

/// Returns the (rows, columns) that a codestream of JPEG, JPEG-LS or JPEG 2000 declares, or None.
#[pyfunction]
pub(crate) fn codestream_size(src: &Bound<'_, PyBytes>) -> Option<(u32, u32)> {
    codec::codestream_size(src.as_bytes())
}

/// Returns (rows, columns, components, precision in bits) of a JPEG Lossless codestream.
///
/// Raises a `DecodeError` if its header is corrupt, or of another process of JPEG.
#[pyfunction]
pub(crate) fn jpeg_lossless_dimensions(src: &Bound<'_, PyBytes>) -> PyResult<(u16, u16, usize, u8)> {
    let found = codec::jpeg_lossless_dimensions(src.as_bytes());
    let found = found.map_err(|error| failed(&error, TransferSyntax::JPEG_LOSSLESS.uid()))?;
    Ok((found.rows, found.columns, found.components, found.precision))
}
