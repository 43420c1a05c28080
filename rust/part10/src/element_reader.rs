//! Finds the data elements of data sets and items (PS3.5 7.1, 7.5) by reading their headers only.
//!
//! Values are stepped over. A value of defined length costs nothing. A sequence of undefined length ends at its
//! delimiter, which is found by stepping over its items, and the elements of its items, with a stack of open levels
//! instead of recursion: a file of 1 GiB can nest 60 million levels deep.
//!
//! ```text
//! step_over(sequence):                  levels = [sequence]
//!   innermost level is a sequence:      item of defined length    → step over it
//!                                       item of undefined length  → push item
//!                                       sequence delimiter        → pop
//!   innermost level is an item:         element of defined length → step over it
//!                                       sequence, undefined       → push sequence
//!                                       other, undefined          → search its delimiter
//!                                       item delimiter            → pop
//!   nothing left                        → return the offset of the last delimiter, and of what follows it
//! ```
//!
//! Example: a sequence with one item, both of undefined length, in implicit VR little endian. The value is at offset 8.
//!
//! ```text
//! offset  bytes                                 meaning                              open levels
//!   0     40 00 60 02  FF FF FF FF              (0040,0260), undefined length        sequence
//!   8     FE FF 00 E0  FF FF FF FF              item, undefined length               sequence, item
//!  16     08 00 00 01  02 00 00 00  31 20       (0008,0100), 2 bytes: stepped over   sequence, item
//!  26     FE FF 0D E0  00 00 00 00              item delimiter                       sequence
//!  34     FE FF DD E0  00 00 00 00              sequence delimiter                   –
//!  42     the next element: the value has 34 - 8 = 26 bytes
//! ```

use crate::element::{self, Element, Encoding, Tag, read_header};
use crate::window::Window;
use dicoxide_core::{DecodeError, Deviation, ErrorKind, Result};

const CLAUSE: &str = "PS3.5 7.5";
/// Bytes of a delimiter: tag and length.
const DELIMITER_BYTES: u64 = 8;
/// Bytes that are searched for a delimiter at once.
const SEARCH_BYTES: usize = 4096;

/// The elements of a data set or item.
#[derive(Debug, Clone, Default)]
pub struct DataSet {
    elements: Vec<Element>,
    /// True if tags ascend, as PS3.5 7.1 requires.
    is_sorted: bool,
}

/// Extent of an item, and the encoding of its elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ItemRange {
    /// Byte offset of the first element.
    pub(crate) start: u64,
    /// Byte offset after the last element.
    pub(crate) end: u64,
    pub(crate) encoding: Encoding,
}

/// Condition that ends a data set before the end of its range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    End,
    /// The first element whose group is not this one.
    OtherGroup(u32),
}

impl DataSet {
    /// Reads the elements in `start..end`, and returns them and the offset where reading ended.
    ///
    /// A pixel data element of undefined length is taken to be the last one and to extend to the end of the file, so
    /// that its fragments are not read.
    pub(crate) fn read(
        window: &mut Window<'_>,
        start: u64,
        end: u64,
        encoding: Encoding,
        until: Until,
    ) -> Result<(Self, u64)> {
        let (data_set, offset) = Self::read_until_error(window, start, end, encoding, until);
        Ok((data_set, offset?))
    }

    /// Reads elements as [`Self::read`] does, and returns those before the first error.
    pub(crate) fn read_until_error(
        window: &mut Window<'_>,
        start: u64,
        end: u64,
        encoding: Encoding,
        until: Until,
    ) -> (Self, Result<u64>) {
        // An element has at least 8 bytes. Empty items allocate nothing: a file may have millions of them.
        let max_count = end.saturating_sub(start) / 8;
        let mut elements: Vec<Element> = Vec::with_capacity((max_count / 4).clamp(4, 256).min(max_count) as usize);
        let offset = read_elements(window, start, end, encoding, until, &mut elements);
        let is_sorted = elements.is_sorted_by(|a, b| a.tag < b.tag);
        (Self { elements, is_sorted }, offset)
    }

    /// Reads the elements of an item.
    pub(crate) fn read_item(window: &mut Window<'_>, item: ItemRange) -> Result<Self> {
        Ok(Self::read(window, item.start, item.end, item.encoding, Until::End)?.0)
    }

    /// Returns the element with this tag, the last one if there are several.
    #[must_use]
    pub fn get(&self, tag: Tag) -> Option<&Element> {
        if self.is_sorted {
            let index = self.elements.binary_search_by_key(&tag, |element| element.tag).ok()?;
            return self.elements.get(index);
        }
        self.elements.iter().rev().find(|element| element.tag == tag)
    }

    /// Returns all elements in file order.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }
}

/// Appends the elements in `start..end`, and returns the offset where reading ended.
fn read_elements(
    window: &mut Window<'_>,
    start: u64,
    end: u64,
    encoding: Encoding,
    until: Until,
    elements: &mut Vec<Element>,
) -> Result<u64> {
    let mut offset = start;
    while offset < end {
        // Before the header is interpreted: the bytes after file meta information may be deflated.
        if let Until::OtherGroup(group) = until
            && window.array(offset)?.is_some_and(|bytes| encoding.tag(bytes).group() != group)
        {
            break;
        }
        let Some(header) = read_header(window, offset, encoding)? else { break };
        let element::ElementHeader { tag, vr, length, value_offset } = header;
        if tag == Tag::ITEM_DELIMITER {
            offset = value_offset;
            break;
        }
        let available = window.file_bytes().saturating_sub(value_offset);
        let is_undefined = length.is_none();
        let (length, next) = match length {
            Some(length) => (u64::from(length).min(available), value_offset.saturating_add(u64::from(length))),
            None if tag.is_pixel_data() => (available, window.file_bytes()),
            None => undefined_length(window, tag, vr, value_offset, encoding)?,
        };
        if next > end && end < window.file_bytes() {
            let text =
                format!("element {tag} at byte {offset} of the file ends at byte {next}, its item at byte {end}");
            window.report(Deviation::new(text, CLAUSE));
        }
        elements.push(Element { tag, vr, encoding, offset: value_offset, length, is_undefined });
        offset = next;
    }
    Ok(offset)
}

/// Finds the items of a sequence.
pub(crate) fn find_items(window: &mut Window<'_>, sequence: &Element) -> Result<Vec<ItemRange>> {
    let sequence_end = sequence.offset + sequence.length;
    let mut items = Vec::new();
    let mut offset = sequence.offset;
    while offset < sequence_end {
        let Some(item) = next_item(window, offset, sequence.encoding)? else { break };
        let encoding = item_encoding(window, item.start, sequence.encoding)?;
        let (end, next) = match item.length {
            Some(length) => {
                let end = item.start.saturating_add(u64::from(length));
                (end.min(window.file_bytes()), end)
            }
            None => step_over(window, item.start, Level::Item(encoding))?,
        };
        items.push(ItemRange { start: item.start, end, encoding });
        offset = next;
    }
    Ok(items)
}

/// The header of an item.
struct ItemHeader {
    /// Byte offset of the first element.
    start: u64,
    /// Declared length in bytes; `None` if it is undefined.
    length: Option<u32>,
}

/// Reads the item header at `offset`; `None` for the sequence delimiter.
#[inline(always)]
fn next_item(window: &mut Window<'_>, offset: u64, encoding: Encoding) -> Result<Option<ItemHeader>> {
    // Items have no VR in any encoding.
    let Some([t0, t1, t2, t3, l0, l1, l2, l3]) = window.array(offset)? else {
        return Err(error(ErrorKind::Truncated, "the file ends within a sequence", offset));
    };
    match encoding.tag([t0, t1, t2, t3]) {
        Tag::ITEM => {
            let length = element::defined_length(encoding.u32([l0, l1, l2, l3]));
            Ok(Some(ItemHeader { start: offset + DELIMITER_BYTES, length }))
        }
        Tag::SEQUENCE_DELIMITER => Ok(None),
        tag => end_of_items(window, tag, offset).map(|()| None),
    }
}

/// Accepts an item delimiter in place of the sequence delimiter, with a deviation. Any other tag is an error.
#[cold]
fn end_of_items(window: &mut Window<'_>, tag: Tag, offset: u64) -> Result<()> {
    if tag != Tag::ITEM_DELIMITER {
        return Err(error(ErrorKind::Malformed, &format!("tag {tag} found, item (FFFE,E000) expected"), offset));
    }
    window.report(delimiter_deviation("item delimiter (FFFE,E00D)", "sequence delimiter (FFFE,E0DD)", offset));
    Ok(())
}

fn item_encoding(window: &mut Window<'_>, start: u64, sequence: Encoding) -> Result<Encoding> {
    Ok(Encoding { is_implicit: element::is_implicit(window, start, sequence, true)?, ..sequence })
}

/// Returns the length of a value of undefined length, and the offset of the next element.
fn undefined_length(
    window: &mut Window<'_>,
    tag: Tag,
    vr: Option<[u8; 2]>,
    value_offset: u64,
    encoding: Encoding,
) -> Result<(u64, u64)> {
    let is_sequence = match vr.as_ref() {
        // A value of VR UN and undefined length is a sequence (PS3.5 6.2.2).
        Some(b"SQ" | b"UN") => true,
        None => window.array(value_offset)?.is_some_and(|bytes| {
            let tag = encoding.tag(bytes);
            tag == Tag::ITEM || tag == Tag::SEQUENCE_DELIMITER
        }),
        Some(_) => false,
    };
    let (end, next) = if is_sequence {
        step_over(window, value_offset, Level::Sequence(encoding))?
    } else {
        find_delimiter(window, tag, value_offset, encoding)?
    };
    Ok((end - value_offset, next))
}

/// An open level of nesting: a sequence or an item, of undefined length, and its encoding.
#[derive(Clone, Copy)]
enum Level {
    Sequence(Encoding),
    Item(Encoding),
}

/// Finds the delimiter of `level`, whose content starts at `offset`: returns its offset, and the offset after it.
fn step_over(window: &mut Window<'_>, mut offset: u64, mut level: Level) -> Result<(u64, u64)> {
    let mut outer_levels = Vec::new();
    loop {
        let delimiter = offset;
        let is_delimiter = match level {
            Level::Sequence(encoding) => match next_item(window, offset, encoding)? {
                None => {
                    offset += DELIMITER_BYTES;
                    true
                }
                Some(ItemHeader { start, length: Some(length) }) => {
                    offset = start.saturating_add(u64::from(length));
                    false
                }
                Some(ItemHeader { start, length: None }) => {
                    outer_levels.push(level);
                    level = Level::Item(item_encoding(window, start, encoding)?);
                    offset = start;
                    false
                }
            },
            Level::Item(encoding) => {
                let Some(header) = read_header(window, offset, encoding)? else {
                    return Err(error(ErrorKind::Truncated, "the file ends within an item", offset));
                };
                offset = header.value_offset;
                match header.length {
                    _ if header.tag == Tag::ITEM_DELIMITER => true,
                    _ if header.tag == Tag::SEQUENCE_DELIMITER => {
                        offset = after_sequence_delimiter(window, delimiter, encoding, outer_levels.len())?;
                        true
                    }
                    Some(length) => {
                        offset = offset.saturating_add(u64::from(length));
                        false
                    }
                    None if matches!(header.vr.as_ref(), None | Some(b"SQ" | b"UN")) => {
                        outer_levels.push(level);
                        level = Level::Sequence(encoding);
                        false
                    }
                    None => {
                        offset = find_delimiter(window, header.tag, offset, encoding)?.1;
                        false
                    }
                }
            }
        };
        if is_delimiter {
            match outer_levels.pop() {
                Some(outer) => level = outer,
                None => return Ok((delimiter, offset)),
            }
        }
    }
}

/// Returns where reading continues after a sequence delimiter at `offset`, within an item that it ends.
///
/// ```text
/// after it                              meaning
/// item, sequence delimiter              it ends the item only
/// item delimiter, then one of these     it ends the sequence; the second one ends the item around it
/// item delimiter, then anything else    both are swapped: the second one ends the sequence
/// anything else                         the item delimiter is missing: it ends the sequence
/// ```
///
/// A delimiter that ends the sequence is read again at the level of the sequence.
#[cold]
fn after_sequence_delimiter(
    window: &mut Window<'_>,
    offset: u64,
    encoding: Encoding,
    outer_count: usize,
) -> Result<u64> {
    window.report(delimiter_deviation("sequence delimiter (FFFE,E0DD)", "item delimiter (FFFE,E00D)", offset));
    let next = offset + DELIMITER_BYTES;
    let mut tag_at = |offset| Ok(window.array(offset)?.map(|bytes| encoding.tag(bytes)));
    let is_in_sequence = |tag| matches!(tag, Some(Tag::ITEM | Tag::SEQUENCE_DELIMITER));
    let ends_item_only = match tag_at(next)? {
        Some(Tag::ITEM_DELIMITER) => outer_count < 2 || !is_in_sequence(tag_at(next + DELIMITER_BYTES)?),
        tag => is_in_sequence(tag),
    };
    Ok(if ends_item_only { next } else { offset })
}

fn delimiter_deviation(found: &str, expected: &str, offset: u64) -> Deviation {
    Deviation::new(format!("{found} found at byte {offset} of the file, {expected} expected"), CLAUSE)
}

/// Finds the sequence delimiter of a value that is no sequence: returns its offset, and the offset after it.
///
/// If the value starts with an item, its fragments are stepped over (PS3.5 A.4); otherwise the first occurrence of the
/// delimiter's tag ends it.
pub(crate) fn find_delimiter(
    window: &mut Window<'_>,
    tag: Tag,
    value_offset: u64,
    encoding: Encoding,
) -> Result<(u64, u64)> {
    let mut offset = value_offset;
    if window.array(value_offset)?.is_some_and(|bytes| encoding.tag(bytes) == Tag::ITEM) {
        while let Some(fragment) = next_item(window, offset, encoding)? {
            let Some(length) = fragment.length else {
                return Err(error(ErrorKind::Malformed, "fragment of undefined length found", offset));
            };
            offset = fragment.start.saturating_add(u64::from(length));
        }
        return Ok((offset, offset + DELIMITER_BYTES));
    }
    loop {
        let bytes = window.peek(offset, SEARCH_BYTES)?;
        let position = bytes
            .windows(4)
            .position(|bytes| bytes.first_chunk().is_some_and(|tag| encoding.tag(*tag) == Tag::SEQUENCE_DELIMITER));
        match position {
            Some(position) => {
                let delimiter = offset + position as u64;
                return Ok((delimiter, delimiter + DELIMITER_BYTES));
            }
            None if bytes.len() < SEARCH_BYTES => {
                let message = format!("the file ends within element {tag} of undefined length");
                return Err(error(ErrorKind::Truncated, &message, offset + bytes.len() as u64));
            }
            // The tag may lie across two reads: its first three bytes are searched again.
            None => offset += SEARCH_BYTES as u64 - 3,
        }
    }
}

#[cold]
fn error(kind: ErrorKind, message: &str, offset: u64) -> DecodeError {
    DecodeError::new(kind, format!("{message}, at byte {offset} of the file"), CLAUSE)
}
