//! The frames of one object, as Python holds them.

use crate::arrays::{ArrayMut, UninitByteArray};
use crate::errors::Failure;
use crate::frame_args::{Decoded, FrameArgs, Note, failed, note, order, way_named};
use crate::guard::detached;
use crate::prefetch::{Window, decode_each};
use dicoxide_core::codec::{Codec, find_codec, find_frame_format};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, FramesOutput, PixelData, check_frames, decode_frames};
use dicoxide_core::{CpuLevel, DecodeOptions, FrameInfo, Job, Limits, OutputOptions, Rescale, Store, TransferSyntax};
use dicoxide_part10::Image;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// The frames of one Pixel Data value: where they lie, and their decoding.
///
/// `value` is the element's value (`encapsulated` values from the Basic Offset Table item on); with `whole` it is
/// the bytes of one frame. With `foreign` no codec is needed: frames are found, not decoded.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Frames {
    syntax: TransferSyntax,
    info: FrameInfo,
    value: ValueOwner,
    table: FrameTable,
    codec: &'static dyn Codec,
}

/// Where the value is.
enum ValueOwner {
    /// In bytes of Python, with the Extended Offset Table.
    Bytes(Py<PyBytes>, Option<(Py<PyBytes>, Py<PyBytes>)>),
    /// In an object that was opened.
    Object(Arc<dicoxide_part10::Object>, Arc<Image>),
}
#[pymethods]
#[allow(clippy::too_many_arguments, reason = "flat keywords are what Python has")]
impl Frames {
    #[new]
    #[pyo3(signature = (transfer_syntax, value, rows, columns, samples_per_pixel, bits_allocated, bits_stored, high_bit,
        pixel_representation, planar_configuration, photometric_interpretation, is_float=false, number_of_frames=None,
        extended_offsets=None, word_swapped=false, whole=false, foreign=false))]
    fn new(
        transfer_syntax: &str,
        value: Bound<'_, PyBytes>,
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
        number_of_frames: Option<u32>,
        extended_offsets: Option<(Py<PyBytes>, Py<PyBytes>)>,
        word_swapped: bool,
        whole: bool,
        foreign: bool,
    ) -> PyResult<Self> {
        let py = value.py();
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
        let found = if foreign { find_frame_format(transfer_syntax) } else { find_codec(transfer_syntax) };
        let (syntax, codec) = found.map_err(|error| failed(&error, transfer_syntax))?;
        let extended = extended_offsets
            .as_ref()
            .map(|(offsets, lengths)| ExtendedOffsets { offsets: offsets.as_bytes(py), lengths: lengths.as_bytes(py) });
        let data = PixelData { value: value.as_bytes().into(), extended };
        let table = stated.checked().and_then(|info| {
            let table = if whole {
                Ok(FrameTable::single_frame())
            } else if syntax.is_encapsulated() {
                FrameTable::encapsulated(&info, data, number_of_frames, codec)
            } else {
                FrameTable::native(&info, data.value.len(), number_of_frames, word_swapped)
            };
            table.map(|table| (info, table))
        });
        let (info, table) = table.map_err(|error| failed(&error, transfer_syntax))?;
        Ok(Self { syntax, info, value: ValueOwner::Bytes(value.unbind(), extended_offsets), table, codec })
    }

    /// How many frames are there.
    fn __len__(&self) -> usize {
        self.table.frame_count()
    }

    /// What was not as the standard wants it when the frames were opened.
    fn notes(&self) -> Vec<Note> {
        self.table.deviations().iter().map(|deviations| note(None, deviations.clone())).collect()
    }

    /// Refuses frames that are too short to be what they are said to be: to be asked before their samples are allocated.
    #[pyo3(signature = (indices, *, max_bytes=None))]
    fn check(&self, py: Python<'_>, indices: Vec<usize>, max_bytes: Option<u64>) -> PyResult<()> {
        self.require(&indices)?;
        check_frames(&self.table, self.data(py), &indices, &self.info, self.codec, &Limits::new(max_bytes))
            .map_err(|error| Failure::in_frame(&error, self.syntax.uid()).into())
    }

    /// Decodes the frames `indices` into `out`; returns the CPU path and what was tolerated in them.
    /// `rescales` has (slope, intercept) of each frame asked for, or one for all; `is_warm` says that `out` has been
    /// written to before, which only changes how it is stored to; `portable` keeps to the instructions
    /// that every CPU has; `way` forces one through entropy-coded data (`serial`, `lanes` or `speculative`).
    #[pyo3(signature = (out, indices, *, threads=1, strict=false, to_rgb=false, rescales=None, max_bytes=None,
        segment_byte_order="big", is_warm=false, portable=false, way=None))]
    fn decode_into(
        &self,
        py: Python<'_>,
        out: &Bound<'_, PyAny>,
        indices: Vec<usize>,
        threads: usize,
        strict: bool,
        to_rgb: bool,
        rescales: Option<Vec<(f64, f64)>>,
        max_bytes: Option<u64>,
        segment_byte_order: &str,
        is_warm: bool,
        portable: bool,
        way: Option<&str>,
    ) -> PyResult<(&'static str, Vec<Note>)> {
        self.require(&indices)?;
        let rescales: Vec<Rescale> =
            rescales.unwrap_or_default().into_iter().map(|(slope, intercept)| Rescale { slope, intercept }).collect();
        let limits = Limits::new(max_bytes);
        let (rescale, rescales) = match rescales.as_slice() {
            [all] => (Some(*all), &[][..]),
            each => (None, each),
        };
        let finish = OutputOptions { to_rgb, rescale, store: Store::Cached };
        let tier = if portable { CpuLevel::PORTABLE } else { CpuLevel::best() };
        let options = DecodeOptions {
            finish,
            segment_byte_order: order(segment_byte_order)?,
            strict,
            tier,
            way: way.map(way_named).transpose()?,
            ..DecodeOptions::default()
        };
        let mut out = ArrayMut::new(out)?;
        let samples = out.samples()?;
        let data = self.data(py);
        let summary = detached(py, |poll| {
            let job = Job { syntax: self.syntax, info: &self.info, limits: &limits, options };
            let output = FramesOutput { samples, rescales, is_warm };
            decode_frames(&job, &self.table, data, &indices, output, threads, poll)
        })?
        .map_err(|error| PyErr::from(Failure::in_frame(&error, self.syntax.uid())))?;
        let notes = summary.deviations.into_iter().map(|(index, deviations)| note(index, deviations)).collect();
        Ok((summary.path, notes))
    }

    /// Decodes the frames `indices`, each into a bytearray, as `decode_frame_bytearray` does; None in place of a frame
    /// that has an error.
    #[pyo3(signature = (indices, *, threads=1, segment_byte_order="big"))]
    fn decode_bytearrays<'py>(
        &self,
        py: Python<'py>,
        indices: Vec<usize>,
        threads: usize,
        segment_byte_order: &str,
    ) -> PyResult<Vec<Option<Decoded<'py>>>> {
        self.require(&indices)?;
        let options = DecodeOptions { segment_byte_order: order(segment_byte_order)?, ..DecodeOptions::default() };
        let data = self.data(py);
        let unbounded = Limits::unbounded();
        let mut outputs = Vec::with_capacity(indices.len());
        for index in &indices {
            let checked = check_frames(&self.table, data, &[*index], &self.info, self.codec, &unbounded);
            let is_possible = checked.is_ok();
            outputs.push(if is_possible { Some(UninitByteArray::new(py, &self.info)?) } else { None });
        }
        let mut windows = Vec::with_capacity(indices.len());
        for (position, (output, index)) in outputs.iter_mut().zip(&indices).enumerate() {
            if let Some(output) = output {
                windows.push(Window { position, index: *index, samples: output.samples(&self.info)? });
            }
        }
        let decoded = detached(py, |poll| {
            let job = Job { syntax: self.syntax, info: &self.info, limits: &unbounded, options };
            decode_each(&job, &self.table, data, windows, threads, poll)
        })?;
        let mut notes: Vec<Option<Vec<Note>>> = indices.iter().map(|_| None).collect();
        for (position, deviations) in decoded {
            if let Some(place) = notes.get_mut(position) {
                *place = Some(deviations.into_iter().map(|deviations| note(None, deviations)).collect());
            }
        }
        Ok(outputs.into_iter().zip(notes).map(|(output, notes)| Some((output?.filled(), notes?))).collect())
    }

    /// Whether the bytes of frame `index`, fragments joined, are `src`.
    fn is_frame(&self, py: Python<'_>, index: usize, src: &Bound<'_, PyBytes>) -> bool {
        let mut joined = Vec::new();
        let frame = self.table.frame(self.data(py), index, &Limits::unbounded(), &mut joined);
        frame.is_ok_and(|frame| frame.offset_bits == 0 && frame.bytes == src.as_bytes())
    }

    /// The bytes of frame `index` as they are, fragments joined; and the bits of the first byte that belong to the frame before.
    fn frame_bytes<'py>(&self, py: Python<'py>, index: usize) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let mut joined = Vec::new();
        let frame = self
            .table
            .frame(self.data(py), index, &Limits::unbounded(), &mut joined)
            .map_err(|error| failed(&error, self.syntax.uid()))?;
        Ok((PyBytes::new(py, frame.bytes), frame.offset_bits))
    }
}

impl Frames {
    /// The frames of an object that was opened.
    pub(crate) fn of_object(
        py: Python<'_>,
        object: Arc<dicoxide_part10::Object>,
        image: Arc<Image>,
        foreign: bool,
    ) -> PyResult<Self> {
        let open = if foreign { Image::any_frames } else { Image::frames };
        let opened = detached(py, |_| open(&image, &object))?;
        let (syntax, codec, info, table) = opened.map_err(|error| failed(&error, &image.transfer_syntax))?;
        Ok(Self { syntax, info, value: ValueOwner::Object(object, image), table, codec })
    }

    fn require(&self, indices: &[usize]) -> PyResult<()> {
        let frames = self.table.frame_count();
        match indices.iter().find(|index| **index >= frames) {
            Some(index) => {
                Err(PyIndexError::new_err(format!("frame index {index} is out of range for {frames} frames")))
            }
            None => Ok(()),
        }
    }

    fn data<'a>(&'a self, py: Python<'a>) -> PixelData<'a> {
        match &self.value {
            ValueOwner::Bytes(value, extended) => {
                let extended = extended.as_ref().map(|(offsets, lengths)| ExtendedOffsets {
                    offsets: offsets.as_bytes(py),
                    lengths: lengths.as_bytes(py),
                });
                PixelData { value: value.as_bytes(py).into(), extended }
            }
            ValueOwner::Object(object, image) => image.pixel_data(object),
        }
    }
}
