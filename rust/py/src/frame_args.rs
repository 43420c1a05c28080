//! What Python states, as the core's types; and what the core notes, as Python has it.

use crate::errors::Failure;
use dicoxide_core::{
    Attributes, DecodeError, Deviation, EntropyMode, ErrorKind, FrameInfo, PhotometricInterpretation, SampleKind,
    SegmentByteOrder,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

/// What is noted of a departure: frame index or None, text, clause, byte offset or None.
pub(crate) type Note = (Option<usize>, String, &'static str, Option<u64>);

/// One frame's samples, and what was tolerated in it.
pub(crate) type Decoded<'py> = (Bound<'py, PyByteArray>, Vec<Note>);

pub(crate) fn failed(error: &DecodeError, transfer_syntax: &str) -> PyErr {
    Failure { transfer_syntax: Some(transfer_syntax), ..Failure::of(error) }.into()
}

/// The attributes as Python states them.
pub(crate) struct FrameArgs<'a> {
    pub(crate) rows: i64,
    pub(crate) columns: i64,
    pub(crate) samples_per_pixel: i64,
    pub(crate) bits_allocated: i64,
    pub(crate) bits_stored: i64,
    pub(crate) high_bit: i64,
    pub(crate) pixel_representation: i64,
    pub(crate) planar_configuration: i64,
    pub(crate) photometric_interpretation: &'a str,
    pub(crate) is_float: bool,
}

impl FrameArgs<'_> {
    pub(crate) fn checked(&self) -> Result<FrameInfo, DecodeError> {
        let refused = |text: String| DecodeError::new(ErrorKind::Malformed, text, "PS3.3 C.7.6.3");
        let number = |name: &str, value: i64| {
            u32::try_from(value).map_err(|_| refused(format!("{name} {value} found, a number of 32 bits expected")))
        };
        FrameInfo::new(Attributes {
            rows: number("rows", self.rows)?,
            columns: number("columns", self.columns)?,
            samples_per_pixel: number("samples per pixel", self.samples_per_pixel)?,
            bits_allocated: number("bits allocated", self.bits_allocated)?,
            bits_stored: number("bits stored", self.bits_stored)?,
            high_bit: number("high bit", self.high_bit)?,
            sample_kind: match (self.is_float, self.pixel_representation) {
                (true, _) => SampleKind::Float,
                (false, 0) => SampleKind::Unsigned,
                (false, 1) => SampleKind::Signed,
                (false, other) => {
                    return Err(refused(format!("pixel representation {other} found, 0 or 1 expected")));
                }
            },
            planar_configuration: number("planar configuration", self.planar_configuration)?,
            photometric_interpretation: PhotometricInterpretation::from_term(self.photometric_interpretation),
        })
    }
}

pub(crate) fn order(segment_byte_order: &str) -> PyResult<SegmentByteOrder> {
    match segment_byte_order {
        "big" => Ok(SegmentByteOrder::Big),
        "little" => Ok(SegmentByteOrder::Little),
        other => Err(PyValueError::new_err(format!("segment_byte_order is 'big' or 'little', not '{other}'"))),
    }
}

pub(crate) fn way_named(name: &str) -> PyResult<EntropyMode> {
    let found = EntropyMode::ALL.into_iter().find(|way| way.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("way is 'serial', 'lanes' or 'speculative', not '{name}'")))
}

pub(crate) fn note(index: Option<usize>, deviations: Deviation) -> Note {
    (index, deviations.what.into_owned(), deviations.clause, deviations.offset)
}
