//! Description of one frame: the checked attributes of the data set ([`FrameInfo`]), its bytes ([`FrameBytes`]), and the
//! result of decoding it ([`Decoded`]). The codestream's own description is `CodestreamInfo` in `codestream`.

use crate::error::{DecodeError, ErrorKind, Result, malformed, unsupported};
use crate::sample::{SampleType, StoredBits};
use std::borrow::Cow;

const ATTRIBUTES_CLAUSE: &str = "PS3.3 C.7.6.3";
const CELL_CLAUSE: &str = "PS3.5 8.1.1";

/// Photometric Interpretation (0028,0004) as far as decoding depends on it (PS3.3 C.7.6.3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotometricInterpretation {
    /// `YBR_FULL`: luminance and two colour differences, all at full resolution.
    YbrFull,
    /// `YBR_FULL_422`: the colour differences at half the horizontal resolution.
    YbrFull422,
    /// `RGB`.
    Rgb,
    /// `YBR_PARTIAL_422` or `YBR_PARTIAL_420`, both retired for native samples: subsampled, of reduced range.
    YbrPartial,
    /// Any other term: samples are passed through.
    Other,
    /// Not given: a codestream without a data set, whose own colour applies.
    Undeclared,
}

impl PhotometricInterpretation {
    /// Parses the term of the data set. Surrounding spaces are ignored.
    #[must_use]
    pub fn from_term(term: &str) -> Self {
        match term.trim_matches(['\0', ' ']) {
            "YBR_FULL" => Self::YbrFull,
            "YBR_FULL_422" => Self::YbrFull422,
            "RGB" => Self::Rgb,
            "YBR_PARTIAL_422" | "YBR_PARTIAL_420" => Self::YbrPartial,
            _ => Self::Other,
        }
    }
}

/// Number format of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// Pixel Data (7FE0,0010), Pixel Representation 0.
    Unsigned,
    /// Pixel Data (7FE0,0010), Pixel Representation 1: two's complement.
    Signed,
    /// Float Pixel Data (7FE0,0008) or Double Float Pixel Data (7FE0,0009).
    Float,
}

/// The Image Pixel attributes as the data set declares them, unchecked (PS3.3 C.7.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Rows (0028,0010).
    pub rows: u32,
    /// Columns (0028,0011).
    pub columns: u32,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u32,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: u32,
    /// Bits Stored (0028,0101).
    pub bits_stored: u32,
    /// High Bit (0028,0102).
    pub high_bit: u32,
    /// Pixel Representation (0028,0103), or float.
    pub sample_kind: SampleKind,
    /// Planar Configuration (0028,0006): 0 or 1.
    pub planar_configuration: u32,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: PhotometricInterpretation,
}

impl Attributes {
    /// Returns `error` and one error per attribute that is out of range. An attribute whose range depends on another one
    /// is only checked if that one is valid.
    fn errors(&self, error: Option<DecodeError>) -> Vec<DecodeError> {
        let a = self;
        let mut errors: Vec<_> = error.into_iter().collect();
        let is_side = |pixels| (1..=65_535).contains(&pixels);
        if !is_side(a.rows) || !is_side(a.columns) {
            let text = format!("rows {} and columns {} found, 1 to 65535 expected", a.rows, a.columns);
            errors.push(malformed(text, ATTRIBUTES_CLAUSE));
        }
        if !(1..=4).contains(&a.samples_per_pixel) {
            let text = format!("samples per pixel {} found, 1 to 4 expected", a.samples_per_pixel);
            errors.push(malformed(text, ATTRIBUTES_CLAUSE));
        }
        if a.planar_configuration > 1 {
            let text = format!("planar configuration {} found, 0 or 1 expected", a.planar_configuration);
            errors.push(malformed(text, ATTRIBUTES_CLAUSE));
        }
        if a.bits_allocated == 0 || a.bits_allocated > 1 && !a.bits_allocated.is_multiple_of(8) {
            let text = format!("bits allocated {} found, 1 or a multiple of 8 expected", a.bits_allocated);
            errors.push(malformed(text, CELL_CLAUSE));
            return errors;
        }
        let has_array_type = match a.sample_kind {
            SampleKind::Float => matches!(a.bits_allocated, 32 | 64),
            _ => matches!(a.bits_allocated, 1 | 8 | 16 | 32 | 64),
        };
        if !has_array_type {
            errors.push(unsupported(format!("bits allocated {} has no array type", a.bits_allocated), CELL_CLAUSE));
        }
        if a.sample_kind != SampleKind::Float {
            if a.bits_stored == 0 || a.bits_stored > a.bits_allocated {
                let text =
                    format!("bits stored {} found, 1 to bits allocated {} expected", a.bits_stored, a.bits_allocated);
                errors.push(malformed(text, CELL_CLAUSE));
            } else if a.high_bit >= a.bits_allocated || a.high_bit + 1 < a.bits_stored {
                let text = format!(
                    "high bit {} found, {} to {} expected with bits stored {} of {}",
                    a.high_bit,
                    a.bits_stored - 1,
                    a.bits_allocated - 1,
                    a.bits_stored,
                    a.bits_allocated
                );
                errors.push(malformed(text, CELL_CLAUSE));
            }
        }
        if a.bits_allocated == 1 && (2..=4).contains(&a.samples_per_pixel) {
            errors.push(unsupported("bits allocated 1 with more than one sample per pixel", CELL_CLAUSE));
        }
        errors
    }
}

/// Returns one error with all messages, which has kind and clause of the first `Malformed` one; `None` without errors.
///
/// A fallback decoder is asked only if the kind is `Unsupported`: no attribute is invalid then.
fn join_errors(errors: &[DecodeError]) -> Option<DecodeError> {
    let main = errors.iter().find(|error| error.kind() == ErrorKind::Malformed).or(errors.first())?;
    let messages: Vec<_> = errors.iter().map(DecodeError::message).collect();
    Some(DecodeError::new(main.kind(), messages.join("; "), main.clause()))
}

/// The Image Pixel attributes of every frame of an object. Constructing one checks them, so decoders need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    attributes: Attributes,
    pixels: usize,
    samples: usize,
}

impl FrameInfo {
    /// Checks the attributes against each other and against the element types that arrays have.
    ///
    /// # Errors
    /// `Malformed` for values that no image has, `Unsupported` for Bits Allocated without an array type. One error names
    /// all attributes that are out of range.
    ///
    /// # Standard
    /// PS3.3 C.7.6.3, PS3.5 8.1.1.
    pub fn new(attributes: Attributes) -> Result<Self> {
        Self::new_with_error(attributes, None)
    }

    /// Checks as [`Self::new`] does, and adds `error`, which the caller found in an attribute that `attributes` cannot hold.
    ///
    /// # Errors
    /// As [`Self::new`], and `error`.
    pub fn new_with_error(attributes: Attributes, error: Option<DecodeError>) -> Result<Self> {
        let a = attributes;
        if let Some(error) = join_errors(&a.errors(error)) {
            return Err(error);
        }
        let too_large = || unsupported("one frame is larger than the address space", ATTRIBUTES_CLAUSE);
        let pixels = usize::try_from(u64::from(a.rows) * u64::from(a.columns)).map_err(|_| too_large())?;
        let samples = pixels.checked_mul(a.samples_per_pixel as usize).ok_or_else(too_large)?;
        samples.checked_mul(8).filter(|bytes| isize::try_from(*bytes).is_ok()).ok_or_else(too_large)?;
        Ok(Self { attributes, pixels, samples })
    }

    /// The attributes, checked.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The attributes of the frame with `reduce` resolutions discarded: each halves rows and columns, rounded up.
    #[must_use]
    pub fn reduced(&self, reduce: u32) -> Self {
        let step = 1_u32.checked_shl(reduce).unwrap_or(u32::MAX);
        let rows = self.attributes.rows.div_ceil(step);
        let columns = self.attributes.columns.div_ceil(step);
        // No more pixels than before, which fit.
        let pixels = rows as usize * columns as usize;
        let attributes = Attributes { rows, columns, ..self.attributes };
        Self { attributes, pixels, samples: pixels * self.samples_per_pixel() }
    }

    /// The attributes with other stored bits: the lowest `bits` bits of a sample, at most Bits Allocated.
    #[must_use]
    pub fn with_stored_bits(&self, bits: u32) -> Self {
        let bits_stored = bits.clamp(1, self.attributes.bits_allocated);
        Self { attributes: Attributes { bits_stored, high_bit: bits_stored - 1, ..self.attributes }, ..*self }
    }

    /// Rows × Columns.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.pixels
    }

    /// Rows × Columns × Samples per Pixel.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// Samples per Pixel, 1 to 4.
    #[must_use]
    pub const fn samples_per_pixel(&self) -> usize {
        self.attributes.samples_per_pixel as usize
    }

    /// Bytes of one decoded sample: 1, 2, 4 or 8 (1 for Bits Allocated 1).
    #[must_use]
    pub const fn sample_bytes(&self) -> usize {
        (self.attributes.bits_allocated as usize).div_ceil(8)
    }

    /// True if samples are packed, eight to a byte.
    #[must_use]
    pub const fn is_bit_packed(&self) -> bool {
        self.attributes.bits_allocated == 1
    }

    /// True if the samples are two's complement.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.attributes.sample_kind == SampleKind::Signed && !self.is_bit_packed()
    }

    /// True if the samples are floating-point numbers.
    #[must_use]
    pub fn is_float(&self) -> bool {
        self.attributes.sample_kind == SampleKind::Float
    }

    /// Position of the value within a sample, or `None` if it fills the sample.
    #[must_use]
    pub fn stored_bits(&self) -> Option<StoredBits> {
        let a = &self.attributes;
        (!self.is_float() && a.bits_stored < a.bits_allocated).then(|| StoredBits {
            shift: a.high_bit + 1 - a.bits_stored,
            bits: a.bits_stored,
            signed: self.is_signed(),
        })
    }

    /// Bits of a decoded sample that hold its value.
    #[must_use]
    pub fn value_bits(&self) -> u32 {
        let sample_bits = u32::try_from(self.sample_bytes()).unwrap_or(0) * 8;
        self.stored_bits().map_or(sample_bits, |stored| stored.bits)
    }

    /// Element type of the decoded samples, before any rescale.
    #[must_use]
    pub fn sample_type(&self) -> SampleType {
        match (self.sample_bytes(), self.is_signed(), self.is_float()) {
            (4, _, true) => SampleType::F32,
            (_, _, true) => SampleType::F64,
            (1, false, _) => SampleType::U8,
            (1, true, _) => SampleType::I8,
            (2, false, _) => SampleType::U16,
            (2, true, _) => SampleType::I16,
            (4, false, _) => SampleType::U32,
            (4, true, _) => SampleType::I32,
            (_, false, _) => SampleType::U64,
            (_, true, _) => SampleType::I64,
        }
    }

    /// True if the data set declares luminance and two colour differences.
    #[must_use]
    pub fn is_ybr(&self) -> bool {
        let term = self.attributes.photometric_interpretation;
        self.samples_per_pixel() == 3
            && matches!(term, PhotometricInterpretation::YbrFull | PhotometricInterpretation::YbrFull422)
    }

    /// True if the data set declares red, green and blue.
    #[must_use]
    pub fn is_rgb(&self) -> bool {
        self.samples_per_pixel() == 3 && self.attributes.photometric_interpretation == PhotometricInterpretation::Rgb
    }

    /// True if native samples are subsampled in a form that is not decoded.
    #[must_use]
    pub fn is_ybr_partial(&self) -> bool {
        self.samples_per_pixel() == 3
            && self.attributes.photometric_interpretation == PhotometricInterpretation::YbrPartial
    }

    /// True if a native frame stores its colour differences at half the horizontal resolution.
    #[must_use]
    pub fn is_native_422(&self) -> bool {
        self.samples_per_pixel() == 3
            && self.attributes.photometric_interpretation == PhotometricInterpretation::YbrFull422
    }
}

/// The bytes of one frame. Frames of packed bits may begin within a byte (PS3.5 8.1.1).
#[derive(Debug, Clone, Copy)]
pub struct FrameBytes<'a> {
    /// Every byte that holds a part of the frame.
    pub bytes: &'a [u8],
    /// Bits of the first byte that belong to the previous frame: 0 to 7.
    pub offset_bits: u32,
}

impl<'a> From<&'a [u8]> for FrameBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, offset_bits: 0 }
    }
}

/// A recoverable violation of the standard: the frame decodes with a warning, or is an error with `strict`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// Found and expected: one lower-case line.
    pub message: Cow<'static, str>,
    /// Clause that is violated.
    pub clause: &'static str,
    /// Bytes from the start of the frame.
    pub offset: Option<u64>,
}

impl Deviation {
    /// A violation of `clause`.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>, clause: &'static str) -> Self {
        Self { message: message.into(), clause, offset: None }
    }

    /// Sets the offset: bytes from the start of the frame.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset as u64);
        self
    }

    /// The error that it is in a strict call.
    #[must_use]
    pub fn into_error(self) -> DecodeError {
        let error = malformed(self.message, self.clause);
        match self.offset {
            Some(offset) => error.at(usize::try_from(offset).unwrap_or(usize::MAX)),
            None => error,
        }
    }
}

/// Report of one decoded frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Code path that decoded it: a CPU level (`portable`, `x86-64-v3`, `x86-64-v4`), and the entropy mode if the codec
    /// has several.
    pub code_path: &'static str,
    /// Deviations of the frame.
    pub deviations: Vec<Deviation>,
}
