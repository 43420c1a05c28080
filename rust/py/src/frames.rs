//! The frames of one Pixel Data value, as a Python class.

use crate::arrays::{ArrayMut, UninitByteArray};
use crate::errors::Failure;
use crate::frame_args::{Decoded, FrameArgs, FrameDeviation, OptionArgs, failed};
use crate::guard::detached;
use crate::prefetch::{FrameOutput, decode_each};
use crate::rendering::OutputTransformArg;
use dicoxide_core::codec::{FrameFormat, find_decodable_format, find_frame_format};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, FramesOutput, PixelData, check_frames, decode_frames};
use dicoxide_core::{FrameContext, FrameInfo, Limits, TransferSyntax};
use dicoxide_part10::Image;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// The frames of one Pixel Data value: finds and decodes them.
///
/// `value` is the element's value, for encapsulated pixel data from the Basic Offset Table item on; with `whole` it is
/// the bytes of one frame. `number_of_frames` is the attribute (0028,0008). `extended_offsets` are the values of
/// Extended Offset Table and Extended Offset Table Lengths. `word_swapped` is True if samples of 1 or 8 bits are stored
/// in 16-bit big-endian words (PS3.5 7.3). `find_only` opens transfer syntaxes without a decoder too: frames can be
/// found, not decoded.
///
/// Raises `UnsupportedError` without a decoder, `CorruptFrameError` if attributes are invalid or frames cannot be
/// located.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Frames {
    syntax: TransferSyntax,
    info: FrameInfo,
    value: ValueOwner,
    table: FrameTable,
    format: &'static dyn FrameFormat,
}

/// Owner of the value's bytes.
enum ValueOwner {
    /// `bytes`, and the Extended Offset Table and its Lengths.
    Bytes(Py<PyBytes>, Option<(Py<PyBytes>, Py<PyBytes>)>),
    /// An opened file.
    Object(Arc<dicoxide_part10::Object>, Arc<Image>),
}

#[pymethods]
impl Frames {
    #[new]
    #[pyo3(signature = (spec, value, number_of_frames=None, extended_offsets=None, *, word_swapped=false, whole=false,
        find_only=false))]
    fn new(
        spec: FrameArgs<'_>,
        value: Bound<'_, PyBytes>,
        number_of_frames: Option<u32>,
        extended_offsets: Option<(Py<PyBytes>, Py<PyBytes>)>,
        word_swapped: bool,
        whole: bool,
        find_only: bool,
    ) -> PyResult<Self> {
        let py = value.py();
        let transfer_syntax = spec.transfer_syntax;
        let find = if find_only { find_frame_format } else { find_decodable_format };
        let (syntax, format) = find(transfer_syntax).map_err(|error| failed(&error, transfer_syntax))?;
        let extended = extended_offsets
            .as_ref()
            .map(|(offsets, lengths)| ExtendedOffsets { offsets: offsets.as_bytes(py), lengths: lengths.as_bytes(py) });
        let data = PixelData { value: value.as_bytes().into(), extended };
        let table = spec.info().and_then(|info| {
            let table = if whole {
                Ok(FrameTable::single_frame())
            } else {
                FrameTable::new(syntax, format, &info, data, number_of_frames, word_swapped)
            };
            table.map(|table| (info, table))
        });
        let (info, table) = table.map_err(|error| failed(&error, transfer_syntax))?;
        Ok(Self { syntax, info, value: ValueOwner::Bytes(value.unbind(), extended_offsets), table, format })
    }

    /// Returns the number of frames in the value, whatever Number of Frames (0028,0008) declares.
    fn __len__(&self) -> usize {
        self.table.frame_count()
    }

    /// Returns the deviations of the value and its offset tables.
    fn deviations(&self) -> Vec<FrameDeviation> {
        self.table.deviations().iter().map(|deviation| FrameDeviation::new(None, deviation.clone())).collect()
    }

    /// Returns the deviations that look-ups of frames have found since this object was made: a wrong entry of an
    /// offset table, or bytes after the items that are not a delimiter. `decode_into` returns them with those of the frames.
    fn lookup_deviations(&self) -> Vec<FrameDeviation> {
        self.table.lookup_deviations().into_iter().map(|deviation| FrameDeviation::new(None, deviation)).collect()
    }

    /// Raises `TruncatedFrameError` if a frame in `indices` is too short for its attributes: to be called before memory
    /// for its samples is allocated.
    #[pyo3(signature = (indices, *, max_bytes=None))]
    fn check(&self, py: Python<'_>, indices: Vec<usize>, max_bytes: Option<u64>) -> PyResult<()> {
        self.require(&indices)?;
        check_frames(&self.table, self.data(py), &indices, &self.info, self.format, &Limits::new(max_bytes))
            .map_err(|error| Failure::in_frame(&error, self.syntax.uid()).into())
    }

    /// Decodes the frames `indices` into `out`; returns the name of the code path and the deviations of the first frame
    /// that has any.
    ///
    /// `out` is a C-contiguous, writable array of len(indices) × rows × columns × samples per pixel elements, of the
    /// stored type or a wider integer type; with `transforms` of float32, float64 or an integer type. `transforms` has
    /// (slope, intercept), the `LookupTable` or the `ValueRanges` of each frame in `indices`, or one for all; or the `Rendering`,
    /// which decides the type of `out` and the samples per pixel. `is_warm` is True if `out` has been written to before; it only
    /// selects how samples are stored.
    ///
    /// Raises the `DecodeError` of the first frame in `indices` that has one, `IndexError`, or `ValueError` for `out`.
    #[pyo3(signature = (out, indices, options=None, *, transforms=None, is_warm=false))]
    fn decode_into(
        &self,
        py: Python<'_>,
        out: &Bound<'_, PyAny>,
        indices: Vec<usize>,
        options: Option<OptionArgs>,
        transforms: Option<Vec<OutputTransformArg>>,
        is_warm: bool,
    ) -> PyResult<(&'static str, Vec<FrameDeviation>)> {
        self.require(&indices)?;
        let args = options.unwrap_or_default();
        let transforms = transforms.unwrap_or_default();
        let transforms: Vec<_> = transforms.iter().map(OutputTransformArg::transform).collect();
        let limits = Limits::new(args.max_bytes);
        let options = args.decode_options();
        let mut out = ArrayMut::new(out)?;
        let samples = out.samples()?;
        let data = self.data(py);
        let summary = detached(py, |poll| {
            let context = FrameContext { syntax: self.syntax, info: &self.info, limits: &limits, options };
            let output = FramesOutput { samples, transforms: &transforms, is_warm };
            decode_frames(&context, &self.table, data, &indices, output, args.threads, poll)
        })?
        .map_err(|error| PyErr::from(Failure::in_frame(&error, self.syntax.uid())))?;
        let deviations = summary.deviations.into_iter().map(|(index, deviation)| FrameDeviation::new(index, deviation));
        Ok((summary.path, deviations.collect()))
    }

    /// Decodes the frames `indices` as `decode_frame_bytearray` does; returns (bytearray, deviations) of each, or None
    /// for a frame with an error.
    #[pyo3(signature = (indices, options=None))]
    fn decode_bytearrays<'py>(
        &self,
        py: Python<'py>,
        indices: Vec<usize>,
        options: Option<OptionArgs>,
    ) -> PyResult<Vec<Option<Decoded<'py>>>> {
        self.require(&indices)?;
        let OptionArgs { threads, max_bytes, reduce, .. } = options.unwrap_or_default();
        let output_info = self.info.reduced(reduce);
        let options = options.unwrap_or_default().decode_options();
        let data = self.data(py);
        let limits = Limits::new(max_bytes);
        let mut outputs = Vec::with_capacity(indices.len());
        for index in &indices {
            let checked = check_frames(&self.table, data, &[*index], &self.info, self.format, &limits);
            let is_possible = checked.is_ok();
            outputs.push(if is_possible { Some(UninitByteArray::new(py, &output_info)?) } else { None });
        }
        let mut frame_outputs = Vec::with_capacity(indices.len());
        for (position, (output, index)) in outputs.iter_mut().zip(&indices).enumerate() {
            if let Some(output) = output {
                frame_outputs.push(FrameOutput { position, index: *index, samples: output.samples(&output_info)? });
            }
        }
        let decoded = detached(py, |poll| {
            let context = FrameContext { syntax: self.syntax, info: &self.info, limits: &limits, options };
            decode_each(&context, &self.table, data, frame_outputs, threads, poll)
        })?;
        let mut decoded_at: Vec<Option<Vec<FrameDeviation>>> = indices.iter().map(|_| None).collect();
        for (position, deviations) in decoded {
            if let Some(slot) = decoded_at.get_mut(position) {
                *slot = Some(deviations.into_iter().map(|deviation| FrameDeviation::new(None, deviation)).collect());
            }
        }
        let frames = outputs.into_iter().zip(decoded_at);
        Ok(frames.map(|(output, deviations)| Some((output?.filled(), deviations?))).collect())
    }

    /// Returns True if the bytes of frame `index`, its fragments joined, equal `src`.
    fn is_frame(&self, py: Python<'_>, index: usize, src: &Bound<'_, PyBytes>) -> bool {
        let mut joined = Vec::new();
        let frame = self.table.frame(self.data(py), index, &Limits::unbounded(), &mut joined);
        frame.is_ok_and(|frame| frame.offset_bits == 0 && frame.bytes == src.as_bytes())
    }

    /// Returns the bytes of frame `index`, its fragments joined, and the number of bits before it in the first byte: 0
    /// except for packed bits (PS3.5 8.1.1).
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
    /// Locates the frames of an opened object.
    pub(crate) fn of_object(
        py: Python<'_>,
        object: Arc<dicoxide_part10::Object>,
        image: Arc<Image>,
        find_only: bool,
    ) -> PyResult<Self> {
        let open = if find_only { Image::find_frames } else { Image::frames };
        let opened = detached(py, |_| open(&image, &object))?;
        let (syntax, format, info, table) = opened.map_err(|error| failed(&error, &image.transfer_syntax))?;
        Ok(Self { syntax, info, value: ValueOwner::Object(object, image), table, format })
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
