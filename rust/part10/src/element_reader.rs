//! Data elements one after the other (PS3.5 7.1, 7.5): where the value of each lies. Nothing is read but headers; what is
//! nested is stepped over, however deep, and looked at when somebody asks for it.

use crate::element::{self, Element, Encoding, Tag};
use crate::window::Window;
use dicoxide_core::{DecodeError, ErrorKind, Result};

const CLAUSE: &str = "PS3.5 7.5";

/// The elements of a data set or item.
#[derive(Debug, Clone, Default)]
pub struct DataSet {
    elements: Vec<Element>,
    /// Whether tags ascend, as they should (PS3.5 7.1).
    is_sorted: bool,
}

/// What data sets are read of: everything, or as long as a group goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    End,
    /// The first element of another group.
    OtherGroup(u32),
}

impl DataSet {
    /// Reads the elements from `start` to `end`, and says where they ended.
    ///
    /// Of a Pixel Data value of undefined length nothing is read: it is taken to be the last element, to the end.
    pub(crate) fn read(
        window: &mut Window<'_>,
        start: u64,
        end: u64,
        encoding: Encoding,
        until: Until,
    ) -> Result<(Self, u64)> {
        // Nothing for what is empty: there may be millions of empty items.
        let most = end.saturating_sub(start) / 8;
        let mut elements: Vec<Element> = Vec::with_capacity((most / 4).clamp(4, 256).min(most) as usize);
        let mut at = start;
        while at < end {
            let Some(header) = element::header(window, at, encoding)? else { break };
            if until != Until::End && until != Until::OtherGroup(header.tag.group()) {
                break;
            }
            if header.tag == Tag::ITEM_DELIMITER {
                at = header.offset;
                break;
            }
            let (tag, vr, offset) = (header.tag, header.vr, header.offset);
            let is_undefined = header.length.is_none();
            let left = window.size().saturating_sub(offset);
            let (length, next) = match header.length {
                Some(length) => (u64::from(length).min(left), offset.saturating_add(u64::from(length))),
                None if crate::pixel::is_pixel_data(tag) => (left, window.size()),
                None => skip_undefined(window, tag, vr, offset, encoding)?,
            };
            elements.push(Element { tag, vr, encoding, offset, length, is_undefined });
            at = next;
        }
        let is_sorted = elements.is_sorted_by(|one, next| one.tag < next.tag);
        Ok((Self { elements, is_sorted }, at))
    }

    /// The element of a tag; the last one where there are several.
    #[must_use]
    pub fn get(&self, tag: Tag) -> Option<&Element> {
        if self.is_sorted {
            let place = self.elements.binary_search_by_key(&tag, |element| element.tag).ok()?;
            return self.elements.get(place);
        }
        self.elements.iter().rev().find(|element| element.tag == tag)
    }

    /// All elements, in the order of the file.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }
}

/// The items of a sequence: where the elements of each begin and end, and how they are encoded.
pub(crate) fn items(window: &mut Window<'_>, sequence: &Element) -> Result<Vec<(u64, u64, Encoding)>> {
    let end = sequence.offset + sequence.length;
    let mut found = Vec::new();
    let mut at = sequence.offset;
    while at < end {
        let Some(item) = next_item(window, at, sequence.encoding)? else { break };
        let encoding = item_encoding(window, item.start, sequence.encoding)?;
        let (stop, next) = match item.length {
            Some(length) => {
                let stop = item.start.saturating_add(u64::from(length));
                (stop.min(window.size()), stop)
            }
            None => skip(window, item.start, Level::Item(encoding))?,
        };
        found.push((item.start, stop, encoding));
        at = next;
    }
    Ok(found)
}

/// The beginning of an item.
struct Item {
    start: u64,
    length: Option<u32>,
}

/// The item at `at`, or `None` at the end of the sequence.
fn next_item(window: &mut Window<'_>, at: u64, encoding: Encoding) -> Result<Option<Item>> {
    let as_items = Encoding { is_implicit: true, ..encoding };
    let Some(header) = element::header(window, at, as_items)? else {
        return Err(error(ErrorKind::Truncated, "the file ends within a sequence", at));
    };
    match header.tag {
        Tag::SEQUENCE_DELIMITER => Ok(None),
        Tag::ITEM => Ok(Some(Item { start: header.offset, length: header.length })),
        other => Err(error(ErrorKind::Malformed, &format!("tag {other} found, an item (FFFE,E000) expected"), at)),
    }
}

fn item_encoding(window: &mut Window<'_>, start: u64, of_sequence: Encoding) -> Result<Encoding> {
    Ok(Encoding { is_implicit: element::is_implicit(window, start, of_sequence, true)?, ..of_sequence })
}

/// How long a value of undefined length is, and where the next element begins.
fn skip_undefined(
    window: &mut Window<'_>,
    tag: Tag,
    vr: Option<[u8; 2]>,
    offset: u64,
    encoding: Encoding,
) -> Result<(u64, u64)> {
    let is_sequence = match vr.as_ref() {
        // Of unknown VR and undefined length there are only sequences (PS3.5 6.2.2).
        Some(b"SQ" | b"UN") => true,
        None => window.array(offset)?.is_some_and(|next| {
            let next = encoding.tag(next);
            next == Tag::ITEM || next == Tag::SEQUENCE_DELIMITER
        }),
        Some(_) => false,
    };
    let (end, next) = if is_sequence {
        skip(window, offset, Level::Sequence(encoding))?
    } else {
        find_delimiter(window, tag, offset, encoding)?
    };
    Ok((end - offset, next))
}

/// What nests: a sequence of undefined length, and an item of undefined length in it.
enum Level {
    Sequence(Encoding),
    Item(Encoding),
}

/// Steps over what is nested in `outermost`, whose content is at `at`: where its delimiter is, and what follows.
fn skip(window: &mut Window<'_>, mut at: u64, outermost: Level) -> Result<(u64, u64)> {
    // No recursion: how deep it goes is up to the file.
    let mut levels = vec![outermost];
    loop {
        let delimiter = at;
        let is_over = match levels.last() {
            None => return Ok((at, at)),
            Some(&Level::Sequence(encoding)) => match next_item(window, at, encoding)? {
                None => {
                    at += 8;
                    true
                }
                Some(Item { start, length: Some(length) }) => {
                    at = start.saturating_add(u64::from(length));
                    false
                }
                Some(Item { start, length: None }) => {
                    levels.push(Level::Item(item_encoding(window, start, encoding)?));
                    at = start;
                    false
                }
            },
            Some(&Level::Item(encoding)) => {
                let Some(header) = element::header(window, at, encoding)? else {
                    return Err(error(ErrorKind::Truncated, "the file ends within an item", at));
                };
                at = header.offset;
                match header.length {
                    _ if header.tag == Tag::ITEM_DELIMITER => true,
                    Some(length) => {
                        at = at.saturating_add(u64::from(length));
                        false
                    }
                    None if matches!(header.vr.as_ref(), None | Some(b"SQ" | b"UN")) => {
                        levels.push(Level::Sequence(encoding));
                        false
                    }
                    None => {
                        at = find_delimiter(window, header.tag, at, encoding)?.1;
                        false
                    }
                }
            }
        };
        if is_over {
            levels.pop();
            if levels.is_empty() {
                return Ok((delimiter, at));
            }
        }
    }
}

/// Where the delimiter of a value that is no sequence lies, and what follows: behind its fragments, if it has any
/// (PS3.5 A.4), else wherever the bytes of one are.
pub(crate) fn find_delimiter(window: &mut Window<'_>, tag: Tag, offset: u64, encoding: Encoding) -> Result<(u64, u64)> {
    let mut at = offset;
    if window.array(offset)?.is_some_and(|tag| encoding.tag(tag) == Tag::ITEM) {
        while let Some(item) = next_item(window, at, encoding)? {
            let Some(length) = item.length else {
                return Err(error(ErrorKind::Malformed, "a fragment of undefined length", at));
            };
            at = item.start.saturating_add(u64::from(length));
        }
        return Ok((at, at + 8));
    }
    loop {
        let bytes = window.peek(at, 4096)?;
        let found = bytes
            .windows(4)
            .position(|four| four.first_chunk().is_some_and(|four| encoding.tag(*four) == Tag::SEQUENCE_DELIMITER));
        match found {
            Some(found) => return Ok((at + found as u64, at + found as u64 + 8)),
            None if bytes.len() < 4096 => {
                let what = format!("the file ends within element {tag} of undefined length");
                return Err(error(ErrorKind::Truncated, &what, at + bytes.len() as u64));
            }
            None => at += 4096 - 3,
        }
    }
}

fn error(kind: ErrorKind, what: &str, at: u64) -> DecodeError {
    DecodeError::new(kind, format!("{what}, at byte {at} of the file"), CLAUSE)
}
