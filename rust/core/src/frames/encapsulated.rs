//! Frames of an encapsulated value (PS3.5 A.4).
//!
//! The value is a sequence of items. The first one holds the Basic Offset Table, possibly empty; each of the others
//! holds one fragment. A frame is one or more consecutive fragments. For example, two frames of one fragment each:
//!
//! ```text
//! offset  bytes
//!      0  FE FF 00 E0  08 00 00 00    item tag (FFFE,E000), length 8: Basic Offset Table
//!      8  00 00 00 00  0C 00 00 00    entries 0 and 12; both count from offset 16, the end of the table
//!     16  FE FF 00 E0  04 00 00 00    entry 0:  16 +  0 = 16, fragment of 4 bytes
//!     24  53 31 61 00                 frame 0, with a pad byte
//!     28  FE FF 00 E0  02 00 00 00    entry 1:  16 + 12 = 28, fragment of 2 bytes
//!     36  53 32                       frame 1
//!     38  FE FF DD E0  00 00 00 00    Sequence Delimitation Item
//! ```
//!
//! An Extended Offset Table with offsets `0, 12` and lengths `3, 2` describes the same frames, without the pad byte.
//!
//! # Locating frame `i`
//!
//! ```text
//! fragments(i):
//!     if a table is in use, and its entries i and i + 1 match the items:   # by_extended_table, by_basic_table
//!         return the fragments between them
//!     walk all items once and group the fragments by frame                 # fragment_index, kept for later calls
//!     if a table is in use and the items hold another number of frames than declared:
//!         error                                                            # cannot tell which frames are meant
//!     return group i
//! ```
//!
//! A table is in use if it has one entry for each declared frame. Its entries are verified frame by frame, when the
//! frame is asked for, so that one frame of a large file costs reading that frame only. A table with more entries than
//! declared frames is verified completely when the value is opened; if all entries match, the value has that many frames.
//!
//! An entry matches if
//! - the first entry is 0, and the entries of frames `i - 1`, `i` and `i + 1` increase;
//! - Extended Offset Table: an item starts there, and its length is the given length, or one more (a pad byte);
//! - Basic Offset Table: an item starts there, a fragment ends exactly where frame `i + 1` starts, and no later
//!   fragment of the frame looks like the start of another frame.
//!
//! # Grouping fragments without a table
//!
//! ```text
//! fragments = declared frames    one fragment per frame
//! fragments < declared frames    error
//! fragments > declared frames    a fragment that the codec recognises as the start of a frame begins a new one;
//!                                fewer frames than declared: error; more: deviation, all of them are present
//! ```

use super::PixelData;
use crate::codec::{Codec, HEAD_BYTES};
use crate::error::{ErrorKind, Result, malformed, truncated};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::value::{Value, room};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::OnceLock;

const CLAUSE: &str = "PS3.5 A.4";
const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const SEQUENCE_DELIMITER: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
/// Bytes of an item's tag and length.
const HEADER_BYTES: usize = 8;

/// Byte range of one fragment in the value, without the item header.
type Fragment = Range<usize>;

/// Locates the frames of one encapsulated value.
#[derive(Debug)]
pub(super) struct Encapsulated {
    info: FrameInfo,
    codec: &'static dyn Codec,
    /// Number of Frames (0028,0008).
    declared: usize,
    table: OffsetTable,
    /// Byte offset of the first fragment's item, from which offset tables count: the end of the Basic Offset Table.
    first_item: usize,
    /// The result of walking all items; empty as long as an offset table is enough.
    index: OnceLock<Result<FragmentIndex>>,
}

/// The offset table in use.
#[derive(Debug)]
enum OffsetTable {
    Extended,
    /// Byte range of the entries in the value.
    Basic(Range<usize>),
    None,
}

/// All fragments of a value, grouped by frame.
#[derive(Debug, Clone)]
struct FragmentIndex {
    fragments: Vec<Fragment>,
    /// One entry per frame: the index of the first fragment after the frame.
    frame_ends: Vec<usize>,
}

/// The fragments that a table gives for one frame; `None` if the entry does not match the items. `Some(Err(_))` if it
/// matches as far as the items can be read, but the frame itself is broken.
type TableLookup = Option<Result<Vec<Fragment>>>;

impl Encapsulated {
    /// Chooses the offset table to use. Returns the number of frames too.
    pub(super) fn new(
        data: PixelData<'_>,
        declared: usize,
        info: &FrameInfo,
        codec: &'static dyn Codec,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(Self, usize)> {
        let entries =
            read_item(data.value, 0)?.ok_or_else(|| truncated("basic offset table item is missing", CLAUSE).at(0))?;
        let (first_item, basic_count) = (entries.end, entries.len() / 4);
        let mut located =
            Self { info: *info, codec, declared, table: OffsetTable::Extended, first_item, index: OnceLock::new() };
        let extended_count = data.extended.map_or(0, |extended| {
            let (offset_bytes, length_bytes) = (extended.offsets.len(), extended.lengths.len());
            if offset_bytes == length_bytes && offset_bytes % 8 == 0 { offset_bytes / 8 } else { 0 }
        });
        if located.is_usable(data, extended_count) {
            report_more_frames(declared, extended_count, deviations);
            return Ok((located, extended_count));
        }
        if data.extended.is_some_and(|extended| !extended.offsets.is_empty()) {
            deviations.push(wrong_extended_table());
        }
        let has_basic_table = !entries.is_empty();
        located.table = OffsetTable::Basic(entries);
        if located.is_usable(data, basic_count) {
            report_more_frames(declared, basic_count, deviations);
            return Ok((located, basic_count));
        }
        if has_basic_table {
            deviations.push(wrong_basic_table());
        }
        located.table = OffsetTable::None;
        let frame_count = located.fragment_index(data.value)?.frame_ends.len();
        report_more_frames(declared, frame_count, deviations);
        Ok((located, frame_count))
    }

    /// Returns the bytes of frame `index`, joined in `scratch` if it has several fragments.
    pub(super) fn frame<'a>(
        &self,
        data: PixelData<'a>,
        index: usize,
        limits: &Limits,
        scratch: &'a mut Vec<u8>,
    ) -> Result<FrameBytes<'a>> {
        join_fragments(data.value, &self.fragments(data, index)?, limits, scratch)
    }

    /// Returns the size of frame `index` in bytes, without item headers.
    pub(super) fn frame_bytes(&self, data: PixelData<'_>, index: usize) -> Result<usize> {
        Ok(self.fragments(data, index)?.iter().map(ExactSizeIterator::len).sum())
    }

    /// The deviation that a frame was asked for whose table entry does not match the items.
    pub(super) fn lookup_deviation(&self) -> Option<Deviation> {
        self.index.get()?;
        match self.table {
            OffsetTable::Extended => Some(wrong_extended_table()),
            OffsetTable::Basic(_) => Some(wrong_basic_table()),
            OffsetTable::None => None,
        }
    }

    /// Returns the fragments of frame `index`: by the table in use, otherwise by walking all items.
    fn fragments(&self, data: PixelData<'_>, index: usize) -> Result<Cow<'_, [Fragment]>> {
        if let Some(fragments) = self.by_table(data, index) {
            return fragments.map(Cow::Owned);
        }
        let FragmentIndex { fragments, frame_ends } = self.fragment_index(data.value)?;
        let has_table = !matches!(self.table, OffsetTable::None);
        if has_table && frame_ends.len() != self.declared {
            // Which of these frames the remaining entries of the table mean is unknown.
            let text = format!(
                "offset table entry of frame {index} does not match the items, which hold {} frames, {} expected",
                frame_ends.len(),
                self.declared
            );
            return Err(malformed(text, CLAUSE));
        }
        let start = index.checked_sub(1).map_or(Some(0), |before| frame_ends.get(before).copied());
        let range = start.zip(frame_ends.get(index)).map(|(start, end)| start..*end);
        // A table with more entries than declared frames matched when it was opened: a file may have changed since.
        let changed = || malformed(format!("frame {index} is no longer found in the items"), CLAUSE);
        range.and_then(|range| fragments.get(range)).map(Cow::Borrowed).ok_or_else(changed)
    }

    /// True if the table in use, which has `entry_count` entries, can be used: it has one entry for each declared frame;
    /// or it has more, and all of them match.
    fn is_usable(&self, data: PixelData<'_>, entry_count: usize) -> bool {
        match entry_count.cmp(&self.declared) {
            Ordering::Less => false,
            Ordering::Equal => true,
            Ordering::Greater => (0..entry_count).all(|index| self.by_table(data, index).is_some()),
        }
    }

    fn by_table(&self, data: PixelData<'_>, index: usize) -> TableLookup {
        match &self.table {
            OffsetTable::Extended => self.by_extended_table(data, index),
            OffsetTable::Basic(entries) => self.by_basic_table(data.value, entries, index),
            OffsetTable::None => None,
        }
    }

    /// Returns the fragment that the Extended Offset Table gives for frame `index`.
    fn by_extended_table(&self, data: PixelData<'_>, index: usize) -> TableLookup {
        let extended = data.extended?;
        let entry = |table: &[u8], index: usize| {
            let entry = table.as_chunks::<8>().0.get(index)?;
            usize::try_from(u64::from_le_bytes(*entry)).ok()
        };
        let offset = entry(extended.offsets, index)?;
        let length = entry(extended.lengths, index)?;
        let previous = index.checked_sub(1).map(|index| entry(extended.offsets, index));
        let increases =
            entry(extended.offsets, 0) == Some(0) && previous.is_none_or(|previous| previous < Some(offset));
        let fragment = read_item(data.value, self.first_item.checked_add(offset)?).ok()??;
        // The length is that of the codestream, without the pad byte (PS3.3 C.7.6.3.1.8).
        let fits = matches!(fragment.len().checked_sub(length), Some(0 | 1));
        (increases && fits).then(|| Ok(std::iter::once(fragment.start..fragment.start + length).collect()))
    }

    /// Returns the fragments from the Basic Offset Table entry of frame `index` to the next entry, or to the end of the
    /// value for the last frame.
    fn by_basic_table(&self, value: Value<'_>, entries: &Range<usize>, index: usize) -> TableLookup {
        let item_offset = |index: usize| {
            let start = entries.start.checked_add(index.checked_mul(4)?)?;
            let range = start..start.checked_add(4).filter(|end| *end <= entries.end)?;
            let mut entry = [0; 4];
            value.read(range, &mut entry).ok()?;
            self.first_item.checked_add(usize::try_from(u32::from_le_bytes(entry)).ok()?)
        };
        let start = item_offset(index)?;
        let end = item_offset(index + 1);
        let previous = index.checked_sub(1).map(item_offset);
        let increases = item_offset(0)? == self.first_item
            && previous.is_none_or(|previous| previous < Some(start))
            && end.is_none_or(|end| start < end);
        if !increases {
            return None;
        }
        match read_item(value, start) {
            Ok(Some(_)) => {}
            // The entry is right, the value ends within this frame: the loop below returns the error.
            Err(error) if error.kind() == ErrorKind::Truncated => {}
            _ => return None,
        }
        let mut fragments = Vec::with_capacity(1);
        let mut offset = start;
        while end.is_none_or(|end| offset < end) {
            match read_item(value, offset) {
                Ok(Some(fragment)) => {
                    offset = fragment.end;
                    fragments.push(fragment);
                }
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        let starts_frame = |fragment: &Fragment| self.starts_frame(value, fragment).unwrap_or(false);
        let matches = end.is_none_or(|end| offset == end) && !fragments.iter().skip(1).any(starts_frame);
        matches.then_some(Ok(fragments))
    }

    /// True if the codec recognises `fragment` as the first one of a frame.
    fn starts_frame(&self, value: Value<'_>, fragment: &Fragment) -> Result<bool> {
        let mut head = [0; HEAD_BYTES];
        let head = head.get_mut(..fragment.len().min(HEAD_BYTES)).unwrap_or_default();
        Ok(self.codec.starts_frame(value.head(fragment.start, head)?, fragment.len(), &self.info))
    }

    /// Returns all fragments, grouped by frame. Walks the items on the first call only.
    fn fragment_index(&self, value: Value<'_>) -> Result<&FragmentIndex> {
        let index = self.index.get_or_init(|| {
            let fragments = read_fragments(value, self.first_item)?;
            let frame_ends =
                group_by_frame(value, &fragments, self.declared, &|fragment| self.starts_frame(value, fragment))?;
            Ok(FragmentIndex { fragments, frame_ends })
        });
        index.as_ref().map_err(Clone::clone)
    }
}

fn wrong_extended_table() -> Deviation {
    Deviation::new("extended offset table does not match the items, ignored", "PS3.3 C.7.6.3.1.8")
}

fn wrong_basic_table() -> Deviation {
    Deviation::new("basic offset table does not match the items, ignored", CLAUSE).at(HEADER_BYTES)
}

/// Returns the bytes of `fragments`: borrowed from memory if there is one fragment, otherwise copied into `scratch`.
fn join_fragments<'a>(
    value: Value<'a>,
    fragments: &[Fragment],
    limits: &Limits,
    scratch: &'a mut Vec<u8>,
) -> Result<FrameBytes<'a>> {
    if let [fragment] = fragments {
        return Ok(value.bytes(fragment.clone(), limits, scratch)?.into());
    }
    let joined = room(scratch, fragments.iter().map(ExactSizeIterator::len).sum(), limits)?;
    let mut start = 0;
    for fragment in fragments {
        let end = start + fragment.len();
        if let Some(part) = joined.get_mut(start..end) {
            value.read(fragment.clone(), part)?;
        } else {
            debug_assert!(false, "the buffer has the length of all fragments");
            return Err(malformed(format!("{} bytes of fragments found, {end} expected", joined.len()), CLAUSE));
        }
        start = end;
    }
    Ok((&*joined).into())
}

/// Reads the item header at byte `offset` and returns the byte range of its data.
///
/// `None` at the end of the value, at the Sequence Delimitation Item, or if only zero padding follows.
fn read_item(value: Value<'_>, offset: usize) -> Result<Option<Range<usize>>> {
    let mut header = [0; HEADER_BYTES];
    let header = value.head(offset, &mut header)?;
    if header.is_empty() || header.starts_with(&SEQUENCE_DELIMITER) {
        return Ok(None);
    }
    let Some(&[t0, t1, t2, t3, l0, l1, l2, l3]) = header.first_chunk::<HEADER_BYTES>() else {
        // Some writers pad the whole value instead of the last fragment.
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let text = format!("{} bytes found, item header of 8 bytes expected", header.len());
        return Err(truncated(text, CLAUSE).at(offset));
    };
    if [t0, t1, t2, t3] != ITEM {
        let text = format!("tag ({t1:02X}{t0:02X},{t3:02X}{t2:02X}) found, item (FFFE,E000) expected");
        return Err(malformed(text, CLAUSE).at(offset));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if length == u32::MAX {
        return Err(malformed("item of undefined length found, explicit length expected", CLAUSE).at(offset + 4));
    }
    let start = offset + HEADER_BYTES;
    let bytes_left = value.len() - start;
    if length as usize > bytes_left {
        let text = format!("item of {length} bytes found, {bytes_left} bytes left");
        return Err(truncated(text, CLAUSE).at(value.len()));
    }
    Ok(Some(start..start + length as usize))
}

/// Returns all fragments of the items from byte `first_item` on.
fn read_fragments(value: Value<'_>, first_item: usize) -> Result<Vec<Fragment>> {
    let mut fragments = Vec::new();
    let mut offset = first_item;
    while let Some(fragment) = read_item(value, offset)? {
        offset = fragment.end;
        fragments.push(fragment);
    }
    Ok(fragments)
}

/// Groups fragments by frame as the module describes. Returns the index of the first fragment after each frame.
fn group_by_frame(
    value: Value<'_>,
    fragments: &[Fragment],
    declared: usize,
    starts_frame: &dyn Fn(&Fragment) -> Result<bool>,
) -> Result<Vec<usize>> {
    if fragments.len() < declared {
        let text = format!("{} fragments found, {declared} frames expected", fragments.len());
        return Err(truncated(text, CLAUSE).at(value.len()));
    }
    if fragments.len() == declared {
        return Ok((1..=declared).collect());
    }
    let mut frame_ends = Vec::new();
    // A frame is not empty: leading empty fragments belong to the first frame.
    let first = fragments.iter().position(|fragment| !fragment.is_empty()).unwrap_or(0);
    for (index, fragment) in fragments.iter().enumerate().skip(first + 1) {
        if starts_frame(fragment)? {
            frame_ends.push(index);
        }
    }
    frame_ends.push(fragments.len());
    if frame_ends.len() < declared {
        let text = format!(
            "{} fragments found for {declared} frames, only {} frame starts recognised",
            fragments.len(),
            frame_ends.len()
        );
        return Err(malformed(text, CLAUSE));
    }
    Ok(frame_ends)
}

fn report_more_frames(declared: usize, frame_count: usize, deviations: &mut Vec<Deviation>) {
    if frame_count > declared {
        let text = format!("number of frames is {declared}, {frame_count} frames found");
        deviations.push(Deviation::new(text, "PS3.3 C.7.6.6"));
    }
}

#[cfg(test)]
mod tests;
