//! What a frame is said to be ([`FrameInfo`]), the memory it goes to ([`SamplesMut`]) and what its bytes said ([`Decoded`]).

use crate::error::{DecodeError, Result, malformed, unsupported};
use std::borrow::Cow;

pub use crate::sample::{Samples, SamplesBuf, SamplesMut};

/// Photometric Interpretation (0028,0004) as far as decoding depends on it (PS3.3 C.7.6.3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotometricInterpretation {
    /// `YBR_FULL`: luminance and two colour differences, all at full resolution.
    YbrFull,
    /// `YBR_FULL_422`: the colour differences at half the horizontal resolution.
    YbrFull422,
    /// `RGB`.
    Rgb,
    /// Any other term: samples are passed through as they are.
    Other,
}

impl PhotometricInterpretation {
    /// The term of the data set; surrounding spaces are ignored.
    #[must_use]
    pub fn from_term(term: &str) -> Self {
        match term.trim_matches(['\0', ' ']) {
            "YBR_FULL" => Self::YbrFull,
            "YBR_FULL_422" => Self::YbrFull422,
            "RGB" => Self::Rgb,
            _ => Self::Other,
        }
    }
}

/// What the samples are numbers of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// Pixel Data (7FE0,0010), Pixel Representation 0.
    Unsigned,
    /// Pixel Data (7FE0,0010), Pixel Representation 1: two's complement.
    Signed,
    /// Float Pixel Data (7FE0,0008) or Double Float Pixel Data (7FE0,0009).
    Float,
}

/// The Image Pixel attributes as the data set states them, unchecked (PS3.3 C.7.6.3).
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

/// The Image Pixel attributes of every frame of an object, checked once: whoever holds one may trust it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    attributes: Attributes,
    pixels: usize,
    samples: usize,
}

/// Where the value lies within the bits of a sample (PS3.5 8.1.1), when it does not fill them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBits {
    /// Bits below the value: High Bit + 1 - Bits Stored.
    pub shift: u32,
    /// Bits Stored.
    pub bits: u32,
    /// Whether the value is two's complement, so that its top bit is extended.
    pub signed: bool,
}

impl FrameInfo {
    /// Checks the attributes against each other and against what a decoder can hold.
    ///
    /// # Errors
    /// `Malformed` for values that no image has, `Unsupported` for Bits Allocated that no array holds.
    ///
    /// # Standard
    /// PS3.3 C.7.6.3, PS3.5 8.1.1.
    pub fn new(attributes: Attributes) -> Result<Self> {
        let a = attributes;
        let clause = "PS3.3 C.7.6.3";
        if a.rows == 0 || a.columns == 0 || a.rows > 65_535 || a.columns > 65_535 {
            return Err(malformed(
                format!("rows {} and columns {} found, 1 to 65535 expected", a.rows, a.columns),
                clause,
            ));
        }
        if !(1..=4).contains(&a.samples_per_pixel) {
            return Err(malformed(format!("samples per pixel {} found, 1 to 4 expected", a.samples_per_pixel), clause));
        }
        if a.planar_configuration > 1 {
            return Err(malformed(
                format!("planar configuration {} found, 0 or 1 expected", a.planar_configuration),
                clause,
            ));
        }
        if a.bits_allocated == 0 || a.bits_allocated > 1 && !a.bits_allocated.is_multiple_of(8) {
            return Err(malformed(
                format!("bits allocated {} found, 1 or a multiple of 8 expected", a.bits_allocated),
                "PS3.5 8.1.1",
            ));
        }
        let held = match a.sample_kind {
            SampleKind::Float => matches!(a.bits_allocated, 32 | 64),
            _ => matches!(a.bits_allocated, 1 | 8 | 16 | 32 | 64),
        };
        if !held {
            return Err(unsupported(format!("bits allocated {} has no array type", a.bits_allocated), "PS3.5 8.1.1"));
        }
        if a.sample_kind != SampleKind::Float {
            if a.bits_stored == 0 || a.bits_stored > a.bits_allocated {
                return Err(malformed(
                    format!("bits stored {} found, 1 to bits allocated {} expected", a.bits_stored, a.bits_allocated),
                    "PS3.5 8.1.1",
                ));
            }
            if a.high_bit >= a.bits_allocated || a.high_bit + 1 < a.bits_stored {
                return Err(malformed(
                    format!(
                        "high bit {} found, {} to {} expected with bits stored {} of {}",
                        a.high_bit,
                        a.bits_stored - 1,
                        a.bits_allocated - 1,
                        a.bits_stored,
                        a.bits_allocated
                    ),
                    "PS3.5 8.1.1",
                ));
            }
        }
        if a.bits_allocated == 1 && a.samples_per_pixel != 1 {
            return Err(unsupported("bits allocated 1 with more than one sample per pixel", "PS3.5 8.1.1"));
        }
        let too_large = || unsupported("one frame is larger than the address space", "PS3.3 C.7.6.3");
        let pixels = usize::try_from(u64::from(a.rows) * u64::from(a.columns)).map_err(|_| too_large())?;
        let samples = pixels.checked_mul(a.samples_per_pixel as usize).ok_or_else(too_large)?;
        samples.checked_mul(8).filter(|bytes| isize::try_from(*bytes).is_ok()).ok_or_else(too_large)?;
        Ok(Self { attributes, pixels, samples })
    }

    /// The attributes that were checked.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
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

    /// Whether samples are packed, eight to a byte.
    #[must_use]
    pub const fn is_bit_packed(&self) -> bool {
        self.attributes.bits_allocated == 1
    }

    /// Whether the samples are two's complement.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.attributes.sample_kind == SampleKind::Signed && !self.is_bit_packed()
    }

    /// Whether the samples are floating-point numbers.
    #[must_use]
    pub fn is_float(&self) -> bool {
        self.attributes.sample_kind == SampleKind::Float
    }

    /// Where the value lies in a sample, or `None` where it fills it.
    #[must_use]
    pub fn stored_bits(&self) -> Option<StoredBits> {
        let a = &self.attributes;
        (!self.is_float() && a.bits_stored < a.bits_allocated).then(|| StoredBits {
            shift: a.high_bit + 1 - a.bits_stored,
            bits: a.bits_stored,
            signed: self.is_signed(),
        })
    }

    /// Element type of the stored values, as NumPy spells it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match (self.sample_bytes(), self.is_signed(), self.is_float()) {
            (4, _, true) => "float32",
            (_, _, true) => "float64",
            (1, false, _) => "uint8",
            (1, true, _) => "int8",
            (2, false, _) => "uint16",
            (2, true, _) => "int16",
            (4, false, _) => "uint32",
            (4, true, _) => "int32",
            (_, false, _) => "uint64",
            (_, true, _) => "int64",
        }
    }

    /// Whether its colour is luminance and two colour differences.
    #[must_use]
    pub fn is_ybr(&self) -> bool {
        let term = self.attributes.photometric_interpretation;
        self.samples_per_pixel() == 3
            && matches!(term, PhotometricInterpretation::YbrFull | PhotometricInterpretation::YbrFull422)
    }

    /// Whether its colour is red, green and blue.
    #[must_use]
    pub fn is_rgb(&self) -> bool {
        self.samples_per_pixel() == 3 && self.attributes.photometric_interpretation == PhotometricInterpretation::Rgb
    }

    /// Whether a native frame has its colour differences at half the horizontal resolution.
    #[must_use]
    pub fn is_native_422(&self) -> bool {
        self.samples_per_pixel() == 3
            && self.attributes.photometric_interpretation == PhotometricInterpretation::YbrFull422
    }
}

/// The bytes of one frame. They may begin within a byte when Bits Allocated is 1 (PS3.5 8.1.1).
#[derive(Debug, Clone, Copy)]
pub struct FrameBytes<'a> {
    /// All bytes that hold any of the frame.
    pub bytes: &'a [u8],
    /// Bits of the first byte that belong to the frame before: 0 to 7.
    pub offset_bits: u32,
}

impl<'a> From<&'a [u8]> for FrameBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, offset_bits: 0 }
    }
}

/// A departure from the standard that did not keep the samples from being exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// One lower-case line.
    pub what: Cow<'static, str>,
    /// The rule that was broken.
    pub clause: &'static str,
    /// Bytes from the start of the frame.
    pub offset: Option<u64>,
}

impl Deviation {
    /// A departure from `clause`.
    #[must_use]
    pub fn new(what: impl Into<Cow<'static, str>>, clause: &'static str) -> Self {
        Self { what: what.into(), clause, offset: None }
    }

    /// The same departure at `offset` bytes from the start of the frame.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset as u64);
        self
    }

    /// What it is where nothing is tolerated.
    #[must_use]
    pub fn into_error(self) -> DecodeError {
        let error = malformed(self.what, self.clause);
        match self.offset {
            Some(offset) => error.at(usize::try_from(offset).unwrap_or(usize::MAX)),
            None => error,
        }
    }
}

/// What the codestream said of itself. Codecs return it; nobody's state is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Bits of a sample as the codestream states them.
    pub precision: Option<u32>,
    /// Which instructions decoded it: `portable`, `x86-64-v3` or `x86-64-v4`.
    pub path: &'static str,
    /// What was not as the standard wants it.
    pub deviations: Vec<Deviation>,
}
