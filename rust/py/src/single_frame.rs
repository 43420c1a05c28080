//! The bytes of one frame, decoded in one call.

use crate::arrays::{ArrayMut, UninitByteArray};
use crate::frame_args::{Decoded, FrameArgs, Note, failed, note, order};
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
    /// Small frames decode in less time than scratch takes to allocate.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Decodes the bytes of one frame into `out`; returns what was tolerated. In one call, because small frames decode in
/// less time than two calls take.
#[pyfunction]
#[pyo3(signature = (out, transfer_syntax, src, rows, columns, samples_per_pixel, bits_allocated, bits_stored, high_bit,
    pixel_representation, planar_configuration, photometric_interpretation, is_float=false, segment_byte_order="big"))]
#[allow(clippy::too_many_arguments, reason = "flat keywords are what Python has")]
pub(crate) fn decode_frame_into(
    out: &Bound<'_, PyAny>,
    transfer_syntax: &str,
    src: &Bound<'_, PyBytes>,
    rows: i64,
    columns: i64,
    samples_per_pixel: i64,
    bits_allocated: i64,
    bits_stored: i64,
    high_bit: i64,
    pixel_representation: i64,
    planar_configuration: i64,
    photometric_interpretation: &str,
    is_float: bool,
    segment_byte_order: &str,
) -> PyResult<Vec<Note>> {
    let stated = FrameArgs {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated,
        bits_stored,
        high_bit,
        pixel_representation,
        planar_configuration,
        photometric_interpretation,
        is_float,
    };
    let frame = OneFrame::new(transfer_syntax, &stated)?;
    frame.decode(src, ArrayMut::new(out)?.samples()?, segment_byte_order, 1)
}

/// Decodes the bytes of one frame into a fresh bytearray of exactly its samples, little-endian; returns that and what
/// was tolerated. A frame too short for what it is said to be is refused before memory is taken. A large one may be
/// decoded on `threads` threads.
#[pyfunction]
#[pyo3(signature = (transfer_syntax, src, rows, columns, samples_per_pixel, bits_allocated, bits_stored, high_bit,
    pixel_representation, planar_configuration, photometric_interpretation, is_float=false, segment_byte_order="big",
    threads=1))]
#[allow(clippy::too_many_arguments, reason = "flat keywords are what Python has")]
pub(crate) fn decode_frame_bytearray<'py>(
    transfer_syntax: &str,
    src: &Bound<'py, PyBytes>,
    rows: i64,
    columns: i64,
    samples_per_pixel: i64,
    bits_allocated: i64,
    bits_stored: i64,
    high_bit: i64,
    pixel_representation: i64,
    planar_configuration: i64,
    photometric_interpretation: &str,
    is_float: bool,
    segment_byte_order: &str,
    threads: usize,
) -> PyResult<Decoded<'py>> {
    let stated = FrameArgs {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated,
        bits_stored,
        high_bit,
        pixel_representation,
        planar_configuration,
        photometric_interpretation,
        is_float,
    };
    let frame = OneFrame::new(transfer_syntax, &stated)?;
    let data = PixelData { value: src.as_bytes().into(), extended: None };
    check_frames(&FrameTable::single_frame(), data, &[0], &frame.info, frame.codec, &Limits::unbounded())
        .map_err(|found| failed(&found.error, transfer_syntax))?;
    let mut out = UninitByteArray::new(src.py(), &frame.info)?;
    let notes = frame.decode(src, out.samples(&frame.info)?, segment_byte_order, threads)?;
    Ok((out.filled(), notes))
}

/// What is decoded when there is one frame.
struct OneFrame {
    syntax: TransferSyntax,
    codec: &'static dyn Codec,
    info: FrameInfo,
}

impl OneFrame {
    fn new(transfer_syntax: &str, stated: &FrameArgs<'_>) -> PyResult<Self> {
        let found = find_codec(transfer_syntax)
            .and_then(|(syntax, codec)| stated.checked().map(|info| Self { syntax, codec, info }));
        found.map_err(|error| failed(&error, transfer_syntax))
    }

    fn decode(
        &self,
        src: &Bound<'_, PyBytes>,
        samples: SamplesMut<'_>,
        segment_byte_order: &str,
        threads: usize,
    ) -> PyResult<Vec<Note>> {
        let bytes = src.as_bytes();
        let options =
            DecodeOptions { segment_byte_order: order(segment_byte_order)?, threads, ..DecodeOptions::default() };
        let work_bytes = bytes.len().saturating_add(samples.len() * samples.sample_bytes());
        let decoded = guarded(src.py(), work_bytes, |poll| {
            let limits = Limits::unbounded();
            let job = Job { syntax: self.syntax, info: &self.info, limits: &limits, options };
            let watch = Cancel { stop: &AtomicBool::new(false), poll: Some(poll) };
            // Taken, not borrowed: a signal handler may decode too.
            let mut workspace = WORKSPACE.take();
            let decoded = decode_frame(&job, bytes.into(), samples, &mut workspace, watch);
            WORKSPACE.set(workspace);
            decoded
        })?
        .map_err(|error| failed(&error, self.syntax.uid()))?;
        Ok(decoded.deviations.into_iter().map(|deviations| note(None, deviations)).collect())
    }
}

/// Rows and columns that a codestream of JPEG, JPEG-LS or JPEG 2000 says it has; None where it does not say.
#[pyfunction]
pub(crate) fn codestream_size(src: &Bound<'_, PyBytes>) -> Option<(u32, u32)> {
    codec::codestream_size(src.as_bytes())
}

/// What a lossless JPEG codestream says of itself: rows, columns, components, precision.
#[pyfunction]
pub(crate) fn jpeg_lossless_dimensions(src: &Bound<'_, PyBytes>) -> PyResult<(u16, u16, usize, u8)> {
    let found = codec::jpeg_lossless_dimensions(src.as_bytes());
    let found = found.map_err(|error| failed(&error, TransferSyntax::JPEG_LOSSLESS.uid()))?;
    Ok((found.rows, found.columns, found.components, found.precision))
}
