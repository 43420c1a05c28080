//! An opened DICOM object: the elements of its data set, and where their values are stored.
//!
//! ```text
//! [preamble, DICM] ─► file meta (group 0002) ─► [command set (group 0000)] ─► data set [inflated] ─► elements
//! ```

use crate::element::{Element, Encoding, Tag, is_implicit, is_known_vr};
use crate::element_reader::{DataSet, ItemRange, Until, find_items};
use crate::inflate::Inflated;
use crate::parse::text;
use crate::window::Window;
use dicoxide_core::value::read_exactly;
use dicoxide_core::{DecodeError, Deviation, ErrorKind, Limits, ReadAt, Result, TransferSyntax, Value};
use std::sync::{Arc, OnceLock};

const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002_0010);
/// Maximum number of bytes that are read of an attribute value. No value that decoding needs is longer.
const MAX_ATTRIBUTE_BYTES: u64 = 1 << 16;
/// Maximum number of zero bytes after the last element. More may be the header of another one, which has at least 8 bytes.
const MAX_PADDING_BYTES: usize = 7;
/// Byte offset of `DICM` (PS3.10 7.1).
const PREAMBLE_BYTES: u64 = 128;

/// An opened object. Values are read from its file by position, when they are needed.
pub struct Object {
    bytes: Arc<dyn ReadAt>,
    is_inflated: bool,
    data_set: DataSet,
    /// UID of the transfer syntax, if the file meta information has one.
    transfer_syntax: Option<String>,
    encoding: Encoding,
    /// Items of the Per-Frame Functional Groups Sequence. Cached, because callers ask frame by frame.
    per_frame_items: OnceLock<Vec<ItemRange>>,
    /// The first deviation of the element headers.
    deviation: Option<Deviation>,
    /// The first deviation of the headers in items that have been read on request.
    item_deviation: OnceLock<Deviation>,
    /// Byte offset after the last element, or the error that ended reading.
    end: Result<u64>,
}

impl Object {
    /// Opens a file of PS3.10, with or without preamble and file meta information, as pydicom's `force=True` does.
    /// A deflated data set is inflated within `limits`.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if the elements cannot be separated; `LimitExceeded`; `Io`.
    pub fn open(bytes: Arc<dyn ReadAt>, limits: &Limits) -> Result<Self> {
        let object = Self::open_incomplete(bytes, limits)?;
        match object.end {
            Ok(_) => Ok(object),
            Err(error) => Err(error),
        }
    }

    /// Opens a file as [`Self::open`] does; of a data set whose elements cannot be separated, opens those before the
    /// error. For reports about files whose image cannot be read.
    ///
    /// # Errors
    /// As for [`Self::open`], before the first element of the data set.
    pub fn open_incomplete(mut bytes: Arc<dyn ReadAt>, limits: &Limits) -> Result<Self> {
        let mut window = Window::new(&*bytes);
        let start = if window.peek(PREAMBLE_BYTES, 4)? == b"DICM" { PREAMBLE_BYTES + 4 } else { 0 };
        let (meta, offset) = read_file_meta(&mut window, start)?;
        let transfer_syntax = match meta.get(TRANSFER_SYNTAX_UID) {
            Some(element) => Some(text(&read_attribute(&*bytes, element)?)),
            None => None,
        };
        let offset = step_over_command_set(&mut window, offset)?;
        let encoding = encoding_of(transfer_syntax.as_deref(), &mut window, offset)?;
        let syntax = transfer_syntax.as_deref().and_then(TransferSyntax::from_uid);
        let is_inflated = syntax.is_some_and(TransferSyntax::is_deflated);
        if is_inflated {
            drop(window);
            bytes = Arc::new(Inflated::new(&*bytes, offset, limits)?);
            window = Window::new(&*bytes);
        }
        let start = if is_inflated { 0 } else { offset };
        let (data_set, end) = read_data_set(&mut window, start, encoding)?;
        let deviation = window.deviation.take();
        drop(window);
        let per_frame_items = OnceLock::new();
        let item_deviation = OnceLock::new();
        Ok(Self {
            bytes,
            is_inflated,
            data_set,
            transfer_syntax,
            encoding,
            per_frame_items,
            deviation,
            item_deviation,
            end,
        })
    }

    /// True if the last element ends at the end of the file, or is followed by at most 7 zero bytes of padding.
    ///
    /// # Errors
    /// `Io`.
    pub fn is_complete(&self) -> Result<bool> {
        let Ok(end) = self.end else { return Ok(false) };
        if end > self.bytes.size() {
            return Ok(false);
        }
        let mut window = Window::new(&*self.bytes);
        let rest = window.peek(end, MAX_PADDING_BYTES + 1)?;
        Ok(rest.len() <= MAX_PADDING_BYTES && rest.iter().all(|byte| *byte == 0))
    }

    /// Returns the bytes that the offsets of elements refer to: the file, or the inflated data set.
    #[must_use]
    pub fn bytes(&self) -> &dyn ReadAt {
        &*self.bytes
    }

    /// True if the offsets of elements refer to an inflated data set, not to the file.
    #[must_use]
    pub const fn is_inflated(&self) -> bool {
        self.is_inflated
    }

    /// Returns the elements of the data set, up to encapsulated pixel data.
    #[must_use]
    pub const fn data_set(&self) -> &DataSet {
        &self.data_set
    }

    /// Returns the first deviation of the element headers: an invalid VR, a delimiter in place of another one.
    #[must_use]
    pub const fn deviation(&self) -> Option<&Deviation> {
        self.deviation.as_ref()
    }

    /// Returns the first deviation in items that have been read on request so far: of sequences of functional groups,
    /// the Modality LUT, or [`Self::items`]. `None` if [`Self::deviation`] has reported one.
    #[must_use]
    pub fn item_deviation(&self) -> Option<&Deviation> {
        self.item_deviation.get().filter(|_| self.deviation.is_none())
    }

    /// Records the deviation found by reading items through `window`.
    pub(crate) fn record_item_deviation(&self, window: Window<'_>) {
        if let Some(deviation) = window.deviation {
            // Only the first one is retained.
            let _ = self.item_deviation.set(deviation);
        }
    }

    /// Reads the value of an element.
    ///
    /// # Errors
    /// `Io`, or `Truncated` if the file has become shorter.
    pub fn read(&self, element: &Element) -> Result<Vec<u8>> {
        read_value(&*self.bytes, element.offset, element.length)
    }

    /// Reads the element headers of the items of a sequence.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if the items cannot be separated; `Io`.
    pub fn items(&self, sequence: &Element) -> Result<Vec<DataSet>> {
        let mut window = Window::new(&*self.bytes);
        let items = find_items(&mut window, sequence)?;
        let items = items.into_iter().map(|item| DataSet::read_item(&mut window, item)).collect();
        self.record_item_deviation(window);
        items
    }

    /// Finds the items of `sequence`, which is the Per-Frame Functional Groups Sequence.
    pub(crate) fn per_frame_items(&self, sequence: &Element) -> Result<&[ItemRange]> {
        if let Some(items) = self.per_frame_items.get() {
            return Ok(items);
        }
        let mut window = Window::new(&*self.bytes);
        let items = find_items(&mut window, sequence)?;
        self.record_item_deviation(window);
        Ok(self.per_frame_items.get_or_init(|| items))
    }

    /// Returns the UID of the transfer syntax. Without file meta information it is that of the encoding found.
    pub(crate) fn transfer_syntax_of(&self, pixel_data: &Element) -> Result<String> {
        if let Some(uid) = self.transfer_syntax.as_ref().filter(|uid| !uid.is_empty()) {
            return Ok(uid.clone());
        }
        if pixel_data.is_undefined {
            let message = "encapsulated pixel data without a transfer syntax UID";
            return Err(DecodeError::new(ErrorKind::Unsupported, message, "PS3.10 7.1"));
        }
        let syntax = match self.encoding {
            Encoding { is_big_endian: true, .. } => TransferSyntax::EXPLICIT_VR_BIG_ENDIAN,
            Encoding { is_implicit: false, .. } => TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN,
            Encoding { is_implicit: true, .. } => TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN,
        };
        Ok(syntax.uid().to_owned())
    }

    /// Returns the UID of the transfer syntax, as declared in the file meta information.
    #[must_use]
    pub fn transfer_syntax(&self) -> Option<&str> {
        self.transfer_syntax.as_deref()
    }

    /// Returns the value of an element: a slice if the file is in memory, otherwise its byte range.
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

    /// Reads the value of an attribute, at most its first `MAX_ATTRIBUTE_BYTES`.
    pub(crate) fn read_attribute(&self, element: &Element) -> Result<Vec<u8>> {
        read_attribute(&*self.bytes, element)
    }
}

fn read_attribute(bytes: &dyn ReadAt, element: &Element) -> Result<Vec<u8>> {
    read_value(bytes, element.offset, element.length.min(MAX_ATTRIBUTE_BYTES))
}

fn read_value(bytes: &dyn ReadAt, offset: u64, length: u64) -> Result<Vec<u8>> {
    let mut value = Limits::unbounded().zeroed(usize::try_from(length).unwrap_or(usize::MAX))?;
    read_exactly(bytes, offset, &mut value)?;
    Ok(value)
}

/// Reads the elements of the data set up to the first error, and returns where or with which error reading ended.
fn read_data_set(window: &mut Window<'_>, start: u64, assumed: Encoding) -> Result<(DataSet, Result<u64>)> {
    let is_implicit = is_implicit(window, start, assumed, false)?;
    let encoding = Encoding { is_implicit, ..assumed };
    let end = window.file_bytes();
    Ok(DataSet::read_until_error(window, start, end, encoding, Until::End))
}

/// Reads the File Meta Information, group 0002, and returns it and the offset after it.
///
/// PS3.10 7.1 requires explicit VR; files of some writers have implicit VR.
fn read_file_meta(window: &mut Window<'_>, start: u64) -> Result<(DataSet, u64)> {
    let is_implicit = is_implicit(window, start, Encoding::EXPLICIT, false)?;
    let encoding = Encoding { is_implicit, ..Encoding::EXPLICIT };
    let end = window.file_bytes();
    let (meta, offset) = DataSet::read(window, start, end, encoding, Until::OtherGroup(2))?;
    match meta.elements().first().map(|element| element.vr) {
        // The low bytes of an implicit VR length can look like two capital letters.
        Some(Some(vr)) if !is_known_vr(vr) => {
            DataSet::read(window, start, end, Encoding::IMPLICIT, Until::OtherGroup(2))
        }
        _ => Ok((meta, offset)),
    }
}

/// Returns the offset of the data set: after the command set (PS3.7 6.3) that some files have, or `start`.
fn step_over_command_set(window: &mut Window<'_>, start: u64) -> Result<u64> {
    match window.array::<2>(start)? {
        Some([0, 0]) => {
            let end = window.file_bytes();
            let is_implicit = is_implicit(window, start, Encoding::IMPLICIT, false)?;
            let encoding = Encoding { is_implicit, ..Encoding::IMPLICIT };
            Ok(DataSet::read(window, start, end, encoding, Until::OtherGroup(0))?.1)
        }
        _ => Ok(start),
    }
}

/// Returns the encoding of a transfer syntax (PS3.5 Annex A). Without a UID, guesses it from the first element.
fn encoding_of(uid: Option<&str>, window: &mut Window<'_>, offset: u64) -> Result<Encoding> {
    let Some(uid) = uid else {
        return Ok(match window.array::<6>(offset)? {
            // Read as little endian, a group number of 0x0400 or more is a small one in big endian, such as 0x0008.
            Some([_, high, _, _, v0, v1]) if high >= 4 && is_known_vr([v0, v1]) => Encoding::EXPLICIT_BIG_ENDIAN,
            Some([.., v0, v1]) if is_known_vr([v0, v1]) => Encoding::EXPLICIT,
            _ => Encoding::IMPLICIT,
        });
    };
    Ok(match TransferSyntax::from_uid(uid) {
        Some(TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN) => Encoding::IMPLICIT,
        Some(TransferSyntax::EXPLICIT_VR_BIG_ENDIAN) => Encoding::EXPLICIT_BIG_ENDIAN,
        _ => Encoding::EXPLICIT,
    })
}
