//! The image of an object: its Image Pixel attributes (PS3.3 C.7.6.3), and where its frames are stored.

use crate::attributes::{
    AttributeReader, BITS_ALLOCATED, BITS_STORED, CLAUSE, COLUMNS, DeclaredAttributes, HIGH_BIT, NUMBER_OF_FRAMES,
    PHOTOMETRIC_INTERPRETATION, PIXEL_DATA, PIXEL_REPRESENTATION, PLANAR_CONFIGURATION, ROWS, SAMPLES_PER_PIXEL,
};
use crate::element::{Element, Tag};
use crate::element_reader::find_delimiter;
use crate::object::Object;
use crate::window::Window;
use dicoxide_core::codec::{FrameFormat, find_codec, find_decodable_format, find_frame_format};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, PixelData};
use dicoxide_core::value::read_exactly;
use dicoxide_core::{DecodeError, Deviation, ErrorKind, FrameInfo, Result, TransferSyntax};

const PIXEL_DATA_PROVIDER_URL: Tag = Tag(0x0028_7FE0);
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
    /// Deviations found in the data set.
    pub deviations: Vec<Deviation>,
    /// True if the transfer syntax is encapsulated, but the value has a defined length and no items.
    has_native_samples: bool,
}

impl Image {
    /// Reads the image of an object.
    ///
    /// # Errors
    /// `Mismatch` if a required attribute is missing or not a number, or if there are several pixel data elements;
    /// `NoImage` if there is none; `Unsupported` if encapsulated pixel data have no transfer syntax, or pixel data is on a
    /// JPIP server; `Io`.
    pub fn read(object: &Object) -> Result<Self> {
        let (element, pixel_keyword) = pixel_data_element(object)?;
        let transfer_syntax = object.transfer_syntax_of(&element)?;
        let mut deviations: Vec<_> = object.deviation().cloned().into_iter().collect();
        let mut attributes = AttributeReader::new(object);
        let photometric_interpretation = attributes.term(&PHOTOMETRIC_INTERPRETATION)?;
        if photometric_interpretation.is_empty() {
            attributes.add_problem(&PHOTOMETRIC_INTERPRETATION, "is missing");
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
            planar_configuration: if samples_per_pixel > 1 {
                planar_configuration(&mut attributes, &transfer_syntax, &mut deviations)?
            } else {
                0
            },
            photometric_interpretation,
            number_of_frames: attributes.optional(&NUMBER_OF_FRAMES)?,
            extended_offsets: None,
            transfer_syntax,
            pixel_keyword,
            element,
            deviations,
            has_native_samples: false,
        };
        attributes.finish()?;
        match TransferSyntax::from_uid(&image.transfer_syntax) {
            Some(syntax) if !syntax.is_encapsulated() => {
                image.require_native(object)?;
                Ok(Self { element: without_delimiter(object, image.element)?, ..image })
            }
            _ => {
                let mut image = Self { extended_offsets: extended_offsets(object)?, ..image };
                if !element.is_undefined && element.length >= 8 {
                    image.has_native_samples = !starts_with_item(object, &element)?;
                    if !image.has_native_samples {
                        let text = "encapsulated pixel data of defined length found, undefined length expected";
                        image.deviations.push(Deviation::new(text, "PS3.5 A.4"));
                    }
                }
                Ok(image)
            }
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
        if self.has_native_samples {
            return self.native_frames(object);
        }
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
        if self.has_native_samples {
            return self.native_frames(object);
        }
        self.frames_of(object, find_frame_format(&self.transfer_syntax)?)
    }

    fn frames_of(
        &self,
        object: &Object,
        (syntax, format): (TransferSyntax, &'static dyn FrameFormat),
    ) -> Result<(TransferSyntax, &'static dyn FrameFormat, FrameInfo, FrameTable)> {
        let info = self.info()?;
        let data = self.pixel_data(object);
        let mut table = FrameTable::new(syntax, format, &info, data, self.number_of_frames, self.word_swapped())?;
        if self.element.is_undefined {
            table.expect_delimiter();
        }
        table.add_deviations(self.deviations.iter().cloned());
        Ok((syntax, format, info, table))
    }

    /// Returns the frames of native samples under an encapsulated transfer syntax, if their length is that of the frames.
    fn native_frames(
        &self,
        object: &Object,
    ) -> Result<(TransferSyntax, &'static dyn FrameFormat, FrameInfo, FrameTable)> {
        let encoding = self.element.encoding;
        let uid = match encoding.is_big_endian {
            true => TransferSyntax::EXPLICIT_VR_BIG_ENDIAN.uid(),
            false => TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN.uid(),
        };
        let (syntax, codec) = find_codec(uid)?;
        let info = self.info()?;
        let declared = TransferSyntax::from_uid(&self.transfer_syntax);
        let declared = declared.map_or(self.transfer_syntax.as_str(), |syntax| syntax.keyword());
        let bytes = usize::try_from(self.element.length).unwrap_or(usize::MAX);
        match FrameTable::native(&info, bytes, self.number_of_frames, self.word_swapped()) {
            // More frames or bytes than declared would be a guess.
            Ok(mut table) if table.deviations().is_empty() || bytes % 2 == 1 => {
                let text =
                    format!("native samples found, encapsulated pixel data expected of transfer syntax {declared}");
                table.add_deviations([Deviation::new(text, "PS3.5 A.4")]);
                table.add_deviations(self.deviations.iter().cloned());
                debug_assert!(object.value_of(&self.element).len() == bytes, "the value is complete");
                Ok((syntax, codec, info, table))
            }
            _ => {
                let text = format!(
                    "pixel data of {bytes} bytes without items found: not encapsulated, as transfer syntax {declared} \
                     requires, and not the length of native samples"
                );
                Err(DecodeError::new(ErrorKind::Mismatch, text, "PS3.5 A.4"))
            }
        }
    }

    /// Refuses encapsulated pixel data under a native transfer syntax.
    fn require_native(&self, object: &Object) -> Result<()> {
        if !(self.element.is_undefined && self.element.length >= 4 && starts_with_item(object, &self.element)?) {
            return Ok(());
        }
        let message = "encapsulated pixel data found, native ones expected of the transfer syntax";
        Err(DecodeError::new(ErrorKind::Mismatch, message, "PS3.5 A.4"))
    }
}

/// True if the value of `element`, of at least 4 bytes, starts with an item tag in either byte order.
fn starts_with_item(object: &Object, element: &Element) -> Result<bool> {
    let mut tag = [0; 4];
    read_exactly(object.bytes(), element.offset, &mut tag)?;
    Ok(tag == [0xFE, 0xFF, 0x00, 0xE0] || tag == [0xFF, 0xFE, 0xE0, 0x00])
}

/// Reads Planar Configuration of an image with several samples per pixel. A missing one is taken as 0, with a deviation
/// unless the samples are in a codestream, where it has no meaning.
fn planar_configuration(
    attributes: &mut AttributeReader<'_>,
    transfer_syntax: &str,
    deviations: &mut Vec<Deviation>,
) -> Result<u32> {
    let declared = attributes.optional(&PLANAR_CONFIGURATION)?;
    let is_codestream = TransferSyntax::from_uid(transfer_syntax).is_some_and(|syntax| !syntax.has_native_samples());
    if declared.is_none() && !is_codestream {
        deviations.push(Deviation::new("planar configuration is missing, taken as 0", "PS3.3 C.7.6.3.1.3"));
    }
    Ok(declared.unwrap_or_default())
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
    if elements.is_empty() && object.data_set().get(PIXEL_DATA_PROVIDER_URL).is_some() {
        let message = "pixel data is on a JPIP server (Pixel Data Provider URL), which is not supported";
        return Err(DecodeError::new(ErrorKind::Unsupported, message, "PS3.5 A.6"));
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
