//! The frames of one object, as Python holds them.

use crate::errors::Failure;
use crate::guard::detached;
use crate::samples::ArrayMut;
use dicoxide_core::codec::{Codec, codec_for};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, Output, PixelData, check_frames, decode_frames};
use dicoxide_core::{
    Attributes, DecodeError, ErrorKind, Finish, FrameInfo, Job, Limits, Options, PhotometricInterpretation, Rescale,
    SampleKind, SegmentByteOrder, Tier, Tolerated, TransferSyntax,
};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The frames of one Pixel Data value: where they lie, and their decoding.
///
/// `value` is the element's value (`encapsulated` values from the Basic Offset Table item on); with `whole` it is
/// the bytes of one frame.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Frames {
    syntax: TransferSyntax,
    info: FrameInfo,
    value: Py<PyBytes>,
    extended: Option<(Py<PyBytes>, Py<PyBytes>)>,
    table: FrameTable,
    codec: &'static dyn Codec,
}

/// What is noted of a departure: frame index or None, text, clause, byte offset or None.
type Note = (Option<usize>, String, &'static str, Option<u64>);

#[pymethods]
#[allow(clippy::too_many_arguments, reason = "flat keywords are what Python has")]
impl Frames {
    #[new]
    #[pyo3(signature = (transfer_syntax, value, *, rows, columns, samples_per_pixel, bits_allocated, bits_stored, high_bit,
        pixel_representation, planar_configuration, photometric_interpretation, is_float=false, number_of_frames=None,
        extended_offsets=None, word_swapped=false, whole=false))]
    fn new(
        transfer_syntax: &str,
        value: Bound<'_, PyBytes>,
        rows: u32,
        columns: u32,
        samples_per_pixel: u32,
        bits_allocated: u32,
        bits_stored: u32,
        high_bit: u32,
        pixel_representation: u32,
        planar_configuration: u32,
        photometric_interpretation: &str,
        is_float: bool,
        number_of_frames: Option<u32>,
        extended_offsets: Option<(Py<PyBytes>, Py<PyBytes>)>,
        word_swapped: bool,
        whole: bool,
    ) -> PyResult<Self> {
        let py = value.py();
        let attributes = Attributes {
            rows,
            columns,
            samples_per_pixel,
            bits_allocated,
            bits_stored,
            high_bit,
            sample_kind: sample_kind(is_float, pixel_representation)
                .map_err(|error| failed(&error, transfer_syntax))?,
            planar_configuration,
            photometric_interpretation: PhotometricInterpretation::from_term(photometric_interpretation),
        };
        let known = TransferSyntax::from_uid(transfer_syntax);
        let (syntax, codec) = known
            .and_then(|syntax| codec_for(syntax).map(|codec| (syntax, codec)))
            .ok_or_else(|| failed(&unsupported(transfer_syntax, known), transfer_syntax))?;
        let extended = extended_offsets
            .as_ref()
            .map(|(offsets, lengths)| ExtendedOffsets { offsets: offsets.as_bytes(py), lengths: lengths.as_bytes(py) });
        let data = PixelData { value: value.as_bytes(), extended };
        let table = FrameInfo::new(attributes).and_then(|info| {
            let table = if whole {
                Ok(FrameTable::whole())
            } else if syntax.is_encapsulated() {
                FrameTable::encapsulated(&info, data, number_of_frames, codec)
            } else {
                FrameTable::native(&info, data.value, number_of_frames, word_swapped)
            };
            table.map(|table| (info, table))
        });
        let (info, table) = table.map_err(|error| failed(&error, transfer_syntax))?;
        Ok(Self { syntax, info, value: value.unbind(), extended: extended_offsets, table, codec })
    }

    /// How many frames are there.
    fn __len__(&self) -> usize {
        self.table.frames()
    }

    /// What was not as the standard wants it when the frames were opened.
    fn notes(&self) -> Vec<Note> {
        self.table.tolerated().iter().map(|tolerated| note(None, tolerated.clone())).collect()
    }

    /// Refuses frames that are too short to be what they are said to be: to be asked before their samples are allocated.
    fn check(&self, py: Python<'_>, indices: Vec<usize>) -> PyResult<()> {
        self.require(&indices)?;
        check_frames(&self.table, self.data(py), &indices, &self.info, self.codec)
            .map_err(|error| Failure::in_frame(&error, self.syntax.uid()).into())
    }

    /// Decodes the frames `indices` into `out`; returns the CPU path and what was tolerated in them.
    /// `rescales` has (slope, intercept) of each frame asked for, or one for all; `portable` keeps to the instructions
    /// that every CPU has.
    #[pyo3(signature = (out, indices, *, threads=1, strict=false, ybr_to_rgb=false, rescales=None, max_bytes=None,
        segment_byte_order="big", portable=false))]
    fn decode_into(
        &self,
        py: Python<'_>,
        out: &Bound<'_, PyAny>,
        indices: Vec<usize>,
        threads: usize,
        strict: bool,
        ybr_to_rgb: bool,
        rescales: Option<Vec<(f64, f64)>>,
        max_bytes: Option<u64>,
        segment_byte_order: &str,
        portable: bool,
    ) -> PyResult<(&'static str, Vec<Note>)> {
        self.require(&indices)?;
        let rescales: Vec<Rescale> =
            rescales.unwrap_or_default().into_iter().map(|(slope, intercept)| Rescale { slope, intercept }).collect();
        let limits = Limits::new(max_bytes);
        let segment_byte_order =
            if segment_byte_order == "little" { SegmentByteOrder::Little } else { SegmentByteOrder::Big };
        let (rescale, rescales) = match rescales.as_slice() {
            [all] => (Some(*all), &[][..]),
            each => (None, each),
        };
        let finish = Finish { ybr_to_rgb, rescale };
        let tier = if portable { Tier::PORTABLE } else { Tier::best() };
        let options = Options { finish, segment_byte_order, strict, tier };
        let mut out = ArrayMut::new(out)?;
        let samples = out.samples()?;
        let data = self.data(py);
        let summary = detached(py, |poll| {
            let job = Job { syntax: self.syntax, info: &self.info, limits: &limits, options };
            let output = Output { samples, rescales };
            decode_frames(&job, &self.table, data, &indices, output, threads, poll)
        })?
        .map_err(|error| PyErr::from(Failure::in_frame(&error, self.syntax.uid())))?;
        let notes = summary.tolerated.into_iter().map(|(index, tolerated)| note(index, tolerated)).collect();
        Ok((summary.path, notes))
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
    fn require(&self, indices: &[usize]) -> PyResult<()> {
        let frames = self.table.frames();
        match indices.iter().find(|index| **index >= frames) {
            Some(index) => Err(PyIndexError::new_err(format!("frame {index} asked for, there are {frames}"))),
            None => Ok(()),
        }
    }

    fn data<'a>(&'a self, py: Python<'a>) -> PixelData<'a> {
        let extended = self
            .extended
            .as_ref()
            .map(|(offsets, lengths)| ExtendedOffsets { offsets: offsets.as_bytes(py), lengths: lengths.as_bytes(py) });
        PixelData { value: self.value.as_bytes(py), extended }
    }
}

fn failed(error: &DecodeError, transfer_syntax: &str) -> PyErr {
    Failure { transfer_syntax: Some(transfer_syntax), ..Failure::of(error) }.into()
}

fn unsupported(uid: &str, known: Option<TransferSyntax>) -> DecodeError {
    let name = known.map_or(uid, |syntax| syntax.keyword());
    DecodeError::new(ErrorKind::Unsupported, format!("no codec for transfer syntax {name}"), "PS3.5 Annex A")
}

fn sample_kind(is_float: bool, pixel_representation: u32) -> Result<SampleKind, DecodeError> {
    match (is_float, pixel_representation) {
        (true, _) => Ok(SampleKind::Float),
        (false, 0) => Ok(SampleKind::Unsigned),
        (false, 1) => Ok(SampleKind::Signed),
        (false, other) => Err(DecodeError::new(
            ErrorKind::Malformed,
            format!("pixel representation {other} found, 0 or 1 expected"),
            "PS3.3 C.7.6.3",
        )),
    }
}

fn note(index: Option<usize>, tolerated: Tolerated) -> Note {
    (index, tolerated.what.into_owned(), tolerated.clause, tolerated.offset)
}
