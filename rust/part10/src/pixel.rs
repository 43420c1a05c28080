//! What an object says of its image: the Image Pixel attributes (PS3.3 C.7.6.3), and where the pixel data lie.

use crate::element::{Element, Tag};
use crate::element_reader::find_delimiter;
use crate::object::Object;
use crate::parse::{Attribute, Parsed, number, untrimmed};
use crate::window::Window;
use dicoxide_core::codec::{Codec, find_codec, find_frame_format};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, PixelData};
use dicoxide_core::value::read_exactly;
use dicoxide_core::{
    Attributes, DecodeError, ErrorKind, FrameInfo, PhotometricInterpretation, Result, SampleKind, TransferSyntax,
};

const CLAUSE: &str = "PS3.3 C.7.6.3";

const SAMPLES_PER_PIXEL: Attribute = Attribute::new(0x0028_0002, "SamplesPerPixel", b"US");
const PHOTOMETRIC_INTERPRETATION: Attribute = Attribute::new(0x0028_0004, "PhotometricInterpretation", b"CS");
const PLANAR_CONFIGURATION: Attribute = Attribute::new(0x0028_0006, "PlanarConfiguration", b"US");
const NUMBER_OF_FRAMES: Attribute = Attribute::new(0x0028_0008, "NumberOfFrames", b"IS");
const ROWS: Attribute = Attribute::new(0x0028_0010, "Rows", b"US");
const COLUMNS: Attribute = Attribute::new(0x0028_0011, "Columns", b"US");
const BITS_ALLOCATED: Attribute = Attribute::new(0x0028_0100, "BitsAllocated", b"US");
const BITS_STORED: Attribute = Attribute::new(0x0028_0101, "BitsStored", b"US");
const HIGH_BIT: Attribute = Attribute::new(0x0028_0102, "HighBit", b"US");
const PIXEL_REPRESENTATION: Attribute = Attribute::new(0x0028_0103, "PixelRepresentation", b"US");
const EXTENDED_OFFSET_TABLE: Tag = Tag(0x7FE0_0001);
const EXTENDED_OFFSET_TABLE_LENGTHS: Tag = Tag(0x7FE0_0002);
const PIXEL_DATA: [(Tag, &str); 3] =
    [(Tag(0x7FE0_0010), "PixelData"), (Tag(0x7FE0_0008), "FloatPixelData"), (Tag(0x7FE0_0009), "DoubleFloatPixelData")];

const PIXEL_DATA_KEYWORDS: [&str; 3] = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"];

/// Whether a tag is one of the three that hold pixel data.
pub(crate) fn is_pixel_data(tag: Tag) -> bool {
    PIXEL_DATA.iter().any(|(pixel_data, _)| *pixel_data == tag)
}

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
                let text =
                    format!("pixel data element {other} found, one of {} expected", PIXEL_DATA_KEYWORDS.join(", "));
                return Err(DecodeError::new(ErrorKind::Malformed, text, CLAUSE));
            }
        };
        let sample_kind = match (float_bits, self.pixel_representation) {
            (Some(_), _) => SampleKind::Float,
            (None, 0) => SampleKind::Unsigned,
            (None, 1) => SampleKind::Signed,
            (None, other) => {
                let text = format!("pixel representation {other} found, 0 or 1 expected");
                return Err(DecodeError::new(ErrorKind::Malformed, text, CLAUSE));
            }
        };
        let (bits_allocated, bits_stored, high_bit) = match float_bits {
            Some(bits) => (bits, bits, bits - 1),
            None => {
                let bits_stored = self.bits_stored.unwrap_or(self.bits_allocated);
                (self.bits_allocated, bits_stored, self.high_bit.unwrap_or(bits_stored.saturating_sub(1)))
            }
        };
        FrameInfo::new(Attributes {
            rows: self.rows,
            columns: self.columns,
            samples_per_pixel: self.samples_per_pixel,
            bits_allocated,
            bits_stored,
            high_bit,
            sample_kind,
            planar_configuration: self.planar_configuration,
            photometric_interpretation: PhotometricInterpretation::from_term(self.photometric_interpretation),
        })
    }
}

/// The image of an object, as it is stated: numbers are of 32 bits, nothing else is checked.
#[derive(Debug, Clone)]
pub struct Image {
    /// UID of the transfer syntax.
    pub transfer_syntax: String,
    /// Keyword of the element that holds the pixel data.
    pub pixel_keyword: &'static str,
    /// Rows (0028,0010).
    pub rows: u32,
    /// Columns (0028,0011).
    pub columns: u32,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u32,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: u32,
    /// Bits Stored (0028,0101); none of float pixel data.
    pub bits_stored: Option<u32>,
    /// High Bit (0028,0102), where there is one.
    pub high_bit: Option<u32>,
    /// Pixel Representation (0028,0103).
    pub pixel_representation: u32,
    /// Planar Configuration (0028,0006).
    pub planar_configuration: u32,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Number of Frames (0028,0008), where there is one.
    pub number_of_frames: Option<u32>,
    /// The Extended Offset Table and its Lengths, where there are both.
    pub extended_offsets: Option<(Vec<u8>, Vec<u8>)>,
    /// The element that holds the pixel data.
    pub element: Element,
}

impl Image {
    /// The image of `object`.
    ///
    /// # Errors
    /// `Mismatch` if attributes are missing or no numbers, or there is not exactly one element with pixel data;
    /// `Unsupported` if encapsulated pixel data lack a transfer syntax; `Io`.
    pub(crate) fn of(object: &Object) -> Result<Self> {
        let (element, pixel_keyword) = pixel_data(object)?;
        let transfer_syntax = object.transfer_syntax_of(&element)?;
        let numbers = Numbers { object };
        if numbers.is_missing(&PHOTOMETRIC_INTERPRETATION)? {
            return Err(wrong(&PHOTOMETRIC_INTERPRETATION, "is missing"));
        }
        let samples_per_pixel = numbers.required(&SAMPLES_PER_PIXEL)?;
        let is_float = pixel_keyword != "PixelData";
        let image = Self {
            rows: numbers.required(&ROWS)?,
            columns: numbers.required(&COLUMNS)?,
            samples_per_pixel,
            bits_allocated: numbers.required(&BITS_ALLOCATED)?,
            bits_stored: if is_float { None } else { Some(numbers.required(&BITS_STORED)?) },
            high_bit: if is_float { None } else { numbers.optional(&HIGH_BIT)? },
            pixel_representation: if is_float { 0 } else { numbers.required(&PIXEL_REPRESENTATION)? },
            planar_configuration: if samples_per_pixel > 1 { numbers.required(&PLANAR_CONFIGURATION)? } else { 0 },
            photometric_interpretation: numbers.text(&PHOTOMETRIC_INTERPRETATION)?,
            number_of_frames: numbers.optional(&NUMBER_OF_FRAMES)?,
            extended_offsets: None,
            transfer_syntax,
            pixel_keyword,
            element,
        };
        match TransferSyntax::from_uid(&image.transfer_syntax) {
            Some(syntax) if !syntax.is_encapsulated() => {
                image.require_native(object)?;
                Ok(Self { element: ended(object, image.element)?, ..image })
            }
            _ => Ok(Self { extended_offsets: extended_offsets(object)?, ..image }),
        }
    }

    /// Validates the attributes.
    ///
    /// # Errors
    /// Those of [`DeclaredAttributes::info`].
    pub fn info(&self) -> Result<FrameInfo> {
        DeclaredAttributes {
            rows: self.rows,
            columns: self.columns,
            samples_per_pixel: self.samples_per_pixel,
            bits_allocated: self.bits_allocated,
            bits_stored: self.bits_stored,
            high_bit: self.high_bit,
            pixel_representation: self.pixel_representation,
            planar_configuration: self.planar_configuration,
            photometric_interpretation: &self.photometric_interpretation,
            pixel_keyword: self.pixel_keyword,
        }
        .info()
    }

    /// Whether samples of a byte or a bit lie in 16-bit big-endian words (OW: PS3.5 7.3 and 8.1.1).
    #[must_use]
    pub fn word_swapped(&self) -> bool {
        self.transfer_syntax == TransferSyntax::EXPLICIT_VR_BIG_ENDIAN.uid()
            && self.bits_allocated <= 8
            && self.element.vr == Some(*b"OW")
    }

    /// The value that holds the frames, where it lies in `object`.
    #[must_use]
    pub fn pixel_data<'a>(&'a self, object: &'a Object) -> PixelData<'a> {
        let extended = self.extended_offsets.as_ref();
        PixelData {
            value: object.value_of(&self.element),
            extended: extended.map(|(offsets, lengths)| ExtendedOffsets { offsets, lengths }),
        }
    }

    /// Who decodes the frames, what each is, and where they lie.
    ///
    /// # Errors
    /// `Unsupported` if no codec takes the transfer syntax; what [`Self::info`] and [`FrameTable`] find.
    pub fn frames(&self, object: &Object) -> Result<(TransferSyntax, &'static dyn Codec, FrameInfo, FrameTable)> {
        self.frames_of(object, find_codec(&self.transfer_syntax)?)
    }

    /// The same, whether a codec takes the transfer syntax or not: to be decoded elsewhere.
    ///
    /// # Errors
    /// As [`Self::frames`]; `Unsupported` only if the transfer syntax is not encapsulated.
    pub fn any_frames(&self, object: &Object) -> Result<(TransferSyntax, &'static dyn Codec, FrameInfo, FrameTable)> {
        self.frames_of(object, find_frame_format(&self.transfer_syntax)?)
    }

    fn frames_of(
        &self,
        object: &Object,
        (syntax, codec): (TransferSyntax, &'static dyn Codec),
    ) -> Result<(TransferSyntax, &'static dyn Codec, FrameInfo, FrameTable)> {
        let info = self.info()?;
        let data = self.pixel_data(object);
        let table = if syntax.is_encapsulated() {
            FrameTable::encapsulated(&info, data, self.number_of_frames, codec)?
        } else {
            FrameTable::native(&info, data.value.len(), self.number_of_frames, self.word_swapped())?
        };
        Ok((syntax, codec, info, table))
    }

    /// Refuses items in place of samples.
    fn require_native(&self, object: &Object) -> Result<()> {
        let mut tag = [0; 4];
        let is_item = self.element.is_undefined && self.element.length >= 4 && {
            read_exactly(object.bytes(), self.element.offset, &mut tag)?;
            tag == [0xFE, 0xFF, 0x00, 0xE0] || tag == [0xFF, 0xFE, 0xE0, 0x00]
        };
        if !is_item {
            return Ok(());
        }
        let what = "encapsulated pixel data found, native ones expected of the transfer syntax";
        Err(DecodeError::new(ErrorKind::Mismatch, what, "PS3.5 A.4"))
    }
}

/// Native samples of undefined length end at their delimiter, which is no sample.
fn ended(object: &Object, element: Element) -> Result<Element> {
    if !element.is_undefined {
        return Ok(element);
    }
    let mut window = Window::new(object.bytes());
    let (end, _) = find_delimiter(&mut window, element.tag, element.offset, element.encoding)?;
    Ok(Element { length: end - element.offset, ..element })
}

fn pixel_data(object: &Object) -> Result<(Element, &'static str)> {
    let found: Vec<_> =
        PIXEL_DATA.iter().filter_map(|(tag, keyword)| Some((*object.data_set().get(*tag)?, *keyword))).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        others => {
            let keywords: Vec<_> = others.iter().map(|(_, keyword)| *keyword).collect();
            let (kind, found) = match keywords.as_slice() {
                [] => (ErrorKind::NoImage, "none".to_owned()),
                several => (ErrorKind::Mismatch, several.join(" and ")),
            };
            let what =
                format!("one of Pixel Data, Float Pixel Data and Double Float Pixel Data expected, found {found}");
            Err(DecodeError::new(kind, what, CLAUSE))
        }
    }
}

fn extended_offsets(object: &Object) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let table = |tag| object.data_set().get(tag).map(|element| object.read(element)).transpose();
    Ok(table(EXTENDED_OFFSET_TABLE)?.zip(table(EXTENDED_OFFSET_TABLE_LENGTHS)?))
}

fn wrong(attribute: &Attribute, what: &str) -> DecodeError {
    DecodeError::new(ErrorKind::Mismatch, format!("{} {what}", attribute.keyword), CLAUSE)
}

/// The numbers of a data set.
struct Numbers<'a> {
    object: &'a Object,
}

impl Numbers<'_> {
    fn required(&self, attribute: &Attribute) -> Result<u32> {
        self.optional(attribute)?.ok_or_else(|| wrong(attribute, "is missing"))
    }

    /// A number of 32 bits, or `None` where the attribute is not there or has no value.
    fn optional(&self, attribute: &Attribute) -> Result<Option<u32>> {
        let Some(element) = self.object.data_set().get(attribute.tag) else { return Ok(None) };
        let parsed = number(element, attribute.vr, &self.object.read_short(element)?);
        let refused = |found: &str| wrong(attribute, &format!("is {found}, a number expected"));
        match parsed {
            Parsed::Empty => Ok(None),
            Parsed::Integer(value) => u32::try_from(value).map(Some).map_err(|_| refused(&value.to_string())),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be that number")]
            Parsed::Real(value) if value >= 0.0 && value.fract() == 0.0 && value <= f64::from(u32::MAX) => {
                Ok(Some(value as u32))
            }
            Parsed::Real(value) => Err(refused(&value.to_string())),
            Parsed::Other(shown) => Err(refused(&shown)),
        }
    }

    fn text(&self, attribute: &Attribute) -> Result<String> {
        let element = self.object.data_set().get(attribute.tag);
        let bytes = element.map(|element| self.object.read_short(element)).transpose()?.unwrap_or_default();
        // Padding stands behind a term (PS3.5 6.2): with blanks before it, it is another one.
        Ok(untrimmed(&bytes).trim_end_matches(['\0', ' ']).to_owned())
    }

    fn is_missing(&self, attribute: &Attribute) -> Result<bool> {
        Ok(self.text(attribute)?.is_empty())
    }
}
