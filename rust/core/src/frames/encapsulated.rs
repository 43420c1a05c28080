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
//!         error                                                            # which frames were declared is unknown
//!     return group i
//! ```
//!
//! `items.rs` describes how fragments are grouped. A table is in use if it has one entry for each declared frame. Its
//! entries are verified frame by frame, when the frame is requested, so that one frame of a large file costs reading
//! that frame only. A table with more entries than declared frames is verified completely when the value is opened; if
//! all entries match, the value has that many frames.
//!
//! An entry matches if
//! - the entries from the first one, which is 0, to that of frame `i + 1` increase;
//! - Extended Offset Table: an item starts there, its length is the given length, or one more (a pad byte), and it ends
//!   before frame `i + 1` starts;
//! - Basic Offset Table: an item starts there, a fragment ends exactly where frame `i + 1` starts, and no later
//!   fragment of the frame looks like the start of another frame.
//!
//! So frames that a table gives never overlap, and the time for all frames is proportional to the size of the value. If
//! entries only had to increase from one frame to the next, the table `0, 74, 887926, 0, 74, 887926, …` would give every
//! third frame all fragments from 74 to 887926: 12000 such entries, in a value of 0.9 MB, took 78 s with the NumPy backend.

mod items;
mod offsets;

use super::PixelData;
use crate::codec::{FrameFormat, HEAD_BYTES};
use crate::error::{ErrorKind, Result, malformed, truncated};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::value::{Value, scratch_slice};
use items::{Fragment, HEADER_BYTES, ItemsEnd, Next, group_by_frame, next_fragment, read_fragments, read_item};
use offsets::{increases_to_next, increasing_basic_entries, increasing_extended_entries};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

const CLAUSE: &str = "PS3.5 A.4";

/// Locates the frames of one encapsulated value.
#[derive(Debug)]
pub(super) struct Encapsulated {
    info: FrameInfo,
    format: &'static dyn FrameFormat,
    /// Number of Frames (0028,0008).
    declared: usize,
    table: OffsetTable,
    /// Byte offset of the first fragment's item, from which offset tables count: the end of the Basic Offset Table.
    first_item: usize,
    /// The result of walking all items; empty as long as an offset table is enough.
    index: OnceLock<Result<FragmentIndex>>,
    /// Kind of the bytes after the last fragment; empty until a look-up has reached them.
    end: OnceLock<ItemsEnd>,
    /// True if the value includes the delimiter, as its length is undefined.
    expects_delimiter: bool,
    /// True if the deviation of the end is in the deviations of the table.
    is_end_reported: bool,
}

/// The offset table in use. `increasing` is the number of leading entries that start with 0 and increase.
#[derive(Debug)]
enum OffsetTable {
    Extended {
        increasing: usize,
    },
    /// `entries` is the byte range of the entries in the value, which the first look-up reads.
    Basic {
        entries: Range<usize>,
        increasing: OnceLock<usize>,
    },
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
        format: &'static dyn FrameFormat,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(Self, usize)> {
        let entries =
            read_item(data.value, 0)?.ok_or_else(|| truncated("basic offset table item is missing", CLAUSE).at(0))?;
        let (first_item, basic_count) = (entries.end, entries.len() / 4);
        let mut located = Self {
            info: *info,
            format,
            declared,
            table: OffsetTable::Extended { increasing: data.extended.map_or(0, increasing_extended_entries) },
            first_item,
            index: OnceLock::new(),
            end: OnceLock::new(),
            expects_delimiter: false,
            is_end_reported: false,
        };
        let extended_count = data.extended.map_or(0, |extended| {
            let (offset_bytes, length_bytes) = (extended.offsets.len(), extended.lengths.len());
            if offset_bytes == length_bytes && offset_bytes % 8 == 0 { offset_bytes / 8 } else { 0 }
        });
        if located.is_usable(data, extended_count)? {
            report_more_frames(declared, extended_count, deviations);
            return Ok((located, extended_count));
        }
        if data.extended.is_some_and(|extended| !extended.offsets.is_empty()) {
            deviations.push(wrong_extended_table());
        }
        let has_basic_table = !entries.is_empty();
        located.table = OffsetTable::Basic { entries, increasing: OnceLock::new() };
        if located.is_usable(data, basic_count)? {
            report_more_frames(declared, basic_count, deviations);
            return Ok((located, basic_count));
        }
        if has_basic_table {
            deviations.push(wrong_basic_table());
        }
        located.table = OffsetTable::None;
        let frame_count = located.fragment_index(data.value)?.frame_ends.len();
        located.report_end(deviations);
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

    /// Declares that the value includes its delimiter. Adds a deviation if it is known to be missing.
    pub(super) fn expect_delimiter(&mut self, deviations: &mut Vec<Deviation>) {
        self.expects_delimiter = true;
        if !self.is_end_reported {
            self.report_end(deviations);
        }
    }

    /// Adds the deviation of the end of the items, if it has been reached and has one.
    fn report_end(&mut self, deviations: &mut Vec<Deviation>) {
        let deviation = self.end_deviation();
        self.is_end_reported |= deviation.is_some();
        deviations.extend(deviation);
    }

    fn end_deviation(&self) -> Option<Deviation> {
        self.end.get()?.deviation(self.expects_delimiter)
    }

    /// The deviations found by look-ups of frames: a table entry that does not match the items, another end of the
    /// items than a delimiter.
    pub(super) fn lookup_deviations(&self) -> Vec<Deviation> {
        let table = self.index.get().and(match self.table {
            OffsetTable::Extended { .. } => Some(wrong_extended_table()),
            OffsetTable::Basic { .. } => Some(wrong_basic_table()),
            OffsetTable::None => None,
        });
        let end = if self.is_end_reported { None } else { self.end_deviation() };
        table.into_iter().chain(end).collect()
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
    fn is_usable(&self, data: PixelData<'_>, entry_count: usize) -> Result<bool> {
        if entry_count <= self.declared {
            return Ok(entry_count == self.declared);
        }
        for index in 0..entry_count {
            match self.by_table(data, index) {
                None => return Ok(false),
                Some(Err(error)) if error.kind() == ErrorKind::Io => return Err(error),
                Some(_) => {}
            }
        }
        Ok(true)
    }

    fn by_table(&self, data: PixelData<'_>, index: usize) -> TableLookup {
        match &self.table {
            OffsetTable::Extended { increasing } => self.by_extended_table(data, *increasing, index),
            OffsetTable::Basic { entries, increasing } => {
                let increasing = match increasing.get() {
                    Some(count) => *count,
                    None => match increasing_basic_entries(data.value, entries) {
                        Ok(count) => *increasing.get_or_init(|| count),
                        Err(error) => return Some(Err(error)),
                    },
                };
                self.by_basic_table(data.value, entries, increasing, index)
            }
            OffsetTable::None => None,
        }
    }

    /// Returns the fragment that the Extended Offset Table gives for frame `index`.
    fn by_extended_table(&self, data: PixelData<'_>, increasing: usize, index: usize) -> TableLookup {
        let extended = data.extended?;
        if !increases_to_next(index, increasing, extended.offsets.len() / 8) {
            return None;
        }
        let entry = |table: &[u8], index: usize| {
            let entry = table.as_chunks::<8>().0.get(index)?;
            usize::try_from(u64::from_le_bytes(*entry)).ok()
        };
        let offset = entry(extended.offsets, index)?;
        let length = entry(extended.lengths, index)?;
        let fragment = match read_item(data.value, self.first_item.checked_add(offset)?) {
            Ok(fragment) => fragment?,
            Err(error) if error.kind() == ErrorKind::Io => return Some(Err(error)),
            Err(_) => return None,
        };
        // `None` if there is no next frame, or if its offset exceeds `usize` and so is after every item.
        let next = entry(extended.offsets, index + 1).and_then(|offset| self.first_item.checked_add(offset));
        // The length is that of the codestream, without the pad byte (PS3.3 C.7.6.3.1.8).
        let fits = matches!(fragment.len().checked_sub(length), Some(0 | 1));
        let ends_before_next = next.is_none_or(|next| fragment.end <= next);
        if next.is_none() {
            match next_fragment(data.value, fragment.end) {
                Ok(Next::End(end)) => _ = self.end.set(end),
                Err(error) if error.kind() == ErrorKind::Io => return Some(Err(error)),
                Ok(Next::Fragment(_)) | Err(_) => {}
            }
        }
        (fits && ends_before_next).then(|| Ok(std::iter::once(fragment.start..fragment.start + length).collect()))
    }

    /// Returns the fragments from the Basic Offset Table entry of frame `index` to the next entry, or to the end of the
    /// value for the last frame.
    fn by_basic_table(&self, value: Value<'_>, entries: &Range<usize>, increasing: usize, index: usize) -> TableLookup {
        let entry_count = entries.len() / 4;
        if !increases_to_next(index, increasing, entry_count) {
            return None;
        }
        let item_offset = |index: usize| {
            let start = entries.start.checked_add(index.checked_mul(4)?)?;
            let range = start..start.checked_add(4).filter(|end| *end <= entries.end)?;
            let mut entry = [0; 4];
            match value.read(range, &mut entry) {
                Err(error) if error.kind() == ErrorKind::Io => Some(Err(error)),
                Err(_) => None,
                Ok(()) => self.first_item.checked_add(usize::try_from(u32::from_le_bytes(entry)).ok()?).map(Ok),
            }
        };
        let start = match item_offset(index)? {
            Ok(start) => start,
            Err(error) => return Some(Err(error)),
        };
        let end = match (index + 1 < entry_count).then(|| item_offset(index + 1)) {
            None => None,
            Some(end) => match end? {
                Ok(end) => Some(end),
                Err(error) => return Some(Err(error)),
            },
        };
        match read_item(value, start) {
            Ok(Some(_)) => {}
            // The entry is right, the value ends within this frame: the loop below returns the error.
            Err(error) if error.kind() == ErrorKind::Truncated => {}
            Err(error) if error.kind() == ErrorKind::Io => return Some(Err(error)),
            _ => return None,
        }
        let mut fragments = Vec::with_capacity(1);
        let mut offset = start;
        while end.is_none_or(|end| offset < end) {
            match next_fragment(value, offset) {
                Ok(Next::Fragment(fragment)) => {
                    offset = fragment.end;
                    fragments.push(fragment);
                }
                Ok(Next::End(items_end)) => {
                    if end.is_none() {
                        let _ = self.end.set(items_end);
                    }
                    break;
                }
                Err(error) => return Some(Err(error)),
            }
        }
        if end.is_some_and(|end| offset != end) {
            return None;
        }
        for fragment in fragments.iter().skip(1) {
            match self.starts_frame(value, fragment) {
                Ok(true) => return None,
                Err(error) if error.kind() == ErrorKind::Io => return Some(Err(error)),
                Ok(false) | Err(_) => {}
            }
        }
        Some(Ok(fragments))
    }

    /// True if the codec recognises `fragment` as the first one of a frame.
    fn starts_frame(&self, value: Value<'_>, fragment: &Fragment) -> Result<bool> {
        let mut head = [0; HEAD_BYTES];
        let head = head.get_mut(..fragment.len().min(HEAD_BYTES)).unwrap_or_default();
        Ok(self.format.starts_frame(value.head(fragment.start, head)?, fragment.len(), &self.info))
    }

    /// Returns all fragments, grouped by frame. Walks the items on the first call only.
    fn fragment_index(&self, value: Value<'_>) -> Result<&FragmentIndex> {
        let walk = || -> Result<FragmentIndex> {
            let (fragments, end) = read_fragments(value, self.first_item)?;
            let _ = self.end.set(end);
            let frame_ends =
                group_by_frame(value, &fragments, self.declared, &|fragment| self.starts_frame(value, fragment))?;
            Ok(FragmentIndex { fragments, frame_ends })
        };
        let index = match self.index.get() {
            Some(index) => index,
            None => match walk() {
                // Not cached: the next read may succeed.
                Err(error) if error.kind() == ErrorKind::Io => return Err(error),
                walked => self.index.get_or_init(|| walked),
            },
        };
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
    let joined = scratch_slice(scratch, fragments.iter().map(ExactSizeIterator::len).sum(), limits)?;
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

fn report_more_frames(declared: usize, frame_count: usize, deviations: &mut Vec<Deviation>) {
    if frame_count > declared {
        let text = format!("number of frames is {declared}, {frame_count} frames found");
        deviations.push(Deviation::new(text, "PS3.3 C.7.6.6"));
    }
}

#[cfg(test)]
mod tests;
