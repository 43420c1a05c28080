//! The Image Pixel attributes (PS3.3 C.7.6.3), read from a data set and validated.

use crate::element::Tag;
use crate::object::Object;
use crate::parse::{Attribute, Parsed, is_number, number, term};
use dicoxide_core::{Attributes, DecodeError, ErrorKind, FrameInfo, PhotometricInterpretation, Result, SampleKind};

pub(crate) const CLAUSE: &str = "PS3.3 C.7.6.3";

pub(crate) const SAMPLES_PER_PIXEL: Attribute = Attribute::new(0x0028_0002, "SamplesPerPixel", b"US");
pub(crate) const PHOTOMETRIC_INTERPRETATION: Attribute =
    Attribute::new(0x0028_0004, "PhotometricInterpretation", b"CS");
pub(crate) const PLANAR_CONFIGURATION: Attribute = Attribute::new(0x0028_0006, "PlanarConfiguration", b"US");
pub(crate) const NUMBER_OF_FRAMES: Attribute = Attribute::new(0x0028_0008, "NumberOfFrames", b"IS");
pub(crate) const ROWS: Attribute = Attribute::new(0x0028_0010, "Rows", b"US");
pub(crate) const COLUMNS: Attribute = Attribute::new(0x0028_0011, "Columns", b"US");
pub(crate) const BITS_ALLOCATED: Attribute = Attribute::new(0x0028_0100, "BitsAllocated", b"US");
pub(crate) const BITS_STORED: Attribute = Attribute::new(0x0028_0101, "BitsStored", b"US");
pub(crate) const HIGH_BIT: Attribute = Attribute::new(0x0028_0102, "HighBit", b"US");
pub(crate) const PIXEL_REPRESENTATION: Attribute = Attribute::new(0x0028_0103, "PixelRepresentation", b"US");
/// The elements that hold pixel data, and their keywords.
pub(crate) const PIXEL_DATA: [(Tag, &str); 3] = [
    (Tag::PIXEL_DATA, "PixelData"),
    (Tag::FLOAT_PIXEL_DATA, "FloatPixelData"),
    (Tag::DOUBLE_FLOAT_PIXEL_DATA, "DoubleFloatPixelData"),
];

/// Image Pixel attributes as a data set, or a caller, declares them: defaults are not filled in, nothing is validated.
#[derive(Debug, Clone, Copy)]
pub struct DeclaredAttributes<'a> {
    /// Rows (0028,0010), in pixels.
    pub rows: u32,
    /// Columns (0028,0011), in pixels.
    pub columns: u32,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u32,
    /// Bits Allocated (0028,0100); ignored for float pixel data, whose element determines it.
    pub bits_allocated: u32,
    /// Bits Stored (0028,0101); Bits Allocated by default. Ignored for float pixel data.
    pub bits_stored: Option<u32>,
    /// High Bit (0028,0102); Bits Stored - 1 by default. Ignored for float pixel data.
    pub high_bit: Option<u32>,
    /// Pixel Representation (0028,0103); ignored for float pixel data.
    pub pixel_representation: u32,
    /// Planar Configuration (0028,0006).
    pub planar_configuration: u32,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: &'a str,
    /// Keyword of the element that holds the pixel data.
    pub pixel_keyword: &'a str,
}

impl DeclaredAttributes<'_> {
    /// Fills in defaults and validates.
    ///
    /// # Errors
    /// `Malformed` or `Unsupported` if no image has these attributes.
    pub fn info(&self) -> Result<FrameInfo> {
        let float_bits = match self.pixel_keyword {
            "PixelData" => None,
            "FloatPixelData" => Some(32),
            "DoubleFloatPixelData" => Some(64),
            other => {
                let [integer, single, double] = PIXEL_DATA.map(|(_, keyword)| keyword);
                let text = format!("pixel data element {other} found, {integer}, {single} or {double} expected");
                return Err(DecodeError::new(ErrorKind::Malformed, text, CLAUSE));
            }
        };
        let mut error = None;
        let sample_kind = match (float_bits, self.pixel_representation) {
            (Some(_), _) => SampleKind::Float,
            (None, 0) => SampleKind::Unsigned,
            (None, 1) => SampleKind::Signed,
            (None, other) => {
                let text = format!("pixel representation {other} found, 0 or 1 expected");
                error = Some(DecodeError::new(ErrorKind::Malformed, text, CLAUSE));
                SampleKind::Unsigned
            }
        };
        let (bits_allocated, bits_stored, high_bit) = match float_bits {
            Some(bits) => (bits, bits, bits - 1),
            None => {
                let bits_stored = self.bits_stored.unwrap_or(self.bits_allocated);
                (self.bits_allocated, bits_stored, self.high_bit.unwrap_or(bits_stored.saturating_sub(1)))
            }
        };
        let attributes = Attributes {
            rows: self.rows,
            columns: self.columns,
            samples_per_pixel: self.samples_per_pixel,
            bits_allocated,
            bits_stored,
            high_bit,
            sample_kind,
            planar_configuration: self.planar_configuration,
            photometric_interpretation: PhotometricInterpretation::from_term(self.photometric_interpretation),
        };
        FrameInfo::new_with_error(attributes, error)
    }
}

/// Reads attributes of an object's data set, and collects what is wrong with them, so that one error names all.
pub(crate) struct AttributeReader<'a> {
    object: &'a Object,
    problems: Vec<String>,
}

impl<'a> AttributeReader<'a> {
    pub(crate) const fn new(object: &'a Object) -> Self {
        Self { object, problems: Vec::new() }
    }

    /// Reads a number; an attribute that is absent, empty or not a number is a problem.
    pub(crate) fn required(&mut self, attribute: &Attribute) -> Result<u32> {
        let problem_count = self.problems.len();
        let number = self.optional(attribute)?;
        if number.is_none() && self.problems.len() == problem_count {
            self.add_problem(attribute, "is missing");
        }
        Ok(number.unwrap_or_default())
    }

    /// Adds a problem of an attribute.
    pub(crate) fn add_problem(&mut self, attribute: &Attribute, problem: &str) {
        self.problems.push(format!("{} {problem}", attribute.keyword));
    }

    /// Returns the error that names all problems, if there is one.
    pub(crate) fn finish(self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(DecodeError::new(ErrorKind::Mismatch, self.problems.join(", "), CLAUSE))
    }

    /// Reads a number of 32 bits; `None` if the attribute is absent or empty. Another value is a problem.
    pub(crate) fn optional(&mut self, attribute: &Attribute) -> Result<Option<u32>> {
        let Some(element) = self.object.data_set().get(attribute.tag) else { return Ok(None) };
        let parsed = number(element, attribute.vr, &self.object.read_attribute(element)?);
        match parsed {
            Parsed::Empty => return Ok(None),
            Parsed::Integer(value) => {
                if let Ok(value) = u32::try_from(value) {
                    return Ok(Some(value));
                }
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer within the range")]
            Parsed::Real(value) if value >= 0.0 && value.fract() == 0.0 && value <= f64::from(u32::MAX) => {
                return Ok(Some(value as u32));
            }
            Parsed::Real(_) | Parsed::Other(_) => {}
        }
        self.add_problem(attribute, &format!("is {parsed}, a number expected"));
        Ok(None)
    }

    /// Reads a defined term; empty if the attribute is absent.
    pub(crate) fn term(&self, attribute: &Attribute) -> Result<String> {
        let element = self.object.data_set().get(attribute.tag);
        let bytes = element.map(|element| self.object.read_attribute(element)).transpose()?.unwrap_or_default();
        match element.filter(|element| element.vr.is_some_and(|vr| is_number(&vr))) {
            // Not a term: the value is shown as a number, as pydicom reads it.
            Some(element) if !bytes.is_empty() => Ok(number(element, attribute.vr, &bytes).to_string()),
            _ => Ok(term(&bytes)),
        }
    }
}
