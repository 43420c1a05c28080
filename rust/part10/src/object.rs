//! One DICOM object, opened: where each element of its data set lies.
//!
//! ```text
//! [preamble, DICM] ─► file meta (group 0002) ─► [command set (group 0000)] ─► data set [inflated] ─► elements
//! ```

use crate::element::{Element, Encoding, Tag, is_implicit, is_known};
use crate::element_reader::{self, DataSet, Until};
use crate::inflate::Inflated;
use crate::parse::text;
use crate::pixel::Image;
use crate::rescale;
use crate::window::Window;
use dicoxide_core::value::{read_exactly, zeros};
use dicoxide_core::{DecodeError, ErrorKind, Limits, ReadAt, Rescale, Result, TransferSyntax, Value};
use std::sync::{Arc, OnceLock};

const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002_0010);
const MODALITY_LUT_SEQUENCE: Tag = Tag(0x0028_3000);
/// Longer values than this are none of the attributes that are read here.
const SHORT_BYTES: u64 = 1 << 16;

/// An opened object. It keeps what it is read from, which is read by position when a value is asked for.
pub struct Object {
    bytes: Arc<dyn ReadAt>,
    is_inflated: bool,
    data_set: DataSet,
    /// UID of the transfer syntax, where the file meta have one.
    transfer_syntax: Option<String>,
    encoding: Encoding,
    /// Where the functional groups of each frame lie: found once, as callers come frame by frame.
    per_frame: OnceLock<Vec<Place>>,
}

/// Where an item begins and ends, and how it is encoded.
pub(crate) type Place = (u64, u64, Encoding);

impl Object {
    /// Opens what `bytes` hold: a file of PS3.10 with or without preamble and file meta, read as pydicom reads it.
    /// A deflated data set is inflated within `limits`.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if the elements cannot be told apart; `LimitExceeded`; `Io`.
    pub fn open(mut bytes: Arc<dyn ReadAt>, limits: &Limits) -> Result<Self> {
        let mut window = Window::new(&*bytes);
        let start = if window.peek(128, 4)? == b"DICM" { 132 } else { 0 };
        let (meta, at) = file_meta(&mut window, start)?;
        let transfer_syntax = match meta.get(TRANSFER_SYNTAX_UID) {
            Some(element) => Some(text(&read_short(&*bytes, element)?)),
            None => None,
        };
        let at = step_over_commands(&mut window, at)?;
        let encoding = encoding_of(transfer_syntax.as_deref(), &mut window, at)?;
        let is_inflated = transfer_syntax.as_deref() == Some(TransferSyntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid());
        if is_inflated {
            drop(window);
            bytes = Arc::new(Inflated::new(&*bytes, at, limits)?);
            window = Window::new(&*bytes);
        }
        let start = if is_inflated { 0 } else { at };
        let data_set = read_data_set(&mut window, start, encoding)?;
        drop(window);
        Ok(Self { bytes, is_inflated, data_set, transfer_syntax, encoding, per_frame: OnceLock::new() })
    }

    /// What the offsets of elements count in: the file, or what its data set inflates to.
    #[must_use]
    pub fn bytes(&self) -> &dyn ReadAt {
        &*self.bytes
    }

    /// Whether offsets count in an inflated data set, not in the file.
    #[must_use]
    pub const fn is_inflated(&self) -> bool {
        self.is_inflated
    }

    /// The elements of the data set, up to the pixel data where these are encapsulated.
    #[must_use]
    pub const fn data_set(&self) -> &DataSet {
        &self.data_set
    }

    /// What the object says of its image.
    ///
    /// # Errors
    /// As [`Image`]'s attributes require.
    pub fn image(&self) -> Result<Image> {
        Image::of(self)
    }

    /// The value of an element: as long as it says, and as what is read justifies.
    ///
    /// # Errors
    /// `Io`, or `Truncated` if the file has become shorter.
    pub fn read(&self, element: &Element) -> Result<Vec<u8>> {
        read_value(&*self.bytes, element.offset, element.length)
    }

    /// The items of a sequence.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if they cannot be told apart; `Io`.
    pub fn items(&self, sequence: &Element) -> Result<Vec<DataSet>> {
        let mut window = Window::new(&*self.bytes);
        element_reader::items(&mut window, sequence)?.into_iter().map(|place| item(&mut window, place)).collect()
    }

    /// Where the items of `sequence`, that of the functional groups of each frame, lie.
    pub(crate) fn per_frame_places(&self, sequence: &Element) -> Result<&[Place]> {
        if let Some(found) = self.per_frame.get() {
            return Ok(found);
        }
        let found = element_reader::items(&mut Window::new(&*self.bytes), sequence)?;
        Ok(self.per_frame.get_or_init(|| found))
    }

    /// Whether a Modality LUT Sequence stands in place of a rescale (PS3.3 C.11.1).
    ///
    /// # Errors
    /// As [`Self::items`].
    pub fn has_modality_lut(&self) -> Result<bool> {
        let sequence = self.data_set.get(MODALITY_LUT_SEQUENCE);
        Ok(sequence.map(|sequence| self.items(sequence)).transpose()?.is_some_and(|items| !items.is_empty()))
    }

    /// The rescale of each frame of `indices`, or one for all; none where there is none.
    ///
    /// # Errors
    /// `Mismatch` if slope and intercept are no numbers; as [`Self::items`].
    pub fn rescales(&self, indices: &[usize]) -> Result<Vec<Rescale>> {
        rescale::rescales(self, indices)
    }

    /// UID of the transfer syntax; where the file meta lack it, that of the encoding that was read.
    pub(crate) fn transfer_syntax_of(&self, pixel_data: &Element) -> Result<String> {
        if let Some(uid) = self.transfer_syntax.as_ref().filter(|uid| !uid.is_empty()) {
            return Ok(uid.clone());
        }
        if pixel_data.is_undefined {
            let what = "encapsulated pixel data without a transfer syntax UID";
            return Err(DecodeError::new(ErrorKind::Unsupported, what, "PS3.10 7.1"));
        }
        let syntax = match self.encoding {
            Encoding { is_big_endian: true, .. } => TransferSyntax::EXPLICIT_VR_BIG_ENDIAN,
            Encoding { is_implicit: false, .. } => TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            Encoding { is_implicit: true, .. } => TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN,
        };
        Ok(syntax.uid().to_owned())
    }

    /// UID of the transfer syntax as the file meta state it.
    #[must_use]
    pub fn transfer_syntax(&self) -> Option<&str> {
        self.transfer_syntax.as_deref()
    }

    pub(crate) fn value_of(&self, element: &Element) -> Value<'_> {
        let bytes = usize::try_from(element.length).unwrap_or(usize::MAX);
        match self.bytes.memory() {
            Some(memory) => {
                let start = usize::try_from(element.offset).unwrap_or(usize::MAX);
                memory.get(start..).and_then(|rest| rest.get(..bytes)).unwrap_or_default().into()
            }
            None => Value::Stored { from: &*self.bytes, start: element.offset, bytes },
        }
    }

    /// The value of an attribute that is a few bytes long.
    pub(crate) fn read_short(&self, element: &Element) -> Result<Vec<u8>> {
        read_short(&*self.bytes, element)
    }
}

/// The item at a place.
pub(crate) fn item(window: &mut Window<'_>, (start, end, encoding): Place) -> Result<DataSet> {
    Ok(DataSet::read(window, start, end, encoding, Until::End)?.0)
}

fn read_short(bytes: &dyn ReadAt, element: &Element) -> Result<Vec<u8>> {
    read_value(bytes, element.offset, element.length.min(SHORT_BYTES))
}

fn read_value(bytes: &dyn ReadAt, offset: u64, length: u64) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    zeros(&mut value, usize::try_from(length).unwrap_or(usize::MAX))?;
    read_exactly(bytes, offset, &mut value)?;
    Ok(value)
}

fn read_data_set(window: &mut Window<'_>, start: u64, assumed: Encoding) -> Result<DataSet> {
    let is_implicit = is_implicit(window, start, assumed, false)?;
    let encoding = Encoding { is_implicit, ..assumed };
    let end = window.size();
    Ok(DataSet::read(window, start, end, encoding, Until::End)?.0)
}

/// The File Meta Information (PS3.10 7.1): group 0002 in explicit VR, which some writers get wrong.
fn file_meta(window: &mut Window<'_>, start: u64) -> Result<(DataSet, u64)> {
    let is_implicit = is_implicit(window, start, Encoding::EXPLICIT, false)?;
    let encoding = Encoding { is_implicit, ..Encoding::EXPLICIT };
    let end = window.size();
    let (meta, at) = DataSet::read(window, start, end, encoding, Until::OtherGroup(2))?;
    match meta.elements().first().map(|element| element.vr) {
        // A length of implicit VR may look like two letters.
        Some(Some(vr)) if !is_known(vr) => DataSet::read(window, start, end, Encoding::IMPLICIT, Until::OtherGroup(2)),
        _ => Ok((meta, at)),
    }
}

/// Where the data set begins behind a command set (PS3.7 6.3), which some files have.
fn step_over_commands(window: &mut Window<'_>, start: u64) -> Result<u64> {
    match window.array::<2>(start)? {
        Some([0, 0]) => {
            let end = window.size();
            let is_implicit = is_implicit(window, start, Encoding::IMPLICIT, false)?;
            let encoding = Encoding { is_implicit, ..Encoding::IMPLICIT };
            Ok(DataSet::read(window, start, end, encoding, Until::OtherGroup(0))?.1)
        }
        _ => Ok(start),
    }
}

/// The encoding that a transfer syntax stands for (PS3.5 Annex A); without one, what the first element looks like.
fn encoding_of(uid: Option<&str>, window: &mut Window<'_>, at: u64) -> Result<Encoding> {
    let Some(uid) = uid else {
        return Ok(match window.array::<6>(at)? {
            // Groups are small numbers: in big endian they look large.
            Some([_, high, _, _, v0, v1]) if high >= 4 && is_known([v0, v1]) => Encoding::EXPLICIT_BIG_ENDIAN,
            Some([.., v0, v1]) if is_known([v0, v1]) => Encoding::EXPLICIT,
            _ => Encoding::IMPLICIT,
        });
    };
    Ok(match TransferSyntax::from_uid(uid) {
        Some(TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN) => Encoding::IMPLICIT,
        Some(TransferSyntax::EXPLICIT_VR_BIG_ENDIAN) => Encoding::EXPLICIT_BIG_ENDIAN,
        _ => Encoding::EXPLICIT,
    })
}
