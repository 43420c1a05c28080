//! Objects that Python and Rust pass to each other: `FrameSpec`, `DecodeOptions` and `Deviation` of the package.
//!
//! All three are `NamedTuple`s. They are read by position, because a small frame decodes in a few microseconds, of
//! which eleven lookups by name would be a noticeable part.

use crate::errors::Failure;
use dicoxide_core::{
    CodecOptions, CpuLevel, DecodeError, DecodeOptions, Deviation, EntropyMode, ErrorKind, FrameInfo, OutputOptions,
    RgbConversion, SegmentByteOrder,
};
use dicoxide_part10::DeclaredAttributes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyType};

/// One frame's samples, and its deviations.
pub(crate) type Decoded<'py> = (Bound<'py, PyByteArray>, Vec<FrameDeviation>);

pub(crate) fn failed(error: &DecodeError, transfer_syntax: &str) -> PyErr {
    Failure { transfer_syntax: Some(transfer_syntax), ..Failure::of(error) }.into()
}

/// The transfer syntax and the Image Pixel attributes of a frame: the fields of `dicoxide.FrameSpec`, in its order.
pub(crate) struct FrameArgs<'a> {
    pub(crate) transfer_syntax: &'a str,
    rows: i64,
    columns: i64,
    samples_per_pixel: i64,
    bits_allocated: i64,
    bits_stored: Option<i64>,
    high_bit: Option<i64>,
    pixel_representation: i64,
    planar_configuration: i64,
    photometric_interpretation: &'a str,
    pixel_keyword: &'a str,
}

impl<'a, 'py> FromPyObject<'a, 'py> for FrameArgs<'a> {
    type Error = PyErr;

    fn extract(spec: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let (
            transfer_syntax,
            rows,
            columns,
            samples_per_pixel,
            bits_allocated,
            bits_stored,
            high_bit,
            pixel_representation,
            planar_configuration,
            photometric_interpretation,
            pixel_keyword,
        ) = spec.extract()?;
        Ok(Self {
            transfer_syntax,
            rows,
            columns,
            samples_per_pixel,
            bits_allocated,
            bits_stored,
            high_bit,
            pixel_representation,
            planar_configuration,
            photometric_interpretation,
            pixel_keyword,
        })
    }
}

impl FrameArgs<'_> {
    /// Validates the attributes.
    pub(crate) fn info(&self) -> Result<FrameInfo, DecodeError> {
        let number = |name: &str, value: i64| {
            u32::try_from(value).map_err(|_| {
                let text = format!("{name} {value} found, a number of 32 bits expected");
                DecodeError::new(ErrorKind::Malformed, text, "PS3.3 C.7.6.3")
            })
        };
        let optional = |name: &str, value: Option<i64>| value.map(|value| number(name, value)).transpose();
        DeclaredAttributes {
            rows: number("rows", self.rows)?,
            columns: number("columns", self.columns)?,
            samples_per_pixel: number("samples per pixel", self.samples_per_pixel)?,
            bits_allocated: number("bits allocated", self.bits_allocated)?,
            bits_stored: optional("bits stored", self.bits_stored)?,
            high_bit: optional("high bit", self.high_bit)?,
            pixel_representation: number("pixel representation", self.pixel_representation)?,
            planar_configuration: number("planar configuration", self.planar_configuration)?,
            photometric_interpretation: self.photometric_interpretation,
            pixel_keyword: self.pixel_keyword,
        }
        .info()
    }
}

/// The options of a call: the fields of `dicoxide._options.DecodeOptions`, in its order.
#[derive(Clone, Copy)]
pub(crate) struct OptionArgs {
    pub(crate) threads: usize,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) to_rgb: bool,
    strict: bool,
    segment_byte_order: SegmentByteOrder,
    portable: bool,
    entropy_mode: Option<EntropyMode>,
    pub(crate) reduce: u32,
}

impl Default for OptionArgs {
    fn default() -> Self {
        Self {
            threads: 1,
            max_bytes: None,
            to_rgb: false,
            strict: false,
            segment_byte_order: SegmentByteOrder::Big,
            portable: false,
            entropy_mode: None,
            reduce: 0,
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for OptionArgs {
    type Error = PyErr;

    fn extract(options: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (threads, strict, to_rgb, max_bytes, segment_byte_order, portable, entropy_mode, reduce): (
            usize,
            bool,
            bool,
            Option<u64>,
            &str,
            bool,
            Option<&str>,
            u32,
        ) = options.extract()?;
        Ok(Self {
            threads,
            max_bytes,
            to_rgb,
            strict,
            segment_byte_order: segment_byte_order_named(segment_byte_order)?,
            portable,
            entropy_mode: entropy_mode.map(entropy_mode_named).transpose()?,
            reduce,
        })
    }
}

impl OptionArgs {
    /// Returns the default options with another colour conversion and resolution.
    pub(crate) fn of_output(to_rgb: bool, reduce: u32) -> Self {
        Self { to_rgb, reduce, ..Self::default() }
    }

    /// Returns the core's options. A frame is decoded on one thread; callers that share threads among frames set more.
    pub(crate) fn decode_options(&self) -> DecodeOptions {
        DecodeOptions {
            output: OutputOptions { to_rgb: self.to_rgb.then_some(RgbConversion::Dicom), ..OutputOptions::default() },
            codec: CodecOptions {
                segment_byte_order: self.segment_byte_order,
                entropy_mode: self.entropy_mode.unwrap_or_default(),
            },
            reduce: self.reduce,
            strict: self.strict,
            cpu_level: if self.portable { CpuLevel::PORTABLE } else { CpuLevel::best() },
            ..DecodeOptions::default()
        }
    }
}

fn segment_byte_order_named(name: &str) -> PyResult<SegmentByteOrder> {
    match name {
        "big" => Ok(SegmentByteOrder::Big),
        "little" => Ok(SegmentByteOrder::Little),
        other => Err(PyValueError::new_err(format!("segment_byte_order is 'big' or 'little', not '{other}'"))),
    }
}

fn entropy_mode_named(name: &str) -> PyResult<EntropyMode> {
    EntropyMode::from_name(name).ok_or_else(|| {
        PyValueError::new_err(format!("entropy_mode is 'serial', 'lanes' or 'speculative', not '{name}'"))
    })
}

/// A deviation of a frame, or of the whole value if there is no frame index: Python's `Deviation`.
pub(crate) struct FrameDeviation {
    frame_index: Option<usize>,
    deviation: Deviation,
}

impl FrameDeviation {
    pub(crate) fn new(frame_index: Option<usize>, deviation: Deviation) -> Self {
        Self { frame_index, deviation }
    }
}

impl<'py> IntoPyObject<'py> for FrameDeviation {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let Deviation { message, clause, offset } = self.deviation;
        CLASS.import(py, "dicoxide._deviations", "Deviation")?.call1((self.frame_index, message, clause, offset))
    }
}
