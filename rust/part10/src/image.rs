//! The image of an object: its Image Pixel attributes (PS3.3 C.7.6.3), and where its frames are stored.

use crate::attributes::{
    AttributeReader, BITS_ALLOCATED, BITS_STORED, CLAUSE, COLUMNS, DeclaredAttributes, HIGH_BIT, NUMBER_OF_FRAMES,
    PHOTOMETRIC_INTERPRETATION, PIXEL_DATA, PIXEL_REPRESENTATION, PLANAR_CONFIGURATION, ROWS, SAMPLES_PER_PIXEL,
    mismatch,
};
use crate::element::{Element, Tag};
use crate::element_reader::find_delimiter;
use crate::object::Object;
use crate::window::Window;
use dicoxide_core::codec::{FrameFormat, find_decodable_format, find_frame_format};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, PixelData};
use dicoxide_core::value::read_exactly;
use dicoxide_core::{DecodeError, ErrorKind, FrameInfo, Result, TransferSyntax};

const EXTENDED_OFFSET_TABLE: Tag = Tag(0x7FE0_0001);
const EXTENDED_OFFSET_TABLE_LENGTHS: Tag = Tag(0x7FE0_0002);

/// The image of an object as its data set declares it: numbers fit 32 bits, nothing else is validated.
#[derive(Debug, Clone)]
pub struct Image {
    /// UID of the transfer syntax.
    pub transfer_syntax: String,
    /// Keyword of the element that holds the pixel data.
    pub pixel_keyword: &'static str,
    /// Rows (0028,0010), in pixels.
    pub rows: u32,
    /// Columns (0028,0011), in pixels.
    pub columns: u32,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u32,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: u32,
    /// Bits Stored (0028,0101); `None` for float pixel data.
    pub bits_stored: Option<u32>,
    /// High Bit (0028,0102), if present; `None` for float pixel data.
    pub high_bit: Option<u32>,
    /// Pixel Representation (0028,0103); 0 for float pixel data.
    pub pixel_representation: u32,
    /// Planar Configuration (0028,0006); 0 for one sample per pixel.
    pub planar_configuration: u32,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Number of Frames (0028,0008), if present.
    pub number_of_frames: Option<u32>,
    /// Extended Offset Table and Extended Offset Table Lengths, if both are present.
    pub extended_offsets: Option<(Vec<u8>, Vec<u8>)>,
    /// The element that holds the pixel data.
    pub element: Element,
}

impl Image {
    /// Reads the image of an object.
    ///
    /// # Errors
    /// `Mismatch` if a required attribute is missing or not a number, or if there are several pixel data elements;
    /// `NoImage` if there is none; `Unsupported` if encapsulated pixel data have no transfer syntax; `Io`.
    pub fn read(object: &Object) -> Result<Self> {
        let (element, pixel_keyword) = pixel_data_element(object)?;
        let transfer_syntax = object.transfer_syntax_of(&element)?;
        let attributes = AttributeReader { object };
        let photometric_interpretation = attributes.term(&PHOTOMETRIC_INTERPRETATION)?;
        if photometric_interpretation.is_empty() {
            return Err(mismatch(&PHOTOMETRIC_INTERPRETATION, "is missing"));
        }
        let samples_per_pixel = attributes.required(&SAMPLES_PER_PIXEL)?;
        let is_float = pixel_keyword != "PixelData";
        let image = Self {
            rows: attributes.required(&ROWS)?,
            columns: attributes.required(&COLUMNS)?,
            samples_per_pixel,
            bits_allocated: attributes.required(&BITS_ALLOCATED)?,
            bits_stored: if is_float { None } else { Some(attributes.required(&BITS_STORED)?) },
            high_bit: if is_float { None } else { attributes.optional(&HIGH_BIT)? },
            pixel_representation: if is_float { 0 } else { attributes.required(&PIXEL_REPRESENTATION)? },
            planar_configuration: if samples_per_pixel > 1 { attributes.required(&PLANAR_CONFIGURATION)? } else { 0 },
            photometric_interpretation,
            number_of_frames: attributes.optional(&NUMBER_OF_FRAMES)?,
            extended_offsets: None,
            transfer_syntax,
            pixel_keyword,
            element,
        };
        match TransferSyntax::from_uid(&image.transfer_syntax) {
            Some(syntax) if !syntax.is_encapsulated() => {
                image.require_native(object)?;
                Ok(Self { element: without_delimiter(object, image.element)?, ..image })
            }
            _ => Ok(Self { extended_offsets: extended_offsets(object)?, ..image }),
        }
    }

    /// Validates the attributes.
    ///
    /// # Errors
    /// The errors of [`DeclaredAttributes::info`].
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

    /// True if samples of 1 or 8 bits are stored in 16-bit big-endian words (OW: PS3.5 7.3 and 8.1.1).
    #[must_use]
    pub fn word_swapped(&self) -> bool {
        self.transfer_syntax == TransferSyntax::EXPLICIT_VR_BIG_ENDIAN.uid()
            && self.bits_allocated <= 8
            && self.element.vr == Some(*b"OW")
    }

    /// Returns the pixel data value, in memory or as a byte range of the file.
    #[must_use]
    pub fn pixel_data<'a>(&'a self, object: &'a Object) -> PixelData<'a> {
        let extended = self.extended_offsets.as_ref();
        PixelData {
            value: object.value_of(&self.element),
            extended: extended.map(|(offsets, lengths)| ExtendedOffsets { offsets, lengths }),
        }
    }

    /// Returns the codec, the validated attributes, and the byte ranges of the frames.
    ///
    /// # Errors
    /// `Unsupported` if no codec decodes the transfer syntax; the errors of [`Self::info`] and [`FrameTable`].
    pub fn frames(&self, object: &Object) -> Result<(TransferSyntax, &'static dyn FrameFormat, FrameInfo, FrameTable)> {
        self.frames_of(object, find_decodable_format(&self.transfer_syntax)?)
    }

    /// As [`Self::frames`], but also for transfer syntaxes without a codec: frames can be found, not decoded.
    ///
    /// # Errors
    /// `Unsupported` if the transfer syntax has no codec and is not encapsulated; the errors of [`Self::frames`].
    pub fn find_frames(
        &self,
        object: &Object,
    ) -> Result<(TransferSyntax, &'static dyn FrameFormat, FrameInfo, FrameTable)> {
        self.frames_of(object, find_frame_format(&self.transfer_syntax)?)
    }

    fn frames_of(
        &self,
        object: &Object,
        (syntax, format): (TransferSyntax, &'static dyn FrameFormat),
    ) -> Result<(TransferSyntax, &'static dyn FrameFormat, FrameInfo, FrameTable)> {
        let info = self.info()?;
        let data = self.pixel_data(object);
        let table = FrameTable::new(syntax, format, &info, data, self.number_of_frames, self.word_swapped())?;
        Ok((syntax, format, info, table))
    }

    /// Refuses encapsulated pixel data under a native transfer syntax.
    fn require_native(&self, object: &Object) -> Result<()> {
        let mut tag = [0; 4];
        let is_item = self.element.is_undefined && self.element.length >= 4 && {
            read_exactly(object.bytes(), self.element.offset, &mut tag)?;
            tag == [0xFE, 0xFF, 0x00, 0xE0] || tag == [0xFF, 0xFE, 0xE0, 0x00]
        };
        if !is_item {
            return Ok(());
        }
        let message = "encapsulated pixel data found, native ones expected of the transfer syntax";
        Err(DecodeError::new(ErrorKind::Mismatch, message, "PS3.5 A.4"))
    }
}

/// Returns native pixel data of undefined length with the length up to the delimiter.
fn without_delimiter(object: &Object, element: Element) -> Result<Element> {
    if !element.is_undefined {
        return Ok(element);
    }
    let mut window = Window::new(object.bytes());
    let (end, _) = find_delimiter(&mut window, element.tag, element.offset, element.encoding)?;
    Ok(Element { length: end - element.offset, ..element })
}

fn pixel_data_element(object: &Object) -> Result<(Element, &'static str)> {
    let elements: Vec<_> =
        PIXEL_DATA.iter().filter_map(|(tag, keyword)| Some((*object.data_set().get(*tag)?, *keyword))).collect();
    if let [element] = elements.as_slice() {
        return Ok(*element);
    }
    let keywords: Vec<_> = elements.iter().map(|(_, keyword)| *keyword).collect();
    let (kind, found) = match keywords.as_slice() {
        [] => (ErrorKind::NoImage, "none".to_owned()),
        several => (ErrorKind::Mismatch, several.join(" and ")),
    };
    let message = format!("{found} found, one of Pixel Data, Float Pixel Data and Double Float Pixel Data expected");
    Err(DecodeError::new(kind, message, CLAUSE))
}

fn extended_offsets(object: &Object) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let table = |tag| object.data_set().get(tag).map(|element| object.read(element)).transpose();
    Ok(table(EXTENDED_OFFSET_TABLE)?.zip(table(EXTENDED_OFFSET_TABLE_LENGTHS)?))
}
